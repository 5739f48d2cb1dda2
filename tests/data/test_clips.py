from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from support.media_files import cut, damage, make_clip, make_wav

from emoprefer_bench.data import clips
from emoprefer_bench.data.clips import LEDGER, find, likeness
from emoprefer_bench.media.plan import MIME_TYPES, SOUND_ENDINGS, VIDEO_ENDINGS
from emoprefer_bench.pairs import Clip
from emoprefer_bench.protocol.parent import Child

FAST_START = {"movflags": "faststart"}


def sha256(*paths):
    """Digest the files' bytes, one after the other."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


@pytest.fixture
def looks(monkeypatch):
    """Collect the names of the clips that were really looked into, in any order; the looking is the real one."""
    seen = []
    look_into = clips._look_into

    async def counted(decoders, video, audio, *, thorough):
        seen.append((video or audio).stem)
        return await look_into(decoders, video, audio, thorough=thorough)

    monkeypatch.setattr(clips, "_look_into", counted)
    return seen


def test_a_clip_is_its_files(tmp_path):
    """The wav is the clip's sound, and in its digest, exactly where the video has no sound track."""
    own, silent = make_clip(tmp_path / "video/own.mp4"), make_clip(tmp_path / "video/silent.mp4", sound=None)
    mute = make_clip(tmp_path / "video/mute.mp4", sound=None)
    unused, beside, alone = (make_wav(tmp_path / f"audio/{name}.wav") for name in ("own", "silent", "alone"))

    found = find(tmp_path, ["own", "silent", "mute", "alone"])

    assert (found["own"].video, found["own"].audio, found["own"].digest) == (own, None, sha256(own))
    assert (found["silent"].audio, found["silent"].digest) == (beside, sha256(silent, beside))
    assert (found["mute"].audio, found["mute"].digest) == (None, sha256(mute))
    assert (found["alone"].video, found["alone"].audio, found["alone"].digest) == (None, alone, sha256(alone))
    assert [found[name].has_sound for name in found] == [True, True, False, True]
    assert [found[name].has_picture for name in found] == [True, True, True, False]
    assert found["own"].duration == 2.0
    assert unused.is_file()


def test_a_clip_without_files_has_nothing(tmp_path):
    """A name without files is a clip without picture, sound and digest; whether that is a fault, the reader knows."""
    clip = find(tmp_path, ["nobody"])["nobody"]

    assert (clip.video, clip.audio, clip.digest, clip.has_picture, clip.has_sound) == (None, None, "", False, False)


@pytest.mark.parametrize("name", ["", "../secret", "/etc/passwd", "a/b", "..\\secret", "nul\0"])
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    """Names with separators are refused, whether such a file exists or not."""
    make_clip(tmp_path / "secret.mp4")
    (tmp_path / "data/video").mkdir(parents=True)

    found = find(tmp_path / "data", [name])[name]

    assert isinstance(found, str)
    assert "can't lead out of" in found


def test_a_link_cannot_leave_the_folder(tmp_path):
    """A clip that is a link to a file elsewhere is refused; a folder that is a link, and a link within it, are fine."""
    elsewhere = tmp_path / "elsewhere/video"
    make_clip(elsewhere / "real.mp4")
    (elsewhere / "alias.mp4").symlink_to("real.mp4")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/video").symlink_to(elsewhere)
    (tmp_path / "bad/video").mkdir(parents=True)
    (tmp_path / "bad/video/c.mp4").symlink_to(elsewhere / "real.mp4")

    assert all(not isinstance(clip, str) for clip in find(tmp_path / "data", ["real", "alias"]).values())
    assert "is a link that leads out of its folder" in find(tmp_path / "bad", ["c"])["c"]


