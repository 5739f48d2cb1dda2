"""Decode a clip once, with PyAV: the frames that a model wants, with their times, and the sound as one waveform.

With sound and 2 frames a second, a 3 s clip of 256 x 256 takes about 16 ms and a 10 s clip of 640 x 360 about 65 ms on
one core; nearly all of it is the codec's, which has to decode every frame to give the last one.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import av
import numpy as np
from av.stream import Disposition, Stream

from emoprefer_bench.media.plan import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from emoprefer_bench.media.plan import MediaPlan

QUARTER_TURN = 90


@dataclass(frozen=True, slots=True)
class Facts:
    """What a media file holds. `duration` is in seconds; None where the file doesn't say."""

    picture: bool
    sound: bool
    duration: float | None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was taken out of a clip; the fields are those of a clip in docs/protocol.md.

    `frames` is uint8 of shape (frames, height, width, 3), RGB and upright; `times` are in seconds from the clip's start
    and `indices` count from 0, one of each a frame. `fps` is frames a second after sampling, `source_fps` before.
    `waveform` is float32 of shape (samples,), mono, within [-1, 1], at `sample_rate` hertz, and starts with the clip:
    sample n is heard at n / sample_rate seconds. `duration` is the clip's, in seconds.
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


def probe(path: Path) -> Facts:
    """Look into a media file: decode the first frame of its picture and of its sound, and walk through the rest.

    Raises MediaError where the file is no media file, is damaged at its start, ends early, or holds neither.
    """
    with _opened(path) as container:
        pictures, sounds = _pictures(container), container.streams.audio
        tracks: list[Stream] = [*pictures[:1], *sounds[:1]]
        if not tracks:
            raise MediaError(f"{path}: holds neither picture nor sound: encode it again")
        undecoded = {track.index: track.type for track in tracks}
        for packet in _packets(container, tracks):
            if packet.stream_index in undecoded and packet.decode():
                del undecoded[packet.stream_index]
        for kind in undecoded.values():
            raise MediaError(f"{path}: nothing of its {kind} track can be decoded: encode it again")
        return Facts(bool(pictures), bool(sounds), _seconds(container))


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
        waveform, duration = _read_sound(video, audio, plan.sample_rate)
        duration = decoded.duration or duration
        decoded = replace(decoded, waveform=waveform, sample_rate=plan.sample_rate, duration=duration)
    return decoded


def _read_picture(path: Path, plan: MediaPlan) -> Decoded:
    total, source_fps, duration = _count_frames(path)
    taken, seen = _take(path, plan.count(total, source_fps), total)
    if seen != total:  # some packets show nothing: those before the first key frame, or the hidden frames of VP8
        total = seen
        taken, _ = _take(path, plan.count(total, source_fps), total)
    return Decoded(
        frames=np.stack([frame for _, _, frame in taken]),
        times=[index / source_fps if when is None else round(when, 6) for index, when, _ in taken],
        indices=[index for index, _, _ in taken],
        fps=len(taken) / total * source_fps,
        source_fps=source_fps,
        total_frames=total,
        duration=duration,
    )


def _count_frames(path: Path) -> tuple[int, float, float]:
    """Count the frames by their packets, since not every header knows; give frames a second and seconds too."""
    with _opened(path) as container:
        if not _pictures(container):
            raise MediaError(f"{path}: has no picture")
        stream = _pictures(container)[0]
        shown = (packet for packet in _packets(container, [stream]) if packet.size and not packet.is_discard)
        times = sorted(float((packet.pts or 0) * packet.time_base) for packet in shown)
        rate = _frame_rate(stream, times)
        if not times or not rate:
            raise MediaError(f"{path}: has no frames, or doesn't say how many a second: encode it again")
        return len(times), rate, _seconds(container) or len(times) / rate


def _frame_rate(stream: VideoStream, times: list[float]) -> float:
    """Give frames a second as the file says; where its frames come at quite another rate, that one; 0 if unknown."""
    said = float(stream.average_rate or stream.guessed_rate or 0)
    span = times[-1] - times[0] if times else 0
    measured = (len(times) - 1) / span if span else said
    return said if abs(said - measured) <= measured / 4 else measured


def _packets(container: InputContainer, tracks: Sequence[Stream]) -> Iterator[Packet[Stream]]:
    """Walk through the packets of the tracks; the last one of each is empty, and makes a decoder give what it holds.

    Raises MediaError at the end of an MP4 file with fewer packets than its index says. Other formats count loosely.
    """
    found = Counter[int]()
    for packet in container.demux(tracks):
        found[packet.stream_index] += packet.dts is not None
        yield packet
    for track in tracks:
        promised = len(track.index_entries) if "mp4" in container.format.name else 0
        if found[track.index] < promised:
            count = f"{found[track.index]} of {promised} packets"
            raise MediaError(f"{container.name}: ends early, {count} of {track.type} are there: copy it again")


