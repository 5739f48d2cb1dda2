from __future__ import annotations

import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from support.media_files import STEP, cut, damage, level, make_clip, make_wav, placed

from emoprefer_bench.media import decode as decoding
from emoprefer_bench.media.decode import Decoded, decode
from emoprefer_bench.media.look import probe
from emoprefer_bench.media.plan import PICTURE_DECODING, MediaError, MediaPlan

TWO_A_SECOND = MediaPlan(fps=2.0, min_frames=4, max_frames=768, frame_factor=2)
FACE = Path(__file__).parents[2] / "dataset/demo/video/demo_01.mp4"
EIGHT = MediaPlan(fps=None, min_frames=1, max_frames=8)
FAST_START = {"movflags": "faststart"}


def indices_shown(decoded: Decoded) -> list[int]:
    """Read the index of each frame off its grey."""
    return [round((float(frame[:, : frame.shape[1] // 2 - 4].mean()) - level(0)) / STEP) for frame in decoded.frames]


def pitch(waveform: np.ndarray, rate: int) -> float:
    """Find the strongest frequency in hertz."""
    return float(np.fft.rfftfreq(len(waveform), 1 / rate)[np.abs(np.fft.rfft(waveform)).argmax()])


def test_frames_are_those_of_the_indices_at_the_times_of_the_file(tmp_path):
    """Sampled frames show what the file shows at their index, and times and rates say when."""
    clip = make_clip(tmp_path / "c.mp4", frames=75, sound=None)

    decoded = decode(clip, None, TWO_A_SECOND, picture=True, sound=False)

    assert decoded.frames.shape == (6, 48, 64, 3)
    assert decoded.frames.dtype == np.uint8
    assert decoded.indices == [0, 15, 30, 44, 59, 74]
    assert indices_shown(decoded) == decoded.indices
    assert decoded.times == [0.0, 0.6, 1.2, 1.76, 2.36, 2.96]
    assert (decoded.fps, decoded.source_fps, decoded.total_frames, decoded.duration) == (2.0, 25.0, 75, 3.0)
    assert decoded.waveform is None
    assert decoded.sample_rate is None


def test_colours_are_rgb(tmp_path):
    """The red half of the picture is red: the channels stand in the order R, G, B."""
    frames = decode(make_clip(tmp_path / "c.mp4"), None, EIGHT, picture=True, sound=False).frames

    red = frames[:, :, 40:].reshape(-1, 3).mean(axis=0)

    assert red[0] > 240
    assert red[1:].max() < 15


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_sound_is_a_mono_waveform_at_the_rate_asked_for(tmp_path, rate):
    """A 440 Hz tone stays one at any source rate, at its loudness and in its length, without the codec's padding."""
    clip = make_clip(tmp_path / "c.mp4", sound=3.0, rate=rate)

    decoded = decode(clip, None, EIGHT, picture=False, sound=True)

    assert decoded.frames is None
    assert decoded.sample_rate == 16000
    assert decoded.waveform.dtype == np.float32
    assert decoded.waveform.shape == (48000,)
    assert pitch(decoded.waveform, 16000) == pytest.approx(440, abs=1)
    assert np.abs(decoded.waveform[2000:-2000]).max() == pytest.approx(0.5, abs=0.03)


def test_sound_starts_with_the_clip(tmp_path):
    """A sound track that begins half a second in is silent until then, and isn't shortened by it."""
    clip = make_clip(tmp_path / "c.mp4", sound=2.0, late=0.5)

    waveform = decode(clip, None, EIGHT, picture=False, sound=True).waveform

    assert waveform.shape == (40000,)
    assert np.abs(waveform[:8000]).max() < 0.05
    assert np.abs(waveform[8000:8200]).max() > 0.3


def test_loud_stereo_stays_within_one(tmp_path):
    """What the resampler overshoots is clipped: the waveform lies within [-1, 1]."""
    wav = make_wav(tmp_path / "c.wav", rate=44100)
    samples = np.where(np.frombuffer(wav.read_bytes()[44:], np.int16) > 0, 32767, -32768).astype(np.int16)
    wav.write_bytes(wav.read_bytes()[:44] + samples.tobytes())

    waveform = decode(None, wav, EIGHT, picture=False, sound=True).waveform

    assert np.abs(waveform).max() == 1.0


def test_the_videos_own_sound_goes_before_the_file_beside(tmp_path):
    """The wav is heard only where the video has no sound track."""
    beside = make_wav(tmp_path / "c.wav", hertz=880)
    own = make_clip(tmp_path / "own.mp4")
    silent = make_clip(tmp_path / "silent.mp4", sound=None)

    heard = [decode(video, beside, EIGHT, picture=False, sound=True).waveform for video in (own, silent, None)]

    assert [round(pitch(waveform, 16000)) for waveform in heard] == [440, 880, 880]


def test_picture_and_sound_come_together(tmp_path):
    """One call gives both, and the duration is the picture file's."""
    clip = make_clip(tmp_path / "c.mp4", frames=25, sound=None)
    beside = make_wav(tmp_path / "c.wav", seconds=3.0)

    decoded = decode(clip, beside, TWO_A_SECOND, picture=True, sound=True)

    assert decoded.frames.shape[0] == 4
    assert decoded.waveform.shape == (48000,)
    assert decoded.duration == 1.0


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_variable_frame_rate(tmp_path, suffix):
    """Frames at uneven times have their own times, and the rate is the real one, in every container."""
    times = [0, 1, 2, 10, 20, 30, 31, 32, 50]
    clip = make_clip(tmp_path / f"c.{suffix}", frames=9, times=times, sound=None)

    decoded = decode(clip, None, MediaPlan(None, 1, 9), picture=True, sound=False)

    assert indices_shown(decoded) == decoded.indices == list(range(9))
    assert decoded.times == pytest.approx([time / 25 for time in times], abs=0.001)
    assert decoded.source_fps == pytest.approx(4.2, abs=0.25)
    assert decoded.total_frames == 9


def test_frames_are_counted_where_the_header_has_no_number(tmp_path):
    """Matroska doesn't say how many frames there are; the count and the samples are right all the same."""
    clip = make_clip(tmp_path / "c.mkv", frames=75, sound=None)

    decoded = decode(clip, None, TWO_A_SECOND, picture=True, sound=False)

    assert decoded.total_frames == 75
    assert indices_shown(decoded) == decoded.indices == [0, 15, 30, 44, 59, 74]


def test_frames_before_the_first_key_frame_are_no_frames(tmp_path):
    """A stream cut without its key frame shows only what comes after the next one: the samples are of those frames."""
    whole = make_clip(tmp_path / "whole.mkv", frames=50, sound=None, key_every=10)
    with av.open(str(whole)) as source, av.open(str(tmp_path / "cut.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in [packet for packet in source.demux(video=0) if packet.size][5:]:
            packet.stream = stream
            target.mux(packet)

    decoded = decode(tmp_path / "cut.mkv", None, MediaPlan(None, 1, 4), picture=True, sound=False)

    lost = 50 - decoded.total_frames
    assert lost > 5
    assert decoded.indices == np.linspace(0, decoded.total_frames - 1, 4).round().tolist()
    assert indices_shown(decoded) == [index + lost for index in decoded.indices]


@pytest.mark.parametrize(("rotation", "corner"), [(90, "top"), (-90, "bottom")])
def test_rotation_is_applied(tmp_path, rotation, corner):
    """A film that says that it lies on its side is stood up: the right half becomes the upper or the lower one."""
    clip = make_clip(tmp_path / "c.mp4", rotation=rotation, sound=None)

    frame = decode(clip, None, EIGHT, picture=True, sound=False).frames[0]

    assert frame.shape == (64, 48, 3)
    rows = frame[:24] if corner == "top" else frame[40:]
    assert rows[..., 0].mean() > 240


@pytest.mark.parametrize(
    ("placement", "seen"),
    [
        ((1, 0, 0, 1), lambda frame: frame),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((-1, 0, 0, -1), lambda frame: np.rot90(frame, 2)),
        ((0, 1, -1, 0), lambda frame: np.rot90(frame, -1)),
        ((0, -1, 1, 0), lambda frame: np.rot90(frame, 1)),
        ((0, 1, 1, 0), lambda frame: frame.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda frame: np.rot90(frame.transpose(1, 0, 2), 2)),
        ((0, 0, 0, 0), lambda frame: frame),
    ],
)
def test_a_picture_stands_as_its_file_says(tmp_path, placement, seen):
    """Turned, mirrored (as cameras that face their owner write it), or both; what says nothing is left alone.

    What a mirrored one was answered before isn't served again: it may have stood on its head.
    """
    clip = placed(FACE, tmp_path / "c.mp4", *placement)

    before, now = (decode(path, None, EIGHT, picture=True, sound=False).frames for path in (FACE, clip))

    assert np.array_equal(now, [seen(frame) for frame in before])
    a, b, c, d = placement
    assert probe(clip).picture_decoding == (1 if a * d - b * c > 0 else PICTURE_DECODING)


def test_odd_sizes(tmp_path):
    """Width and height need not be even; no column is lost or sheared."""
    clip = make_clip(tmp_path / "c.mp4", size=(63, 47), sound=None)

    frames = decode(clip, None, EIGHT, picture=True, sound=False).frames

    assert frames.shape == (8, 47, 63, 3)
    assert np.ptp(frames[0, :, :24].astype(int)) < 6


@pytest.mark.parametrize(("frames", "indices"), [(1, [0, 0]), (2, [0, 1]), (3, [0, 2]), (5, [0, 1, 3, 4])])
def test_short_clips_give_what_they_have(tmp_path, frames, indices):
    """A clip with fewer frames than the least number gives them all; a single one is repeated to fill the factor."""
    clip = make_clip(tmp_path / "c.mp4", frames=frames, sound=None)

    decoded = decode(clip, None, TWO_A_SECOND, picture=True, sound=False)

    assert decoded.indices == indices
    assert decoded.frames.shape == (len(indices), 48, 64, 3)


def test_only_the_sampled_frames_are_kept(tmp_path):
    """Decoding a long clip takes the memory of the frames that are asked for, not of all that are decoded."""
    clip = make_clip(tmp_path / "c.mp4", frames=75, size=(320, 240), sound=None)
    one_frame = 320 * 240 * 3
    tracemalloc.start()

    decode(clip, None, MediaPlan(None, 1, 4), picture=True, sound=False)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * one_frame


def test_probe_says_what_a_file_holds(tmp_path):
    """Picture, sound and duration are told apart for the kinds of files that data sets have."""
    both = probe(make_clip(tmp_path / "both.mp4"))
    silent = probe(make_clip(tmp_path / "silent.mp4", sound=None))
    blind = probe(make_clip(tmp_path / "blind.mp4", frames=0))
    wav = probe(make_wav(tmp_path / "c.wav", seconds=1.5))

    assert (both.picture, both.sound, both.duration) == (True, True, 2.0)
    assert (silent.picture, silent.sound) == (True, False)
    assert (blind.picture, blind.sound) == (False, True)
    assert (wav.picture, wav.sound, wav.duration) == (False, True, 1.5)


def test_the_cover_of_a_sound_file_is_no_picture(tmp_path):
    """A still that a music file carries as its cover isn't what a judge should look at."""
    path = tmp_path / "c.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 16, 16, "yuvj420p", Disposition.attached_pic
        sound = container.add_stream("aac", rate=16000, layout="mono")
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
        block = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        block.sample_rate = 16000
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))

    assert probe(path).picture is False
    assert probe(path).sound is True


@pytest.mark.parametrize("content", [b"", b"This is no film.\n" * 50, b"\x00" * 5000], ids=["empty", "text", "zeros"])
def test_what_is_no_media_file_is_named(tmp_path, content):
    """A file that is no media file is told by its name, by probing and by decoding."""
    path = tmp_path / "c.mp4"
    path.write_bytes(content)

    for attempt in (probe, lambda path: decode(path, None, EIGHT, picture=True, sound=False)):
        with pytest.raises(MediaError, match=r"c\.mp4: is damaged, or no media file"):
            attempt(path)


def test_a_missing_file_is_named(tmp_path):
    """A file that vanished after it was probed is told by its name."""
    with pytest.raises(MediaError, match=r"gone\.mp4: there is no such file"):
        decode(tmp_path / "gone.mp4", None, EIGHT, picture=True, sound=False)


def test_a_folder_is_no_file(tmp_path):
    """What the system refuses to read is told with the system's reason."""
    with pytest.raises(MediaError, match="can't be read: Is a directory"):
        probe(tmp_path)


@pytest.mark.parametrize("ask", [{"picture": True, "sound": False}, {"picture": False, "sound": True}])
def test_a_file_that_ends_early_is_named(tmp_path, ask):
    """Half a download isn't taken for a shorter clip, neither by probing nor by decoding its picture or its sound."""
    clip = cut(make_clip(tmp_path / "c.mp4", options=FAST_START), 0.6)

    with pytest.raises(MediaError, match=r"c\.mp4: ends early, \d+ of \d+ packets"):
        probe(clip)
    with pytest.raises(MediaError, match=r"c\.mp4: (ends early, \d+ of \d+ packets|is damaged)"):
        decode(clip, None, EIGHT, **ask)


def test_a_clip_that_an_edit_list_shortens_is_whole(tmp_path):
    """Editors trim a film by a note in its header; what lies behind the trimmed end is neither shown nor missed."""
    clip = make_clip(tmp_path / "c.mp4", frames=50, sound=None)
    content = bytearray(clip.read_bytes())
    length = content.index(b"elst") + 12
    content[length : length + 4] = (1000).to_bytes(4, "big")
    clip.write_bytes(content)

    decoded = decode(clip, None, MediaPlan(None, 1, 4), picture=True, sound=False)

    assert probe(clip).picture
    assert decoded.times[-1] < 1.1
    assert indices_shown(decoded) == decoded.indices


def test_damage_in_the_middle_is_named(tmp_path):
    """A clip whose beginning is whole passes a look; a thorough one, and decoding, say what of it is damaged."""
    clip = damage(make_clip(tmp_path / "c.mp4", size=(256, 192), sound=None, options=FAST_START), 0.5, 3000)

    assert probe(clip).picture
    for attempt in (
        lambda clip: probe(clip, thorough=True),
        lambda clip: decode(clip, None, EIGHT, picture=True, sound=False),
    ):
        with pytest.raises(MediaError, match=r"c\.mp4: is damaged, \d+ of 50 packets of its picture \(track 0\)"):
            attempt(clip)


def test_a_frame_that_cannot_be_decoded_is_left_out_and_counted(tmp_path):
    """Of 75 frames a player shows 74: so does a judge's clip, which says so, and its samples are of those."""
    clip = make_clip(tmp_path / "c.mp4", frames=75, size=(256, 192), sound=None, options=FAST_START)
    damage(clip, 0.5, 40)

    decoded = decode(clip, None, MediaPlan(None, 1, 4), picture=True, sound=False)

    assert (decoded.total_frames, decoded.missing_frames) == (74, 1)
    assert decoded.indices == [0, 24, 49, 73]
    assert decoded.times[-1] == pytest.approx(74 / 25)
    assert probe(clip, thorough=True).note == "1 of 75 frames can't be decoded and are left out"
    assert probe(clip).note == ""


@pytest.mark.parametrize(("codec", "kind"), [(b"avc1", "picture"), (b"mp4a", "sound")])
def test_an_unknown_codec_is_named(tmp_path, codec, kind):
    """A track that nothing can decode is a fault of its clip, for looking and for decoding."""
    clip = make_clip(tmp_path / "c.mp4", sound=2.0)
    content = clip.read_bytes().replace(codec, b"zzzz")
    clip.write_bytes(content.replace(b"esds", b"zzzz") if kind == "sound" else content)

    for attempt in (probe, lambda clip: decode(clip, None, EIGHT, picture=kind == "picture", sound=kind == "sound")):
        with pytest.raises(MediaError, match=rf"c\.mp4: its {kind} is in a codec that can't be decoded"):
            attempt(clip)


@pytest.mark.parametrize(
    "script",
    [
        "ffconcat version 1.0\nfile other.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>other.mp4</BaseURL></MPD>',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    ],
    ids=["concat", "hls", "dash", "sdp"],
)
def test_a_script_that_names_other_files_is_no_clip(tmp_path, script):
    """Its digest would cover the script alone, whatever the files hold that it names."""
    make_clip(tmp_path / "other.mp4")
    path = tmp_path / "c.mp4"
    path.write_text(script)

    for attempt in (probe, lambda path: decode(path, None, EIGHT, picture=True, sound=False)):
        with pytest.raises(MediaError, match=r"c\.mp4: is (no file of a kind that is read|damaged, or no media file)"):
            attempt(path)


def test_a_film_whose_samples_lie_in_another_file_is_no_clip(tmp_path):
    """MP4 may say that its samples lie elsewhere: they aren't fetched from there."""
    clip = make_clip(tmp_path / "c.mp4", sound=None)
    content = clip.read_bytes()
    elsewhere = b"other.mp4\0"
    own = (12).to_bytes(4, "big") + b"url \0\0\0\1"
    other = (12 + len(elsewhere)).to_bytes(4, "big") + b"url \0\0\0\0" + elsewhere
    assert own in content
    at = content.index(own)
    longer = bytearray(content.replace(own, other))
    for kind in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        size = longer.rindex(kind, 0, at) - 4
        longer[size : size + 4] = (int.from_bytes(longer[size : size + 4], "big") + len(elsewhere)).to_bytes(4, "big")
    (tmp_path / "other.mp4").write_bytes(content)
    empty = content.index(b"mdat")
    longer[empty + 4 : content.index(b"moov") - 4] = bytes(content.index(b"moov") - 8 - empty)
    clip.write_bytes(longer)

    with pytest.raises(MediaError, match=r"c\.mp4: "):
        probe(clip)


def test_whatever_goes_wrong_names_the_file(tmp_path, monkeypatch):
    """Also what nobody thought of."""
    clip = make_clip(tmp_path / "c.mp4")
    monkeypatch.setattr(decoding, "upright", lambda frame, size: 1 // 0)

    with pytest.raises(MediaError, match=r"c\.mp4: can't be decoded \(ZeroDivisionError"):
        decode(clip, None, EIGHT, picture=True, sound=False)


def test_what_is_lacking_is_named(tmp_path):
    """Picture from a sound file, or sound from a silent one, is refused with the file's name and the way out."""
    silent = make_clip(tmp_path / "silent.mp4", sound=None)
    wav = make_wav(tmp_path / "c.wav")

    with pytest.raises(MediaError, match=r"c\.wav: there is no video beside it"):
        decode(None, wav, EIGHT, picture=True, sound=False)
    with pytest.raises(MediaError, match=r"c\.wav: has no picture"):
        decode(wav, None, EIGHT, picture=True, sound=False)
    with pytest.raises(MediaError, match=r"silent\.mp4: no sound track: put a sound file beside"):
        decode(silent, None, EIGHT, picture=True, sound=True)
