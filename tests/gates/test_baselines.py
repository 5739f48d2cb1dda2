from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.documents import case, report, toy_pairs

from emoprefer_bench.cases import BLIND, Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.gates import baselines
from emoprefer_bench.gates.baselines import Baseline, BaselineError
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.scoring.comparisons import rounds_of

OLD = Path(__file__).parents[1] / "golden/baseline-0.1.json"
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
        lambda content: content["cases"].clear(),
        lambda content: content["cases"]["m-S1-toy"]["verdicts"].clear(),
        lambda content: content["cases"]["m-S1-toy"].pop("verdicts"),
        lambda content: content["cases"]["m-S1-toy"].pop("ran_on"),
        lambda content: content["cases"]["m-S1-toy"].pop("llm"),
        lambda content: content["cases"]["m-S1-toy"].update(dataset="elsewhere"),
        lambda content: content["cases"]["m-S1-toy"].update(ran_on={"judge's engine": 7}),
        lambda content: content["cases"]["m-S1-toy"].update(settings=["temperature"]),
        lambda content: content["datasets"].update(toy=["a", "b"]),
        lambda content: content.update(subtitles={"toy": 1}),
    ],
)
def test_a_spoilt_file_is_one_message_with_its_path(tmp_path, document, spoil):
    """Never a traceback of another kind."""
    path = tmp_path / "main.json"
    baselines.save(Baseline("main").merged(document), path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(BaselineError, match=r"main\.json: ") as raised:
        baselines.load(path, "main")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "3", "[" * 100_000, '{"schema": 1}', '{"schema": 1, "cases": {}, "datasets": {}}', "\ud800", "NaN"],
)
def test_what_is_no_baseline_at_all_is_one_message(tmp_path, content):
    """However deep, short or strange."""
    path = tmp_path / "main.json"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(BaselineError, match=r"main\.json: is no baseline that can be read"):
        baselines.load(path, "main")


def test_what_would_hold_nothing_says_so(tmp_path, document):
    """No cases, or no verdicts."""
    path = tmp_path / "main.json"
    baselines.save(Baseline("main", Baseline("main").merged(document).datasets), path)
    with pytest.raises(BaselineError, match="it has no case, so that it would hold none: save it anew"):
        baselines.load(path, "main")
    merged = Baseline("main").merged(document)
    merged.cases["n-S1-toy"]["verdicts"].clear()
    baselines.save(merged, path)
    with pytest.raises(BaselineError, match="n-S1-toy: it has no verdicts, so that nothing would be compared"):
        baselines.load(path, "main")


def test_a_baseline_of_version_0_1_is_read_and_compares_equal():
    """It was written by that version, on the rows that are made here again; what it doesn't know is no difference."""
    old = baselines.load(OLD, "old")
    clips = {name: Clip(name, subtitle=said) for name, said in (("c1", "I am fine."), ("c2", "Well."))}
    rows = [("c1", "calm", "sad and low", "a1"), ("c1", "angry", "joy ful", "a2"), ("c2", "tense", "even", "same")]
    pairs = [Pair(f"{row:05}:{name}", clips[name], *texts) for row, (name, *texts) in enumerate(rows)]
    dataset = Dataset("toy", pairs).described()
    assert old.changed(dataset, subtitles=True) is None
    assert [kept.forward for kept in old.rounds("reader-toy")] == [["a1", None, None]]
    named = Case("reader", "direct", "toy", "text+subtitle")
    again = Baseline("old").merged(report([case(named, pairs, ["a1", "?", "?"])], Dataset("toy", pairs)))
    assert again.datasets == old.datasets
    assert again.subtitles["toy"].keys() == {"c1", "c2"}
    assert (
        old.merged(report([case(named, pairs, ["a1", "a2", "?"])], Dataset("toy", pairs))).cases.keys()
        == old.cases.keys()
    )


def test_subtitles_survive_the_file_and_the_runs_that_do_not_read_them(tmp_path):
    """A run of judges that are told none leaves them as they are; changed ones need all judges that are told them."""

    def spoken(words, *named):
        pairs = [replace(pair, clip=replace(pair.clip, subtitle=words)) for pair in PAIRS]
        return run(*(case(each, pairs, SAID) for each in named), pairs=pairs)

    one, other = (Case(name, "S1", "toy", "audio+subtitle") for name in ("one", "other"))
    first = Baseline("main").merged(spoken("Well.", one, other, M))
    baselines.save(first, tmp_path / "main.json")
    assert baselines.load(tmp_path / "main.json", "main") == first
    assert first.merged(spoken(None, M)).subtitles == first.subtitles
    with pytest.raises(BaselineError, match=r"main is left as it was: data set toy changed.*1 of its cases.*\(other-"):
        first.merged(spoken("Oh.", one, M))
    assert first.merged(spoken("Oh.", one, other)).subtitles != first.subtitles


def test_cases_can_be_left_as_they_are(document):
    """By id."""
    old = Baseline("main").merged(document)
    changed = run(case(M, PAIRS, ["a1"] * 120), case(N, PAIRS, ["a1"] * 120))
    new = old.merged(changed, {"n-S1-toy"})
    assert new.cases["n-S1-toy"] == old.cases["n-S1-toy"]
    assert new.cases["m-S1-toy"] != old.cases["m-S1-toy"]


def test_a_missing_file_names_its_neighbours(tmp_path, document):
    """And how to make one."""
    baselines.save(Baseline("nightly").merged(document), tmp_path / "nightly.json")
    with pytest.raises(
        BaselineError, match=r"no baseline .*main\.json \(in that folder: nightly\); --emoprefer-save main"
    ):
        baselines.load(tmp_path / "main.json", "main")
