"""What an answer states plainly: its verdict by name, a label alone, one ranked over the other."""

from __future__ import annotations

from dataclasses import dataclass, field

from emoprefer_bench.reading import words
from emoprefer_bench.reading.clauses import FAR, MOST_WORDS, denies, ends_clause, holds
from emoprefer_bench.reading.plain import sentences_of


@dataclass(slots=True)
class Statements:
    """What an answer states plainly.

    `named` are the labels that it calls its verdict, `alone` those that make up a sentence or open the answer, each
    with the place where it stands last. `listed` has the labels of each sentence that is but a list, and its place.
    """

    tokens: list[str]
    named: dict[str, int] = field(default_factory=dict)
    alone: dict[str, int] = field(default_factory=dict)
    listed: list[tuple[set[str], int]] = field(default_factory=list)

    @classmethod
    def of(cls, tokens: list[str], *, cut: bool = False) -> Statements:
        """Take all statements of an answer.

        Where it was cut, a line "a1: ..." may have begun to say what each text is like.
        """
        statements = cls(tokens)
        heads = _heads(tokens)
        described = heads if len(set(heads.values())) > 1 else {}
        for sentence, end in sentences_of(tokens):
            if not statements._take_named(sentence, end) and end - len(sentence) not in described:
                statements._take_alone(sentence, end)
        opening = _opening(tokens)
        described = described or (heads if cut and heads and "\n" not in tokens[min(heads) :] else {})
        if opening and not described:
            statements.alone.setdefault(opening, 2)
        return statements

    @property
    def any(self) -> bool:
        """Whether it states anything, be it two things at once."""
        return bool(self.named) or len(self.alone) == 1

    @property
    def labels(self) -> set[str]:
        """The labels that are stated: none where another takes the statement back.

        Several that stand alone are alternatives, or headings where a verdict is named behind them. One that stands
        alone states something unless there are lists that it isn't picked from.
        """
        end = max(self.named.values(), default=0)
        headings = len(self.alone) > 1 or any(not self.alone.keys() <= listed for listed, _ in self.listed)
        if self.named and any(place > end and not self.named.keys() <= listed for listed, place in self.listed):
            return set()
        alone = {label for label, place in self.alone.items() if not headings or (self.named and place > end)}
        stated = self.named.keys() | alone
        return set() if self._taken_back(stated) else stated

    def _taken_back(self, stated: set[str]) -> bool:
        end = max((*self.named.values(), *self.alone.values()), default=0)
        rest = self.tokens[max(0, end - 1) :]
        if words.MAY_TAKE_BACK.isdisjoint(rest) or words.LABELS.isdisjoint(rest):
            return False
        said = " ".join(rest)
        back = words.TAKES_BACK.search(said)
        return back is not None and not (words.LABELS & set(said[back.end() :].split(" "))) <= stated

    def _take_named(self, sentence: list[str], end: int) -> bool:
        start, named = end - len(sentence), dict[str, int]()
        for place, label in enumerate(sentence):
            if label not in words.LABELS:
                continue
            winner = _ranked(sentence, place)
            name = _name(sentence, place)
            if winner and holds(sentence, place):
                named[winner] = start + place + 1
            elif name is not None and (_open(sentence, place) or _graded(sentence, place)):
                self.listed.append((set(sentence) & words.LABELS, end))
            elif name is not None and holds(sentence, name) and (label != "same" or ends_clause(sentence, place)):
                named[label] = start + place + 1
        self.named |= named
        return bool(named)

    def _take_alone(self, sentence: list[str], end: int) -> None:
        said = {token for token in sentence if token[0].isalnum()}
        labels = said & words.LABELS
        if len(labels) == 1 and said - words.FILLER <= labels:
            self.alone[labels.pop()] = end
        elif labels and not {word for word in said - words.LISTING - labels if not word[0].isdigit()}:
            self.listed.append((labels, end))
        elif not labels and said - words.LISTING <= words.TIES:
            self.alone["same"] = end


