from __future__ import annotations

import json

import pytest
from support.documents import case, report, toy_pairs

from emoprefer_bench.cases import BLIND, Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.gates import baselines
from emoprefer_bench.gates.baselines import Baseline, BaselineError
from emoprefer_bench.scoring.comparisons import rounds_of

PAIRS = toy_pairs(["a1", "a2"] * 60)
SAID = ["a1", "a2", "same", "?"] * 30
M, N = Case("m", "S1", "toy", "audio"), Case("n", "S1", "toy", "audio")


def run(*cases, pairs=PAIRS):
    """A report of cases on one data set."""
    return report(list(cases), Dataset("toy", pairs))


@pytest.fixture(scope="module")
def document():
    """Two cases, one of them of two rounds."""
    return run(case(M, PAIRS, SAID, SAID[::-1]), case(N, PAIRS, SAID))


def test_verdicts_survive_the_file_in_both_readings(tmp_path, document):
    """In every round and order, unread ones too."""
    path = tmp_path / "there/main.json"
    baselines.save(Baseline("main").merged(document), path)
    found = baselines.load(path, "main")
    assert found == Baseline("main").merged(document)
    assert found.rounds("m-S1-toy", 120) == rounds_of(document["cases"][0], 120)
    assert found.rounds("n-S1-toy", 7) == rounds_of(document["cases"][1], 7)


def test_every_pair_of_readings_has_a_mark_of_its_own():
    """What can be read alike in both ways is the plainest."""
    assert len(set("".join(baselines.MARKS))) == 12
    assert baselines._READINGS["1"] == ("a1", "a1")
    assert baselines._READINGS["2"] == ("a2", "a2")
    assert baselines._READINGS["="] == ("same", "same")
    assert baselines._READINGS["?"] == (None, "same")
    assert baselines._READINGS["g"] == (None, "a1")


def test_the_file_is_made_for_a_diff(tmp_path, document):
    """One changed verdict is one changed line; the order of cases doesn't matter."""
    texts = []
    changed = run(case(N, PAIRS, ["a2", *SAID[1:]]), case(M, PAIRS, SAID, SAID[::-1]))
    for number, one in enumerate((document, changed)):
        path = tmp_path / f"{number}.json"
        baselines.save(Baseline("main").merged(one), path)
        texts.append([line for line in path.read_text().splitlines() if '"1' in line or '"2' in line])
    before, after = texts
    assert len(before) == len(after)
    differing = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [(old.strip()[:4], new.strip()[:4]) for old, new in differing] == [('"12=', '"22='), ('"21=', '"11=')]
    assert max(map(len, texts[0])) < 120


def test_a_case_that_is_not_clean_is_left_out(document):
    """Failed, incomplete, with failed questions, or a variant: none of it becomes what others are held against."""
    unclean = [
        {"outcome": "failed"},
        {"outcome": "skipped"},
        {"complete": False},
        {"faults": {"boom": 1}},
        {"variant": BLIND},
    ]
    for change in unclean:
        spoilt = {**document, "cases": [{**document["cases"][0], **change}, document["cases"][1]]}
        assert list(Baseline("main").merged(spoilt).cases) == ["n-S1-toy"], change


def test_merging_keeps_what_did_not_run(document):
    """And the order of the file."""
    old = Baseline("main").merged(document)
    new = old.merged(run(case(M, PAIRS, ["a1"] * 120)))
    assert list(new.cases) == ["m-S1-toy", "n-S1-toy"]
    assert new.cases["n-S1-toy"] == old.cases["n-S1-toy"]
    assert new.cases["m-S1-toy"]["scores"]["acc2"] == 0.5


def test_merging_refuses_to_leave_a_case_without_its_rows(document):
    """Where a data set changed, all of its cases must have run; the message names those that did not."""
    pairs = toy_pairs(["a2", "a2"] * 60)
    old = Baseline("main").merged(document)
    with pytest.raises(BaselineError, match=r"main is left as it was: data set toy changed.*1 of its cases.*n-S1-toy"):
        old.merged(run(case(M, pairs, SAID), pairs=pairs))
    both = old.merged(run(case(M, pairs, SAID), case(N, pairs, SAID), pairs=pairs))
    assert both.datasets != old.datasets


def test_a_difference_of_data_is_counted_by_kind(document):
    """Nothing changed, a row rewritten, one gone."""
    baseline = Baseline("main").merged(document)
    dataset = document["datasets"]["toy"]
    assert baseline.changed(dataset) is None
    shorter = Dataset("toy", PAIRS[:50]).described()
    assert baseline.changed(shorter, 50) is None
    assert baseline.changed(shorter) == "rows 70 removed (first: row 51 (clip25))"
    other = Dataset("toy", toy_pairs(["a2", "a2"] * 60)).described()
    assert baseline.changed(other) == "rows 60 changed (first: row 1 (clip0))"


def test_where_and_how_a_case_ran_is_told_in_words(document):
    """Versions, devices and settings; a judge without a prompt has no prompt pack."""
    one = {**document["cases"][0]}
    identity = {"version": "1.0", "model": "m"}
    judge = {"engine": "vllm 1.0", "device": "NVIDIA H200", "identity": identity, "sampling": {}}
    one["engine"] = {"judge": judge, "llm": None}
    told = baselines.ran_on(one, {"name": "default", "sha256": "ab" * 32})
    assert told["judge's engine"] == "vllm 1.0"
    assert told["judge's device"] == "NVIDIA H200"
    assert told["prompts"] == "default abababababab"
    assert "text LLM" not in told
    one["engine"]["judge"]["identity"] = {"version": "2.0", "model": "m"}
    assert baselines.ran_on(one, {"name": "default", "sha256": "ab" * 32}) == told
    assert "prompts" not in baselines.ran_on({**one, "prompt": None}, {"name": "default", "sha256": "ab" * 32})


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.update(schema=2),
        lambda content: content.pop("cases"),
        lambda content: content["datasets"].pop("toy"),
        lambda content: content["cases"]["m-S1-toy"]["verdicts"][0].pop("forward"),
        lambda content: content["cases"]["m-S1-toy"]["verdicts"][0]["forward"].pop(),
        lambda content: content["cases"]["m-S1-toy"]["verdicts"][0]["exchanged"].append("9"),
        lambda content: content["cases"].update({"m-S1-toy": None}),
    ],
)
def test_a_spoilt_file_is_one_message_with_its_path(tmp_path, document, spoil):
    """Never a traceback of another kind."""
    path = tmp_path / "main.json"
    baselines.save(Baseline("main").merged(document), path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(BaselineError, match=r"main\.json: "):
        baselines.load(path, "main")


def test_a_missing_file_names_its_neighbours(tmp_path, document):
    """And how to make one."""
    baselines.save(Baseline("nightly").merged(document), tmp_path / "nightly.json")
    with pytest.raises(
        BaselineError, match=r"no baseline .*main\.json \(in that folder: nightly\); --emoprefer-save main"
    ):
        baselines.load(tmp_path / "main.json", "main")
