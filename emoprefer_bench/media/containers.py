"""Media files as PyAV opens them: what may be opened, which tracks count, and all that goes wrong, by name."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import av
from av.stream import Disposition, Stream

from emoprefer_bench.media import whole
from emoprefer_bench.media.plan import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

Track = TypeVar("Track", bound=Stream)

FORMATS = "mov,matroska,avi,wav,w64,flac,mp3,ogg,aac,aiff,caf,mpegts,mpeg,flv,asf"
"""FFmpeg's names of what holds a clip itself. A playlist or a script holds other files, which no digest covers."""
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
MOST_LOST = 1 / 20
"""The share of a track that may be undecodable. Players show the rest, so a judge may, too, if the clip says it."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a media file; whatever goes wrong with it, also later, becomes a MediaError that names it."""
    try:
        whole.check(path)
        with _open(path) as container:
            for stream in container.streams.video:
                if stream.codec_context:
                    stream.codec_context.thread_count = 1  # faster for small frames; files are decoded side by side
            yield container
    except MediaError:
        raise
    except FileNotFoundError as error:
        raise MediaError(f"{path}: there is no such file") from error
    except (av.InvalidDataError, EOFError) as error:
        raise MediaError(f"{path}: is damaged, or no media file: copy it again or encode it again") from error
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{path}: can't be read: {error.strerror}") from error
    except Exception as error:  # whatever else it is, it came of this file
        raise MediaError(f"{path}: can't be decoded ({type(error).__name__}: {error}): encode it again") from error


def _open(path: Path) -> InputContainer:
    try:
        return av.open(str(path.absolute()), options=OPTIONS)
    except av.ArgumentError as error:  # what FFmpeg says of formats that are not to be opened
        raise MediaError(f"{path}: is no file of a kind that is read: encode it again, as MP4 for instance") from error


def packets(path: Path, container: InputContainer, tracks: Sequence[Stream]) -> Iterator[Packet[Stream]]:
    """Walk through the packets of the tracks; the last one of each is empty, and makes a decoder give what it holds.

    Raises MediaError at the end of an MP4 file with fewer packets than its index says, and of a FLAC file that lacks
    more than a block of the samples that its header says. Other formats count loosely, or in bytes (whole.py).
    """
    counts, ends = Counter[int](), dict[int, tuple[int, int]]()
    for packet in container.demux(tracks):
        if packet.dts is not None:
            counts[packet.stream_index] += 1
            ends[packet.stream_index] = packet.dts, packet.duration or 0
        yield packet
    for track in tracks:
        promised = len(track.index_entries) if "mp4" in container.format.name else 0
        if counts[track.index] < promised:
            count = f"{counts[track.index]} of {promised} packets"
            raise MediaError(f"{path}: ends early, {count} of {track.type} are there: copy it again")
        begin, length = ends.get(track.index, (0, 0))
        if container.format.name == "flac" and track.duration and begin + 2 * length < track.duration:
            count = f"{begin + length:,} of {track.duration:,} samples"
            raise MediaError(f"{path}: ends early, {count} are there: copy it again")


def pictures(path: Path, container: InputContainer) -> list[VideoStream]:
    """List the tracks of moving picture that can be decoded; the cover of a sound file is none.

    Raises MediaError where there are some, and none can be.
    """
    moving = [track for track in container.streams.video if not track.disposition & Disposition.attached_pic]
    return _decodable(path, moving, "picture")


def sounds(path: Path, container: InputContainer) -> list[AudioStream]:
    """List the tracks of sound that can be decoded. Raises MediaError where there are some, and none can be."""
    return _decodable(path, list(container.streams.audio), "sound")


def _decodable(path: Path, tracks: list[Track], kind: str) -> list[Track]:
    known = [track for track in tracks if track.codec_context]  # else FFmpeg doesn't know the codec
    if tracks and not known:
        raise MediaError(f"{path}: its {kind} is in a codec that can't be decoded: encode it again, as H.264 and AAC")
    return known


def lost_too_much(path: Path, track: Stream, lost: int, count: int) -> None:
    """Raise MediaError where more than a small share of a track's packets can't be decoded."""
    if lost > count * MOST_LOST:
        kind = "sound" if track.type == "audio" else "picture"
        raise MediaError(
            f"{path}: is damaged, {lost} of {count} packets of its {kind} (track {track.index}) can't be decoded: "
            "copy it again or encode it again"
        )


def start(container: InputContainer) -> float:
    """Say when the first of the tracks begins, in seconds: the zero of all our times."""
    return (container.start_time or 0) / av.time_base


def seconds(container: InputContainer) -> float | None:
    """How long a file lasts; None where it doesn't say."""
    return container.duration / av.time_base if container.duration else None
