"""A clip as a server takes it: bytes of a video, of a sound, of images."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from emoprefer_bench.media.containers import opened, pictures
from emoprefer_bench.media.plan import MIME_TYPES

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray


def data_url(kind: str, content: bytes) -> str:
    """Return the content as a URL (RFC 2397); `kind` is its MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def images(clip: dict[str, Any]) -> list[bytes]:
    """Return the sampled frames as JPEG files. Raises ValueError for a clip without a picture."""
    return [_jpeg(frame) for frame in _array(clip, "frames", "picture")]


def sound_in_floats(clip: dict[str, Any]) -> bytes:
    """Return the sound as a WAV file of floats, as it was decoded. Raises ValueError for a clip without sound.

    For vLLM's server: where it finds neither torchcodec nor soundfile, it takes integers for what they are, and the
    sound is 32,768 times too loud (0.32, load_audio_pyav; vllm-project/vllm, pull request 56056, is to mend it).
    """
    waveform = _array(clip, "waveform", "sound").astype(np.float32)
    file = io.BytesIO()
    with av.open(file, "w", format="wav") as output:
        stream = output.add_stream("pcm_f32le", rate=clip["sample_rate"], layout="mono")
        frame = av.AudioFrame.from_ndarray(waveform[None], "flt", "mono")
        frame.sample_rate, frame.pts = clip["sample_rate"], 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def sound(clip: dict[str, Any]) -> bytes:
    """Return the sound as a WAV file of 16 bits. Raises ValueError for a clip without sound."""
    waveform = _array(clip, "waveform", "sound")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(clip["sample_rate"])
        writer.writeframes((np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def video(clip: dict[str, Any], *, sounding: bool) -> tuple[str, bytes, bool]:
    """Return MIME type and bytes of the video file, and whether there is sound in it.

    Unless it is to be `sounding`, its sound is taken out, or a model that hears would hear what it is only to see. The
    picture is copied, not encoded anew. Raises ValueError for a clip without a picture.
    """
    if not clip.get("video"):
        raise ValueError(f"clip {clip['name']!r} has no picture, which the question asks for")
    path = Path(clip["video"])
    kind = MIME_TYPES.get(path.suffix.lower(), "video/mp4")
    with opened(path) as container:
        sounds = bool(container.streams.audio)
        if sounds and not sounding:
            form = "webm" if kind == "video/webm" else "mp4"  # MP4 can't hold VP8, nor WebM much else
            return f"video/{form}", _picture_alone(container, pictures(path, container)[0], form), False
    return kind, path.read_bytes(), sounds


def _picture_alone(container: InputContainer, source: VideoStream, form: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=form) as output:
        stream = output.add_stream_from_template(source)
        for packet in container.demux(source):
            if packet.size:  # the first ones of a Matroska file may have no time of decoding
                packet.stream = stream
                output.mux(packet)
    return file.getvalue()


def _jpeg(frame: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    height, width = frame.shape[:2]
    with av.open(file, "w", format="mjpeg") as output:
        stream = output.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj444p"
        stream.codec_context.options = {"qmin": "2", "qmax": "2"}
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        output.mux([*stream.encode(picture), *stream.encode(None)])
    return file.getvalue()


def _array(clip: dict[str, Any], field: str, what: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(clip[field]) if clip.get(field) else np.empty(0)
    if not array.size:
        raise ValueError(f"clip {clip['name']!r} has no {what}, which the question asks for")
    return array
