"""Batches of questions about faces and voices, which are put together anew for each question."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from emoprefer_bench.demo.scenes import EMOTIONS, Emotion
from emoprefer_bench.demo.train.media import Media, Picture, Prompts, Sound, in_turn
from emoprefer_bench.demo.train.questions import Kind, Lines, Modality, Shown, Teacher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from emoprefer_bench.demo.train.world import Lesson

DISAGREEMENT = {"agree": 0.7, "calm voice": 0.1, "calm face": 0.1, "any": 0.1}
VERDICTS = ("a1", "a2", "same", "yes", "no")
SIMILAR_SOUNDS = 12
"""Of how many sounds that are about as long as a picture one is drawn for it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A question with its answer, as token ids, and what is shown with it.

    `told` has places in the question at which an emotion is known, at the end of a text or of the media, and whether
    that text fits the clip. `verdict` is the answer's number in `VERDICTS`, -1 for one that is none.
    """

    kind: Kind
    asked: list[int]
    answered: list[int]
    media: Media | None
    told: tuple[tuple[int, Emotion, bool | None], ...] = ()
    verdict: int = -1


@dataclass(frozen=True, slots=True)
class Pack:
    """Questions about one clip, which share the tokens that they begin with: the clip, and often half of the prompt."""

    modality: Modality
    rows: tuple[Row, ...]

    @property
    def shared(self) -> int:
        """How many tokens all questions begin with; of each, one at least is its own."""
        asked = [row.asked for row in self.rows]
        least = min(map(len, asked)) - 1
        return next((n for n, ids in enumerate(zip(*asked, strict=False)) if len(set(ids)) > 1 or n == least), least)

    @property
    def length(self) -> int:
        """How many tokens it has, those that are shared once."""
        return self.shared + sum(len(row.asked) + len(row.answered) - self.shared for row in self.rows)


@dataclass(frozen=True, slots=True)
class Batch:
    """Packs side by side, padded at the right: `ids` (packs, tokens), `positions` (3, packs, tokens).

    `mask` (packs, 1, tokens, tokens) lets a question see itself and what it shares. `media` (tokens, width) is what
    takes the places of sound and picture, `places` (packs, tokens). Of the answers, whose `kinds` are known, `answers`
    has for each token the pack, the place where it is to be said, its id, and the answer's number; `told` has pack,
    place, emotion and answer of each text and clip that tells one, whether the text fits (-1: not asked), and
    which of the two it is, 0 or 1.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    kinds: list[Kind]
    answers: torch.Tensor
    told: torch.Tensor
    places: torch.Tensor
    media: torch.Tensor
    verdicts: torch.Tensor