def test_names_may_be_strange(tmp_path):
    """Dots, blanks, other scripts and names beyond what a file system takes are names like others."""
    for name in ("a..b", " two words ", "微笑"):
        make_clip(tmp_path / f"video/{name}.mp4", frames=5, sound=None)

    found = find(tmp_path, ["a..b", " two words ", "微笑", "..", "x" * 500])

    assert [clip.video is not None for clip in found.values()] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("folder", "file", "codecs"),
    [
        ("video", "c.MP4", ("libx264", "aac")),
        ("video", "c.mov", ("libx264", "pcm_s16le")),
        ("video", "c.M4V", ("libx264", "aac")),
        ("video", "c.webm", ("libvpx", "libopus")),
        ("video", "c.mkv", ("libx264", "flac")),
        ("video", "c.avi", ("mpeg4", "mp3")),
        ("audio", "c.WAV", ("", "pcm_s16le")),
        ("audio", "c.flac", ("", "flac")),
        ("audio", "c.mp3", ("", "libmp3lame")),
        ("audio", "c.m4a", ("", "aac")),
        ("audio", "c.ogg", ("", "libopus")),
        ("audio", "c.opus", ("", "libopus")),
    ],
)
def test_files_have_many_endings(tmp_path, folder, file, codecs):
    """In any letter case; what is in them is found as in an mp4 or a wav."""
    path = tmp_path / folder / file
    lower = path.with_name(file.lower())
    make_clip(lower, frames=50 if folder == "video" else 0, rate=48000, codecs=codecs).rename(path)

    clip = find(tmp_path, ["c"])["c"]

    assert isinstance(clip, Clip)
    assert (clip.video or clip.audio) == path
    assert (clip.has_picture, clip.has_sound, clip.digest) == (folder == "video", True, sha256(path))


def test_every_ending_that_is_read_is_in_the_readme():
    """And has a type of its own, for servers and for pages."""
    readme = (Path(__file__).parents[2] / "dataset/README.md").read_text()

    assert all(f"`{ending}`" in readme for ending in (*VIDEO_ENDINGS, *SOUND_ENDINGS))
    assert set(MIME_TYPES) == {*VIDEO_ENDINGS, *SOUND_ENDINGS}


def test_the_mp4_goes_before_others_of_its_name(tmp_path):
    """Of several files of a name it is the one that was always read, and then the others in the order of the list."""
    for ending in ("mp4", "mkv", "mov"):
        make_clip(tmp_path / f"video/a.{ending}", frames=5, sound=None)
    make_clip(tmp_path / "video/b.mkv", frames=5, sound=None)
    make_clip(tmp_path / "video/b.mov", frames=5, sound=None)

    found = find(tmp_path, ["a", "b"])

    assert [found[name].video.name for name in "ab"] == ["a.mp4", "b.mov"]


@pytest.mark.parametrize(("written", "named"), [("NFD", "NFC"), ("NFC", "NFD")])
@pytest.mark.parametrize("ending", ["mp4", "MKV"])
def test_names_in_another_unicode_form_are_the_same(tmp_path, written, named, ending):
    """A Mac takes names apart into letters and accents; a table may have them whole, or the other way round."""
    path = tmp_path / "video" / unicodedata.normalize(written, f"émoi.{ending}")
    make_clip(path.with_suffix(f".{ending.lower()}"), frames=5, sound=None).rename(path)
    name = unicodedata.normalize(named, "émoi")

    assert find(tmp_path, [name])[name].video == path


def test_two_files_that_may_be_meant_are_a_fault(tmp_path):
    """Both forms of one name, where neither is the name's own, or two letter cases of one ending."""
    for ending in ("Mov", "MOV"):
        make_clip(tmp_path / "video/c.mov", frames=5, sound=None).rename(tmp_path / f"video/c.{ending}")

    assert "has c.MOV and c.Mov: keep the one that is meant" in find(tmp_path, ["c"])["c"]


