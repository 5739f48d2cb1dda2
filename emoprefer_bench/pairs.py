"""The nouns of the benchmark: clips, pairs of descriptions, questions about them, and answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

Label = Literal["a1", "a2", "same"]

LABELS: tuple[Label, ...] = ("a1", "a2", "same")
EXCHANGED: dict[Label, Label] = {"a1": "a2", "a2": "a1", "same": "same"}

MARKS = 2
"""The version of what becomes of a model's marks in a text. With the first they ended a turn, or stood for a clip."""
_LOCAL = ("transformers", "vllm")
_MARK = re.compile(r"<\|[^|<>]+\|>|</?(?:s|pad|unk|bos|eos|image|video|audio|(?:start|end)_of_\w+)>|\[/?INST\]")

Scores = bool | Literal["labels"]
"""Which texts a judge can weigh: any, none, or `labels` alone, as one whose server lists the likeliest words."""


def weighs(scores: Scores, texts: Sequence[str]) -> bool:
    """Whether a judge that can weigh `scores` can weigh these texts."""
    return scores is True or (scores == "labels" and set(texts) <= set(LABELS))


def longer_text(a1: str, a2: str) -> Label:
    """The text with more words, which are what blanks part; `same` where both have as many."""
    words1, words2 = len(a1.split()), len(a2.split())
    return "same" if words1 == words2 else "a1" if words1 > words2 else "a2"


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip of one person: a video file, the sound beside it if any, and what is said in it.

    `digest` is the SHA-256 (hex) of the bytes of the media files. `duration` is in seconds. `sound_decoding`,
    `picture_decoding` and `note` are those of media.Look.
    """

    name: str
    video: Path | None = None
    audio: Path | None = None
    subtitle: str | None = None
    digest: str = ""
    duration: float | None = None
    has_picture: bool = True
    has_sound: bool = True
    sound_decoding: int = 1
    picture_decoding: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two descriptions of one clip, and which of them people preferred (None where nobody was asked).

    `key` is unique in its data set and stable: the row's number from 0, and the clip's name; people are shown
    `shown_row(key)`. `model1` and `model2` name the writers of `a1` and `a2`, `annotator` who was asked, and `subset`
    the part of the data set, where they are known; a `reference` is what people say of the clip. Where the texts answer
    a `question`, they are judged by a `criterion`. `fields` are the row's cells in all columns that have no meaning of
    their own, by column.
    """

    key: str
    clip: Clip
    a1: str
    a2: str
    label: Label | None = None
    model1: str | None = None
    model2: str | None = None
    annotator: str | None = None
    subset: str | None = None
    reference: str | None = None
    question: str | None = None
    criterion: str | None = None
    fields: dict[str, str] = field(default_factory=dict, hash=False)

    def swapped(self) -> Pair:
        """The same pair in the other order: texts, writers and label exchanged."""
        label = EXCHANGED[self.label] if self.label else None
        return replace(self, a1=self.a2, a2=self.a1, model1=self.model2, model2=self.model1, label=label)


def shown_row(key: str) -> str:
    """A row as people count: from 1, without the header. `00000:smile` is `row 1 (smile)`."""
    number, _, clip = key.partition(":")
    if not number.isdecimal():
        return key
    return f"row {int(number) + 1} ({clip})" if clip else f"row {int(number) + 1}"


def row_of(key: str) -> int:
    """The place of a row among all, from 0. Raises ValueError for what is no key."""
    return int(key.partition(":")[0])


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn. Every value is passed on explicitly, since engines differ in their defaults.

    The penalties are vLLM's: `repetition_penalty` divides (or multiplies, where negative) the scores of tokens of the
    prompt and of the answer, `presence_penalty` is subtracted from those of the answer alone.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0

    @property
    def greedy(self) -> bool:
        """Whether asking again must give the same answer, but for the engine's own noise."""
        return self.temperature == 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """All that can change an answer, and nothing else: rank, batch size, paths and GPU count stay out.

    `engine` identifies the judge (model, revision, engine and its version, adapter, decoding settings) as plain JSON.
    A judge that takes no prompt has `prompt=None` and reads `texts`, the two descriptions, itself.

    A question either draws an answer or weighs texts: how likely each text of `score` is as what the judge would say
    next. Nothing is drawn then, so there is no `sampling` and no `round`.
    """

    engine: dict[str, Any]
    prompt: str | None
    modality: str
    sampling: Sampling | None
    clip: Clip | None = None
    texts: tuple[str, str] | None = None
    subtitle: str | None = None
    round: int = 0
    score: tuple[str, ...] | None = None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the key: the SHA-256 (hex) of the canonical form. Raises ValueError for a question of both kinds."""
        if (self.score is None) == (self.sampling is None) or (self.score is not None and self.round):
            raise ValueError("a question has either a sampling or texts to score, and then no round")
        if self.score is not None and not (self.score and all(self.score)):
            raise ValueError(f"there is nothing to weigh in {self.score!r}: name texts, none of them empty")
        canonical = json.dumps(self.canonical(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        object.__setattr__(self, "key", hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest())

    def canonical(self) -> dict[str, Any]:
        """What the key is computed over. The clip counts by the digest of its bytes, never by its name.

        Where sound or picture came with the question, the version of its decoding counts too, but for the first: what
        that one took right keeps the key that it always had, and the answers that are stored by it. So it is with the
        marks of models in a text, which engines here took for no text at first.
        """
        marked = self.engine.get("engine") in _LOCAL and any(
            map(_MARK.search, (self.prompt or "", *(self.score or ())))
        )
        heard = self.clip.sound_decoding if self.clip and "audio" in self.modality else 1
        seen = self.clip.picture_decoding if self.clip and "video" in self.modality else 1
        return {
            **({"sound_decoding": heard} if heard > 1 else {}),
            **({"picture_decoding": seen} if seen > 1 else {}),
            **({"marks": MARKS} if marked else {}),
            "engine": self.engine,
            "prompt": self.prompt,
            "texts": self.texts,
            "subtitle": self.subtitle,
            "modality": self.modality,
            "media": self.clip.digest if self.clip else None,
            **self._how(),
        }

    def _how(self) -> dict[str, Any]:
        """What is wanted of the judge: an answer that is drawn, or texts that are weighed."""
        if self.sampling is None:
            return {"score": self.score}
        sampling = asdict(self.sampling)
        if not self.sampling.presence_penalty:
            del sampling["presence_penalty"]  # it came later, and answers that were stored before keep their keys
        return {"sampling": sampling, "round": self.round}

    @property
    def seed(self) -> int:
        """A 31-bit seed that depends on the question alone, so that order and batching don't matter."""
        return int(self.key[:8], 16) & 0x7FFFFFFF


Finish = Literal["stop", "length", "refused", "overlong", "error"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the text, why it ended, what it cost, and what of the clip really reached the model.

    `tokens` counts `prompt`, `cached`, `audio`, `video` and `output` tokens (absent where the engine can't tell).
    `seconds` splits the time into `preprocess` and `model`. `finish` is `error` when the question failed for good,
    with the reason in `text`. `device` is what it was computed on, in words.

    `logprobs` answers a question that weighs: for each of its texts the natural logarithms of its tokens'
    probabilities, each token given the prompt and the tokens before it; None for a text whose probability the judge
    could only bound.
    """

    text: str
    finish: Finish = "stop"
    tokens: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    device: str = ""
    logprobs: tuple[tuple[float, ...] | None, ...] | None = None
