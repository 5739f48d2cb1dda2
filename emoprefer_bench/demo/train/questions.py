"""What the small judge is asked while it learns, and the right answers: from naming an emotion to judging pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emoprefer_bench.demo.descriptions import FACE, STATE, VOICE, Writer, describe
from emoprefer_bench.demo.scenes import EMOTIONS, Emotion
from emoprefer_bench.demo.train.world import babble, sentence

if TYPE_CHECKING:
    from random import Random

    from emoprefer_bench.prompts import PromptPack

Modality = Literal["audiovideo", "audio", "video", "text"]
Kind = Literal["name", "account", "description", "fits", "pair", "brief", "judge", "judge_described", "compare"]

Felt = tuple[Emotion, ...]

WRITERS: tuple[Writer, ...] = ("text_writer", "video_writer", "audio_writer", "notes_writer")
ACCOUNTED: tuple[Kind, ...] = ("brief", "compare", "judge_described")
"""Kinds of questions whose first text is an account that is to be taken as true."""
SAME_SHARE = 0.15
BABBLE_SHARE = 0.4
WRONG_ACCOUNT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Shown:
    """What a judge of some modality is given: the emotion of the face, that of the voice; None for what it isn't."""

    modality: Modality
    face: Emotion | None
    voice: Emotion | None

    @property
    def felt(self) -> Felt:
        """What the person may be said to feel: where face or voice is neutral the other tells, else each has its say.

        Nothing is known where neither is given.
        """
        told = dict.fromkeys(emotion for emotion in (self.face, self.voice) if emotion is not None)
        strong = tuple(emotion for emotion in told if emotion != "neutral")
        return strong or tuple(told)


Told = tuple[str, Emotion]
"""A text in a question, and the emotion that it tells."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A question about what is shown, its answer, and what the texts in it tell, in the order in which they stand."""

    kind: Kind
    prompt: str
    answer: str
    told: tuple[Told, ...] = ()

    def fits(self, shown: Shown) -> list[bool | None]:
        """Say of each text whether it fits the clip, or the account where there is no clip; None for that itself."""
        accounted = int(self.kind in ACCOUNTED)
        felt = shown.felt or tuple(emotion for _, emotion in self.told[:accounted])
        judged = [emotion in felt if felt else None for _, emotion in self.told[accounted:]]
        return [*([None] * accounted), *judged]


