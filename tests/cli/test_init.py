"""A repository as `init` begins it."""

from __future__ import annotations

from emoprefer_bench.cli import init
from emoprefer_bench.cli import main as cli


def test_what_is_written_runs_at_once(pytester, monkeypatch, capsys):
    """The controls pass on the demo data set; the models say what they need."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert cli.main(["init"]) == 0
    told = capsys.readouterr().out
    for name in init.FILES:
        assert f"wrote {name}\n" in told
        assert (pytester.path / name).is_file()
    result = pytester.runpytest_subprocess("-k", "demo", "-W", "error")
    result.assert_outcomes(passed=3, skipped=12)
    result.stdout.fnmatch_lines(["12 cases were skipped. So many of them need", "    12  1 GPU"])


def test_nothing_is_overwritten(tmp_path, capsys):
    """Not even in part."""
    (tmp_path / "test_preference.py").write_text("mine")
    assert cli.main(["init", str(tmp_path)]) == 2
    assert "test_preference.py: there already, so nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["test_preference.py"]


def test_a_folder_that_can_not_be_written_is_one_sentence(tmp_path, capsys):
    """With its name."""
    (tmp_path / "file").write_text("")
    assert cli.main(["init", str(tmp_path / "file" / "new")]) == 2
    assert "can't be written" in capsys.readouterr().err


def test_the_workflow_runs_no_strangers_code(tmp_path):
    """No pull requests on a machine of one's own, and no more rights than reading."""
    cli.main(["init", str(tmp_path)])
    workflow = (tmp_path / ".github/workflows/judges.yml").read_text()
    assert "\n  pull_request" not in workflow
    assert "permissions:\n  contents: read" in workflow
