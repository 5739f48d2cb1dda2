from __future__ import annotations

import pytest

from emoprefer_bench.cases import MODALITIES, Case, takes
from emoprefer_bench.media.plan import UNDECODABLE
from emoprefer_bench.pairs import Answer
from emoprefer_bench.trial.tally import Tally
from emoprefer_bench.verdicts import read

HEARD = {"audio": 75, "video": 0}
SEEN = {"audio": 0, "video": 48}


def test_an_id_leaves_out_what_there_is_none_of():
    """A judge without a prompt has none in its id."""
    assert Case("qwen25omni_7b", "S2", "emoprefer").id == "qwen25omni_7b-S2-emoprefer"
    assert Case("longer", "direct", "demo").id == "longer-demo"
    assert Case("longer", "direct", "demo").named()["prompt"] is None


@pytest.mark.parametrize(
    ("modality", "media", "sound", "picture", "subtitles"),
    [
        ("audio", "audio", True, False, False),
        ("video+subtitle", "video", False, True, True),
        ("audiovideo", "audiovideo", True, True, False),
        ("text", "text", False, False, False),
        ("text+subtitle", "text", False, False, True),
        (None, "text", False, False, False),
    ],
)
def test_a_modality_says_what_reaches_the_judge(modality, media, sound, picture, subtitles):
    """Sound, picture and words, each of them."""
    case = Case("judge", "S1", "demo", modality)
    assert (case.media, case.sound, case.picture, case.subtitles) == (media, sound, picture, subtitles)


def test_a_model_takes_what_it_can_and_less():
    """An omni model can be asked for anything, a text model for text, with or without the subtitle."""
    assert all(takes("audiovideo", modality) for modality in MODALITIES)
    assert [m for m in MODALITIES if takes("text", m)] == ["text", "text+subtitle"]
    assert [m for m in MODALITIES if takes("audio", m)] == ["audio", "audio+subtitle", "text", "text+subtitle"]
    assert takes(None, "audio")


def test_an_unknown_modality_is_refused():
    """The message names those that there are."""
    with pytest.raises(TypeError, match=r"'smell' is not one of audio, audio\+subtitle"):
        takes("smell", "smell")


def tally(pairs, modality, *answers):
    """A tally that counted these answers about a clip."""
    counted = Tally.empty(Case("judge", "S1", "demo", modality), pairs, 1)
    for answer in answers:
        counted.count(answer, with_media=True)
    return counted


def test_a_judge_that_never_heard_is_found_out(pairs):
    """Asked for sound and picture, and counted picture alone: the scores would not be what they say."""
    said = tally(pairs, "audiovideo", Answer("a1", tokens=SEEN), Answer("a1", tokens=SEEN)).unsound()
    assert said.startswith(
        "judge-S1-demo asks for sound (audiovideo), but 2 of 2 answers about a clip counted no sound"
    )


def test_a_judge_that_never_saw_is_found_out(pairs):
    """The same for picture; one answer of several is enough."""
    seeing = Answer("a1", tokens={"audio": 75, "video": 48})
    assert "asks for picture" in tally(pairs, "audiovideo", seeing, Answer("a1", tokens=HEARD)).unsound()


def test_a_judge_that_counts_nothing_proves_nothing(pairs):
    """An engine that can't tell is taken for one that didn't."""
    assert "asks for sound" in tally(pairs, "audio", Answer("a1")).unsound()


@pytest.mark.parametrize(
    ("modality", "tokens"), [("audio", HEARD), ("video", SEEN), ("text", {}), ("audiovideo", {"audio": 1, "video": 1})]
)
def test_what_was_asked_for_and_came_is_fine(pairs, modality, tokens):
    """Nothing is said where every medium reached the model, or none was asked for."""
    assert tally(pairs, modality, Answer("a1", tokens=tokens)).unsound() is None


def test_questions_that_failed_are_not_scored_in_silence(pairs):
    """The case says how many and why; that a failed question counted no sound is no sign of deafness."""
    said = tally(pairs, "audio", Answer("boom\nin detail", "error"), Answer("a1", tokens=HEARD)).unsound()
    assert said.startswith(
        "judge-S1-demo: 1 of 2 answers failed, so the case has no scores. Run the same command again"
    )
    assert said.endswith("The most frequent reason: boom")


def test_a_clip_that_cannot_be_decoded_is_not_asked_about_again_in_vain(pairs):
    """Where it is clips alone that failed, the advice is to mend these; else, to run again."""
    reason = f"clip 'c' {UNDECODABLE}c.mp4: is damaged, 3 of 50 packets of its picture (track 0) can't be decoded"
    broken, other = Answer(reason, "error"), Answer("the server is away", "error")

    said = tally(pairs, "audio", broken, broken).unsound()
    assert "Mend the clips (`emoprefer-bench data check` finds every damaged one), then run the same command" in said
    assert reason in said
    assert "no scores. Run the same command again" in tally(pairs, "audio", broken, other).unsound()


@pytest.mark.parametrize("finish", ["refused", "overlong", "length"])
def test_what_asking_again_would_not_mend_is_the_judges_own(pairs, finish):
    """A refusal, a prompt beyond the context, or a cut answer has its provenance, and the case goes on."""
    assert tally(pairs, "text", Answer("", finish)).unsound() is None


def test_answers_that_verdicts_rest_on_are_counted_with_their_tokens(pairs):
    """Those from the store too: what a verdict rests on doesn't depend on when it was asked."""
    counted = Tally.empty(Case("judge", "S1", "demo", "text"), pairs, 1)
    answer = Answer("a1", tokens={"prompt": 10, "output": 1})
    counted.count(answer, with_media=False)
    counted.count(answer, with_media=False)
    assert counted.used == 2
    assert counted.tokens == {"prompt": 20, "output": 2}


def test_a_tally_is_complete_with_its_last_verdict(pairs):
    """Both orders of every row and round."""
    counted = Tally.empty(Case("judge", "S1", "demo", "text"), pairs, 1)
    (one,) = counted.rounds
    one.forward[:] = [read(Answer("a1"))] * len(pairs)
    one.exchanged[:-1] = [read(Answer("a2"))] * (len(pairs) - 1)
    assert not counted.complete
    one.exchanged[-1] = read(Answer(""))
    assert counted.complete
