from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import GOLDEN, case, report, toy_pairs
from support.media_files import damage, make_clip, make_wav

from emoprefer_bench.cases import Case
from emoprefer_bench.cli import main as cli
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document import files as document

REPORT = str(GOLDEN / "report.json")
COMMANDS = ("report", "compare", "rank", "data", "data check", "data fetch")


@pytest.fixture
def run(capsys):
    """Run the command in this process: status, output, errors."""

    def run(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


def test_the_terminals_tables_are_shown_by_default(run):
    """The same as at the end of a run; -v shows more."""
    status, out, _ = run("report", REPORT)
    assert status == 0
    assert "qwen25omni_7b" in out
    assert "first slot" not in out
    assert "first slot" in run("report", REPORT, "-v")[1]


@pytest.mark.parametrize(("form", "suffix"), [("latex", "tex"), ("markdown", "md"), ("csv", "csv")])
def test_each_form_is_written_to_a_file_or_to_standard_output(run, tmp_path, form, suffix):
    """The file and the output are the golden file; new folders are made."""
    golden = (GOLDEN / f"report.{suffix}").read_text(encoding="utf-8")
    status, out, err = run("report", REPORT, f"--{form}", tmp_path / "new" / "out")
    assert (status, out, err) == (0, "", "")
    assert (tmp_path / "new" / "out").read_text(encoding="utf-8") == golden
    assert run("report", REPORT, f"--{form}", "-") == (0, golden, "")


def test_several_forms_are_made_at_once(run, tmp_path):
    """The page too, from the JSON alone."""
    shutil.copy(REPORT, tmp_path)
    run("report", tmp_path / "report.json", "--html", tmp_path / "out.html", "--csv", tmp_path / "out.csv")
    assert (tmp_path / "out.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("dataset,case,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("repot",), "invalid choice: 'repot'"),
        (("report",), "the following arguments are required: REPORT.json"),
        (("report", "gone.json"), "gone.json: can't be read (No such file or directory)"),
        (("report", __file__), "is no JSON"),
        (("report", REPORT, "--latex"), "expected one argument"),
        (("report", REPORT, "--embed-media"), "give --html FILE too"),
        (("report", REPORT, "--csv", "/dev/null/x"), "/dev/null/x: can't be written"),
        (("compare", REPORT), "the following arguments are required: B.json"),
        (("rank",), "rank what?"),
        (("rank", "--data", "emoprefer"), "'emoprefer' should be NAME=PATH"),
        (("rank", "--data", "own=gone.csv"), "there is no file gone.csv"),
        (("data",), "the following arguments are required: COMMAND"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_status_2(run, arguments, message):
    """On standard error, with the command's name before it."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("emoprefer-bench: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_says_what_there_is(capsys, command):
    """Every command has it, and the first has examples that this command line takes."""
    with pytest.raises(SystemExit) as end:
        cli.main([*command.split(), "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert out.startswith("usage: emoprefer-bench")
    if not command:
        for example in [line.split()[1:] for line in out.splitlines() if line.startswith("  emoprefer-bench ")]:
            cli._parser().parse_args(example[: example.index(">>")] if ">>" in example else example)


def test_comparing_shows_what_changed(run, tmp_path):
    """Two files in, old to new out."""
    pairs = toy_pairs()
    for name, verdicts in (("a", ["a1"] * 6), ("b", ["a2"] * 6)):
        found = report([case(Case("m", "S1", "toy", "audio"), pairs, verdicts)], Dataset("toy", pairs))
        document.write(found, tmp_path / f"{name}.json")
    status, out, _ = run("compare", tmp_path / "a.json", tmp_path / "b.json")
    assert status == 0
    assert "m-S1-toy: 6 of 6 verdicts flipped" in out


LABELS = ["a1", "a2", "a1", "a2"]
WRITERS = [("x", "y"), ("y", "x"), ("x", "z"), ("y", "z")]


@pytest.fixture
def table(tmp_path):
    """A CSV file with writers, and without clips."""
    path = tmp_path / "own.csv"
    rows = [
        f"clip{row // 2},text {row},other {row},{label},{a},{b}"
        for row, (label, (a, b)) in enumerate(zip(LABELS, WRITERS, strict=True))
    ]
    path.write_text("\n".join(["name,a1,a2,preference,model1,model2", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def ranked(tmp_path):
    """A report on the rows of that table."""
    pairs = toy_pairs(LABELS, writers=WRITERS)
    found = report([case(Case("m", "S1", "own", "audio"), pairs, LABELS)], Dataset("own", pairs))
    document.write(found, tmp_path / "report.json")
    return tmp_path / "report.json"


def first_writer(out):
    """Who stands first by people."""
    return next(line.split()[2] for line in out.splitlines() if line.startswith("people"))


def test_writers_are_ranked_by_people_from_a_table_alone(run, table):
    """No report is needed, nor are clips."""
    status, out, _ = run("rank", "--data", f"own={table}")
    assert (status, first_writer(out)) == (0, "x")
    assert "agreement" not in out


def test_writers_are_ranked_by_judges_too(run, table, ranked):
    """With a report; the writers come from the table, or from the transcripts beside the report."""
    status, out, _ = run("rank", ranked, "--data", f"own={table}")
    assert (status, first_writer(out)) == (0, "x")
    assert "agreement with people" in out
    assert run("rank", ranked)[2].startswith(f"emoprefer-bench: {ranked}: there are no transcripts beside it")
    (ranked.parent / "transcripts").mkdir()
    lines = [json.dumps({"row": row, "order": "forward", "writers": both}) + "\n" for row, both in enumerate(WRITERS)]
    (ranked.parent / "transcripts/m-S1-own.jsonl").write_text("".join(lines), encoding="utf-8")
    assert run("rank", ranked) == (0, out, "")


def test_a_table_of_other_rows_is_refused(run, table, ranked):
    """Writers are never given to rows that they did not write."""
    table.write_text(table.read_text(encoding="utf-8").replace("clip1,text 2", "clip9,text 2"), encoding="utf-8")
    status, _, err = run("rank", ranked, "--data", f"own={table}")
    assert status == 2
    assert "its rows of own are not those of the CSV file" in err


def test_checking_decodes_all_of_each_clip(run, tmp_path):
    """Damage in the middle is a fault; a little of it is said, and none."""
    (tmp_path / "own.csv").write_text("name,a1,a2,preference\nbad,x,y,a1\nhurt,x,y,a2\n")
    for name, frames, length in (("bad", 50, 3000), ("hurt", 75, 40)):
        clip = make_clip(
            tmp_path / f"video/{name}.mp4",
            frames=frames,
            size=(256, 192),
            sound=None,
            options={"movflags": "faststart"},
        )
        damage(clip, 0.5, length)
        make_wav(tmp_path / f"audio/{name}.wav")
    own = ("data", "check", "--root", tmp_path, "--data", f"own={tmp_path / 'own.csv'}")

    status, out, _ = run(*own)
    assert status == 1
    assert "data set own: 1 fault\n" in out
    assert "clip 'bad': " in out
    assert "bad.mp4: is damaged, " in out

    (tmp_path / "own.csv").write_text("name,a1,a2,preference\nhurt,x,y,a2\n")
    status, out, _ = run(*own)
    assert status == 0
    assert "nothing is wrong with it\n  but of clip hurt, 1 of 75 frames can't be decoded and are left out\n" in out


def test_checking_says_what_is_there_and_all_that_is_wrong(run, table, tmp_path):
    """Data sets that are not there are no fault; every fault of one that is there has a line."""
    status, out, err = run("data", "check", "--root", tmp_path)
    assert (status, err) == (0, "")
    assert out.count("is not here") == 3
    (tmp_path / "video").mkdir()
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", f"own={table}")
    assert status == 1
    assert "data set own: 2 faults\n" in out
    assert out.count("there is no clip") == 2


def test_a_data_set_that_was_named_must_be_there(run, tmp_path):
    """Who names one wants to know."""
    assert run("data", "check", "--root", tmp_path, "--data", f"own={tmp_path / 'gone.csv'}")[0] == 1


def test_more_than_twenty_faults_are_all_shown(run, tmp_path):
    """A run shows the first twenty; this is the place for the rest."""
    (tmp_path / "video").mkdir()
    rows = [f"clip{row},x,y,a1" for row in range(30)]
    (tmp_path / "own.csv").write_text("\n".join(["name,a1,a2,preference", *rows]) + "\n", encoding="utf-8")
    out = run("data", "check", "--root", tmp_path, "--data", f"own={tmp_path / 'own.csv'}")[1]
    assert out.count("there is no clip") == 30


def test_a_reader_that_stops_early_is_no_error():
    """`emoprefer-bench report ... | head -1` ends quietly."""
    command = f"{sys.executable} -m emoprefer_bench.cli.main report {REPORT} --csv - | head -c 1"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "d", "")


def test_asking_for_help_loads_nothing_heavy():
    """It answers at once."""
    script = (
        "import sys, emoprefer_bench.cli.main\n"
        "print([name for name in ('numpy', 'pandas', 'av', 'tabulate', 'torch') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_the_folder_of_the_repository_is_the_default():
    """`data check` without a folder looks into dataset/."""
    assert cli._parser().parse_args(["data", "check"]).root == Path("dataset")
