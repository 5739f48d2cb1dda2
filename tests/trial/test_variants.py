from __future__ import annotations

from dataclasses import replace

import pytest
from support.documents import case, report, toy_pairs
from support.media_files import make_wav

from emoprefer_bench.cases import BLIND, MISMATCHED, OTHER_BASE, PICTURE_ALONE, SOUND_ALONE, UNQUOTED, Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.scoring.comparisons import with_variants
from emoprefer_bench.trial.variants import mismatched, others, unquoted, variants_of

CONFTEST = """
import emoprefer_bench
from emoprefer_bench.pairs import Answer

def say(question):
    if "Describe" in (question.prompt or ""):
        return Answer(f"heard {question.clip.name if question.clip else 'nothing'}", tokens={"audio": 9})
    texts = question.prompt or " ".join(question.texts)
    row = texts.rpartition("good ")[2].split()[0].rstrip("'\\".")
    heard = question.clip is not None and question.clip.name == f"c{row}"
    first = texts.index("good ") < texts.index("bad ")
    return Answer("a1" if not heard or first else "a2", tokens={"audio": 9 if question.clip else 0})

@emoprefer_bench.model(gpus=0, modality="audio", prompts=PROMPTS)
def hearing(gpus):
    return emoprefer_bench.function(say, name="hearing", durable=True)

@emoprefer_bench.model(gpus=0, modality="text", prompts=())
def reading(gpus):
    return emoprefer_bench.function(lambda question: "a1", name="reading")
"""
ROWS = 12
WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "workers"])


@pytest.fixture
def hearing(bench):
    """A project with a judge that is right where it hears the right clip, and says a1 where it doesn't."""
    bench.pytester.makeconftest(CONFTEST.replace("PROMPTS", "()"))
    lines = [f"c{n},good {n},bad {n},a1" if n % 2 else f"c{n},bad {n},good {n},a2" for n in range(ROWS)]
    (bench.data / "toy.csv").write_text("name,a1,a2,preference\n" + "\n".join(lines) + "\n")
    for row in range(ROWS):
        make_wav(bench.data / f"audio/c{row}.wav", seconds=0.1, hertz=200 + row)
    return bench


@WORKERS
def test_the_audit_adds_two_runs_and_compares_them_with_the_real_one(hearing, workers):
    """Without the clip, and with another one, this judge is no better than a1."""
    result = hearing.run("-k", "hearing and toy", "--emoprefer-audit", *workers)
    result.assert_outcomes(passed=3)
    cases = hearing.cases()
    assert {name: one["scores"]["acc2"]["mean"] for name, one in cases.items()} == {
        "hearing-toy": 1.0,
        "hearing-toy-blind": 0.5,
        "hearing-toy-mismatched": 0.5,
    }
    assert [cases[name]["modality"] for name in cases] == ["audio", "text", "audio"]
    (acc2, *_) = (
        one for one in cases["hearing-toy"]["comparisons"] if (one["kind"], one["metric"]) == ("variant", "acc2")
    )
    assert (acc2["against"], acc2["score"], acc2["other"], acc2["difference"]) == (BLIND, 1.0, 0.5, 0.5)
    result.stdout.fnmatch_lines(
        [
            "hearing-toy beats blind (without clip): waf2 100.00 against 33.33, *",
            "hearing-toy beats mismatched (with another row's clip): waf2 100.00 *",
        ]
    )


def test_the_real_run_is_the_same_with_and_without_the_audit(hearing):
    """Variants are cases beside it; its own questions are answered once."""
    hearing.run("-k", "hearing and toy")
    before = hearing.cases()["hearing-toy"]
    hearing.run("-k", "hearing and toy", "--emoprefer-audit")
    after = hearing.cases()["hearing-toy"]
    assert (after["scores"], after["verdicts"]) == (before["scores"], before["verdicts"])
    assert after["questions"] == {"asked": 0, "stored": 24}


def test_prompts_that_describe_describe_what_they_are_given(hearing):
    """The blind one nothing, the mismatched one the other clip, whose description the real case asked for already."""
    hearing.pytester.makeconftest(CONFTEST.replace("PROMPTS", "('S2',)"))
    hearing.run("-k", "hearing and S2 and toy", "--emoprefer-audit").assert_outcomes(passed=3)
    told = (hearing.pytester.path / ".emoprefer/transcripts/hearing-S2-toy-mismatched.jsonl").read_text()
    assert "heard c6" in next(line for line in told.splitlines() if '"row": 1,' in line)
    blind = (hearing.pytester.path / ".emoprefer/transcripts/hearing-S2-toy-blind.jsonl").read_text()
    assert "heard nothing" in blind
    assert "heard c" not in blind
    mismatched = hearing.cases()["hearing-S2-toy-mismatched"]["questions"]
    assert mismatched["stored"] >= 24


def test_variants_are_held_by_no_gate_and_kept_in_no_baseline(hearing):
    """A floor is for the judge."""
    options = ("-k", "hearing and toy", "--emoprefer-audit", "--emoprefer-compare-fail", "min_acc2:0.9")
    assert hearing.run(*options, "--emoprefer-save", "main").ret == 0
    result = hearing.run(*options, "--emoprefer-compare", "main")
    result.assert_outcomes(passed=3)
    assert hearing.cases()["hearing-toy-blind"]["gate"] == []


