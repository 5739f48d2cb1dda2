"""The sound of a clip as one waveform: the mean of its channels, each block where its time stamp says.

Whatever the layout, the mean of the channels is what is heard, as in librosa and in transformers' `load_audio`; FFmpeg
adds them up instead. The mean never exceeds the loudest channel, so nothing is clipped but what a codec or the
resampling overshoots beyond full scale. Where blocks are missing there is silence, so that words stay on the lips.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import av
import numpy as np

from emoprefer_bench.media.containers import lost_too_much, packets, start
from emoprefer_bench.media.edits import pauses
from emoprefer_bench.media.plan import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from numpy.typing import NDArray

JITTER = 0.01
"""Seconds by which a time stamp may be off without meaning it: Matroska rounds to milliseconds, live captures more."""
UNSTAMPED = ("aac", "aiff", "avi", "caf", "flac", "mp3", "w64", "wav")
"""Formats without time stamps: FFmpeg reckons them up from what the header says, which the samples may not keep to."""
AHEAD = 4
"""Blocks after one that must be displaced with it: a block that alone is late or early is jitter, however much."""
SET_BACK = 0.5
"""Seconds of overlap from which on it is none, but a clock that was set back, where two recordings were joined."""
LONGEST_SILENCE = 600.0
"""Seconds; a file that says more between two blocks is wrong about it, or made to fill the memory."""
LOUDEST = 100.0
"""Times full scale; a file of floats beyond it doesn't keep to [-1, 1] at all, as one in the scale of 16 bits."""
UNSAFE_PLANES = 8
"""From so many planes on, PyAV reads beyond their end and crashes (seen in PyAV 18.1)."""
EXACT = (np.dtype(np.uint8), np.dtype(np.int16), np.dtype(np.float32))
"""Samples whose mean float32 holds; 32 bits hold more."""
FADE = 0.005
"""Seconds in which one block goes over into the next where they overlap, so that there is no click."""


@dataclass(slots=True)
class Sound:
    """The sound of a track while it is read.

    `lost` counts packets that can't be decoded, `missing` their seconds; a track of which none can is taken for empty.
    """

    path: Path
    container: InputContainer
    stream: AudioStream
    lost: int = 0
    missing: float = 0.0

    def pauses(self) -> list[tuple[float, float]]:
        """Begin and end of each pause that only the file's list of edits tells of, in seconds of its clock."""
        if "mp4" not in self.container.format.name:
            return []
        return pauses(self.path, self.container.streams.audio.index(self.stream))

    def timed(self) -> Iterator[tuple[float | None, AudioFrame]]:
        """Decode the track, in time (in_time)."""
        stamped = self.container.format.name not in UNSTAMPED
        return in_time(self.frames(), self.path, stamped=stamped)

    def frames(self) -> Iterator[AudioFrame]:
        """Decode the track. Raises MediaError where some of it can be decoded, and more than a small share can't."""
        count = 0
        for packet in packets(self.path, self.container, [self.stream]):
            count += packet.size > 0
            try:
                yield from self.stream.decode(packet)
            except av.FFmpegError:
                self.lost += 1
                self.missing += float((packet.duration or 0) * (packet.time_base or 0))
        if self.lost < count:
            lost_too_much(self.path, self.stream, self.lost, count)


def read(sound: Sound, rate: int) -> NDArray[np.float32]:
    """Decode a track to one channel, float32 within [-1, 1], at `rate` hertz; it starts with the file's first track.

    Empty where the track holds nothing that can be decoded. Raises MediaError.
    """
    runs: list[_Run] = []
    for begins, frame in sound.timed():
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if begins is not None:
            runs.append(_Run(kind, begins, rate))
        elif kind != runs[-1].kind:
            runs.append(_Run(kind, runs[-1].ends, rate))
        runs[-1].add(frame)
        if runs[-1].samples == frame.samples and len(runs) > 1:
            runs[-2].finish()
    if not runs:
        return np.empty(0, np.float32)
    late = runs[0].begins - start(sound.container)
    if late > LONGEST_SILENCE:
        raise MediaError(f"{sound.path}: its sound begins {late:.0f} s after its picture: encode it again")
    waveform = _without_padding(_joined(runs, rate), sound.stream, rate)
    if not np.abs(waveform).max(initial=0.0) <= LOUDEST:  # nor is what is no number
        raise MediaError(
            f"{sound.path}: its sound has samples that are no numbers, or over {LOUDEST:.0f} times full scale: "
            "encode it again, with samples between -1 and 1"
        )
    waveform = np.clip(waveform, -1, 1)
    for begin, end in sound.pauses():
        waveform[max(round((begin - runs[0].begins) * rate), 0) : max(round((end - runs[0].begins) * rate), 0)] = 0
    if late < -JITTER:
        return waveform[round(-late * rate) :]
    return np.concatenate([np.zeros(max(round(late * rate), 0), np.float32), waveform])


def unbroken_and_mono(sound: Sound) -> bool:
    """Whether the track has one channel, no gaps and no overlaps, and starts with the file or later."""
    runs = 0
    for begins, frame in sound.timed():
        early = begins is not None and begins - start(sound.container) < -JITTER
        runs += begins is not None
        if frame.layout.nb_channels != 1 or runs > 1 or early:
            return False
    return runs == 1 and not sound.lost and not sound.pauses()