class Library:
    """Pictures and sounds by emotion, from which what is shown is drawn."""

    def __init__(self, lessons: Sequence[Lesson], media: Sequence[Media]) -> None:
        self.pictures: dict[Emotion, list[Media]] = defaultdict(list)
        self._sounds: dict[Emotion, list[Sound]] = defaultdict(list)
        for lesson, clip in zip(lessons, media, strict=True):
            self.pictures[lesson.face].append(clip)
            self._sounds[lesson.voice].append(clip.sound)
        for sounds in self._sounds.values():
            sounds.sort(key=lambda sound: sound.tokens)

    def draw(self, modality: Modality, rng: Random) -> tuple[Shown, Media | None]:
        """Draw what is shown; face and voice need not be of one clip, and now and then disagree."""
        if modality == "text":
            return Shown(modality, None, None), None
        face, voice = self._emotions(rng)
        if modality != "audiovideo":
            voice = face
        clip = rng.choice(self.pictures[face])
        shown = Shown(modality, face if "video" in modality else None, voice if "audio" in modality else None)
        if face == voice and rng.random() < 0.5:
            return shown, clip
        return shown, Media(clip.picture, self._sound(voice, clip.sound.tokens, rng))

    def _sound(self, voice: Emotion, tokens: int, rng: Random) -> Sound:
        sounds = self._sounds[voice]
        middle = bisect(sounds, tokens, key=lambda sound: sound.tokens)
        start = min(max(0, middle - SIMILAR_SOUNDS // 2), max(0, len(sounds) - SIMILAR_SOUNDS))
        return rng.choice(sounds[start : start + SIMILAR_SOUNDS])

    @staticmethod
    def _emotions(rng: Random) -> tuple[Emotion, Emotion]:
        face, voice = rng.choice(EMOTIONS), rng.choice(EMOTIONS)
        how = rng.choices(list(DISAGREEMENT), list(DISAGREEMENT.values()))[0]
        instead: dict[str, tuple[Emotion, Emotion]] = {
            "agree": (face, face),
            "calm voice": (face, "neutral"),
            "calm face": ("neutral", voice),
            "any": (face, voice),
        }
        return instead[how]


class Desk:
    """Where rows and batches are put together."""

    def __init__(self, library: Library, prompts: Prompts, teacher: Teacher) -> None:
        self._library = library
        self._prompts = prompts
        self._teacher = teacher

    def pack(self, modality: Modality, kinds: Sequence[Kind], rng: Random) -> Pack:
        """Draw a clip, and a question of each of these kinds about it."""
        shown, media = self._library.draw(modality, rng)
        return Pack(modality, tuple(self._row(self._teacher.ask(kind, shown, rng), shown, media) for kind in kinds))

    def _row(self, lines: Lines, shown: Shown, media: Media | None) -> Row:
        parts = [text for text, _ in lines.told]
        asked, ends = self._prompts.ids_and_ends(shown.modality, lines.prompt, media, parts)
        emotions = [emotion for _, emotion in lines.told]
        told: list[tuple[int, Emotion, bool | None]] = list(zip(ends, emotions, lines.fits(shown), strict=False))
        if media and len(shown.felt) == 1:
            told.append((ends[-1], shown.felt[0], None))
        verdict = VERDICTS.index(lines.answer) if lines.answer in VERDICTS else -1
        return Row(lines.kind, asked, self._prompts.answer(lines.answer), media, tuple(told), verdict)


def collated(packs: Sequence[Pack], model: Any) -> Batch:
    """Put packs side by side; the positions are those that the model gives to each question alone."""
    size, config = max(pack.length for pack in packs), model.config
    ids = torch.zeros(len(packs), size, dtype=torch.long)
    positions = torch.zeros(3, len(packs), size, dtype=torch.long)
    mask = torch.eye(size, dtype=torch.bool).repeat(len(packs), 1, 1, 1)
    kinds: list[Kind] = []
    answers, told, verdicts, media = [], [], [], [torch.zeros(0, config.text_config.hidden_size)]
    for number, pack in enumerate(packs):
        shared = end = pack.shared
        ids[number, :shared] = torch.tensor(pack.rows[0].asked[:shared])
        positions[:, number, :shared] = _positions(pack, ids[number, :shared], model)
        mask[number, 0, :shared, :shared].fill_(True).tril_()  # noqa: FBT003 - torch's own
        media += _perceived(pack)
        for row in pack.rows:
            start, own = end, torch.tensor([*row.asked[shared:], *row.answered])
            end = start + len(own)
            ids[number, start:end] = own
            positions[:, number, start:end] = positions[:, number, shared - 1].max() + 1 + torch.arange(len(own))
            mask[number, 0, start:end, :shared] = True
            mask[number, 0, start:end, start:end].fill_(True).tril_()  # noqa: FBT003
            said = end - len(row.answered) - 1
            answers += [(number, said + n, token, len(kinds)) for n, token in enumerate(row.answered)]
            told += [
                (
                    number,
                    place if place < shared else place - shared + start,
                    EMOTIONS.index(emotion),
                    len(kinds),
                    -1 if fits is None else int(fits),
                    sum(earlier[2] is not None for earlier in row.told[:order]),
                )
                for order, (place, emotion, fits) in enumerate(row.told)
            ]
            known = [place for _, place, _, answer, fits, _ in told if answer == len(kinds) and fits >= 0]
            if row.verdict >= 0 and known:
                verdicts += [(number, place, row.verdict, len(kinds)) for place in range(max(known) + 1, said + 1)]
            kinds.append(row.kind)
    places = (ids == config.audio_token_id) | (ids == config.video_token_id)
    tables = (torch.tensor(told, dtype=torch.long).view(-1, 6), torch.tensor(verdicts, dtype=torch.long).view(-1, 4))
    return Batch(ids, positions, mask, kinds, torch.tensor(answers), tables[0], places, torch.cat(media), tables[1])


def _positions(pack: Pack, ids: torch.Tensor, model: Any) -> torch.Tensor:
    """Return the positions (3, tokens) of the tokens that a pack shares."""
    clip, modality = pack.rows[0].media, pack.modality
    if clip is None:
        return torch.arange(len(ids)).expand(3, -1)
    sees, hears = "video" in modality, "audio" in modality
    positions: torch.Tensor = model.get_rope_index(
        ids[None],
        video_grid_thw=clip.picture.grid if sees else None,
        attention_mask=torch.ones_like(ids)[None],
        use_audio_in_video=sees and hears,
        audio_seqlens=torch.tensor([clip.sound.spectrum.shape[1]]) if hears else None,
        second_per_grids=clip.picture.seconds if sees else None,
    )[0]
    return positions[:, 0]


def _perceived(pack: Pack) -> list[torch.Tensor]:
    """Return what takes the places of a pack's media, in the order of its prompts."""
    clip, modality = pack.rows[0].media, pack.modality
    if clip is None:
        return []
    if modality == "audiovideo":
        return in_turn(clip)
    perceived = clip.sound.perceived if modality == "audio" else clip.picture.perceived
    assert perceived is not None
    return [perceived]


def seen(pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return the model's arguments for pictures."""
    return {
        "pixel_values_videos": torch.cat([picture.patches for picture in pictures]).float(),
        "video_grid_thw": torch.cat([picture.grid for picture in pictures]),
        "video_second_per_grid": torch.cat([picture.seconds for picture in pictures]),
    }


def heard(sounds: Sequence[Sound]) -> dict[str, Any]:
    """Return the model's arguments for sounds, padded at the right."""
    width = max(sound.spectrum.shape[1] for sound in sounds)
    spectra = torch.zeros(len(sounds), sounds[0].spectrum.shape[0], width)
    mask = torch.zeros(len(sounds), width, dtype=torch.long)
    for number, sound in enumerate(sounds):
        length = sound.spectrum.shape[1]
        spectra[number, :, :length] = sound.spectrum
        mask[number, :length] = 1
    return {"input_features": spectra, "feature_attention_mask": mask}
