"""The benchmark, its models and the demo data set, as a repository of somebody else's meets them."""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from pathlib import Path

import pytest

from emoprefer_bench import judges
from emoprefer_bench.data.datasets import built_in

ROOT = Path(__file__).parents[2]
TEST = """
def test_preference(case):
    assert case.run()["complete"]
"""


@pytest.fixture
def elsewhere(pytester, monkeypatch):
    """A folder with nothing in it, on a machine without a GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return pytester


def test_the_installed_benchmark_runs_anywhere(elsewhere):
    """On the demo data set that came with the package; the report lies where pytest was called."""
    result = elsewhere.runpytest_subprocess("--pyargs", "emoprefer_bench.benchmark", "-k", "demo and longer")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["demo: 48 pairs, 48 labelled, 20 clips", "longer * 50.00 *"])
    assert (elsewhere.path / ".emoprefer" / "report.json").is_file()


def test_built_in_models_are_imported_one_by_one(elsewhere):
    """Those that a conftest.py names, with the text LLM of S3 and S4, and no others."""
    elsewhere.makeconftest("from emoprefer_bench.judges import qwen25_7b, qwen25omni_7b")
    elsewhere.makepyfile(test_mine=TEST)
    result = elsewhere.runpytest_subprocess("--collect-only", "-q", "-k", "demo")
    models = {line.partition("[")[2].partition("-")[0] for line in result.outlines if "::" in line}
    assert models == {"qwen25_7b", "qwen25omni_7b", "longer", "always_a1", "random"}


def test_an_option_adds_all_of_them(elsewhere):
    """Without a conftest.py; and without the option there are none."""
    elsewhere.makepyfile(test_mine=TEST)
    result = elsewhere.runpytest_subprocess("--collect-only", "-q", "-k", "demo", "--emoprefer-judges")
    models = {line.partition("[")[2].partition("-")[0] for line in result.outlines if "::" in line}
    assert models == {*judges.__all__, "longer", "always_a1", "random"}
    assert len(judges.__all__) > 40
    without = elsewhere.runpytest_subprocess("--collect-only", "-q", "-k", "demo and S1")
    without.stdout.fnmatch_lines(["*no tests collected*"])


def installed(folder: Path, name: str, module: str, text: str) -> None:
    """Install a package of somebody else's with an entry point of models into a folder."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[emoprefer_bench.judges]\n{name} = {module}\n")


THEIRS = """
import emoprefer_bench

@emoprefer_bench.model(gpus=0, modality="text", prompts=())
def theirs(gpus):
    return emoprefer_bench.function(lambda question: "a1", name="theirs")
"""


def test_other_packages_bring_models_by_an_entry_point(elsewhere, monkeypatch):
    """They stand beside the built-in ones."""
    elsewhere.makepyfile(test_mine=TEST)
    packages = elsewhere.mkdir("packages")
    installed(packages, "their-judges", "their_judges", THEIRS)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    result = elsewhere.runpytest_subprocess("-k", "theirs and demo", "--emoprefer-judges")
    result.assert_outcomes(passed=1)


def test_models_that_can_not_be_loaded_are_one_sentence(elsewhere, monkeypatch):
    """With the name of the entry point and what it said; status 4, and nothing runs."""
    elsewhere.makepyfile(test_mine=TEST)
    packages = elsewhere.mkdir("packages")
    installed(packages, "their-judges", "their_judges", "raise RuntimeError('no licence')")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    result = elsewhere.runpytest_subprocess("-k", "demo", "--emoprefer-judges")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--emoprefer-judges: the models their-judges (their_judges) can't be loaded: RuntimeError: no licence"]
    )


def test_a_folder_of_data_sets_has_the_demo_or_not(tmp_path):
    """The package's demo stands in only where there is no such folder."""
    assert built_in(tmp_path / "dataset")["demo"].missing() is None
    (tmp_path / "dataset").mkdir()
    assert "there is no file" in built_in(tmp_path / "dataset")["demo"].missing()


def test_a_wheel_has_what_a_checkout_has_in_its_root():
    """Where judges.py and data/datasets.py look for it; and the benchmark is that of the checkout."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {
        "conftest.py": "emoprefer_bench/benchmark/conftest.py",
        "dataset/demo": "emoprefer_bench/demo/dataset",
    }
    for source in wheel["force-include"]:
        assert (ROOT / source).exists()
    benchmark = ROOT / "emoprefer_bench" / "benchmark" / "test_preference.py"
    assert benchmark.read_text() == (ROOT / "benchmarks" / "test_preference.py").read_text()


def test_the_entry_point_of_the_built_in_models_is_installed():
    """By which --emoprefer-judges finds them."""
    names = {entry.value for entry in importlib.metadata.entry_points(group="emoprefer_bench.judges")}
    assert "emoprefer_bench.judges" in names
    assert sys.modules["emoprefer_bench.judges"] is judges
