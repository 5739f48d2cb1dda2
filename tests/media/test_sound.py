"""The waveform of a clip: its level, its length, and when what is heard."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from support.media_files import make_clip, make_wav
from support.media_sounds import CHANNELS, level, onsets, remuxed, sine, write

from emoprefer_bench.media.decode import Decoded, decode
from emoprefer_bench.media.look import probe
from emoprefer_bench.media.plan import SOUND_DECODING, MediaError, MediaPlan

DEMO = sorted((Path(__file__).parents[2] / "dataset/demo/video").glob("*.mp4"))
RATES = (8000, 44100, 48000, 96000)
STEEPEST = 2 * np.pi * 440 / 16000
"""How much a tone of 440 Hz and full amplitude changes at most from one sample to the next."""


def hear(path: Path, rate: int = 16000) -> np.ndarray:
    """Decode the sound of a file."""
    waveform = decode(path, None, MediaPlan(None, 1, 8, sample_rate=rate), picture=False, sound=True).waveform
    assert waveform is not None
    return waveform


def first_decoding(path: Path, rate: int) -> np.ndarray:
    """Decode a sound file as the first version of the decoding did, whose answers are in people's stores."""
    blocks, begins = [], None
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        for frame in container.decode(stream):
            begins = frame.time if begins is None else begins
            blocks += [resampled.to_ndarray()[0] for resampled in resampler.resample(frame)]
        blocks += [resampled.to_ndarray()[0] for resampled in resampler.resample(None)]
        waveform = np.concatenate(blocks)
        if stream.duration:
            length = round(stream.duration * stream.time_base * rate)
            block = stream.codec_context.frame_size / stream.codec_context.sample_rate * rate
            waveform = waveform[:length] if 0 < len(waveform) - length <= block else waveform
        late = round((begins - (container.start_time or 0) / av.time_base) * rate)
    return np.concatenate([np.zeros(max(late, 0), np.float32), np.clip(waveform, -1, 1)])


@pytest.mark.parametrize("loud", [0.2, 0.9])
@pytest.mark.parametrize("layout", CHANNELS)
def test_equal_channels_are_as_loud_as_one(tmp_path, layout, loud):
    """The waveform is the mean of the channels: neither louder, nor clipped, with any number of them."""
    waveform = hear(write(tmp_path / "c.wav", (0, sine(1, 48000, loud)), layout=layout))

    assert waveform.dtype == np.float32
    assert waveform.shape == (16000,)
    assert level(waveform[500:-500]) == pytest.approx(loud, abs=0.001)
    assert np.abs(waveform).max() < loud + 0.005


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_unequal_channels_count_alike(tmp_path, layout):
    """One channel of several is heard at its share, and channels of opposite phase cancel out."""
    tone = sine(1, 48000, 0.9)
    one = np.zeros((CHANNELS[layout], len(tone)))
    one[1] = tone
    opposite = np.zeros_like(one)
    opposite[:2] = tone, -tone

    shares = [hear(write(tmp_path / "c.wav", (0, each), layout=layout)) for each in (one, opposite)]

    assert level(shares[0][500:-500]) == pytest.approx(0.9 / CHANNELS[layout], abs=0.001)
    assert np.abs(shares[1]).max() < 0.001


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("bits", ["u8", "s16le", "s24le", "s32le", "f32le", "f64le"])
def test_every_kind_of_sample_and_rate(tmp_path, bits, rate):
    """The level is right for whatever a WAV file holds; 8 bits are as coarse as they are."""
    path = write(tmp_path / "c.wav", (0, sine(1, rate, 0.9)), rate=rate, layout="stereo", codec=f"pcm_{bits}")

    waveform = hear(path)

    assert waveform.shape == (16000,)
    assert level(waveform[500:-500]) == pytest.approx(0.9, abs=0.001)


