"""The learning itself: stages that can be taken up again where they were left, from the same seed the same weights."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed
from torch.nn.functional import cross_entropy

from emoprefer_bench.demo.scenes import EMOTIONS, dice
from emoprefer_bench.demo.train.batches import VERDICTS, Batch, Library, heard, seen

if TYPE_CHECKING:
    from random import Random

    from emoprefer_bench.demo.train.media import Media
    from emoprefer_bench.demo.train.stages import Stage

Item = TypeVar("Item")

WARM_UP = 40
READERS_SHARE = 0.5
Losses = Callable[["Random", "Share"], Iterator[dict[str, torch.Tensor]]]
SAVED_EVERY = 50
TOLD_EVERY = 25


@dataclass(frozen=True, slots=True)
class Share:
    """Which share of each batch this process learns from: the `number`th of `of`; all processes take the same steps."""

    number: int = 0
    of: int = 1

    def part(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return this process's items."""
        return items[self.number :: self.of]

    def gather(self, weights: Sequence[torch.nn.Parameter]) -> None:
        """Add up what all processes have learned of a batch."""
        if self.of > 1:
            grads = [weight.grad if weight.grad is not None else torch.zeros_like(weight) for weight in weights]
            flat = torch.cat([grad.flatten() for grad in grads])
            torch.distributed.all_reduce(flat)
            parts = flat.split([grad.numel() for grad in grads])
            for weight, part in zip(weights, parts, strict=True):
                weight.grad = part.view_as(weight)


class Learner:
    """Takes `parts` (a model, and heads that are thrown away) through stages; what they learned is kept in `folder`."""

    def __init__(
        self,
        parts: Mapping[str, torch.nn.Module],
        folder: Path,
        seed: int,
        told: Callable[[str], None],
        share: Share,
    ) -> None:
        self.parts = parts
        self.share = share
        self._folder = folder
        self._seed = seed
        self._told = told

    def learn(self, stage: Stage, losses: Losses, weights: Sequence[torch.nn.Parameter]) -> bool:
        """Go through a stage, or what is left of it; these weights change. Return whether anything was left.

        `losses` draws a batch, takes its share, and yields losses (rows,) by their kind, a few rows at a time.
        """
        done = self._folder / f"{stage.name}.pt"
        if done.exists():
            self._load(torch.load(done))
            return False
        optimizer = torch.optim.AdamW(weights, stage.rate, betas=(0.9, 0.98), weight_decay=0.01)
        first = self._resume(stage, optimizer)
        for part in self.parts.values():
            part.train()
        report = Report(stage, first, self._told)
        for step in range(first, stage.steps):
            for group in optimizer.param_groups:
                group["lr"] = stage.rate * _share(step, stage.steps)
            for rows in losses(dice(f"{self._seed} {stage.name} {step}"), self.share):
                (torch.cat(list(rows.values())).sum() / stage.batch).backward()
                report.add(rows)
            self.share.gather(weights)
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            report.tell(step + 1)
            if (step + 1) % SAVED_EVERY == 0 and not self.share.number:
                self._keep(stage, optimizer, step + 1)
        if not self.share.number:
            _save(self._state(), done)
        return True

    def _resume(self, stage: Stage, optimizer: torch.optim.Optimizer) -> int:
        kept = self._folder / "unfinished.pt"
        state = torch.load(kept) if kept.exists() else {}
        if state.get("stage") != stage.name:
            return 0
        self._load(state["parts"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])

    def _keep(self, stage: Stage, optimizer: torch.optim.Optimizer, step: int) -> None:
        state = {
            "stage": stage.name,
            "step": step,
            "parts": self._state(),
            "optimizer": optimizer.state_dict(),
        }
        _save(state, self._folder / "unfinished.pt")

    def _state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def _load(self, state: Mapping[str, Any]) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state[name], strict=name == "model")


