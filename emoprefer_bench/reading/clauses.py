"""Whether what stands in a sentence holds: what denies it, makes it a condition, or goes on behind it."""

from __future__ import annotations

from emoprefer_bench.reading import words

MOST_WORDS = 8  # between a name and its verdict, or a text and its praise
FAR = 40  # words; what stands further off is no part of the same clause, and reading takes no longer for it


def holds(sentence: list[str], place: int) -> bool:
    """Whether nothing before a place of a sentence makes what stands there a condition, or denies it in its clause."""
    before = range(place - 1, max(-1, place - 1 - FAR), -1)
    if any(_sets_condition(sentence, at) for at in before):
        return False
    clause = next((at for at in before if sentence[at] in words.CLAUSE_STARTS), before.stop)
    return not any(denies(sentence[at]) or sentence[at : at + 2] == ["which", "of"] for at in range(clause + 1, place))


def denies(word: str) -> bool:
    """Whether a word turns what follows it into its contrary, or leaves it open."""
    return (
        word in words.DENIALS
        or word.endswith("n't")
        or (not word.isascii() and words.DENIALS_IN_CJK.search(word) is not None)
    )


def ends_clause(sentence: list[str], place: int) -> bool:
    """Whether the word at a place is the last of its clause. What follows in Chinese or Japanese is grammar."""
    after = sentence[place + 1] if place + 1 < len(sentence) else ","
    return after in words.CLAUSE_ENDS or not after.isascii()


def _sets_condition(sentence: list[str], place: int) -> bool:
    word = sentence[place]
    return word in words.CONDITIONS and not (word == "if" and sentence[place + 1] in words.FORCED)