@pytest.mark.parametrize("source", [16000, 48000], ids="from {} Hz".format)
@pytest.mark.parametrize("value", [np.nan, np.inf, -32768.0])
def test_samples_that_are_no_sound_are_a_fault(tmp_path, value, source):
    """A file of floats can hold what is no number, or keep to the scale of integers; a model would hear anything."""
    samples = sine(1, source)
    samples[source // 2] = value
    path = write(tmp_path / "c.wav", (0, samples), rate=source, codec="pcm_f32le")

    with pytest.raises(MediaError, match=r"c\.wav: its sound has samples that are no numbers, or over 100 times full"):
        hear(path)


@pytest.mark.parametrize(
    ("suffix", "codec", "layout"),
    [("m4a", "aac", "stereo"), ("mp3", "libmp3lame", "stereo"), ("opus", "libopus", "7.1"), ("flac", "flac", "7.1")],
)
def test_every_codec(tmp_path, suffix, codec, layout):
    """What codecs give in planes or packed, in integers or floats, has the same level; also in eight channels."""
    waveform = hear(write(tmp_path / f"c.{suffix}", (0, sine(1, 48000, 0.5)), layout=layout, codec=codec))

    written = 0.5 * (0.95 if suffix == "mp3" else 1)  # LAME writes all a little lower, so that nothing clips
    assert level(waveform[2000:-2000]) == pytest.approx(written, abs=0.005)


def test_eight_planes_do_not_end_the_decoder(tmp_path):
    """AAC gives 7.1 in eight planes, which PyAV can't give as an array. Its bass channel leaves out the tone."""
    waveform = hear(write(tmp_path / "c.m4a", (0, sine(1, 48000, 0.5)), layout="7.1", codec="aac"))

    assert level(waveform[2000:-2000]) == pytest.approx(0.5 * 7 / 8, abs=0.005)


@pytest.mark.parametrize("rate", [16000, 24000])
@pytest.mark.parametrize(
    ("suffix", "codec", "source"),
    [
        ("wav", "pcm_s16le", 16000),
        ("wav", "pcm_s16le", 44100),
        ("wav", "pcm_u8", 8000),
        ("wav", "pcm_s24le", 96000),
        ("wav", "pcm_f32le", 48000),
        ("wav", "pcm_f64le", 48000),
        ("m4a", "aac", 16000),
        ("m4a", "aac", 44100),
        ("mkv", "aac", 48000),
        ("webm", "libopus", 48000),
        ("mp3", "libmp3lame", 44100),
        ("flac", "flac", 44100),
    ],
)
def test_one_unbroken_channel_is_heard_to_the_bit_as_it_always_was(tmp_path, suffix, codec, source, rate):
    """So its stored answers stay good, and probing says so."""
    path = write(tmp_path / f"c.{suffix}", (0, sine(1.5, source, 0.8)), rate=source, codec=codec)

    np.testing.assert_array_equal(hear(path, rate), first_decoding(path, rate))
    assert probe(path).sound_decoding == 1


@pytest.mark.parametrize("late", [0.0, 0.5])
def test_the_sound_of_a_clip_is_heard_to_the_bit_as_it_always_was(tmp_path, late):
    """Also where it begins after the picture."""
    path = make_clip(tmp_path / "c.mp4", late=late)

    np.testing.assert_array_equal(hear(path), first_decoding(path, 16000))
    assert probe(path).sound_decoding == 1


def test_the_demo_is_heard_to_the_bit_as_it_always_was():
    """Its scores are in the README. The numbers are those that the first version gave."""
    for path in DEMO:
        np.testing.assert_array_equal(hear(path), first_decoding(path, 16000))
        assert probe(path).sound_decoding == 1

    waveform = hear(DEMO[0])
    assert waveform.shape == (58240,)
    assert np.abs(waveform).max() == pytest.approx(0.9471433, abs=1e-5)


def test_a_stereo_copy_of_the_demo_is_heard_as_the_original(tmp_path):
    """Two equal channels are one; a judge that only listens can't tell."""
    for path in DEMO[:4]:
        mono = hear(path)
        copy = write(tmp_path / "c.wav", (0, mono), rate=16000, layout="stereo", codec="pcm_f32le")
        resampled = write(tmp_path / "r.wav", (0, mono), rate=44100, layout="stereo", codec="pcm_f32le")
        single = write(tmp_path / "s.wav", (0, mono), rate=44100, codec="pcm_f32le")

        np.testing.assert_allclose(hear(copy), mono, atol=1e-6)
        np.testing.assert_allclose(hear(resampled), hear(single), atol=1e-6)
        assert probe(copy).sound_decoding == SOUND_DECODING


SPOKEN = [("mp4", "aac"), ("mp4", "flac"), ("mkv", "aac"), ("mkv", "pcm_s16le"), ("webm", "libopus"), ("ts", "aac")]


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize(("suffix", "codec"), SPOKEN)
def test_a_gap_is_silent(tmp_path, suffix, codec, layout):
    """Sound at 0-2 s and at 4-6 s is heard there, up to a block of the codec, and nothing between."""
    tone = sine(2, 48000)
    path = write(tmp_path / f"c.{suffix}", (0, tone), (4, tone), codec=codec, layout=layout)

    waveform = hear(path)

    assert len(waveform) / 16000 == pytest.approx(6, abs=0.05)
    assert onsets(waveform, 16000) == pytest.approx([0, 4], abs=0.03)
    assert np.abs(waveform[34000:63500]).max() == 0
    assert level(waveform[1000:31000]) == pytest.approx(0.5, abs=0.01)
    assert level(waveform[66000:94000]) == pytest.approx(0.5, abs=0.01)
    assert probe(path).sound_decoding == SOUND_DECODING


def test_a_pause_in_a_list_of_edits_is_silent(tmp_path):
    """An editor put a second of nothing between two cuts, which lie side by side in the file."""
    path = write(tmp_path / "c.m4a", (0, np.concatenate([sine(2, 48000), sine(2, 48000, 0.25)])), codec="aac")
    content = bytearray(path.read_bytes())
    at = content.index(b"elst")
    size, before = int.from_bytes(content[at - 4 : at], "big"), int.from_bytes(content[at + 16 : at + 20], "big")
    cuts = [(2000, before), (1000, -1), (2000, before + 96000)]  # length in ms, and from which sample on
    edits = struct.pack(">II", 0, 3) + b"".join(struct.pack(">IiI", *cut, 1 << 16) for cut in cuts)
    content[at - 4 : at - 4 + size] = struct.pack(">I4s", 8 + len(edits), b"elst") + edits
    for kind in (b"edts", b"trak", b"moov"):
        outer = content.rindex(kind, 0, at) - 4
        content[outer : outer + 4] = struct.pack(">I", int.from_bytes(content[outer : outer + 4], "big") + 24)
    path.write_bytes(content)

    waveform = hear(path)

    assert len(waveform) / 16000 == pytest.approx(5, abs=0.05)
    assert level(waveform[1000:31000]) == pytest.approx(0.5, abs=0.01)
    assert np.abs(waveform[32000:48000]).max() == 0
    assert level(waveform[49000:79000]) == pytest.approx(0.25, abs=0.01)
    assert probe(path).sound_decoding == SOUND_DECODING


@pytest.mark.parametrize("lost", [range(15, 16), range(8, 25)])
@pytest.mark.parametrize(("suffix", "codec"), SPOKEN)
def test_lost_packets_do_not_move_what_follows(tmp_path, suffix, codec, lost):
    """A word at 3 s is heard at 3 s, whether one packet before it was lost or many."""
    quiet = np.zeros(3 * 48000)
    whole = write(tmp_path / f"whole.{suffix}", (0, np.concatenate([quiet, sine(1, 48000)])), codec=codec)
    lossy = remuxed(whole, tmp_path / f"c.{suffix}", [range(lost.start), range(lost.stop, 10**6)])

    assert onsets(hear(lossy), 16000) == pytest.approx(onsets(hear(whole), 16000), abs=0.002)
    assert onsets(hear(lossy), 16000) == pytest.approx([3], abs=0.03)


@pytest.mark.parametrize("jitter", [(0, 0.004, -0.004, 0.007, -0.006), (0, 0, 0, 0, 0.018, 0, 0, 0, 0)])
def test_jitter_is_not_heard(tmp_path, jitter):
    """Stamps that are off by some milliseconds, or much for a single block, leave the sound as it is, to the bit."""
    even = write(tmp_path / "even.mkv", (0, sine(3, 48000)))
    uneven = write(tmp_path / "uneven.mkv", (0, sine(3, 48000)), jitter=jitter)

    np.testing.assert_array_equal(hear(uneven), hear(even))
    assert probe(uneven).sound_decoding == 1


@pytest.mark.parametrize("drift", [0.99, 1.01])
def test_a_clock_that_runs_away_is_kept_up_with(tmp_path, drift):
    """Ten seconds of samples whose stamps say 10.1 or 9.9 s never are more than some milliseconds from their time."""
    path = write(tmp_path / "c.mkv", (0, np.zeros(9 * 48000)), (9 * drift, sine(1, 48000)), drift=drift, block=2400)

    assert onsets(hear(path), 16000) == pytest.approx([9 * drift], abs=0.02)


def test_an_overlap_does_not_click(tmp_path):
    """Where a block begins before the one before it ends, one goes over into the other."""
    path = write(tmp_path / "c.mkv", (0, sine(1, 48000)), (0.97, sine(1, 48000)), block=4800)

    waveform = hear(path)

    assert len(waveform) / 16000 == pytest.approx(1.97, abs=0.002)
    assert np.abs(np.diff(waveform)).max() < 1.1 * 0.5 * STEEPEST
    assert level(waveform) == pytest.approx(0.5, abs=0.01)


def test_a_clock_that_is_set_back_goes_on(tmp_path):
    """Two recordings in one file, the second counted from 0 again, follow each other."""
    first, second = (write(tmp_path / f"{n}.ts", (0, sine(2, 48000)), codec="aac") for n in range(2))
    joined = tmp_path / "c.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())

    waveform = hear(joined)

    assert len(waveform) / 16000 == pytest.approx(4.05, abs=0.1)
    assert level(waveform[1000:-1000]) == pytest.approx(0.5, abs=0.02)


def test_a_pause_of_hours_is_refused(tmp_path):
    """Else a file of some kilobytes could ask for all memory."""
    path = write(tmp_path / "c.mkv", (0, sine(1, 48000)), (40000, sine(1, 48000)))

    with pytest.raises(MediaError, match=r"c\.mkv: its sound is silent for 39999 s"):
        hear(path)


@pytest.mark.parametrize(("layout", "rate"), [("stereo", 48000), ("stereo", 44100), ("mono", 44100)])
def test_a_change_midway_goes_on(tmp_path, layout, rate):
    """One channel that becomes two at 1 s, or another rate, is heard on, without a break, a step or a click."""
    parts = [
        write(tmp_path / "1.aac", (0, sine(1.024, 48000)), codec="aac"),
        write(tmp_path / "2.aac", (0, sine(1.024, rate)), rate=rate, layout=layout, codec="aac"),
    ]
    path = tmp_path / "c.mp4"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    lengths = [len(hear(part)) for part in parts]

    waveform = hear(path)

    assert len(waveform) == pytest.approx(sum(lengths), abs=4)
    assert level(waveform[2000:14000]) == pytest.approx(0.5, abs=0.005)
    assert level(waveform[19000:30000]) == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "ts"])
