"""Looking into the files of a clip, before anything loads: what they hold, and whether they are whole."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import av

from emoprefer_bench.media.containers import opened, packets, pictures, seconds, sounds
from emoprefer_bench.media.decode import decode, mirrored
from emoprefer_bench.media.plan import PICTURE_DECODING, SOUND_DECODING, Look, MediaError, MediaPlan, digest_of
from emoprefer_bench.media.sound import Sound, unbroken_and_mono

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import InputContainer
    from av.stream import Stream

ANY = MediaPlan(fps=None, min_frames=1, max_frames=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a media file holds. `duration` is in seconds; None where the file doesn't say.

    `sound_decoding` is the oldest version of the decoding of sound (media.SOUND_DECODING) that heard this file as the
    current one does, and `picture_decoding` that of picture. `note` says what is lost of a file that can be used all
    the same; it is known where all of it was decoded.
    """

    picture: bool
    sound: bool
    duration: float | None
    sound_decoding: int = 1
    picture_decoding: int = 1
    note: str = ""


def look_into(video: Path | None, audio: Path | None, *, thorough: bool = False) -> Look:
    """Look into a clip's video, and into the sound file beside it where the video has no sound. Raises MediaError.

    The digest is over the bytes of the video, then of that sound file.
    """
    facts = probe(video, thorough=thorough) if video else None
    beside = probe(audio, thorough=thorough) if audio and not (facts and facts.sound) else None
    if beside and not beside.sound:
        beside = None
    heard = beside or (facts if facts and facts.sound else None)
    return Look(
        digest=digest_of([path for path in (video, audio if beside else None) if path]),
        picture=facts is not None and facts.picture,
        sound=heard is not None,
        duration=next((seen.duration for seen in (facts, beside) if seen), None),
        beside=beside is not None,
        sound_decoding=heard.sound_decoding if heard else 1,
        picture_decoding=facts.picture_decoding if facts else 1,
        note="; ".join(seen.note for seen in (facts, beside) if seen and seen.note),
        thorough=thorough,
    )


def probe(path: Path, *, thorough: bool = False) -> Facts:
    """Look into a media file: decode the first frame of its tracks, and walk through the packets of the rest.

    A `thorough` look decodes all of it. Raises MediaError where the file is no media file, is damaged at its start (or,
    looked at thoroughly, anywhere), ends early, or holds neither picture nor sound.
    """
    with opened(path) as container:
        shown, heard = pictures(path, container)[:1], sounds(path, container)
        working = _working(path, container, [*shown, *heard])
        sounding = [track for track in heard if track.index in working]
        for track in shown:
            if not working.get(track.index):
                raise MediaError(f"{path}: nothing of its picture can be decoded: encode it again")
        if sounding and not any(working[track.index] for track in sounding):
            raise MediaError(f"{path}: nothing of its sound can be decoded: encode it again")
        if not shown and not sounding:
            raise MediaError(f"{path}: holds neither picture nor sound: encode it again")
        seen = [frame for track in shown for frame in working[track.index][:1]]
        decoding = PICTURE_DECODING if any(map(mirrored, seen)) else 1
        facts = Facts(bool(shown), bool(sounding), seconds(container), picture_decoding=decoding)
    if facts.sound:
        facts = replace(facts, sound_decoding=_oldest_decoding(path))
    return replace(facts, note=_lost(path, facts)) if thorough else facts


def _working(path: Path, container: InputContainer, tracks: list[Stream]) -> dict[int, list[Any]]:
    """Give of each track that has packets, by its index, the first frames; none where nothing can be decoded."""
    working: dict[int, list[Any]] = {}
    for packet in packets(path, container, tracks) if tracks else ():
        if packet.size:
            working.setdefault(packet.stream_index, [])
        if working.get(packet.stream_index) == []:
            with contextlib.suppress(av.FFmpegError):
                working[packet.stream_index] = packet.decode()
    return working


def _oldest_decoding(path: Path) -> int:
    """Say which version of the decoding of sound was the first to hear the file right.

    The first one took the first track, and was right about one channel without a gap; everything else it heard too loud
    or too early, or not at all. A track of one channel is decoded for this to its end, which takes a millisecond or two
    for each second of it; where there are several tracks, the current version may choose another. Of damage in it, a
    question that comes with sound will tell, or a thorough look.
    """
    with contextlib.suppress(MediaError), opened(path) as container:
        tracks = container.streams.audio
        if len(tracks) == 1 and tracks[0].codec_context.layout.nb_channels == 1:
            return 1 if unbroken_and_mono(Sound(path, container, tracks[0])) else SOUND_DECODING
    return SOUND_DECODING


def _lost(path: Path, facts: Facts) -> str:
    """Decode all of a file, and say what of it can't be decoded, though it can be used without."""
    decoded = decode(path, path, ANY, picture=facts.picture, sound=facts.sound)
    lost = []
    if decoded.missing_frames:
        lost.append(f"{decoded.missing_frames} of {decoded.missing_frames + (decoded.total_frames or 0)} frames")
    if decoded.missing_sound:
        lost.append(f"{decoded.missing_sound:.2f} s of the sound")
    return f"{' and '.join(lost)} can't be decoded and are left out" if lost else ""
