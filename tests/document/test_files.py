from __future__ import annotations

import copy
import json
import math

import jsonschema
import pytest
from support.documents import GOLDEN, golden, valid

from emoprefer_bench.document import files, reading


@pytest.fixture
def golden_file():
    """The golden report."""
    return json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))


def test_a_report_with_every_kind_of_case_is_valid(golden_file):
    """Scored, failed, incomplete, skipped, broken: the schema describes them all."""
    assert valid(golden_file)["complete"] is False


def test_scores_are_those_of_the_golden_report(golden_file):
    """What was scored once is scored the same now, digests of rows included."""
    now = golden()
    assert now["datasets"] == golden_file["datasets"]
    for before, after in zip(golden_file["cases"], now["cases"], strict=True):
        assert before.get("verdicts") == after.get("verdicts")
        for name, score in before.get("scores", {}).items():
            assert after["scores"][name]["rounds"] == pytest.approx(score["rounds"], abs=1e-12), name
            assert after["scores"][name]["mean"] == pytest.approx(score["mean"], abs=1e-12), name


def _spoilt(change):
    found = copy.deepcopy(golden())
    change(found)
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(schema=2),
        lambda d: d.pop("manifest"),
        lambda d: d["datasets"]["toy"].pop("row_digests"),
        lambda d: d["datasets"]["toy"]["labels"].append("tie"),
        lambda d: d["datasets"]["toy"]["keys"].append(d["datasets"]["toy"]["keys"][0]),
        lambda d: d["cases"][0].update(prompt="S5"),
        lambda d: d["cases"][0].update(modality="smell"),
        lambda d: d["cases"][0].update(outcome="fine"),
        lambda d: d["cases"][0].pop("verdicts"),
        lambda d: d["cases"][0].pop("scores"),
        lambda d: d["cases"][0]["scores"].pop("strict_swap"),
        lambda d: d["cases"][0]["scores"]["waf2"].update(mean=67.21),
        lambda d: d["cases"][0]["scores"]["waf2"].update(interval=[0.5]),
        lambda d: d["cases"][0]["verdicts"][0]["forward"].append("A1"),
        lambda d: d["cases"][0]["verdicts"][0].pop("exchanged_provenance"),
        lambda d: d["cases"][-1].update(outcome="passed"),
        lambda d: d["cases"][-1].update(complete=True),
    ],
)
def test_the_schema_refuses_what_no_run_writes(change):
    """Each part that readers rely on is demanded."""
    with pytest.raises(jsonschema.ValidationError):
        valid(_spoilt(change))


def test_readers_may_meet_fields_that_they_do_not_know():
    """Schema 1 only gains."""
    assert valid(_spoilt(lambda d: d["cases"][0].update(gates=[{"metric": "waf2"}])))


def test_a_report_is_read_as_it_was_written(tmp_path):
    """Texts of any script survive, and no partial file stays behind."""
    written = golden() | {"note": "\N{SNOWMAN} é"}
    files.write(written, tmp_path / "new" / "report.json")
    assert reading.read(tmp_path / "new" / "report.json") == written
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.json"]


def test_a_number_that_json_does_not_know_is_never_written(tmp_path):
    """NaN would make a file that other programs refuse; the old report stays."""
    files.write(golden(), tmp_path / "report.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write(golden() | {"bad": math.nan}, tmp_path / "report.json")
    assert reading.read(tmp_path / "report.json")["schema"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"can't be read \(No such file or directory\)"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a report of this benchmark"),
        (b'{"schema": 1}', "is not a report of this benchmark"),
        (b'{"schema": 2, "complete": 1, "manifest": 1, "datasets": 1, "cases": 1}', "has schema 2, .* reads 1"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(tmp_path, content, message):
    """The message names the file and the reason."""
    path = tmp_path / "r.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(reading.DocumentError, match=message) as error:
        reading.read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_subsets_are_one_a_row():
    """A list that lacks some would part the scores of other rows; a report made before there were any is whole."""
    document = _spoilt(lambda d: d["datasets"]["toy"].update(subsets=["s", None, "t", None, "s", "t"]))
    assert reading.checked(document, "here")["datasets"]["toy"]["subsets"][2] == "t"
    document["datasets"]["toy"]["subsets"].pop()
    with pytest.raises(reading.DocumentError, match="data set toy has 5 subsets for 6 rows"):
        reading.checked(document, "here")
    document["datasets"]["toy"] |= {"subsets": ["s"] * 6, "longer": ["a1"] * 5}
    with pytest.raises(reading.DocumentError, match="data set toy has 5 longer for 6 rows"):
        reading.checked(document, "here")
    del document["datasets"]["toy"]["longer"]
    del document["datasets"]["toy"]["subsets"], document["datasets"]["toy"]["warnings"]
    assert reading.checked(valid(document), "here") == document
