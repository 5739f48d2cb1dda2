"""What an answer says is better, where it states no verdict: by comparison, or by speaking well of one text alone."""

from __future__ import annotations

from collections.abc import Iterator

from emoprefer_bench.reading import words
from emoprefer_bench.reading.clauses import FAR, MOST_WORDS, ends_clause, holds
from emoprefer_bench.reading.plain import sentences_of


def better(sentence: list[str]) -> Iterator[str]:
    """The labels that a sentence says are better, or are even."""
    for place, word in enumerate(sentence):
        rest = sentence[place + 1 : place + 1 + FAR]
        winner = None
        if word in words.TEXTS and not _beside(sentence, place):
            winner = _praised(word, rest) or _set_over(word, rest)
        elif word == "not":
            winner = _put_instead(rest)
        elif _even(sentence, place):
            winner = "same"
        if winner and holds(sentence, place):
            yield winner


def praised_alone(tokens: list[str]) -> set[str]:
    """The one text that an answer without any doubt speaks well of, or ends with. `same` is too common a word here."""
    named = set(tokens)
    mentioned = named & words.LABELS
    if len(mentioned) != 1:
        return set()
    said = [token for token in tokens if token not in words.ENDS]
    if said[-1] in mentioned and said[-2:-1] == [":"] and holds(said, len(said) - 2):
        return mentioned
    if "same" in mentioned or named & words.DOUBTS or any(word.endswith("n't") for word in named):
        return set()
    (text,) = mentioned
    well = any(
        words.WELL & set(sentence[sentence.index(text) :]) for sentence, _ in sentences_of(tokens) if text in sentence
    )
    return mentioned if well else set()


def _praised(text: str, rest: list[str]) -> str | None:
    """Who wins by what a sentence goes on to say of a text: itself, the other, or nobody."""
    if rest[:1] == [","] and rest[1:2] != [] and rest[1] in words.ASIDES and "," in rest[1:]:
        rest = rest[rest.index(",", 1) + 1 :]
    other = words.OTHER[text]
    if rest[:2] == ["比", other] and len(rest) > 2 and words.PRAISE_IN_CJK.match(rest[2]):  # noqa: PLR2004  # "a1 than a2"
        return text
    for place, word in enumerate(rest[:MOST_WORDS]):
        if word in words.WORSE:
            than = rest.index("than") if "than" in rest else len(rest)
            return other if other in rest[than : than + 4] else None
        if _praises(rest, place):
            return text
        if word in words.TURNS or word in words.LABELS or word.endswith("n't"):
            return None
    return None


def _praises(rest: list[str], place: int) -> bool:
    word, after = rest[place], (*rest[place + 1 : place + 3], ".", ".")[:2]
    if word in words.PRAISE:
        return not _called_untrue(rest[place + 1 :]) and after[0] not in words.NO_PRAISE_BEFORE
    if word in words.MORE:
        return after[0] in words.PRAISE_AFTER_MORE
    if word in words.CLOSER:
        return after[0] != "to" or after[1] in words.AFTER_CLOSER_TO
    if word in words.OWN_VERDICT:
        return place > 0 and rest[place - 1] in ("my", "the", "correct", "right")
    return (word == "correct" and ends_clause(rest, place)) or words.PRAISE_IN_CJK.match(word) is not None


def _called_untrue(rest: list[str]) -> bool:
    """Whether praise is but the name of a value that denies it: {"a1_better": false}."""
    return rest[:1] == [":"] and rest[2:3] in ([], [","]) and not words.UNTRUE.isdisjoint(rest[1:2])


def _set_over(text: str, rest: list[str]) -> str | None:
    """Who wins where one text is set over the other: "a1 rather than a2", "a2 loses to a1"; not "a1 not a2 or same"."""
    said = [word for word in rest[:8] if word not in words.NOUNS and word not in ("the", ",", "and")]
    other = words.OTHER[text]
    for winner, ways in ((text, words.INSTEAD), (other, words.BELOW_OTHER)):
        for way in ways:
            size = len(way)
            if said[:size] == way and said[size : size + 1] == [other]:
                return None if said[size + 1 : size + 2] in (["or"], ["nor"], ["same"]) else winner
    return None


def _put_instead(rest: list[str]) -> str | None:
    """The text that is put in the place of the other: "a2" behind the "not" of "not a1 but a2"."""
    said = [word for word in rest[:8] if word not in words.NOUNS and word not in ("the", ",")]
    if said[1:2] not in (["but"], ["rather"]) or said[2:3] != [words.OTHER.get(said[0], "")]:
        return None
    return said[2]


def _even(sentence: list[str], place: int) -> bool:
    """Whether a tie is said in the questions' own words: "equally well", "equally good", "are the same"."""
    if sentence[place] == "are":
        return sentence[-2:] == ["the", "same"] and words.QUITE.issuperset(sentence[place + 1 : -2])
    return sentence[place] == "equally" and sentence[place + 1 : place + 2] in (["well"], ["good"])


def _beside(sentence: list[str], place: int) -> bool:
    """Whether the text at `place` is but the last of several ("a1 or a2 is better"), or what another is better than."""
    before, far = place - 1, max(0, place - FAR)
    if before >= 0 and sentence[before].endswith("比") and not sentence[before].endswith("相比"):
        return True
    while before >= far and sentence[before] in words.SEPARATORS:
        before -= 1
    if before < far or sentence[before] not in words.LABELS or sentence[before] == sentence[place]:
        return False
    return words.COMPARED.isdisjoint(sentence[max(0, before - 3) : before])
