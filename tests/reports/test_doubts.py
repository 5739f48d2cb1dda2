from __future__ import annotations

import csv
import io
import json

import pytest
from support import documents
from support.describers import crossed_run
from support.sources import people_run, shortcuts_run

from emoprefer_bench.document.frames import Report
from emoprefer_bench.reports import crossed, csv_table, doubts, findings, latex, markdown, numbers, terminal
from emoprefer_bench.scoring import votes


def test_every_form_has_gains_subsets_slices_and_pulls():
    """The same numbers: the gain over the best control, subsets, rows against a shortcut, and the weight of length."""
    document = shortcuts_run()
    [gain] = doubts.gains(document["cases"]).rows
    assert gain[:2] == ["follower S1", "length_and_writer"]
    subset = next(row for row in doubts.subsets(document["cases"]).rows if row[:2] == ["follower S1", "omission"])
    against = next(row for row in doubts.slices(document["cases"]).rows if row[:2] == ["follower S1", "against longer"])
    [pulls] = doubts.pulls(document["cases"]).rows
    assert "*" in pulls[2]
    forms = (
        terminal.render(document, verbosity=1, width=200),
        markdown.render(document).replace("\\", ""),
        latex.render(document),
    )
    for form in forms:
        for cell in (subset[3], subset[4], against[3], against[4], pulls[2]):
            assert cell in form
            assert "[" in cell
    assert gain[4] in forms[1]
    part = next(case for case in document["cases"] if case["model"] == "follower")["subsets"]["omission"]
    for metric in ("acc2", "acc3", "swap"):
        assert all(numbers.score(part["scores"][metric], with_interval=True) in form for form in forms[1:])


def test_every_form_has_the_length_of_votes():
    """For a vote as for the judges that it is over, and in data frames."""
    document = shortcuts_run()
    judge = document["cases"][0]
    twin = {**judge, "id": "twin-S1-toy", "model": "twin"}
    made = votes.cases_of([judge, twin], document["datasets"])
    [vote] = [made_vote for made_vote in made if made_vote["variant"] == "models-vote"]
    document = documents.valid(json.loads(json.dumps(document | {"cases": [*document["cases"], vote]})))
    share = next(row for row in doubts.subsets([vote]).rows if row[1] == "omission")[4]
    part = vote["subsets"]["omission"]
    assert share == f"{numbers.percent(part['longer'])} {numbers.interval(part['longer_interval'])}"
    for form in (
        terminal.render(document, verbosity=1, width=200),
        markdown.render(document).replace("\\", ""),
        latex.render(document),
    ):
        assert any(share in line for line in form.splitlines() if line.lstrip("| ").startswith("vote"))
    rows = csv.DictReader(io.StringIO(csv_table.render(document)))
    [row] = [row for row in rows if (row["model"], row["part"], row["metric"]) == ("vote", "subset:omission", "longer")]
    frame = Report(document).cases(subsets=True).loc[vote["id"]].set_index("subset").loc["omission"]
    assert float(row["mean"]) == pytest.approx(part["longer"])
    assert (frame["longer"], frame["longer_low"], frame["longer_high"]) == (part["longer"], *part["longer_interval"])


def test_a_subset_that_length_solves_says_so():
    """In the row of the longer text alone, and where it is right on all of the subset alone."""
    document = shortcuts_run()
    [control] = (dict(case) for case in document["cases"] if case["model"] == "follower")
    control |= {"id": "longer-toy", "model": "longer", "prompt": "direct", "modality": None}
    solved = {"scores": {**control["subsets"]["omission"]["scores"], "strict_acc2": {"mean": 1.0, "interval": None}}}
    control["subsets"] = {**control["subsets"], "omission": {**control["subsets"]["omission"], **solved}}
    named = [row[1] for row in doubts.subsets([*document["cases"], control]).rows if row[0].startswith("longer ")]
    assert named == ["flip", "omission (solved by length)"]
    by_subset = {table.title: table.rows for table in doubts.each_subset([*document["cases"], control])}
    [omission] = [rows for title, rows in by_subset.items() if title.startswith("subset omission, ")]
    assert [row[0] for row in omission if "solved" in row[0]] == ["longer (control) direct (solved by length)"]
    assert sum("solved" in row[0] for rows in by_subset.values() for row in rows) == 1
    judge = {**control, "modality": "video"}
    assert all("solved" not in row[1] for row in doubts.subsets([*document["cases"], judge]).rows)


def test_the_table_for_spreadsheets_has_rows_of_parts():
    """Each with what it is about, and the fractions that the document has."""
    document = shortcuts_run()
    rows = list(csv.DictReader(io.StringIO(csv_table.render(document))))
    judge = document["cases"][0]
    own = {(row["part"], row["metric"]): row for row in rows if row["case"] == judge["id"]}
    flip = judge["subsets"]["flip"]
    assert float(own["subset:flip", "waf2"]["mean"]) == round(flip["scores"]["waf2"]["mean"], 10)
    assert own["subset:flip", "waf2"]["rows"] == str(flip["rows"])
    assert float(own["", "pull_longer"]["low"]) == round(judge["pulls"]["longer"]["interval"][0], 10)
    assert own["", "gain_waf2"]["against"] == "length_and_writer"
    assert own["", "gain_waf2"]["p"]
    assert 0 < float(own["slice:against longer", "followed"]["mean"]) < 1