def in_time(
    frames: Iterable[AudioFrame], path: Path, *, stamped: bool = True
) -> Iterator[tuple[float | None, AudioFrame]]:
    """Give each frame, with the seconds at which it begins where that isn't where the one before it ends.

    Only the first one has such a time where the file has no time stamps.
    """
    clock = _Clock(path, stamped)
    waiting: deque[AudioFrame] = deque()
    for frame in frames:
        waiting.append(frame)
        if len(waiting) > AHEAD or not stamped:
            yield clock.place(waiting)
    while waiting:
        yield clock.place(waiting)


@dataclass(slots=True)
class _Clock:
    """Where the sound has come to, in seconds of the file's clock; that one may be set back, to be `behind` ours."""

    path: Path
    stamped: bool
    now: float | None = None
    behind: float = 0.0

    def place(self, waiting: deque[AudioFrame]) -> tuple[float | None, AudioFrame]:
        """Take the first frame that waits; the others tell whether it is displaced."""
        begins = None
        if self.now is None:
            begins = self.now = waiting[0].time or 0.0
        elif self.stamped and (late := self._late(waiting)):
            if late < -SET_BACK:
                self.behind -= late
            elif late > LONGEST_SILENCE:
                raise MediaError(f"{self.path}: its sound is silent for {late:.0f} s in between: encode it again")
            else:
                begins = self.now = self.now + late
        frame = waiting.popleft()
        self.now += frame.samples / frame.sample_rate
        return begins, frame

    def _late(self, waiting: deque[AudioFrame]) -> float:
        """By how many seconds all these frames come later than they would without a gap (or earlier); else 0."""
        due, least = (self.now or 0.0) - self.behind, 0.0
        for frame in waiting:
            late = 0.0 if frame.time is None else frame.time - due
            if abs(late) <= JITTER or late * least < 0:
                return 0.0
            least = min(least or late, late, key=abs)
            due += frame.samples / frame.sample_rate
        return least


@dataclass
class _Run:
    """Frames of one kind (format, layout, rate), one after the other without a gap. Times are in seconds."""

    kind: tuple[str, str, int]
    begins: float
    rate: int
    samples: int = 0
    blocks: list[NDArray[np.float32]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._resampler: av.AudioResampler | None = av.AudioResampler(format="flt", layout="mono", rate=self.rate)
        self._as_wanted = self.kind[0] in ("flt", "fltp") and self.kind[2] == self.rate

    @property
    def ends(self) -> float:
        return self.begins + self.samples / self.kind[2]

    def add(self, frame: AudioFrame) -> None:
        self.samples += frame.samples
        mono = frame if frame.layout.nb_channels == 1 else _mean(frame)
        if self._as_wanted:
            self.blocks.append(mono.to_ndarray()[0])
            return
        assert self._resampler
        self.blocks += [resampled.to_ndarray()[0] for resampled in self._resampler.resample(mono)]

    def finish(self) -> NDArray[np.float32]:
        """Give the waveform, and let the resampler go: a broken track may have ten thousand runs."""
        if self._resampler:
            self.blocks += [resampled.to_ndarray()[0] for resampled in self._resampler.resample(None)]
            self.blocks = [np.concatenate(self.blocks)] if self.blocks else [np.empty(0, np.float32)]
            self._resampler = None
        return self.blocks[0]


def _mean(frame: AudioFrame) -> AudioFrame:
    """Give the frame with one channel, the mean of those that it has, float32."""
    if frame.format.is_planar and frame.layout.nb_channels >= UNSAFE_PLANES:
        packing = av.AudioResampler(format=frame.format.packed.name, layout=frame.layout, rate=frame.sample_rate)
        (frame,) = packing.resample(frame)
    values = frame.to_ndarray()
    channels = values if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels).T
    mean = channels.mean(axis=0, dtype=np.float32 if values.dtype in EXACT else np.float64)
    if values.dtype == np.uint8:
        mean = (mean - 128) / 128
    elif values.dtype.kind == "i":
        mean /= 1 << 8 * values.dtype.itemsize - 1
    mono = av.AudioFrame.from_ndarray(mean.astype(np.float32)[None], format="flt", layout="mono")
    mono.sample_rate, mono.pts, mono.time_base = frame.sample_rate, frame.pts, frame.time_base
    return mono


def _joined(runs: list[_Run], rate: int) -> NDArray[np.float32]:
    """Put each run at its time; where two overlap, one goes over into the other."""
    if len(runs) == 1:
        return runs[0].finish()
    placed, end = [], 0
    for run in runs:
        at, waveform = round((run.begins - runs[0].begins) * rate), run.finish()
        if abs(at - end) <= 1:
            at = end  # nothing but the resampler's rounding
        waveform, at = waveform[max(-at, 0) :], max(at, 0)
        placed.append((at, waveform))
        end = at + len(waveform)
    joined = np.zeros(max(at + len(waveform) for at, waveform in placed), np.float32)
    end = 0
    for at, waveform in placed:
        fade = max(min(end - at, len(waveform), round(FADE * rate)), 0)
        ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        before = joined[at : at + fade] * (1 - ramp)
        joined[at : at + len(waveform)] = waveform
        joined[at : at + fade] = before + waveform[:fade] * ramp
        end = max(end, at + len(waveform))
    return joined


def _without_padding(waveform: NDArray[np.float32], stream: AudioStream, rate: int) -> NDArray[np.float32]:
    """Cut what the encoder added behind the end to fill its last block: 128 samples of 3 s of AAC at 16 kHz.

    What it added in front, the decoder drops. More than a block is never cut: then it is the header that is wrong.
    """
    if not stream.duration or not stream.time_base:
        return waveform
    length = round(stream.duration * stream.time_base * rate)
    block = stream.codec_context.frame_size / stream.codec_context.sample_rate * rate
    return waveform[:length] if 0 < len(waveform) - length <= block else waveform
