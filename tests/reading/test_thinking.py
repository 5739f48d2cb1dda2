from __future__ import annotations

import pytest

from emoprefer_bench.pairs import Answer
from emoprefer_bench.reading.thinking import marks, opened_by, spoken
from emoprefer_bench.trial.strategies import UnusableAnswerError, usable

OPEN, CLOSE = "<think>", "</think>"
FORMS = [
    ("<think>", "</think>"),
    ("<think>\n", "\n</think>\n\n"),
    ("<THINK>", "</THINK>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<ifm|think_fast>", "</ifm|think_fast>"),
    ("<think:opensource>", "</think:opensource>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel>thought\n", "<channel|>"),
]
IDS = [opening.strip() for opening, _ in FORMS]


@pytest.mark.parametrize(("opening", "closing"), FORMS, ids=IDS)
@pytest.mark.parametrize("thought", ["", "a2 maybe", "a2.\n\nAnswer: a2\n", "is 3 < 4 [or] not?"])
def test_only_what_is_said_counts(opening, closing, thought):
    """A thought is cut wherever it stands; where the prompt opened it, all before its end is."""
    assert spoken(f"{opening}{thought}{closing}a1") == "a1"
    assert spoken(f"{thought}{closing}a1") == "a1"
    assert spoken(f"a1{opening}{thought}{closing}") == "a1"
    assert spoken(f"{opening}{thought}{closing}") == ""
    assert spoken(f"{opening}{opening}{thought}{closing}a1") == "a1", "the prompt opened it, and the model did again"


@pytest.mark.parametrize(("opening", "closing"), FORMS, ids=IDS)
def test_a_thought_without_an_end_says_nothing(opening, closing):
    """Whatever stands in it, and whatever was said before."""
    assert spoken(f"{opening}a2 maybe, let me") is None
    assert spoken(f"a1{opening}a2 maybe") is None
    assert spoken(f"{opening}one{closing}a1{opening}two") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a1", "a1"),
        ("", ""),
        ("  a1\n", "  a1\n"),
        ("3 < 4 and [a] > b", "3 < 4 and [a] > b"),
        (f"{OPEN}a{CLOSE}b{CLOSE}a1", "a1"),
        (f"{OPEN}a {OPEN} b{CLOSE} c{CLOSE}a1", "a1"),
        (f"{OPEN}a{CLOSE}a1{OPEN}b{CLOSE}a2", "a1a2"),
        (f"{OPEN}a <reasoning>b</reasoning> maybe a1", None),
        (f"{OPEN}a <reasoning>b{CLOSE}a1", "a1"),
        (f"Here is my take.{OPEN}b{CLOSE} a1", "Here is my take. a1"),
        ("I think that <a1> fits", "I think that <a1> fits"),
        ("Thought: a1", "Thought: a1"),
        ("thought\na1", "a1"),
    ],
    ids=[
        "none", "empty", "as it is", "signs", "closed twice", "opened twice", "spoke twice", "open around",
        "open within", "spoke before", "no tag", "a word", "the name of a channel",
    ],
)  # fmt: skip
def test_an_answer_keeps_what_is_no_thought(text, said):
    """What has no mark is left to the letter."""
    assert spoken(text) == said


ANALYSIS = "<|channel|>analysis<|message|>a1 fits.<|end|>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{ANALYSIS}<|start|>assistant<|channel|>final<|message|>a2<|return|>", "a2"),
        (f"{ANALYSIS}<|start|>assistant<|channel|>final<|message|>a2", "a2"),
        (f"{ANALYSIS}<|channel|>final <|constrain|>json<|message|>{{}}<|return|>", "{}"),
        ("<|channel|>final<|message|>a2", "a2"),
        (f"{ANALYSIS}<|start|>assistant<|channel|>commentary<|message|>a1<|end|>", None),
        (ANALYSIS, None),
        ("<|channel|>analysis<|message|>a1", None),
        ("analysisWe need a1 or a2.assistantfinala2", "a2"),
        ("analysisWe need a1 or a2.", None),
        ("Analysis: a1", "Analysis: a1"),
        ("analysis: a1", "analysis: a1"),
    ],
)
def test_channels_are_cut_but_for_the_final_one(text, said):
    """The form of gpt-oss, with its marks and without."""
    assert spoken(text) == said


@pytest.mark.parametrize(("opening", "closing"), FORMS, ids=IDS)
def test_what_the_prompt_opened_belongs_to_the_answer(opening, closing):
    """Without it, a thought that was cut off would read as if it were said."""
    assert opened_by(f"assistant\n{opening}\n").strip() == opening.strip()
    assert spoken(opened_by(f"assistant\n{opening}") + "a1 maybe") is None
    assert opened_by(f"assistant\n{opening}\n\n{closing}\n\n") == ""
    assert opened_by(f"Is {opening} a tag?") == ""


@pytest.mark.parametrize(("opening", "closing"), [pair for pair in FORMS if "sep" not in pair[0]])
def test_a_tokenizers_marks_are_known(opening, closing):
    """So that an engine keeps those that its tokenizer would leave out as special."""
    assert marks(opening.split("thought\n")[0].strip() or opening)
    assert marks(closing.strip())
    assert marks("<|channel|>")
    assert not marks("<|im_end|>")
    assert not marks("</s>")


def test_a_step_on_the_way_goes_on_without_its_thought():
    """A description or a reasoning reaches the next prompt as it was said; one that only thought reaches none."""
    assert usable(Answer(f"{OPEN}The brow.{CLOSE}\n\nShe frowns.")) == "She frowns."
    assert usable(Answer("She frowns. ")) == "She frowns. "
    with pytest.raises(UnusableAnswerError):
        usable(Answer(f"{OPEN}The brow", "length"))


def test_reading_a_long_thought_takes_time_by_its_length():
    """A thought of a megabyte is cut in one pass."""
    assert spoken(OPEN + "is 3 < 4? [no] " * 70_000 + CLOSE + "a1") == "a1"
