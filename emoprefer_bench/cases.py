"""A case: one model, one prompting strategy, one data set; and what became of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from emoprefer_bench.pairs import Answer, Label, Pair
from emoprefer_bench.trial.strategies import DIRECT
from emoprefer_bench.trial.times import Times
from emoprefer_bench.verdicts import Provenance, Reading

MEDIA = {"audio": {"audio"}, "video": {"video"}, "audiovideo": {"audio", "video"}, "text": set[str]()}
SUBTITLE = "+subtitle"
BLIND, MISMATCHED = "blind", "mismatched"
MODALITIES = tuple(media + suffix for media in MEDIA for suffix in ("", SUBTITLE))


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the benchmark.

    `llm` names the text LLM of S3 and S4; `modality` is None for judges that get the two texts alone. A `variant` is a
    run of the same judge for comparison: `blind` without the clip, or with a `mismatched` one. The weights of a
    `closed` model are not published.
    """

    model: str
    prompt: str
    dataset: str
    modality: str | None = None
    llm: str | None = None
    variant: str | None = None
    closed: bool = False

    @property
    def id(self) -> str:
        """As it stands in a test's id: model-prompt-dataset-variant, without what there is none of."""
        prompt = None if self.prompt == DIRECT else self.prompt
        return "-".join(part for part in (self.model, prompt, self.dataset, self.variant) if part)

    def named(self) -> dict[str, Any]:
        """What identifies the case in a report."""
        return {
            "id": self.id,
            "model": self.model,
            "prompt": None if self.prompt == DIRECT else self.prompt,
            "dataset": self.dataset,
            "modality": self.modality,
            "llm": self.llm,
            "variant": self.variant,
            "closed": self.closed,
        }

    @property
    def media(self) -> str:
        """The media part of the modality: audio, video, audiovideo or text."""
        return (self.modality or "text").removesuffix(SUBTITLE)

    @property
    def sound(self) -> bool:
        """Whether the judge is to hear the clip."""
        return "audio" in MEDIA[self.media]

    @property
    def picture(self) -> bool:
        """Whether the judge is to see the clip."""
        return "video" in MEDIA[self.media]

    @property
    def subtitles(self) -> bool:
        """Whether the judge is told what is said."""
        return bool(self.modality) and str(self.modality).endswith(SUBTITLE)


def takes(able: str | None, wanted: str | None) -> bool:
    """Whether a model that takes `able` can be asked by `wanted`. Raises TypeError for a modality that is none."""
    for modality in (able, wanted):
        if modality is not None and modality not in MODALITIES:
            raise TypeError(f"the modality {modality!r} is none of {', '.join(MODALITIES)}")
    if able is None or wanted is None:
        return True
    return MEDIA[wanted.removesuffix(SUBTITLE)] <= MEDIA[able.removesuffix(SUBTITLE)]


@dataclass(slots=True)
class Round:
    """The verdicts of one round, in row order; None where there is none yet."""

    forward: list[Reading | None]
    exchanged: list[Reading | None]


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


def result(tally: Tally, engine: dict[str, Any]) -> dict[str, Any]:
    """What a finished (or interrupted) case is to the report: plain JSON types, scores as fractions."""
    from emoprefer_bench.plugin.controls import CONTROLS  # noqa: PLC0415  # which are cases themselves
    from emoprefer_bench.scoring import case as scoring  # noqa: PLC0415  # numpy is loaded when there is something to score

    return {
        **tally.case.named(),
        "complete": tally.complete,
        "transcript": f"transcripts/{tally.case.id}.jsonl",
        "engine": engine,
        **scoring.scored(tally.pairs, tally.rounds, control=tally.case.model in CONTROLS),
        "verdicts": [_verdicts(one) for one in tally.rounds],
        "questions": {"asked": tally.times.asked, "stored": tally.stored},
        "tokens": dict(sorted(tally.tokens.items())),
        **tally.times.described(),
        "media": dict(sorted(tally.media.items())),
        "faults": dict(sorted(tally.faults.items(), key=lambda fault: (-fault[1], fault[0]))[:5]),
    }


def _verdicts(one: Round) -> dict[str, list[Label | Provenance | None]]:
    return {
        f"{order}{suffix}": [pick(reading) if reading else None for reading in readings]
        for order, readings in (("forward", one.forward), ("exchanged", one.exchanged))
        for suffix, pick in (("", _label), ("_reference", _reference), ("_provenance", _provenance))
    }


def _label(reading: Reading) -> Label | None:
    return reading.label


def _reference(reading: Reading) -> Label:
    return reading.reference


def _provenance(reading: Reading) -> Provenance:
    return reading.provenance