class Report:
    """Lines about how the learning goes."""

    def __init__(self, stage: Stage, first: int, told: Callable[[str], None]) -> None:
        self._stage = stage
        self._told = told
        self._first = first
        self._started = time.monotonic()
        self._losses: dict[str, list[float]] = defaultdict(list)

    def add(self, rows: dict[str, torch.Tensor]) -> None:
        """Take note of losses."""
        for kind, values in rows.items():
            self._losses[kind] += values.tolist()

    def tell(self, step: int) -> None:
        """Tell the mean loss of each kind of question since the last time."""
        if step % TOLD_EVERY:
            return
        pace = (time.monotonic() - self._started) / (step - self._first)
        means = (f"{kind} {sum(values) / len(values):.3f}" for kind, values in sorted(self._losses.items()))
        self._told(f"{self._stage.name} {step}/{self._stage.steps}  {pace:.2f} s a step  {'  '.join(means)}")
        self._losses.clear()


def _save(state: Any, path: Path) -> None:
    """Write under another name first, so that what is there is whole."""
    torch.save(state, path.with_suffix(".writing"))
    path.with_suffix(".writing").replace(path)


class Senses(torch.nn.Module):
    """Heads that read the emotion off each token of picture and of sound; thrown away once these are trained."""

    def __init__(self, model: Any, library: Library, count: int) -> None:
        super().__init__()
        width = model.config.text_config.hidden_size
        self.face = torch.nn.Linear(width, len(EMOTIONS))
        self.voice = torch.nn.Linear(width, len(EMOTIONS))
        self._model = [model]  # in a list, lest its weights count as ours
        self._library = library
        self._count = count

    def weights(self) -> list[torch.nn.Parameter]:
        """Return what learns: eyes, ears, and these heads."""
        model = self._model[0]
        return [*model.visual.parameters(), *model.audio_tower.parameters(), *self.parameters()]

    def losses(self, rng: Random, share: Share) -> Iterator[dict[str, torch.Tensor]]:
        """Draw clips, and yield the losses of each for face and voice."""
        emotions = share.part([rng.choice(EMOTIONS) for _ in range(self._count)])
        clips = [rng.choice(self._library.pictures[emotion]) for emotion in emotions]
        truth = torch.tensor([EMOTIONS.index(emotion) for emotion in emotions])
        yield {
            name: (cross_entropy(pooled, truth, reduction="none") + each) / 2
            for name, (pooled, each) in self._perceived(clips, truth).items()
        }

    @torch.inference_mode()
    def scores(self, library: Library) -> str:
        """Return the share of a library's clips whose emotion is read off rightly, by face and by voice."""
        clips = [(clip, emotion) for emotion, clips in library.pictures.items() for clip in clips]
        truth = torch.tensor([EMOTIONS.index(emotion) for _, emotion in clips])
        told = self._perceived([clip for clip, _ in clips], truth)
        right = {name: (pooled.argmax(-1) == truth).float().mean().item() for name, (pooled, _) in told.items()}
        return "  ".join(f"{name} {share:.2f}" for name, share in right.items())

    def _perceived(self, clips: list[Media], truth: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        sights, sounds = sensed(self._model[0], clips)
        return {"face": _told(self.face, sights, truth), "voice": _told(self.voice, sounds, truth)}


class Readers(torch.nn.Module):
    """Heads that read, halfway through the layers, what a text or a clip told where it ends; thrown away afterwards.

    So the first layers learn at once to gather what the last ones have to compare. A layer further on, a second head
    tells whether a text fits the clip.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        width = model.config.text_config.hidden_size
        self.read = torch.nn.Linear(width, len(EMOTIONS))
        self.match = torch.nn.Linear(width, 2)
        self.slot = torch.nn.Linear(width, 4)
        self.verdict = torch.nn.Linear(width, len(VERDICTS))
        self._numbers: dict[int, torch.Tensor] = {}
        for number, layer in enumerate(model.model.layers):
            layer.register_forward_hook(partial(self._keep, number))
        self._halfway = len(model.model.layers) // 2 - 1

    def _keep(self, number: int, _layer: Any, _given: Any, output: Any) -> None:
        self._numbers[number] = output[0] if isinstance(output, tuple) else output

    def losses(self, batch: Batch) -> torch.Tensor:
        """Return for each answer the mean loss of what its question tells, after the model dealt with the batch."""
        packs, places, truth, answers, *_ = batch.told.T
        each = cross_entropy(self.read(self._numbers[self._halfway][packs, places]), truth, reduction="none")
        return mean_by(answers, each, len(batch.kinds))

    def matches(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return for each answer the mean loss of whether its texts fit, and of that together with which they are."""
        packs, places, _, answers, fits, slots = batch.told[batch.told[:, 4] >= 0].T
        numbers = self._numbers[self._halfway + 1][packs, places]
        fit = cross_entropy(self.match(numbers), fits, reduction="none")
        slot = cross_entropy(self.slot(numbers), 2 * slots + fits, reduction="none")
        return mean_by(answers, fit, len(batch.kinds)), mean_by(answers, slot, len(batch.kinds))

    def verdicts(self, batch: Batch) -> torch.Tensor:
        """Return for each answer the mean loss of the verdict at every token between the last text and the answer."""
        packs, places, truth, answers = batch.verdicts.T
        each = cross_entropy(self.verdict(self._numbers[max(self._numbers)][packs, places]), truth, reduction="none")
        return mean_by(answers, each, len(batch.kinds))


def understood(model: Any, batch: Batch) -> torch.Tensor:
    """Return the last layer's numbers (packs, tokens, width)."""
    words = model.get_input_embeddings()(batch.ids)
    words = words.masked_scatter(batch.places[:, :, None], batch.media)
    result = model.model(
        inputs_embeds=words, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False, return_dict=True
    )
    numbers: torch.Tensor = result.last_hidden_state
    return numbers


def answer_losses(
    model: Any, readers: Readers, batch: Batch, matches: float, slots: float, verdicts: float
) -> dict[str, torch.Tensor]:
    """Return the mean loss of each answer's tokens, by kind of question, and those of the readers, weighted.

    Long answers count no more than short ones.
    """
    packs, places, ids, answers = batch.answers.T
    logits = model.lm_head(understood(model, batch)[packs, places])
    means = mean_by(answers, cross_entropy(logits, ids, reduction="none"), len(batch.kinds))
    losses: dict[str, torch.Tensor] = {
        kind: means[[other == kind for other in batch.kinds]] for kind in dict.fromkeys(batch.kinds)
    }
    fit, slot = readers.matches(batch)
    told, verdict = READERS_SHARE * readers.losses(batch), verdicts * readers.verdicts(batch)
    return {**losses, "told": told, "match": matches * fit, "slot": slots * slot, "verdict": verdict}


def mean_by(groups: torch.Tensor, values: torch.Tensor, count: int) -> torch.Tensor:
    """Return the mean of the values of each group, 0 for an empty one."""
    totals = torch.zeros(count).index_add(0, groups, values)
    return totals / torch.zeros(count).index_add(0, groups, torch.ones_like(values)).clamp(min=1)


@torch.inference_mode()
def perceive(model: Any, clips: Iterable[Media]) -> None:
    """Let eyes and ears do their part, once for all questions: they learn no more."""
    model.eval()
    for clip in clips:
        sights, sounds = sensed(model, [clip])
        clip.picture.perceived, clip.sound.perceived = sights[0].clone(), sounds[0].clone()


def sensed(model: Any, clips: Sequence[Media]) -> tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]]:
    """Return the tokens (tokens, width) that eyes and ears make of each clip's picture and sound."""
    picture, sound = seen([clip.picture for clip in clips]), heard([clip.sound for clip in clips])
    sights = model.get_video_features(picture["pixel_values_videos"], picture["video_grid_thw"], return_dict=True)
    sounds = model.get_audio_features(sound["input_features"], sound["feature_attention_mask"], return_dict=True)
    return sights.pooler_output, sounds.last_hidden_state.split([clip.sound.tokens for clip in clips])


def _told(
    head: torch.nn.Linear, tokens: Iterable[torch.Tensor], truth: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (clips, emotions) of each clip's tokens together, and the mean loss of its single tokens."""
    logits = [head(own) for own in tokens]
    each = [cross_entropy(own, label.expand(len(own))) for own, label in zip(logits, truth, strict=True)]
    return torch.stack([own.mean(0) for own in logits]), torch.stack(each)


def _share(step: int, steps: int) -> float:
    """Return the share of the full step size: it rises linearly, then falls as a cosine to a tenth."""
    return min(1.0, (step + 1) / WARM_UP) * (0.1 + 0.45 * (1 + math.cos(math.pi * step / steps)))
