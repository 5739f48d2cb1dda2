"""Decode a clip once, with PyAV: the frames that a model wants, with their times, and the sound as one waveform.

With sound and 2 frames a second, a 3 s clip of 256 x 256 takes about 16 ms and a 10 s clip of 640 x 360 about 65 ms on
one core; nearly all of it is the codec's, which has to decode every frame to give the last one.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.sidedata.sidedata import Type

from emoprefer_bench.media.containers import lost_too_much, opened, packets, pictures, seconds, sounds, start
from emoprefer_bench.media.plan import MediaError
from emoprefer_bench.media.sound import Sound
from emoprefer_bench.media.sound import read as read_sound

if TYPE_CHECKING:
    from pathlib import Path

    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from emoprefer_bench.media.plan import MediaPlan


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was taken out of a clip; the fields are those of a clip in docs/protocol.md.

    `frames` is uint8 of shape (frames, height, width, 3), RGB and upright; `times` are in seconds from the clip's start
    and `indices` count from 0, one of each a frame. `fps` is frames a second after sampling, `source_fps` before.
    `waveform` is float32 of shape (samples,), mono, within [-1, 1], at `sample_rate` hertz, and starts with the clip:
    sample n is heard at n / sample_rate seconds. `duration` is the clip's, in seconds. `missing_frames` and
    `missing_sound` (in seconds) are what can't be decoded of a damaged clip; the frames are left out of all counts, and
    the sound is silent there.
    """

    frames: NDArray[np.uint8] | None = None
    times: list[float] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    fps: float | None = None
    source_fps: float | None = None
    total_frames: int | None = None
    duration: float | None = None
    waveform: NDArray[np.float32] | None = None
    sample_rate: int | None = None
    missing_frames: int = 0
    missing_sound: float = 0.0


def decode(video: Path | None, audio: Path | None, plan: MediaPlan, *, picture: bool, sound: bool) -> Decoded:
    """Decode what is asked for. The sound is the video's own sound track, or else the file `audio`.

    Raises MediaError where a file is missing or damaged, or lacks what is asked for.
    """
    decoded = Decoded()
    if picture:
        if video is None:
            raise MediaError(f"{audio}: there is no video beside it to take the picture from")
        decoded = _read_picture(video, plan)
    if sound:
        heard = _read_sound(video, audio, plan.sample_rate)
        decoded = replace(
            decoded,
            waveform=heard.waveform,
            sample_rate=heard.sample_rate,
            missing_sound=heard.missing_sound,
            duration=decoded.duration or heard.duration,
        )
    return decoded


def _read_picture(path: Path, plan: MediaPlan) -> Decoded:
    total, source_fps, duration = _count_frames(path)
    taken, seen, lost = _take(path, plan.places(total, source_fps))
    if seen != total:  # some packets show nothing: those before the first key frame, or the hidden frames of VP8
        total = seen
        taken, _, lost = _take(path, plan.places(total, source_fps))
    return Decoded(
        frames=np.stack([frame for _, _, frame in taken]),
        times=[index / source_fps if when is None else round(when, 6) for index, when, _ in taken],
        indices=[index for index, _, _ in taken],
        fps=len(taken) / total * source_fps,
        source_fps=source_fps,
        total_frames=total,
        duration=duration,
        missing_frames=lost,
    )


def _count_frames(path: Path) -> tuple[int, float, float]:
    """Count the frames by their packets, since not every header knows; give frames a second and seconds too."""
    with opened(path) as container:
        tracks = pictures(path, container)
        if not tracks:
            raise MediaError(f"{path}: has no picture")
        shown = (packet for packet in packets(path, container, tracks[:1]) if packet.size and not packet.is_discard)
        times = sorted(float((packet.pts or 0) * packet.time_base) for packet in shown)
        rate = _frame_rate(tracks[0], times)
        if not times or not rate:
            raise MediaError(f"{path}: has no frames, or doesn't say how many a second: encode it again")
        return len(times), rate, seconds(container) or len(times) / rate