def test_a_line_says_which_shortcuts_a_judge_follows():
    """And for a judge that follows nobody, that it doesn't."""
    document = shortcuts_run()
    [line] = findings.pulled(document["cases"])
    assert line.startswith("follower-S1-toy is pulled by longer 0.4")
    document["cases"][0]["pulls"]["people"]["found"] = False
    assert (
        findings.pulled(document["cases"])[1]
        == "follower-S1-toy: its verdicts can't be told to go with people's labels"
    )
    document["cases"][0]["variant"] = "people"
    assert len(findings.pulled(document["cases"])) == 1


def test_reports_from_before_have_no_parts():
    """What they lack is left out."""
    document = shortcuts_run()
    for case in document["cases"]:
        del case["pulls"], case["subsets"], case["slices"]
    documents.valid(document)
    text = terminal.render(document, verbosity=1)
    assert "subset" not in text
    assert "is pulled by" not in text
    assert "slice:" not in csv_table.render(document)


def test_every_form_says_how_far_people_agree():
    """And what follows for the best judge, for each judge, and for whom it could stand in."""
    document = people_run()
    human = document["datasets"]["toy"]["ceiling"]
    agreement, lines = f"{100 * human['agreement']:.2f}%", findings.ceiling(document["datasets"]["toy"])
    assert f"two agree in {agreement}" in lines[0]
    assert f"between {100 * human['best'][0]:.2f} and {100 * human['best'][1]:.2f} (by that interval" in lines[1]
    able, majority = sorted(doubts.people(document["cases"]).rows)
    assert (able[0], able[1], able[4]) == ("able S1", "600", "3 of 3: passes")
    assert (majority[0], majority[4]) == ("majority (people)", "-")
    assert "[" in able[2]
    forms = (terminal.render(document), markdown.render(document).replace("\\", ""), latex.render(document))
    for form in forms:
        assert agreement.rstrip("%") in form
        assert able[2] in form
        assert able[3] in form
    [person, *_] = doubts.annotators(document["datasets"]["toy"]).rows
    assert (person[0], person[1]) == ("person0", "200")
    for form in (terminal.render(document, verbosity=1), *forms[1:]):
        assert person[2] in form
    rows = list(csv.DictReader(io.StringIO(csv_table.render(document))))
    of_all = {row["metric"]: row for row in rows if row["part"] == "people" and not row["case"]}
    assert {row["dataset"] for row in of_all.values()} == {"toy"}
    assert {row["rows"] for row in of_all.values()} == {"600"}
    for metric in ("agreement", "alpha"):
        assert float(of_all[metric]["mean"]) == pytest.approx(human[metric])
    for metric, bounds in (("agreement", "agreement_interval"), ("alpha", "alpha_interval"), ("best", "best")):
        assert (float(of_all[metric]["low"]), float(of_all[metric]["high"])) == pytest.approx(tuple(human[bounds]))
    assert float(of_all["best_interval"]["low"]) == pytest.approx(human["best_interval"][0])
    assert float(of_all["best_interval"]["high"]) == pytest.approx(human["best_interval"][1])
    [of_person] = [row for row in rows if row["part"] == "people:person0"]
    assert float(of_person["mean"]) == pytest.approx(human["annotators"][0]["agreement"])
    own = {row["metric"]: row for row in rows if row["part"] == "people" and row["model"] == "able"}
    assert float(own["stands_in"]["mean"]) == 1.0
    alternative = document["cases"][0]["of_ceiling"]["alternative"]
    assert float(own["advantage"]["mean"]) == pytest.approx(alternative["advantage"])
    part = own["acc2"]
    low, high = document["cases"][0]["of_ceiling"]["interval"]
    assert (part["metric"], part["labelled"]) == ("acc2", "600")
    assert (float(part["low"]), float(part["high"])) == pytest.approx((low, high))
    assert low < float(part["mean"]) < high
    [beside] = [row for row in rows if row["metric"] == "of_best" and row["model"] == "able"]
    assert float(beside["low"]) == pytest.approx(document["cases"][0]["of_ceiling"]["relative"][0])
    assert findings.ceiling(shortcuts_run()["datasets"]["toy"]) == []
    assert doubts.annotators(shortcuts_run()["datasets"]["toy"]).rows == []


