from __future__ import annotations

import hashlib
import json
import multiprocessing
import os

import pytest
from support.media_files import cut, make_clip, make_wav

from emoprefer_bench.data import clips
from emoprefer_bench.data.clips import LEDGER, find


def sha256(*paths):
    """Digest the files' bytes, one after the other."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


@pytest.fixture
def looks(monkeypatch):
    """Collect the names of the clips that were really looked into, in any order; the looking is the real one."""
    seen = []
    look_into = clips._look_into

    def counted(video, audio):
        seen.append((video or audio).stem)
        return look_into(video, audio)

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