def test_a_judge_that_gets_no_clip_has_no_variants(hearing):
    """A text judge is blind already, and so are the controls."""
    result = hearing.run("--collect-only", "-q", "--emoprefer-audit", "-k", "toy")
    ids = {line.partition("[")[2].rstrip("]") for line in result.outlines if "::" in line}
    assert ids == {
        *("hearing-toy", "hearing-toy-blind", "hearing-toy-mismatched", "reading-toy"),
        *("longer-toy", "always_a1-toy", "random-toy"),
    }


def test_with_one_clip_alone_there_is_no_other(hearing):
    """The mismatched case says so; the others run."""
    (hearing.data / "toy.csv").write_text("name,a1,a2,preference\nc1,good 1,bad 1,a1\nc1,bad 1,good 1,a2\n")
    result = hearing.run("-k", "hearing and toy", "--emoprefer-audit")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*data set toy has one clip alone, so there is no other to show*"])


@pytest.mark.parametrize("rows", [3, 4, 5, 40, 41])
def test_every_clip_is_exchanged_for_another_and_used_once(rows):
    """Rows that shared a clip share the other one; nothing else of a pair changes."""
    pairs = toy_pairs(["a1"] * rows)
    found = mismatched(pairs)
    instead = {old.clip.name: new.clip.name for old, new in zip(pairs, found, strict=True)}
    assert all(old != new for old, new in instead.items())
    assert sorted(instead.values()) == sorted(instead)
    assert [replace(new, clip=old.clip) for old, new in zip(pairs, found, strict=True)] == pairs
    assert all(new.clip.name == instead[old.clip.name] for old, new in zip(pairs, found, strict=True))


def test_variants_say_what_they_are():
    """In their id and in the report."""
    blind, other, sound, picture = variants_of(Case("m", "S3", "toy", "audiovideo+subtitle", "llm"))
    assert (blind.id, blind.variant, blind.modality, blind.llm) == ("m-S3-toy-blind", BLIND, "text", "llm")
    assert (other.id, other.modality) == ("m-S3-toy-mismatched", "audiovideo+subtitle")
    assert (sound.id, sound.modality) == ("m-S3-toy-sound-alone", "audio+subtitle")
    assert (picture.id, picture.modality) == ("m-S3-toy-picture-alone", "video+subtitle")
    assert [case.variant for case in variants_of(Case("m", "S1", "toy", "audio"))] == [BLIND, "mismatched"]
    assert variants_of(Case("m", "S1", "toy", "text+subtitle")) == []
    assert variants_of(Case("longer", "direct", "toy")) == []


def test_a_variant_without_its_judge_or_not_complete_is_compared_with_nothing():
    """As in a run of the variant alone, or one that was interrupted."""
    pairs = toy_pairs(["a1", "a2"] * 4)
    judge, blind = Case("m", "S1", "toy", "audio"), Case("m", "S1", "toy", "text", variant=BLIND)
    said = ["a1"] * 8
    datasets = {"toy": Dataset("toy", pairs).described()}
    for cases in (
        [case(blind, pairs, said)],
        [case(judge, pairs, said), case(blind, pairs, [None, *said[1:]])],
        [case(judge, pairs, [None, *said[1:]]), case(blind, pairs, said)],
    ):
        with_variants(cases, datasets)
        assert not [one for each in cases for one in each["comparisons"] if one["kind"] == "variant"]
    cases = [case(judge, pairs, said), case(Case("m", "S1", "toy", "audio", variant=MISMATCHED), pairs, said)]
    with_variants(cases, datasets)
    found = [one for one in report(cases, Dataset("toy", pairs))["cases"][0]["comparisons"] if one["kind"] == "variant"]
    assert {(one["against"], one["difference"], one["p_two_sided"]) for one in found} == {(MISMATCHED, 0.0, 1.0)}


@pytest.mark.parametrize(
    ("modality", "variants"),
    [
        ("audiovideo", [MISMATCHED, SOUND_ALONE, PICTURE_ALONE, OTHER_BASE, UNQUOTED]),
        ("text+subtitle", [OTHER_BASE, UNQUOTED]),
        ("text", []),
    ],
)
def test_a_likelihood_is_audited_by_its_base_and_its_texts(modality, variants):
    """It is with and without the clip already, so that it is never blind; P1 is audited as S1 is."""
    assert [variant.variant for variant in variants_of(Case("m", "L1", "toy", modality))] == variants
    shown = [BLIND, MISMATCHED, SOUND_ALONE, PICTURE_ALONE] if modality == "audiovideo" else []
    assert [variant.variant for variant in variants_of(Case("m", "P1", "toy", modality))] == shown


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ('He says "no", and "never".', "He says something, and something."),
        ("He says \u201cno\u201d and \u00abnon\u00bb.", "He says something and something."),
        ("Er sagt \u201enein\u201c.", "Er sagt something."),
        ("\u4ed6\u8bf4\u300c\u4e0d\u300d", "\u4ed6\u8bf4something"),
        ("It's what he doesn't say.", "It's what he doesn't say."),
        ('A mark " alone', 'A mark " alone'),
    ],
)
def test_what_is_quoted_is_taken_out(text, blank):
    """In both texts, by whatever marks; an apostrophe is none."""
    (pair,) = toy_pairs(["a1"])
    (found,) = unquoted([replace(pair, a1=text, a2=text)])
    assert (found.a1, found.a2) == (blank, blank)
    assert found.clip == pair.clip


def test_every_clip_has_another_for_its_base():
    """The one by which it is mismatched."""
    pairs = toy_pairs(["a1"] * 6)
    assert [others(pairs)[pair.clip.name] for pair in pairs] == [pair.clip for pair in mismatched(pairs)]
