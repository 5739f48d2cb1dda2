from __future__ import annotations

import pytest

from emoprefer_bench.pairs import Answer
from emoprefer_bench.verdicts import read, reference_label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a1", "a1"),
        ("A2.", "a2"),
        ("Same", "same"),
        ("a1 and a2 are equally aligned, so same", "a1"),
        ("Both are equally good, a2 perhaps, or a1", "a2"),
        ("At the same time, a2 is better", "same"),
        ("aa1", "a1"),
        ("", "same"),
        ("I can't say", "same"),
        ("The answer is a2, not a1", "a2"),
        ("\n a1", "a1"),
    ],
)
def test_the_reference_reading_takes_what_stands_first_inside_words_too(text, label):
    """Each line of the reference's rule, and each of its known traps."""
    assert reference_label(text) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a1", "a1"),
        ('  "A2".', "a2"),
        ("**same**", "same"),
        ("(a1)", "a1"),
        ("a2. The first text speaks of a1 alone.", "a2"),
        ("a1\n\nBecause the voice is flat, unlike what a2 says.", "a1"),
        ("a1 - it fits the voice better than a2", "a1"),
        ("a1 mentions joy, a2 mentions grief. Answer: a2", "a2"),
        ("The final answer is **a1**.", "a1"),
        ("Weighing a1 and a2: \\boxed{a2}", "a2"),
        ("I think that a2 fits the tone of voice.", "a2"),
        ("My verdict: same", "same"),
    ],
)
def test_the_strict_reading_takes_what_is_stated(text, label):
    """An answer that is a label, opens with one, concludes with one, or speaks well of one alone."""
    reading = read(Answer(text))
    assert (reading.label, reading.provenance) == (label, "parsed")


@pytest.mark.parametrize(
    "text",
    [
        "a1 and a2 are equally aligned",
        "At the same time it is hard to tell",
        "a1 is wrong",
        "It is not a2",
        "aa1",
        "Answer: a1. Or rather, answer: a2",
        "a1. On reflection, the answer is a2",
        "The person smiles.",
        "Either a1",
    ],
)
def test_the_strict_reading_never_guesses(text):
    """What names two labels, denies one, or names none has no verdict."""
    reading = read(Answer(text))
    assert (reading.label, reading.provenance) == (None, "ambiguous")


@pytest.mark.parametrize(
    ("answer", "provenance"),
    [
        (Answer(""), "empty"),
        (Answer(" \n"), "empty"),
        (Answer("", "length"), "truncated"),
        (Answer("Both texts speak of a1 and", "length"), "truncated"),
        (Answer("The text a1 is", "length"), "truncated"),
        (Answer("", "refused"), "refused"),
        (Answer("I'm sorry, but I can't help with that."), "refused"),
        (Answer("I\N{RIGHT SINGLE QUOTATION MARK}m sorry, I cannot watch videos."), "refused"),
        (Answer("a1", "error"), "error"),
        (Answer("a1", "overlong"), "error"),
    ],
)
def test_an_unread_answer_says_why(answer, provenance):
    """Provenance tells silence, cuts, refusals and failures apart."""
    reading = read(answer)
    assert (reading.label, reading.provenance) == (None, provenance)


def test_an_answer_cut_after_its_verdict_is_read():
    """The label came first and complete, so cutting the explanation took nothing away."""
    assert read(Answer("a2. Because the voice", "length")).label == "a2"


def test_a_failed_answer_is_no_text_to_the_reference_either():
    """An error message may speak of a1; it is not the judge who does."""
    assert read(Answer("a1.mp4 can't be read", "error")).reference == "same"
