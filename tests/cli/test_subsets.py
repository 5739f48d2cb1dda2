"""Commands and data frames that look at a subset of the rows alone."""

from __future__ import annotations

import copy
import json

import pytest
from support.sources import shortcuts_run

from emoprefer_bench.cli import main as cli
from emoprefer_bench.document import frames
from emoprefer_bench.pairs import EXCHANGED
from emoprefer_bench.reports import compare, history


@pytest.fixture
def document():
    """A report on 574 rows, every other of which is in the subset `omission`."""
    return shortcuts_run()


def flipped(document, subset):
    """The same a day later, with the verdicts on a subset exchanged."""
    later = copy.deepcopy(document)
    later["manifest"]["created"] = "2027-01-01T00:00:00+00:00"
    subsets = later["datasets"]["toy"]["subsets"]
    for verdicts in later["cases"][0]["verdicts"]:
        for order in ("forward", "forward_reference", "exchanged", "exchanged_reference"):
            verdicts[order] = [
                EXCHANGED[label] if named == subset else label
                for label, named in zip(verdicts[order], subsets, strict=True)
            ]
    return later


def judged(before, after, subset):
    """How the judge's case changed on a subset."""
    changes = compare.changes(before, after, "toy", ["acc2"], subset)
    return next(change for change in changes if change.id == "follower-S1-toy")


def test_reports_are_compared_on_a_subset(document):
    """What changed there shows there alone."""
    later = flipped(document, "omission")
    changed, same = (judged(document, later, subset) for subset in ("omission", "flip"))
    assert (changed.rows, same.rows) == (287, 287)
    assert len(changed.flipped) == 287
    assert same.flipped == []
    score = document["cases"][0]["subsets"]["omission"]["scores"]["acc2"]["mean"]
    assert changed.differences["acc2"]["other"] == pytest.approx(score)
    assert changed.differences["acc2"]["score"] == pytest.approx(1 - score)
    assert "its 287 rows of the subset omission" in compare.render(document, later, ["acc2"], subset="omission")
    assert judged(document, later, "gone").rows == 0


def test_the_history_of_a_subset(document):
    """Its scores, not those of all rows; a subset that nobody has has no history."""
    (line,) = (history.history([document], "acc2", "flip")["follower-S1-toy"],)
    assert line[0].score == document["cases"][0]["subsets"]["flip"]["scores"]["acc2"]
    assert history.history([document], "acc2", "gone") == {}


def test_data_frames_have_a_row_for_each_subset(document):
    """Beside the row of all; without being asked, there is none."""
    report = frames.Report(document)
    assert "subset" not in report.cases().columns
    parts = report.cases(subsets=True).loc["follower-S1-toy"].set_index("subset", append=False)
    assert list(parts.index.fillna("all")) == ["all", "flip", "omission"]
    assert parts.loc["flip", "acc2"] == document["cases"][0]["subsets"]["flip"]["scores"]["acc2"]["mean"]
    assert parts.loc["flip", "rows"] == 287
    part = document["cases"][0]["subsets"]["omission"]
    assert parts.loc["omission", ["longer", "longer_low", "longer_high"]].tolist() == [
        part["longer"],
        *part["longer_interval"],
    ]
    assert parts["model"].nunique() == 1
    empty = frames.Report({**document, "cases": []}).cases(subsets=True)
    assert "subset" in empty.columns


def test_commands_take_a_subset(document, tmp_path, capsys):
    """`compare`, `history` and `rank`; one that a data set has not is said, with those that it has."""
    before, after, table = tmp_path / "before.json", tmp_path / "after.json", tmp_path / "toy.csv"
    before.write_text(json.dumps(document))
    after.write_text(json.dumps(flipped(document, "omission")))
    assert cli.main(["compare", str(before), str(after), "--subset", "flip"]) == 0
    assert "follower-S1-toy: 0 of 287 verdicts flipped" in capsys.readouterr().out
    assert cli.main(["history", str(before), str(after), "--metric", "acc2", "--subset", "omission"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("acc2[omission] in percent")
    rows = [("c", "x", "y", "a1", "one", "two", "flip")] * 3 + [("c", "x", "y", "a2", "one", "two", "other")] * 5
    lines = [",".join(row) for row in [("name", "a1", "a2", "preference", "model1", "model2", "subset"), *rows]]
    table.write_text("\n".join(lines) + "\n")
    assert cli.main(["rank", "--data", f"own={table}", "--subset", "flip"]) == 0
    ranked = capsys.readouterr().out
    assert ranked.index(" one ") < ranked.index(" two ")  # whom the other rows would have the other way round
    assert cli.main(["rank", "--data", f"own={table}", "--subset", "gone"]) == 2
    assert "own: has no subset gone; it has flip, other" in capsys.readouterr().err
