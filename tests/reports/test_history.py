"""Reports of many runs as lines over time."""

from __future__ import annotations

import copy
import json
import subprocess
from html.parser import HTMLParser

import pytest
from support.documents import case, report, toy_pairs, valid

from emoprefer_bench.cases import Case
from emoprefer_bench.cli import main as cli
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.reports.history import history, page, table

RIGHT = ["a1", "a2", "a1", "a2", "a1", "a2"]
WRONG = ["a2", "a1", "a2", "a1", "a2", "a1"]


def night(day: int, right: int, engine: str = "vllm 0.30", commit: str | None = None, labels=RIGHT) -> dict:
    """A report of the night of a day, in which a judge is right so many times."""
    judged = case(Case("m", "S1", "toy", "audio"), toy_pairs(labels), RIGHT[:right] + WRONG[right:])
    judged = copy.deepcopy(judged)
    judged["engine"]["judge"]["engine"] = engine
    made = report([judged], Dataset("toy", toy_pairs(labels)))
    made["manifest"]["created"] = f"2026-01-{day:02}T03:00:00+00:00"
    if commit:
        made["manifest"]["commit"] = commit
    return valid(made)


NIGHTS = [night(3, 6, "vllm 0.31", "abc"), night(1, 2), night(2, 4)]


def test_a_case_is_a_row_from_its_first_run_to_its_last():
    """However the reports were named; the lowest and the highest block are the worst and the best run."""
    text = table(history(NIGHTS, "acc2"), "acc2")
    (row,) = [line.split() for line in text.splitlines() if line.startswith("m-S1-toy ")]
    assert row[:4] == ["m-S1-toy", "3", "▁▄█", "33.33"]
    assert row[4] == "100.00"
    assert "m-S1-toy: since 2026-01-03 03:00, commit abc: vllm 0.31, before vllm 0.30" in text
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_a_report_that_is_given_twice_counts_once():
    """A copy of the last night's beside its own, say."""
    assert history([*NIGHTS, copy.deepcopy(NIGHTS[1])], "acc2") == history(NIGHTS, "acc2")


def test_another_data_set_is_said():
    """Its scores can't be compared with those before."""
    text = table(history([night(1, 6), night(2, 6, labels=["a1"] * 6)], "acc2"), "acc2")
    assert "m-S1-toy: since 2026-01-02 03:00: another data set" in text


def test_a_score_that_never_changes_is_a_level_line():
    """And a report in which nothing was scored is no run of a case."""
    empty = night(3, 6)
    empty["cases"] = []
    assert " ▄▄ " in table(history([night(1, 6), night(2, 6), empty], "acc2"), "acc2")
    assert table(history([empty], "acc2"), "acc2") == "no case has scores"


class Elements(HTMLParser):
    """Counts what a page draws, and notes whatever it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[tuple[str, str]] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        attributes = dict(attrs)
        self.drawn.append((tag, attributes.get("class", "")))
        self.loaded += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_draws_each_run_with_its_interval_and_loads_nothing():
    """Three points, three intervals, and one dashed line where the engine was exchanged."""
    elements = Elements()
    elements.feed(page(history(NIGHTS, "acc2"), "acc2"))
    assert elements.drawn.count(("circle", "")) == 3
    assert elements.drawn.count(("line", "sure")) == 3
    assert elements.drawn.count(("line", "other")) == 1
    assert "script" not in {tag for tag, _ in elements.drawn}
    assert elements.loaded == []


def test_names_of_strangers_are_no_markup():
    """A model may be called anything."""
    odd = night(1, 6)
    odd["cases"][0]["id"] = "<script>alert(1)</script>"
    text = page(history([odd], "acc2"), "acc2")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_command_reads_files_and_folders(tmp_path, capsys):
    """A table, or a page in a file."""
    (tmp_path / "nightly").mkdir()
    for number, made in enumerate(NIGHTS):
        (tmp_path / "nightly" / f"{number}.json").write_text(json.dumps(made))
    assert cli.main(["history", str(tmp_path / "nightly"), "--metric", "acc2"]) == 0
    assert "▁▄█" in capsys.readouterr().out
    assert (
        cli.main(["history", str(tmp_path / "nightly" / "0.json"), "--html", str(tmp_path / "new" / "out.html")]) == 0
    )
    assert (tmp_path / "new" / "out.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(("named", "told"), [("empty", "there is no report in it"), ("gone.json", "can't be read")])
def test_what_is_no_report_is_one_sentence(tmp_path, capsys, named, told):
    """Status 2."""
    (tmp_path / "empty").mkdir()
    assert cli.main(["history", str(tmp_path / named)]) == 2
    assert told in capsys.readouterr().err


def test_a_report_says_which_commit_it_is_of(bench):
    """With a plus where files were changed; a project outside of git has none."""
    bench.run("-k", "longer and toy")
    assert "commit" not in bench.report()["manifest"]

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments]
        return subprocess.run(command, cwd=bench.pytester.path, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", "conftest.py")
    git("commit", "-qm", "first")
    bench.run("-k", "longer and toy")
    commit = git("rev-parse", "HEAD").strip()
    assert bench.report()["manifest"]["commit"] == commit[:12]
    (bench.pytester.path / "conftest.py").write_text((bench.pytester.path / "conftest.py").read_text() + "\n")
    bench.run("-k", "longer and toy")
    assert valid(bench.report())["manifest"]["commit"] == f"{commit[:12]}+"
