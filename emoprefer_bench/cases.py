"""A case: one model, one prompting strategy, one data set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict, cast

DIRECT = "direct"  # the prompt of a judge that takes none
MEDIA = {"audio": {"audio"}, "video": {"video"}, "audiovideo": {"audio", "video"}, "text": set[str]()}
SUBTITLE = "+subtitle"
BLIND, MISMATCHED, SOUND_ALONE, PICTURE_ALONE = "blind", "mismatched", "sound-alone", "picture-alone"
OTHER_BASE, UNQUOTED = "other-base", "unquoted"  # of L1 alone
VARIANTS = BLIND, MISMATCHED, SOUND_ALONE, PICTURE_ALONE, OTHER_BASE, UNQUOTED
FUSED = "fitted-on-labels"  # the variant of several judges fused into one
DESCRIBES = ("S2", "S3")  # the prompts by which a description is compared with the texts in one step
UNDESCRIBED, MISDESCRIBED, REFERENCE = "undescribed", "misdescribed", "reference"
CROSSED = UNDESCRIBED, MISDESCRIBED, REFERENCE  # and `by-` with the name of another describer
MODALITIES = tuple(media + suffix for media in MEDIA for suffix in ("", SUBTITLE))


Strategy = Literal["S1", "S2", "S3", "S4", "L1", "P1"]
WEIGHS = LIKELIHOOD, PROBABILITY = "L1", "P1"  # the prompts by which a judge weighs, and says nothing
Modality = Literal[
    "audio", "audio+subtitle", "video", "video+subtitle",
    "audiovideo", "audiovideo+subtitle", "text", "text+subtitle",
]  # fmt: skip


class NamedCase(TypedDict):
    """What identifies a case in a report.

    `prompt` is None for a judge that takes none. `modality` is one of MODALITIES, and None for a control, which looks
    at nothing but the two texts. `llm` is the text LLM of S3 and S4. `variant` is a run for comparison (one of
    VARIANTS), a judge that gets another description than its own (one of CROSSED, or `by-` and the `describer`), a vote
    (rounds-vote, orders-vote, models-vote), judges fused into one (fitted-on-labels), or people; None for the judge
    itself. The weights of a `closed` model are not published.
    """

    id: str
    model: str
    prompt: Strategy | None
    dataset: str
    modality: Modality | None
    llm: str | None
    variant: NotRequired[str | None]
    closed: NotRequired[bool]
    describer: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the benchmark.

    `llm` names the text LLM of S3 and S4; `modality` is None for judges that get the two texts alone. A `variant` is a
    run of the same judge for comparison: `blind` without the clip, with a `mismatched` one, or with its sound or its
    picture alone; by L1 also with another row's clip for its base (`other-base`), or with what stands in quotation
    marks taken out (`unquoted`). By S2 and S3 the same comparing step with another description: that of a `describer`,
    which is given its own modality; none (`undescribed`); its own of another row's clip (`misdescribed`); or the row's
    `reference`. The weights of a `closed` model are not published.
    """

    model: str
    prompt: str
    dataset: str
    modality: str | None = None
    llm: str | None = None
    variant: str | None = None
    closed: bool = False
    describer: str | None = None
    describer_modality: str | None = None

    @property
    def id(self) -> str:
        """As it stands in a test's id: model-prompt-dataset-variant, without what there is none of."""
        prompt = None if self.prompt == DIRECT else self.prompt
        return "-".join(part for part in (self.model, prompt, self.dataset, self.variant) if part)

    def named(self) -> NamedCase:
        """What identifies the case in a report."""
        named: NamedCase = {
            "id": self.id,
            "model": self.model,
            "prompt": None if self.prompt == DIRECT else cast("Strategy", self.prompt),
            "dataset": self.dataset,
            "modality": cast("Modality | None", self.modality),
            "llm": self.llm,
            "variant": self.variant,
            "closed": self.closed,
        }
        return {**named, "describer": self.describer} if self.describer else named

    @property
    def engines(self) -> tuple[str, ...]:
        """The models that take part, by name: the judge, its text LLM, and whoever else describes."""
        return tuple(dict.fromkeys(name for name in (self.model, self.llm, self.describer) if name))

    @property
    def given(self) -> str:
        """All that its judge and its describer are given, as a modality."""
        return modality_of([self.modality, *([self.describer_modality] if self.describer else [])])

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


def is_crossed(case: NamedCase) -> bool:
    """Whether a case's judge was given another description than its own."""
    return case.get("variant") in CROSSED or "describer" in case


def judge_of(case: NamedCase) -> str:
    """Who compares the description with the texts, by S2 or S3."""
    return case["llm"] or case["model"]


def modality_of(modalities: Iterable[str | None]) -> str:
    """The least modality that takes all that these take."""
    given = {modality or "text" for modality in modalities}
    media = set[str]().union(*(MEDIA[modality.removesuffix(SUBTITLE)] for modality in given))
    name = next(name for name, parts in MEDIA.items() if parts == media)
    return name + SUBTITLE * any(modality.endswith(SUBTITLE) for modality in given)


def takes(able: str | None, wanted: str | None) -> bool:
    """Whether a model that takes `able` can be asked by `wanted`. Raises TypeError for a modality that is none."""
    for modality in (able, wanted):
        if modality is not None and modality not in MODALITIES:
            raise TypeError(f"the modality {modality!r} is not one of {', '.join(MODALITIES)}")
    if able is None or wanted is None:
        return True
    return MEDIA[wanted.removesuffix(SUBTITLE)] <= MEDIA[able.removesuffix(SUBTITLE)]