def test_tables_fit_the_terminal():
    """What there is no room for is left out, and named; the share of the longer text is none of it."""
    lines = terminal.render(shortcuts_run(), verbosity=1).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("subset flip, 287 rows, in percent"))
    tables = [line for line in lines[start:] if line and not line.startswith(("by ", "subset "))]
    assert max(map(len, tables)) <= 80
    assert sum(line.startswith("Left out to fit: ") for line in tables) == 4
    for subset in ("flip", "omission"):
        heads = next(number for number, line in enumerate(lines) if line.startswith(f"subset {subset}")) + 1
        assert lines[heads].split()[:3] == ["judge", "waf2", "longer"]
        share = next(row for row in doubts.subsets(shortcuts_run()["cases"]).rows if row[:2] == ["follower S1", subset])
        assert any(share[4] in line for line in lines[heads : heads + 5] if line.startswith("follower S1"))


def test_what_is_so_by_design_is_said_of_subsets_too():
    """A vote over orders is consistent on every subset, whatever the judge is."""
    document = shortcuts_run()
    [vote] = votes.cases_of([document["cases"][0]], document["datasets"])
    heads = doubts.subsets([vote]).heads
    assert {row[heads.index("swap")] for row in doubts.subsets([vote]).rows} == {"by design"}


def test_a_shortcut_follows_itself_by_design():
    """Its own share of the longer text, and its own slices, say nothing of the data; those of other shortcuts do."""
    document = shortcuts_run()
    [prior] = [case for case in document["cases"] if case["model"] == "writer_prior"]
    cells = {row[1]: row[3:] for row in doubts.slices([prior]).rows}
    assert cells["with writer_prior"] == ["by design", "-"]
    assert cells["against writer_prior"] == ["by design", "by design"]
    assert "by design" not in cells["against longer"]
    assert all(row[4] != "by design" for row in doubts.subsets([prior]).rows)
    control = {**prior, "id": "longer-toy", "model": "longer"}
    assert all(row[4] == "by design" for row in doubts.subsets([control]).rows)


def test_names_of_others_are_no_lines_of_a_terminal():
    """A subset with a line break in it, or a person: what stands at the start of a line may be a command to CI."""
    document, people = shortcuts_run(), people_run()
    parts = document["cases"][0]["subsets"]
    parts["flip\n::add-mask::x"] = parts.pop("flip")
    people["datasets"]["toy"]["ceiling"]["annotators"][0]["annotator"] = "::add-mask::x"
    for made in (document, people):
        text = terminal.render(made, verbosity=1)
        assert "::add-mask::x" in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())


@pytest.mark.parametrize(
    ("others", "peers", "said"),
    [
        (["seer"], ["chooser"], "errs neither by its descriptions nor by its comparing, as far as these rows show"),
        (["seer"], [], "does not err by its descriptions, as far as these rows show; no other judge compared by them"),
        (
            [],
            ["chooser"],
            "does not err by its comparing, as far as these rows show; it was given no other description",
        ),
        ([], [], "was held against no other describer and no other judge"),
    ],
)
def test_no_fault_is_ruled_out_that_was_not_looked_for(others, peers, said):
    """A judge alone has nobody to compare by its descriptions."""
    document = crossed_run()
    [crossing] = document["crossings"]
    nothing = {"gain": 0.0, "interval": [-0.1, 0.1], "found": False}
    crossing["judges"][0] |= {"others": others, "descriptions": nothing if others else None}
    crossing["judges"][0] |= {"peers": peers, "comparing": nothing if peers else None}
    assert crossed.sentences(document, "toy")[0] == f"{crossing['judges'][0]['case']} {said}"


def test_every_form_says_whose_fault_an_error_is():
    """What others' descriptions mend, what others would gain, and what makes verdicts differ."""
    document = crossed_run()
    [crossing] = document["crossings"]
    cells, faults = crossed.tables(document, "toy")
    of_teller = next(row for row in faults.rows if row[0] == "teller-S2-toy")
    *_, variance = crossed.sentences(document, "toy")
    for form in (
        terminal.render(document, width=200),
        markdown.render(document).replace("\\", ""),
        latex.render(document).replace("\\", ""),
    ):
        for said in (*of_teller[1:], cells.rows[0][1], variance):
            assert said in form
    rows = list(csv.DictReader(io.StringIO(csv_table.render(document))))
    own = {row["metric"]: row for row in rows if row["part"] == "crossing" and row["case"] == "teller-S2-toy"}
    judged = next(judged for judged in crossing["judges"] if judged["case"] == "teller-S2-toy")
    assert (own["mended"]["modality"], own["mended"]["rows"]) == ("video", "240")
    assert float(own["mended"]["mean"]) == pytest.approx(judged["mended"]["share"])
    assert float(own["mended_by_none_by_chance"]["mean"]) == pytest.approx(judged["none"]["by_chance"])
    for metric, fault in (("others_describe", "descriptions"), ("others_judge", "comparing")):
        row, gain = own[f"gain_{metric}"], judged[fault]
        assert (float(row["mean"]), float(row["low"])) == pytest.approx((gain["gain"], gain["interval"][0]))
    shares = {row["metric"]: float(row["mean"]) for row in rows if row["part"] == "crossing" and not row["case"]}
    assert shares == pytest.approx(
        {f"variance_{name}": crossing["variance"][name]["value"] for name in ("describer", "judge", "interaction")}
    )