def test_files_that_may_be_meant_are_named(tmp_path):
    """A name in another letter case may be another clip, and an ending that isn't read may be converted."""
    (tmp_path / "video").mkdir()
    (tmp_path / "audio").mkdir()
    for file in ("video/Clip_1.MP4", "video/clip_1.wmv", "audio/CLIP_1.aiff", "video/clip_10.mp4"):
        (tmp_path / file).write_bytes(b"")
    like = likeness(tmp_path)

    assert find(tmp_path, ["clip_1"])["clip_1"].video is None
    assert like("clip_1") == ["video/Clip_1.MP4", "video/clip_1.wmv", "audio/CLIP_1.aiff"]
    assert like("clip_1.mp4") == ["video/Clip_1.MP4", "video/clip_1.wmv", "audio/CLIP_1.aiff"]
    assert like("other") == []


def test_a_clip_is_looked_into_in_another_process(tmp_path):
    """What reads hostile bytes isn't even loaded where pytest runs."""
    make_clip(tmp_path / "video/c.mp4")
    script = (
        "import sys; from pathlib import Path; from emoprefer_bench.data.clips import find;"
        f"clip = find(Path({str(tmp_path)!r}), ['c'])['c'];"
        "assert clip.has_sound and clip.has_picture; assert not {'av', 'numpy'} & set(sys.modules), 'loaded'"
    )

    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_clip_that_ends_the_process_is_a_fault_alone(tmp_path, monkeypatch):
    """The others are looked into all the same, by a new one."""
    for name in "abc":
        make_clip(tmp_path / f"video/{name}.mp4", frames=5, sound=None)
    ask = Child.ask

    async def killed(child, question):
        if "video/b.mp4" not in str(question):
            return await ask(child, question)
        child._process.send_signal(signal.SIGSTOP)  # so that it can't answer before it is killed
        reply = asyncio.create_task(ask(child, question))
        while not child._waiting:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.001)
        child._process.kill()
        return await reply

    monkeypatch.setattr(Child, "ask", killed)
    found = {name: find(tmp_path, [name])[name] for name in "ab"} | find(tmp_path, ["c"])

    assert "clip 'b': " in found["b"]
    assert "b.mp4: decoding it ended the decoder: the engine ended with signal SIGKILL" in found["b"]
    assert found["a"].has_picture
    assert found["c"].has_picture


def test_a_thorough_look_finds_damage_in_the_middle(tmp_path, looks):
    """And is remembered, so that the next look, thorough or not, needs none."""
    whole = make_clip(tmp_path / "video/whole.mp4", frames=50, size=(256, 192), sound=None, options=FAST_START)
    hurt = make_clip(tmp_path / "video/hurt.mp4", frames=75, size=(256, 192), sound=None, options=FAST_START)
    damage(shutil.copy(whole, tmp_path / "video/bad.mp4"), 0.5, 3000)
    damage(hurt, 0.5, 40)
    names = ["whole", "hurt", "bad"]

    quick = find(tmp_path, names, tmp_path / "cache")
    thorough = find(tmp_path, names, tmp_path / "cache", thorough=True)
    looked = sorted(looks)
    again = find(tmp_path, names[:2], tmp_path / "cache")

    assert all(isinstance(clip, Clip) and not clip.note for clip in quick.values())
    assert "bad.mp4: is damaged" in thorough["bad"]
    assert (thorough["whole"].note, thorough["hurt"].note) == ("", "1 of 75 frames can't be decoded and are left out")
    assert again["hurt"] == thorough["hurt"]
    assert looked == sorted(looks) == ["bad", "bad", "hurt", "hurt", "whole", "whole"]


def test_what_an_older_version_found_is_looked_into_again(tmp_path, looks):
    """It didn't know what this one wants to know."""
    make_clip(tmp_path / "video/c.mp4", frames=5, sound=None)
    find(tmp_path, ["c"], tmp_path / "cache")
    ledger = tmp_path / "cache" / LEDGER
    entry = json.loads(ledger.read_text())
    del entry["looking"], entry["sound_decoding"]
    ledger.write_text(json.dumps(entry) + "\n")

    find(tmp_path, ["c"], tmp_path / "cache")

    assert looks == ["c", "c"]