@pytest.mark.parametrize("late", [0.0, 0.5])
def test_sound_keeps_its_distance_to_the_picture(tmp_path, suffix, late):
    """Half a second after the first frame, or with it: also where the file's clock starts before 0, or long after."""
    path = write(tmp_path / f"c.{suffix}", (late, sine(1, 48000)), codec="aac", picture=0)

    decoded = decode(path, None, MediaPlan(None, 1, 8), picture=True, sound=True)
    assert decoded.waveform is not None

    assert onsets(decoded.waveform, 16000)[0] - decoded.times[0] == pytest.approx(late, abs=0.03)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_picture_that_comes_late_keeps_its_distance(tmp_path, suffix):
    """Sound half a second before the first frame stays there."""
    path = write(tmp_path / f"c.{suffix}", (0, sine(1, 48000)), codec="aac", picture=0.52)

    decoded = decode(path, None, MediaPlan(None, 1, 8), picture=True, sound=True)
    assert decoded.waveform is not None

    assert onsets(decoded.waveform, 16000)[0] - decoded.times[0] == pytest.approx(-0.52, abs=0.03)


def two_tracks(path: Path, first: float | None, second: float) -> Path:
    """Write two tracks of sound, tones of these levels; the first may have no packets at all."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=16000, layout="mono") for _ in range(2)]
        for stream, loud in zip(streams, (first, second), strict=True):
            if loud is not None:
                samples = (sine(1, 16000, loud) * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
                frame.sample_rate = 16000
                container.mux(stream.encode(frame))
    return path


@pytest.mark.parametrize(("first", "heard"), [(0.3, 0.3), (0.0, 0.6), (None, 0.6)])
def test_the_first_track_with_sound_is_heard(tmp_path, first, heard):
    """A track without packets, or of nothing but zeros, is passed over for one that has sound."""
    path = two_tracks(tmp_path / "c.mkv", first, 0.6)

    assert level(hear(path)) == pytest.approx(heard, abs=0.001)
    assert probe(path).sound_decoding == SOUND_DECODING


def test_a_track_in_an_unknown_codec_is_passed_over(tmp_path):
    """What can't be decoded is no sound, where there is another track."""
    path = two_tracks(tmp_path / "c.mkv", 0.3, 0.6)
    path.write_bytes(path.read_bytes().replace(b"A_PCM/INT/LIT", b"A_XYZ/INT/LIT", 1))

    assert level(hear(path)) == pytest.approx(0.6, abs=0.001)
    assert probe(path).sound


