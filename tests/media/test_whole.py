"""Files that were cut off, and files that only look so."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from support.media_files import cut, make_clip, make_wav
from support.media_sounds import sine, write

from emoprefer_bench.media.decode import decode
from emoprefer_bench.media.look import probe
from emoprefer_bench.media.plan import MediaError, MediaPlan

CODECS = {
    "wav": ("", "pcm_s16le"),
    "flac": ("", "flac"),
    "mp3": ("", "libmp3lame"),
    "ogg": ("", "libopus"),
    "opus": ("", "libopus"),
    "mka": ("", "aac"),
    "avi": ("mpeg4", "mp3"),
    "webm": ("libvpx", "libopus"),
    "mkv": ("libx264", "aac"),
    "mov": ("libx264", "aac"),
    "mp4": ("libx264", "aac"),
}


def media(folder: Path, suffix: str, **settings: object) -> Path:
    """Make a film, or (of the formats that hold nothing else) a sound file, of about two seconds."""
    path, (shown, heard) = folder / f"c.{suffix}", CODECS[suffix]
    if not shown:
        return write(path, (0, sine(2, 48000)), codec=heard)
    return make_clip(path, rate=48000, codecs=(shown, heard), **settings)


@pytest.mark.parametrize("share", [0.4, 0.9])
@pytest.mark.parametrize("suffix", CODECS)
def test_a_file_that_is_cut_off_is_a_fault(tmp_path, suffix, share):
    """In every format, whether a tenth is missing or more than half; its whole self is none."""
    options = {"movflags": "faststart"} if suffix in ("mp4", "mov") else None
    path = media(tmp_path, suffix, options=options) if CODECS[suffix][0] else media(tmp_path, suffix)
    assert probe(path).duration == pytest.approx(2, abs=0.1)

    with pytest.raises(MediaError, match=rf"c\.{suffix}: ends early, .* are there: copy it again"):
        probe(cut(path, share))


def test_a_fragmented_file_that_is_cut_off_is_a_fault(tmp_path):
    """Its index comes in pieces, each before what it is about."""
    path = make_clip(tmp_path / "c.mp4", key_every=10, options={"movflags": "frag_keyframe+empty_moov"})
    assert probe(path).picture

    with pytest.raises(MediaError, match=r"c\.mp4: ends early"):
        probe(cut(path, 0.6))


def test_a_header_that_promises_more_than_there_is(tmp_path):
    """Four seconds are promised, and 0.62 s are there: no clip of 0.62 s, neither to look at nor to decode."""
    path = make_wav(tmp_path / "c.wav", seconds=4)
    path.write_bytes(path.read_bytes()[: 44 + round(0.62 * 32000)])

    for attempt in (probe, lambda path: decode(None, path, MediaPlan(None, 1, 1), picture=False, sound=True)):
        with pytest.raises(MediaError, match=r"c\.wav: ends early, 19,884 of 128,044 bytes are there: copy it again"):
            attempt(path)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_streamed_wav_is_whole(tmp_path, size):
    """Who writes to a pipe can't go back to say how much it was."""
    path = make_wav(tmp_path / "c.wav", seconds=2)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)

    waveform = decode(None, path, MediaPlan(None, 1, 1), picture=False, sound=True).waveform

    assert probe(path).sound
    assert waveform is not None
    assert waveform.shape == (32000,)


def test_a_large_wav_says_its_size_elsewhere(tmp_path):
    """RF64 has 64 bits for it, in a part of its own."""
    path = make_wav(tmp_path / "c.wav", seconds=2)
    content = path.read_bytes()
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, len(content) + 28, 64000, 32000, 0)
    whole = b"RF64\xff\xff\xff\xffWAVE" + sizes + content[12:40] + b"\xff\xff\xff\xff" + content[44:]
    path.write_bytes(whole)
    assert probe(path).sound

    path.write_bytes(whole[:-20000])
    with pytest.raises(MediaError, match="ends early"):
        probe(path)


def test_what_follows_the_samples_may_be_missing(tmp_path):
    """A WAV file whose header counts notes that aren't there holds all of its sound."""
    path = make_wav(tmp_path / "c.wav", seconds=2)
    content = bytearray(path.read_bytes())
    content[4:8] = struct.pack("<I", len(content) + 500)
    path.write_bytes(content)

    assert probe(path).duration == 2


@pytest.mark.parametrize("suffix", ["webm", "mkv"])
def test_a_live_recording_is_whole(tmp_path, suffix):
    """A browser writes no size for what it is still recording, nor a duration."""
    path = media(tmp_path, suffix, options={"live": "1"})

    assert probe(path).picture
    with path.open("rb") as file:
        assert b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" in file.read(100)


def test_an_mp3_without_a_note_of_its_size_is_whole(tmp_path):
    """Most encoders of old left none, and a stream has none."""
    path = media(tmp_path, "mp3")
    content = path.read_bytes()
    at = content.index(b"Xing") if b"Xing" in content else content.index(b"Info")
    path.write_bytes(content[:at] + b"\0\0\0\0" + content[at + 4 : -3000])

    assert probe(path).sound


@pytest.mark.parametrize("suffix", CODECS)
def test_no_beginning_of_a_file_is_too_short_to_be_judged(tmp_path, suffix):
    """Each of the first hundred cuts is a fault that names the file, never a traceback."""
    path = media(tmp_path, suffix)
    content = path.read_bytes()
    for length in range(100):
        path.write_bytes(content[:length])
        with pytest.raises(MediaError, match=rf"c\.{suffix}: "):
            probe(path)