def _frame_rate(stream: VideoStream, times: list[float]) -> float:
    """Give frames a second as the file says; where its frames come at quite another rate, that one; 0 if unknown."""
    said = float(stream.average_rate or stream.guessed_rate or 0)
    span = times[-1] - times[0] if times else 0
    measured = (len(times) - 1) / span if span else said
    return said if abs(said - measured) <= measured / 4 else measured


def _take(path: Path, indices: list[int]) -> tuple[list[tuple[int, float | None, NDArray[np.uint8]]], int, int]:
    """Decode all frames, and keep those of the `indices`: (index, seconds, RGB) each.

    Also counts the frames that there really were, and those that can't be decoded. Nothing but the kept frames stays in
    memory.
    """
    wanted, kept, seen, lost = set(indices), {}, 0, 0
    with opened(path) as container:
        stream = pictures(path, container)[0]
        size = stream.width, stream.height
        for packet in container.demux(stream):
            try:
                frames = stream.decode(packet)
            except av.InvalidDataError:
                lost += 1
                continue
            for frame in frames:
                if seen in wanted:
                    when = None if frame.time is None else frame.time - start(container)
                    kept[seen] = seen, when, upright(frame, size)
                seen += 1
        if not seen:
            raise MediaError(f"{path}: is damaged, nothing of its picture can be decoded: encode it again")
        lost_too_much(path, stream, lost, lost + seen)
    return [kept[index] for index in indices if index in kept], seen, lost


def upright(frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Turn a frame as the file says; RGB, at `size` (width, height), since a file may change its size midway."""
    image = np.asarray(frame.to_ndarray(format="rgb24", width=size[0], height=size[1]), np.uint8)
    across, _, _, down = turns(frame)
    if lies(frame):
        image = image.transpose(1, 0, 2)
        _, down, across, _ = turns(frame)
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def turns(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Give (a, b, c, d) of the file's display matrix: what is at x, y belongs at a x + c y, b x + d y; no unit."""
    side: Any = frame.side_data  # PyAV's stubs take it for something else
    if Type.DISPLAYMATRIX not in side:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack_from("5i", bytes(side[Type.DISPLAYMATRIX]))
    return a, b, c, d


def lies(frame: VideoFrame) -> bool:
    """Whether the file says that a frame's width is its height. Other turns than by right angles are rounded."""
    a, b, c, d = turns(frame)
    return abs(b) + abs(c) > abs(a) + abs(d)


def mirrored(frame: VideoFrame) -> bool:
    """Whether the file says that a frame is its own mirror image, or nothing that makes sense."""
    a, b, c, d = turns(frame)
    return a * d - b * c <= 0


def _read_sound(video: Path | None, audio: Path | None, rate: int) -> Decoded:
    """Read the waveform from the first of the files that has sound, and that file's duration."""
    for path in dict.fromkeys(filter(None, (video, audio))):
        if heard := _first_heard(path, rate):
            return heard
    lacking = " and ".join(dict.fromkeys(str(path) for path in (video, audio) if path))
    raise MediaError(f"{lacking}: no sound track: put a sound file beside the video, or ask for the picture alone")


def _first_heard(path: Path, rate: int) -> Decoded | None:
    """Read the first track of a file on which there is anything to hear; else the first that can be decoded.

    A camera may have a track for a microphone that nobody plugged in. None where no track has packets.
    """
    silent, lost = None, 0
    for number in itertools.count():
        with opened(path) as container:
            tracks = sounds(path, container)
            if number == len(tracks):
                break
            sound = Sound(path, container, tracks[number])
            waveform = read_sound(sound, rate)
            length = seconds(container) or len(waveform) / rate
        lost += sound.lost
        heard = Decoded(waveform=waveform, sample_rate=rate, duration=length, missing_sound=sound.missing)
        if waveform.any():
            return heard
        silent = silent or (heard if len(waveform) else None)
    if lost and not silent:
        raise MediaError(f"{path}: nothing of its sound can be decoded: encode it again")
    return silent