def test_silence_is_heard_where_there_is_nothing_else(tmp_path):
    """A clip in which nobody makes a sound has a sound track all the same."""
    path = two_tracks(tmp_path / "c.mkv", 0.0, 0.0)

    assert hear(path).shape == (16000,)
    assert probe(path).sound


def test_the_file_beside_is_heard_where_the_videos_track_is_empty(tmp_path):
    """A track that was announced and never written is none."""
    clip = make_clip(tmp_path / "c.mkv", sound=None)
    with av.open(str(clip)) as source, av.open(str(tmp_path / "e.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        target.add_stream("pcm_s16le", rate=16000, layout="mono")
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    beside = make_wav(tmp_path / "c.wav")

    heard: Decoded = decode(tmp_path / "e.mkv", beside, MediaPlan(None, 1, 8), picture=False, sound=True)

    assert not probe(tmp_path / "e.mkv").sound
    assert heard.waveform is not None
    assert heard.waveform.shape == (32000,)


def test_a_packet_that_cannot_be_decoded_is_silent_and_counted(tmp_path):
    """What follows stays in its place, and the clip says how much is missing."""
    whole = write(tmp_path / "whole.mkv", (0, sine(4, 48000)), codec="flac")
    bad = damaged_packets(whole, tmp_path / "c.mkv", {20})

    decoded = decode(bad, None, MediaPlan(None, 1, 8), picture=False, sound=True)

    assert decoded.waveform is not None
    assert decoded.missing_sound == pytest.approx(4608 / 48000, abs=0.001)
    assert len(decoded.waveform) == len(hear(whole))
    assert onsets(decoded.waveform, 16000) == pytest.approx([0, 21 * 4608 / 48000], abs=0.002)
    assert "0.10 s of the sound can't be decoded" in probe(bad, thorough=True).note


def test_too_much_damage_is_a_fault_that_names_file_and_track(tmp_path):
    """More than a twentieth of the packets is more than a player would hide."""
    whole = write(tmp_path / "whole.mkv", (0, sine(4, 48000)), codec="flac")
    bad = damaged_packets(whole, tmp_path / "c.mkv", set(range(20, 30)))

    assert probe(bad).sound
    for attempt in (hear, lambda bad: probe(bad, thorough=True)):
        with pytest.raises(MediaError, match=r"c\.mkv: is damaged, 10 of 42 packets of its sound \(track 0\)"):
            attempt(bad)


def damaged_packets(source: Path, target: Path, numbers: set[int]) -> Path:
    """Copy a sound file, but for some packets whose bytes are noise."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        for number, packet in enumerate(given.demux(audio=0)):
            if packet.dts is None:
                continue
            copy = packet
            if number in numbers:
                copy = av.Packet(b"\x55" * packet.size)
                copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
                copy.time_base = packet.time_base
            copy.stream = stream
            made.mux(copy)
    return target