def _heads(tokens: list[str]) -> dict[int, str]:
    """The labels that head what is said of them ("a1: happy, a2: sad"), by the place where each part begins."""
    heads: dict[int, str] = {}
    if words.COLONS.isdisjoint(tokens):
        return heads
    start = 0
    for place, token in enumerate(tokens):
        if token in words.COLONS and place and tokens[place - 1] in words.LABELS:
            if words.BULLETS.issuperset(tokens[start : place - 1]):
                heads[start] = tokens[place - 1]
            start = place + 1
        elif token in words.ENDS or token in (",", "|"):
            start = place + 1
    return heads


def _opening(tokens: list[str]) -> str | None:
    """The label that an answer opens with, where a reason or a remark follows it."""
    first = next((place for place, token in enumerate(tokens) if token[0].isalnum() and token not in words.POLITE), 0)
    label, sign, word = (*tokens[first : first + 3], "", "", "")[:3]
    if label not in words.LABELS:
        return None
    if sign in (":", "-"):
        after = next((token for token in tokens[first + 2 :] if token not in (":", "-")), "")
        return None if after in words.DENIED or after in words.LABELS or after[:1].isdigit() else label
    return label if sign in words.REASON or (sign == "," and word in words.REMARK) else None


def _name(sentence: list[str], place: int) -> int | None:
    """The place of the word that makes a verdict of the label at `place`, or None."""
    linked, before, far = False, place - 1, max(0, place - FAR)
    while before >= far and sentence[before] in words.EASY:
        if sentence[before] in words.NAMES and sentence[before + 1] in words.LINKS:
            return before
        linked = linked or sentence[before] in words.LINKS
        before -= 1
    if before < far:
        return None
    if _chooses(sentence, before, place):
        return before
    return _linked_name(sentence, before) if linked else None


def _chooses(sentence: list[str], place: int, label: int) -> bool:
    """Whether the word at a place chooses the label behind it: "prefer a2", "go with a2", "I'd say a2.", 选择a2."""
    word, before = sentence[place], sentence[place - 1] if place else ""
    if word in words.CHOOSING or before in words.CHOOSING_WITH.get(word, ()):
        return True
    if word in words.SAYING:
        return ends_clause(sentence, label)
    chosen = words.NAMED_IN_CJK.search(word) is not None and not denies(word)
    return chosen and not any(denies(after) for after in sentence[label + 1 : label + 2])


def _linked_name(sentence: list[str], place: int) -> int | None:
    """The place of the name that a verdict is linked to: of "match" in "the best match for the clip is a2"."""
    for name in range(place, max(-1, place - MOST_WORDS), -1):
        word = sentence[name]
        if word in words.NAMES:
            return name
        if word in words.LABELS or word in (",", ":") or denies(word):
            return None
    return None


def _open(sentence: list[str], place: int) -> bool:
    """Whether another label stands beside the one at `place` as an alternative, or a condition follows it."""
    after = place + 1
    if sentence[after : after + 1] in (["if"], ["unless"], ["when"]):
        return sentence[after + 1] not in words.FORCED if after + 1 < len(sentence) else True
    far = min(len(sentence), after + FAR)
    while after < far and (sentence[after] in words.SEPARATORS or sentence[after] == sentence[place]):
        after += 1
    return after < far and sentence[after] in words.LABELS


def _graded(sentence: list[str], place: int) -> bool:
    """Whether the label at `place` gets but a mark ({"a1": 0}), or is the worse ("I prefer a1 less")."""
    sign, after = (*sentence[place + 1 : place + 3], "", "")[:2]
    if sign == ":":
        return after[:1].isdigit() or after in ("true", "false")
    called = (sign, after) == ("as", "the") and not words.WORST.isdisjoint(sentence[place + 3 : place + 5])
    return called or sign in words.WORST


def _ranked(sentence: list[str], place: int) -> str | None:
    """The winner, where the text at `place` is ranked over or under the other one ("a1 > a2")."""
    after = place + 1
    signs = words.ABOVE if sentence[after : after + 1] and sentence[after] in words.ABOVE else words.BELOW
    far = min(len(sentence), after + FAR)
    while after < far and sentence[after] in signs:
        after += 1
    if after == place + 1 or after == far or not {sentence[place], sentence[after]} <= words.TEXTS:
        return None
    return sentence[place if signs is words.ABOVE else after]