def test_bad_files_are_sentences(tmp_path):
    """What can't be used is said of its clip, and the others are found all the same."""
    make_clip(tmp_path / "video/good.mp4")
    cut(make_clip(tmp_path / "video/torn.mp4"), 0.5)
    (tmp_path / "video/empty.mp4").write_bytes(b"")
    make_clip(tmp_path / "video/noise.mp4", sound=None)
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio/noise.wav").write_bytes(b"RIFF")

    found = find(tmp_path, ["torn", "empty", "noise", "good"])

    assert "clip 'torn': " in found["torn"]
    assert "empty.mp4: is damaged, or no media file" in found["empty"]
    assert "noise.wav" in found["noise"]
    assert found["good"].has_sound


def test_progress_counts_every_clip(tmp_path):
    """Progress tells the clips done, one by one, and their number; the results keep the order of the names."""
    for name in "abc":
        make_clip(tmp_path / f"video/{name}.mp4", frames=5, sound=None)
    told = []

    found = find(tmp_path, ["c", "a", "b"], progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 3), (2, 3), (3, 3)]
    assert list(found) == ["c", "a", "b"]


def test_what_did_not_change_is_not_looked_into_again(tmp_path, looks):
    """The second time, only files are looked into whose size or time of change differ, or that failed before."""
    files = {name: make_clip(tmp_path / f"video/{name}.mp4", frames=5, sound=None) for name in "abc"}
    (tmp_path / "video/bad.mp4").write_bytes(b"")
    names = ["a", "b", "c", "bad"]
    first = find(tmp_path, names, tmp_path / "cache")
    assert sorted(looks) == ["a", "b", "bad", "c"]
    looks.clear()

    os.utime(files["b"], ns=(1, 1))
    make_wav(tmp_path / "audio/c.wav")
    second = find(tmp_path, names, tmp_path / "cache")

    assert sorted(looks) == ["b", "bad", "c"]
    assert second["a"] == first["a"]
    assert second["b"] == first["b"]
    assert second["c"].has_sound


def test_the_ledger_survives_torn_and_strange_lines(tmp_path, looks):
    """A line torn by a kill costs that one clip; the next line doesn't grow into it."""
    for name in "ab":
        make_clip(tmp_path / f"video/{name}.mp4", frames=5, sound=None)
    find(tmp_path, ["a", "b"], tmp_path / "cache")
    ledger = tmp_path / "cache" / LEDGER
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b'[]\n{"files": 3, "what": 1}\n\xff\n' + lines[0] + lines[1][:40])
    looks.clear()

    find(tmp_path, ["a", "b"], tmp_path / "cache")
    again = find(tmp_path, ["a", "b"], tmp_path / "cache")

    assert len(looks) == 1
    assert all(clip.digest for clip in again.values())
    assert json.loads(ledger.read_bytes().splitlines()[-1])["picture"] is True


def test_many_processes_share_one_ledger(tmp_path):
    """Processes that start together, as xdist's workers do, look into each clip once between them."""
    names = [f"c{number}" for number in range(6)]
    for name in names:
        make_clip(tmp_path / f"video/{name}.mp4", frames=5, sound=None)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=find, args=(tmp_path, names, tmp_path / "cache")) for _ in range(3)]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len((tmp_path / "cache" / LEDGER).read_bytes().splitlines()) == len(names)


def test_an_interrupt_keeps_what_was_found(tmp_path, looks):
    """Ctrl-C in the middle ends the looking soon, and the next run goes on from there."""
    names = [f"c{number:02}" for number in range(40)]
    for name in names:
        make_clip(tmp_path / f"video/{name}.mp4", frames=5, sound=None)

    def interrupt(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(tmp_path, names, tmp_path / "cache", interrupt)
    written = len((tmp_path / "cache" / LEDGER).read_bytes().splitlines())
    looks.clear()
    find(tmp_path, names, tmp_path / "cache")

    assert 3 <= written < len(names)
    assert len(looks) == len(names) - written