def _take(path: Path, count: int, total: int) -> tuple[list[tuple[int, float | None, NDArray[np.uint8]]], int]:
    """Decode `total` frames, and keep `count` that are spread evenly: (index, seconds, RGB) each.

    Also counts the frames that there really were. Nothing but the kept frames stays in memory.
    """
    indices: list[int] = np.linspace(0, total - 1, count).round().astype(int).tolist()
    wanted, kept, seen = set(indices), {}, 0
    with _opened(path) as container:
        stream = _pictures(container)[0]
        size = stream.width, stream.height
        for packet in container.demux(stream):
            for frame in stream.decode(packet):
                if seen in wanted:
                    when = None if frame.time is None else frame.time - _start(container)
                    kept[seen] = seen, when, _upright(frame, size)
                seen += 1
    if not seen:
        raise MediaError(f"{path}: nothing of its picture can be decoded: encode it again")
    return [kept[index] for index in indices if index in kept], seen


def _upright(frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Turn a frame as the file says; RGB, at `size` (width, height), since a file may change its size midway."""
    image = frame.to_ndarray(format="rgb24", width=size[0], height=size[1])
    return np.rot90(image, round(frame.rotation / QUARTER_TURN))


def _read_sound(video: Path | None, audio: Path | None, rate: int) -> tuple[NDArray[np.float32], float]:
    """Read the waveform from the first of the files that has sound, and that file's duration in seconds."""
    for path in filter(None, (video, audio)):
        with _opened(path) as container:
            if container.streams.audio:
                waveform = _waveform(container, container.streams.audio[0], rate)
                return waveform, _seconds(container) or len(waveform) / rate
    lacking = " and ".join(str(path) for path in (video, audio) if path)
    raise MediaError(f"{lacking}: no sound track: put a sound file beside the video, or ask for the picture alone")


def _waveform(container: InputContainer, stream: AudioStream, rate: int) -> NDArray[np.float32]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    blocks: list[NDArray[np.float32]] = []
    begins = None
    for packet in _packets(container, [stream]):
        for frame in stream.decode(packet):
            begins = frame.time if begins is None else begins
            blocks += [resampled.to_ndarray()[0] for resampled in resampler.resample(frame)]
    if not blocks:
        raise MediaError(f"{container.name}: nothing of its sound can be decoded: encode it again")
    blocks += [resampled.to_ndarray()[0] for resampled in resampler.resample(None)]
    late = np.zeros(max(round(((begins or 0) - _start(container)) * rate), 0), np.float32)
    return np.concatenate([late, np.clip(_without_padding(np.concatenate(blocks), stream, rate), -1, 1)])


def _without_padding(waveform: NDArray[np.float32], stream: AudioStream, rate: int) -> NDArray[np.float32]:
    """Cut what the encoder added behind the end to fill its last block: 128 samples of 3 s of AAC at 16 kHz.

    What it added in front, the decoder drops. More than a block is never cut: then it is the header that is wrong.
    """
    if not stream.duration or not stream.time_base:
        return waveform
    length = round(stream.duration * stream.time_base * rate)
    block = stream.codec_context.frame_size / stream.codec_context.sample_rate * rate
    return waveform[:length] if 0 < len(waveform) - length <= block else waveform


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    """Open a media file; whatever goes wrong with it, also later, becomes a MediaError that names it."""
    try:
        with av.open(os.fspath(path)) as container:
            for stream in container.streams.video:
                stream.codec_context.thread_count = 1  # faster for small frames; files are decoded side by side
            yield container
    except FileNotFoundError as error:
        raise MediaError(f"{path}: there is no such file") from error
    except (av.InvalidDataError, EOFError) as error:
        raise MediaError(f"{path}: is damaged, or no media file: copy it again or encode it again") from error
    except av.FFmpegError as error:
        raise MediaError(f"{path}: can't be read: {error.strerror}") from error


def _pictures(container: InputContainer) -> list[VideoStream]:
    """List the tracks of moving picture; the cover of a sound file is none."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _start(container: InputContainer) -> float:
    """Say when the first of the tracks begins, in seconds: the zero of all our times."""
    return (container.start_time or 0) / av.time_base


def _seconds(container: InputContainer) -> float | None:
    return container.duration / av.time_base if container.duration else None
