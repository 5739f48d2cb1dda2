"""What a case has gathered so far, and whether its verdicts are what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from emoprefer_bench.cases import Case
from emoprefer_bench.pairs import Answer, Pair
from emoprefer_bench.trial.times import Times
from emoprefer_bench.verdicts import Round


@dataclass(slots=True)
class Tally:
    """What a case has gathered so far. `pairs` are in row order; `failure` is why the case can't go on.

    `again` is a tally of questions that are asked once more, whatever is stored, to see whether the answers change.
    """

    case: Case
    pairs: list[Pair]
    rounds: list[Round]
    failure: str | None = None
    again: bool = False
    times: Times = field(default_factory=Times)
    used: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    media: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @classmethod
    def empty(cls, case: Case, pairs: list[Pair], rounds: int) -> Tally:
        """A tally in which nothing was answered yet."""
        blank = [Round([None] * len(pairs), [None] * len(pairs)) for _ in range(rounds)]
        return cls(case, pairs, blank)

    def count(self, answer: Answer, *, with_media: bool) -> None:
        """Count an answer that a verdict rests on, whether it was asked for now or before."""
        self.used += 1
        self.tokens.update(answer.tokens)
        if with_media and answer.finish in ("stop", "length"):
            self.media["answers"] += 1
            self.media["heard"] += answer.tokens.get("audio", 0) > 0
            self.media["seen"] += answer.tokens.get("video", 0) > 0
        if answer.finish == "error":
            self.faults[answer.text.splitlines()[0] if answer.text else "error"] += 1

    @property
    def stored(self) -> int:
        """How many of the answers were there already: stored, or asked for by another case."""
        return max(0, self.used - self.times.asked)

    @property
    def complete(self) -> bool:
        """Whether every pair has a verdict in both orders and every round."""
        return all(None not in (*one.forward, *one.exchanged) for one in self.rounds)

    def unsound(self) -> str | None:
        """Say why the scores are not what they say, though there are some; or None."""
        return self._failed() or self._deaf_or_blind()

    def _failed(self) -> str | None:
        """Questions that failed are no verdicts of the judge's: they are asked again, not scored in silence."""
        if not self.faults:
            return None
        ((reason, _),) = self.faults.most_common(1)
        failed = sum(self.faults.values())
        return (
            f"{self.case.id}: {failed} of {self.used} answers failed and count as unread. Run the same "
            f"command again to ask these alone. The most frequent reason: {reason}"
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
                    "scores would not be what they say"
                )
        return None
