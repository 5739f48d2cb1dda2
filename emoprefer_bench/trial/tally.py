"""What a case has gathered so far, and whether its verdicts are what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from emoprefer_bench.cases import Case
from emoprefer_bench.media.plan import UNDECODABLE
from emoprefer_bench.pairs import Answer, Clip, Pair
from emoprefer_bench.prompts import PromptPack
from emoprefer_bench.trial.times import Times
from emoprefer_bench.verdicts import Round

AT_FIRST = 5  # failures in a row that end a case before it has an answer
IN_A_ROW = 20  # and after
NOT_KEPT = "a function's answers are kept for the next run where it has a version=..."
SINGLE = 10  # failures that a share always lets pass


@dataclass(frozen=True, slots=True)
class FailureBound:
    """How many of a case's questions may fail before it is ended: a number, or a share of its verdicts."""

    number: int | None = None
    share: float = 0.1

    def most(self, verdicts: int) -> float:
        """So many may fail of a case of this many verdicts."""
        return max(SINGLE, self.share * verdicts) if self.number is None else self.number


def first_line(text: str) -> str:
    """What an error says first."""
    lines = text.strip().splitlines()
    return lines[0] if lines else "error"


@dataclass(slots=True)
class Tally:
    """What a case has gathered so far. `pairs` are in row order; `failure` is why the case can't go on.

    `unable` is why its judge can't be asked what the case asks, which makes the case a skip, not a failure.
    `bases` has for each clip, by its name, the clip that stands in for none where L1 is to weigh without it, or that is
    described in its place. The rows `left` are not asked, since the case has nothing to ask about them. `pack` is the
    data set's own wording.
    `again` is a tally of questions that are asked once more, whatever is stored, to see whether the answers change.
    `durable` says whether answers are kept for the next run. `looks_at` are the media that a judge opens itself,
    where it is a function; `counting` is how to say what reached it, where its author is to.
    """

    case: Case
    pairs: list[Pair]
    rounds: list[Round]
    failure: str | None = None
    unable: str | None = None
    again: bool = False
    durable: bool = True
    looks_at: frozenset[str] = frozenset()
    counting: str = ""
    bases: dict[str, Clip] = field(default_factory=dict)
    left: frozenset[int] = frozenset()
    pack: PromptPack | None = None
    times: Times = field(default_factory=Times)
    used: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    media: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    bound: FailureBound = field(default_factory=FailureBound)
    failures: int = 0
    _failed_in_a_row: int = 0
    _answered: bool = False

    @classmethod
    def empty(cls, case: Case, pairs: list[Pair], rounds: int) -> Tally:
        """A tally in which nothing was answered yet."""
        blank = [Round([None] * len(pairs), [None] * len(pairs)) for _ in range(rounds)]
        return cls(case, pairs, blank)

    def heed(self, answer: Answer) -> None:
        """Look at an answer that was asked for now: a case whose questions only fail, or fail too often, is ended."""
        if answer.finish != "error":
            self._failed_in_a_row, self._answered = 0, True
            return
        self.failures += 1
        self._failed_in_a_row += 1
        in_a_row = IN_A_ROW if self._answered else AT_FIRST
        too_many = self.failures > self.bound.most(self.verdicts)
        if self.failure is None and (too_many or self._failed_in_a_row >= in_a_row):
            how_often = (
                f"{self.failures} questions failed"
                if too_many
                else f"{self._failed_in_a_row} questions in a row failed"
            )
            kept = "what is answered is kept" if self.durable else NOT_KEPT
            self.failure = (
                f"{self.case.id}: {how_often}, so the case was ended (--emoprefer-max-failures); run the same command "
                f"again when this is mended, {kept}: {first_line(answer.text)}"
            )

    def count(self, answer: Answer, *, with_media: bool) -> None:
        """Count an answer that a verdict rests on, whether it was asked for now or before."""
        self.used += 1
        self.tokens.update(answer.tokens)
        if with_media and answer.finish in ("stop", "length"):
            self.media["answers"] += 1
            self.media["heard"] += answer.tokens.get("audio", 0) > 0 or "audio" in self.looks_at
            self.media["seen"] += answer.tokens.get("video", 0) > 0 or "video" in self.looks_at
        if answer.finish == "error":
            self.faults[first_line(answer.text)] += 1

    @property
    def verdicts(self) -> int:
        """How many verdicts there are to be: a row has one in each order and round."""
        return 2 * len(self.rounds) * (len(self.pairs) - len(self.left))

    @property
    def stored(self) -> int:
        """How many of the answers were there already: stored, or asked for by another case."""
        return max(0, self.used - self.times.asked)

    @property
    def complete(self) -> bool:
        """Whether every pair that is asked about has a verdict in both orders and every round."""
        return all(
            verdict is not None or row in self.left
            for of_round in self.rounds
            for order in (of_round.forward, of_round.exchanged)
            for row, verdict in enumerate(order)
        )

    def unsound(self) -> str | None:
        """Say why scores would not be what they say, so that the case has none; or None."""
        return self._failed() or self._deaf_or_blind()

    def _failed(self) -> str | None:
        """Questions that failed are no verdicts of the judge's: they are asked again, not scored in silence."""
        if not self.faults:
            return None
        ((reason, _),) = self.faults.most_common(1)
        failed = sum(self.faults.values())
        mend = "Run"
        if all(UNDECODABLE in fault for fault in self.faults):
            mend = "Mend the clips (`emoprefer-bench data check` finds every damaged one), then run"
        again = "to ask these alone" if self.durable else f"to ask all of them: {NOT_KEPT}"
        return (
            f"{self.case.id}: {failed} of {self.used} answers failed, so the case has no scores. {mend} the same "
            f"command again {again}. The most frequent reason: {reason}"
        )

    def _deaf_or_blind(self) -> str | None:
        answers = self.media["answers"]
        for medium, wanted, reached in (
            ("sound", self.case.sound, self.media["heard"]),
            ("picture", self.case.picture, self.media["seen"]),
        ):
            if wanted and answers and reached < answers:
                return (
                    f"{self.case.id} asks for {medium} ({self.case.modality}), but {answers - reached} of {answers} "
                    f"answers about a clip counted no {medium} token: the {medium} never reached the model, so its "
                    f"scores would not be what they say{self.counting}"
                )
        return None
