"""What many tests want: pytester, and pairs made of thin air."""

from __future__ import annotations

import json
from typing import Any

import av  # noqa: F401  # pytester forgets modules that a run inside imports first, and these load but once a process
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pytest

from emoprefer_bench.pairs import Clip, Pair

pytest_plugins = ["pytester", "support.children"]
collect_ignore = ["kept"]  # a project that test_kept.py runs


def pytest_configure(config: pytest.Config) -> None:
    """Let no warning pass in these tests; in `benchmarks`, one of another plugin mustn't end a run."""
    config.addinivalue_line("filterwarnings", "error")


@pytest.fixture
def pairs() -> list[Pair]:
    """Six pairs on three clips; the longer text is the preferred one in four of them."""
    clips = [Clip(f"clip{number}", digest=f"digest{number}", subtitle=f"Sentence {number}.") for number in range(3)]
    rows = [
        ("calm and quiet", "angry", "a1"),
        ("sad", "very happy indeed", "a2"),
        ("surprised by it all", "worried", "a1"),
        ("afraid", "neutral and plain", "a1"),
        ("glad", "glad", "same"),
        ("tense", "bored to death", "a2"),
    ]
    return [Pair(f"{n:05}:{clips[n % 3].name}", clips[n % 3], a1, a2, label) for n, (a1, a2, label) in enumerate(rows)]  # type: ignore[arg-type]


CONFTEST = """
import emoprefer_bench
from emoprefer_bench.pairs import Answer

NOTED = __import__("pathlib").Path(__file__).with_name("asked.txt")

def say_a1(question):
    with NOTED.open("a") as noted:
        noted.write(question.key + "\\n")
    return "The person is glad." if "Describe" in (question.prompt or "") else "a1"

@emoprefer_bench.model(gpus=0, modality="text", llm="judge")
def judge(gpus):
    return emoprefer_bench.function(say_a1, name="judge", durable=True)
"""

TEST = """
def test_preference(case):
    assert case.run()["complete"]
"""

TOY = """name,a1,a2,preference
c1,he is sad,he is very happy today,a2
c1,"quote ""x"", ok",b c,a1
c2,one,two three,same
"""


class Bench:
    """A small project of a user: a conftest.py with one judge, the benchmark, and a data set called `toy`."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        pytester.makeconftest(CONFTEST)
        pytester.makepyfile(test_bench=TEST)
        self.data = pytester.path / "data"
        (self.data / "video").mkdir(parents=True)
        (self.data / "toy.csv").write_text(TOY)
        (pytester.path / "dataset").mkdir()  # so that the demo of the package is none of its data sets
        self.options = ["--emoprefer-data", f"toy={self.data / 'toy.csv'}"]

    def run(self, *args: str, apart: bool = False) -> pytest.RunResult:
        """Run pytest on it: in this process, or (with workers, or if told so) in one of its own."""
        apart = apart or "-n" in args
        run = self.pytester.runpytest_subprocess if apart else self.pytester.runpytest_inprocess
        return run("-W", "error", *self.options, *args)

    def report(self, path: str = ".emoprefer/report.json") -> dict[str, Any]:
        """The report of the last run."""
        document: dict[str, Any] = json.loads((self.pytester.path / path).read_text())
        return document

    def cases(self) -> dict[str, dict[str, Any]]:
        """The cases of the last run, by id."""
        return {case["id"]: case for case in self.report()["cases"]}

    def asked(self) -> list[str]:
        """The keys of all questions that the judge was asked, in all runs."""
        noted = self.pytester.path / "asked.txt"
        return noted.read_text().split() if noted.exists() else []


@pytest.fixture
def bench(pytester: pytest.Pytester) -> Bench:
    """A user's project."""
    return Bench(pytester)
