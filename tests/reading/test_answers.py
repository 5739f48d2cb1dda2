"""The strict reading against answers that were labelled by hand, and against what must hold for any answer."""

from __future__ import annotations

import itertools
import random
import re
import time
import tomllib
from pathlib import Path

import pytest

from emoprefer_bench.pairs import LABELS, Answer
from emoprefer_bench.verdicts import read

TABLE = tomllib.loads(Path(__file__).with_name("answers.toml").read_text(encoding="utf-8"))
ROWS = [row for group in TABLE.values() for row in group["answers"]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['text'][:40]!r}")
def test_an_answer_is_read_as_a_careful_reader_reads_it(row):
    """Each row of the table: its label, or why it has none."""
    reading = read(Answer(row["text"], row.get("finish", "stop")))
    assert (reading.label or reading.provenance) == row["reads"], row["why"]


def test_the_table_has_no_row_twice():
    """Each answer stands once, under one reading."""
    assert len({(row["text"], row.get("finish", "stop")) for row in ROWS}) == len(ROWS)


SEPARATORS = (
    ", ", ",", " or ", ", or ", " and ", "/", " / ", " | ", "|", "\n", "\n\n", "; ", ";\n", " vs ", " vs. ", " - ", " ",
    "\t", ". ", ".\n", ": ", " & ", " + ", " = ", "、", "\N{FULLWIDTH COMMA}", "或", "・", " oder ", " ou ", " или ",
    "\n- ", "\n* ", "*, *", '", "',
)  # fmt: skip
FRAMES = (
    "{}", "{}.", "({})", "[{}]", "**{}**", "`{}`", '"{}"', "- {}", "Answer: {}", "Answer: {}.", "The answer is {}.",
    "I choose {}.", "I would say {}", "Options: {}", "Please answer {}", "Verdict: **{}**", "\\boxed{{{}}}",
    "<answer>{}</answer>", '{{"answer": "{}"}}', '```json\n{{"answer": "{}"}}\n```', "答案是{}", "Choose one: {}",
    "<think>a1</think>{}", "It's {}", "\n{}\n", "Either {}", "The better description is {}.", "Final answer: {}\n",
)  # fmt: skip
CASES = (str.lower, str.upper, str.capitalize)
LISTS = [order for size in (2, 3) for order in itertools.permutations(LABELS, size)]


def listing(labels, draw):
    """The labels as alternatives: with one separator throughout or with any, in any case, in any frame."""
    case, frame = draw.choice(CASES), draw.choice(FRAMES)
    one = draw.choice(SEPARATORS)
    separators = [one] * len(labels) if draw.random() < 0.7 else draw.choices(SEPARATORS, k=len(labels))
    return frame.format("".join(case(label) + sep for label, sep in zip(labels, [*separators[:-1], ""], strict=True)))


@pytest.mark.parametrize("labels", LISTS, ids=" ".join)
def test_alternatives_are_never_a_verdict(labels):
    """Whatever stands between them and around them, and wherever such an answer was cut."""
    draw = random.Random(" ".join(labels))  # noqa: S311  # a seed that makes failures come again
    for _ in range(400):
        text = listing(labels, draw)
        assert read(Answer(text)).label is None, text
        for end in range(len(text) + 1):
            assert read(Answer(text[:end], "length")).label is None, text[:end]


ENUMERATIONS = ("1. 2. 3.", "1) 2) 3)", "(1) (2) (3)", "a) b) c)", "- - -", "A. B. C.")


@pytest.mark.parametrize("labels", LISTS, ids=" ".join)
def test_enumerated_alternatives_are_never_a_verdict(labels):
    """Numbered or lettered, on a line or on several."""
    for marks, sep in itertools.product(ENUMERATIONS, (" ", "\n", ", ")):
        text = sep.join(f"{mark} {label}" for mark, label in zip(marks.split(), labels, strict=False))
        assert read(Answer(text)).label is None, text


FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in "aA12samesSAMESE"}
CLEAR = (
    "{}", "Answer: {}", "The answer is {}.", "I choose {}.", "{}, because the voice shakes.",
    "The better description is {}", "{} is my answer.", "Let me see.\n\nFinal verdict: {}",
)  # fmt: skip
CLOTHES = {
    "bold": lambda text: f"**{text}**",
    "bold label": lambda text: text.replace("a1", "**a1**").replace("a2", "**a2**").replace("same", "**same**"),
    "quotes": lambda text: f'"{text}"',
    "typographic quotes": lambda text: f"“{text}”",
    "code": lambda text: f"`{text}`",
    "block": lambda text: f"```\n{text}\n```",
    "capitals": str.upper,
    "blanks": lambda text: f"\n  {text} \n\n",
    "full-width": lambda text: text.translate(FULL_WIDTH),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "joiners": lambda text: text.replace("a1", "a\u200d1").replace("a2", "a\u200b2"),
    "thought": lambda text: f"<think>a1 or a2, so a1. No, a2.</think>{text}",
    "thought of the prompt": lambda text: f"a1 or a2, so a1. No, a2.</think>\n\n{text}",
    "channel": lambda text: f"<|channel|>analysis<|message|>a1<|end|><|channel|>final<|message|>{text}<|return|>",
    "tags": lambda text: f"<answer>{text}</answer>",
    "token": lambda text: f"{text}<|im_end|>",
    "polite": lambda text: f"Sure! {text}",
    "emoji": lambda text: f"👉 {text} 😊",
}
BARE = {
    "JSON": '{{"answer": "{}"}}',
    "JSON block": '```json\n{{\n  "reason": "the voice shakes",\n  "answer": "{}"\n}}\n```',
    "box": "\\boxed{{{}}}",
    "box of text": "$\\boxed{{\\text{{{}}}}}$",
    "Chinese": "答案是{}",
    "Chinese, colon": "答案\N{FULLWIDTH COLON}{}。",
    "Japanese": "答えは{}です。",
    "Korean": "정답은 {}입니다.",
    "brackets": "[[{}]]",
}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("clear", CLEAR)
def test_a_clear_answer_keeps_its_label_in_any_clothes(clear, label):
    """Markdown, quotes, full-width and unseen letters, thoughts, tags: alone, and one over the other."""
    plain = clear.format(label)
    assert read(Answer(plain)).label == label
    for inner, outer in itertools.permutations(CLOTHES, 2):
        assert read(Answer(CLOTHES[inner](plain))).label == label, inner
        if inner != "full-width" and outer not in ("full-width", "capitals"):  # names and tags aren't written so
            dressed = CLOTHES[outer](CLOTHES[inner](plain))
            assert read(Answer(dressed)).label == label, dressed


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("form", BARE)
def test_a_label_is_read_in_every_form_that_holds_one(form, label):
    """JSON, boxes, and sentences of other languages, with a full-width label too."""
    for written in (label, label.upper(), label.translate(FULL_WIDTH), f"**{label}**"):
        answer = BARE[form].format(written)
        assert read(Answer(answer)).label == label, answer


SWAPPED = {"a1": "a2", "a2": "a1", "A1": "A2", "A2": "A1"}
ORDINALS = ("first", "second", "1st", "2nd", "number", "第", "1.")
EVEN_HANDED = [row for row in ROWS if not any(word in row["text"].lower() for word in ORDINALS)]


@pytest.mark.parametrize("row", EVEN_HANDED, ids=lambda row: f"{row['text'][:40]!r}")
def test_neither_text_is_favoured(row):
    """With a1 and a2 exchanged in what was said, the reading is exchanged, and why there is none stays."""
    text = "".join(SWAPPED.get(part, part) for part in re.split(r"([aA][12])", row["text"]))
    expected = SWAPPED.get(row["reads"], row["reads"])
    if text.count("a") == row["text"].count("a") and text != row["text"]:
        reading = read(Answer(text, row.get("finish", "stop")))
        assert (reading.label or reading.provenance) == expected, text


@pytest.mark.parametrize(
    "fragment",
    [
        "a1 a2 same ", "a1 is better than a2. ", "answer answer is ", "a1 > a2 > ", "a1: b; ", "a1, ",
        "a1 fits the clip ",
        "better description of the clip ", "<<<<", "<think>a</think>", "<think>", "[THINK]", "\\boxed{", "~~", "'a' ",
        "\n",
        "1. a1 ", "confidence ", ", so and but ", "<|channel|>final<|message|>", "<|channel|>", "a1 not ", '{"a", ',
        "no, a1. ", "a_{", "assistantfinal", "a1\n", "第", "- a1: ",
    ],
)  # fmt: skip
def test_reading_takes_time_by_an_answers_length(fragment):
    """Ten times the text takes no more than some ten times the time, whatever a model repeats for ever."""
    short, long = (Answer((fragment * (size // len(fragment) + 1))[:size]) for size in (20_000, 200_000))

    def seconds(answer):
        started = time.process_time()
        read(answer)
        return time.process_time() - started

    assert min(seconds(long) for _ in range(2)) < 30 * max(seconds(short) for _ in range(3)) + 0.05