@dataclass(frozen=True, slots=True)
class Teacher:
    """Asks in the words of a prompt pack; a `long_share` of the descriptions are long ones."""

    pack: PromptPack
    long_share: float

    def ask(self, kind: Kind, shown: Shown, rng: Random) -> Lines:
        """Make up a question of a kind and answer it; where nothing is shown, any emotion is as good as another."""
        words = babble(rng) if rng.random() < BABBLE_SHARE else sentence(rng.choice(EMOTIONS), rng)
        felt = shown.felt or (rng.choice(EMOTIONS),)
        asked: Lines = getattr(self, f"_{kind}")(shown, felt, words, rng)
        return asked

    def _name(self, _shown: Shown, felt: Felt, _words: str, rng: Random) -> Lines:
        return Lines("name", "emotion?", rng.choice(felt))

    def _account(self, shown: Shown, felt: Felt, _words: str, rng: Random) -> Lines:
        return Lines("account", self.pack.render("describe"), account(shown, rng.choice(felt), rng)[0])

    def _description(self, _shown: Shown, felt: Felt, words: str, rng: Random) -> Lines:
        return Lines("description", self.pack.render("describe"), self._written(rng.choice(felt), words, rng)[0])

    def _fits(self, _shown: Shown, felt: Felt, words: str, rng: Random) -> Lines:
        right = rng.random() < 0.5
        told = self._written(rng.choice(felt) if right else _other(felt, rng), words, rng)
        return Lines("fits", f"Description a1: {told[0]}\n\nDoes it fit?", "yes" if right else "no", (told,))

    def _pair(self, _shown: Shown, felt: Felt, words: str, rng: Random) -> Lines:
        first, second, answer = self._duel(felt, words, rng)
        asked = f"Description a1: {first[0]}\n\nDescription a2: {second[0]}"
        return Lines("pair", asked, answer, (first, second))

    def _brief(self, shown: Shown, felt: Felt, words: str, rng: Random) -> Lines:
        first, second, answer = self._duel(felt, words, rng)
        said = account(shown, felt[0], rng)
        asked = f"Account: {said[0]}\n\nDescription a1: {first[0]}\n\nDescription a2: {second[0]}"
        return Lines("brief", asked, answer, (said, first, second))

    def _judge(self, _shown: Shown, felt: Felt, words: str, rng: Random) -> Lines:
        first, second, answer = self._duel(felt, words, rng)
        return Lines("judge", self.pack.render("judge", a1=first[0], a2=second[0]), answer, (first, second))

    def _judge_described(self, shown: Shown, felt: Felt, words: str, rng: Random) -> Lines:
        return self._with_account("judge_described", shown, felt, words, rng, wrong=WRONG_ACCOUNT_SHARE)

    def _compare(self, shown: Shown, felt: Felt, words: str, rng: Random) -> Lines:
        return self._with_account("compare", shown, felt, words, rng, wrong=0)

    def _with_account(self, kind: Kind, shown: Shown, felt: Felt, words: str, rng: Random, wrong: float) -> Lines:
        first, second, answer = self._duel(felt, words, rng)
        said = self._said(shown, felt, words, rng, wrong)
        asked = self.pack.render(kind, description=said[0], a1=first[0], a2=second[0])
        return Lines(kind, asked, answer, (said, first, second))

    def _said(self, shown: Shown, felt: Felt, words: str, rng: Random, wrong: float) -> Told:
        """Return the account of somebody who watched; now and then he was wrong, so that the clip counts too."""
        emotion = rng.choice(felt)
        if rng.random() < wrong:
            other = _other(felt, rng)
            return account(Shown(shown.modality, shown.face and other, shown.voice and other), other, rng)
        return self._written(emotion, words, rng) if rng.random() < 0.25 else account(shown, emotion, rng)

    def _duel(self, felt: Felt, words: str, rng: Random) -> tuple[Told, Told, str]:
        """Return two descriptions and which is right: one of them, or both (`same`)."""
        if rng.random() < SAME_SHARE:
            writers = rng.sample(WRITERS, 2)
            long = rng.random() < self.long_share
            first, second = (self._told(rng.choice(felt), writer, words, rng, long=long) for writer in writers)
            return first, second, "same"
        right = self._written(rng.choice(felt), words, rng)
        wrong = self._written(_other(felt, rng), words, rng)
        return (right, wrong, "a1") if rng.random() < 0.5 else (wrong, right, "a2")

    def _written(self, emotion: Emotion, words: str, rng: Random) -> Told:
        return self._told(emotion, rng.choice(WRITERS), words, rng, long=rng.random() < self.long_share)

    @staticmethod
    def _told(emotion: Emotion, writer: Writer, words: str, rng: Random, *, long: bool) -> Told:
        return describe(emotion, writer, words, rng, long=long), emotion


def account(shown: Shown, emotion: Emotion, rng: Random) -> Told:
    """Write down in short what a judge of that modality perceives: the judge's own manner of describing.

    Where it perceives nothing, that of somebody who saw and heard it.
    """
    if shown.modality == "text":
        shown = Shown("audiovideo", emotion, emotion)
    seen = [f"In the video, {rng.choice(FACE[shown.face])}."] if shown.face else []
    heard = [f"The voice is {rng.choice(VOICE[shown.voice])}."] if shown.voice else []
    return " ".join([*seen, *heard, f"The person is {rng.choice(STATE[emotion])}."]), emotion


def _other(felt: Felt, rng: Random) -> Emotion:
    return rng.choice([emotion for emotion in EMOTIONS if emotion not in felt])
