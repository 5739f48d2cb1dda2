from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from support.media_files import make_clip, make_wav

from emoprefer_bench.media.plan import MediaPlan

QWEN = MediaPlan(fps=2.0, min_frames=4, max_frames=768, frame_factor=2)


class Child:
    """A decoding child, spoken to as docs/protocol.md says."""

    def __init__(self, spool):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "emoprefer_bench.media.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        load = {"type": "load", "protocol": 1, "model": "clips", "revision": None, "options": {}, "spool": str(spool)}
        self.ready = self.say(load)

    def say(self, message):
        """Send a message and give the next one that comes."""
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def ask(self, number, video=None, audio=None, **medium):
        """Ask for a clip."""
        paths = {"video": str(video) if video else None, "audio": str(audio) if audio else None}
        return self.say({"type": "ask", "id": str(number), "question": {**paths, "plan": asdict(QWEN), **medium}})


@pytest.fixture
def child(tmp_path):
    """Start a child; when the test is over, close its input and wait for its end."""
    (tmp_path / "spool").mkdir()
    child = Child(tmp_path / "spool")
    yield child
    child.process.communicate(timeout=100)


def test_the_child_answers_with_the_clip_of_the_protocol(child, tmp_path):
    """A decoded clip comes as the protocol's fields, its arrays in files of the spool that any numpy can read."""
    clip = make_clip(tmp_path / "c.mp4", frames=75, sound=3.0)

    answer = child.ask(7, video=clip, picture=True, sound=True)
    fields = json.loads(answer["text"])

    assert child.ready["type"] == "ready"
    assert child.ready["engine"] == "pyav"
    assert (answer["type"], answer["id"], answer["finish"]) == ("answer", "7", "stop")
    assert answer["seconds"]["preprocess"] > 0
    assert set(fields) == {
        "frames",
        "times",
        "indices",
        "fps",
        "source_fps",
        "total_frames",
        "duration",
        "waveform",
        "sample_rate",
        "missing_frames",
        "missing_sound",
    }
    frames = np.load(fields["frames"], allow_pickle=False)
    waveform = np.load(fields["waveform"], allow_pickle=False)
    assert (frames.dtype, frames.shape) == (np.uint8, (6, 48, 64, 3))
    assert (waveform.dtype, waveform.shape) == (np.float32, (48000,))
    assert fields["indices"] == [0, 15, 30, 44, 59, 74]
    assert {path.name for path in (tmp_path / "spool").iterdir()} == {
        fields[name].rpartition("/")[2] for name in ("frames", "waveform")
    }


def test_each_answer_has_files_of_its_own(child, tmp_path):
    """Two answers about the same clip never share a file, and what wasn't asked for is null."""
    wav = make_wav(tmp_path / "c.wav")

    first, second = (json.loads(child.ask(n, audio=wav, picture=False, sound=True)["text"]) for n in range(2))

    assert first["waveform"] != second["waveform"]
    assert first["frames"] is None
    assert first["times"] == []
    assert first["total_frames"] is None


def test_a_bad_clip_fails_alone(child, tmp_path):
    """A damaged file is the error of its own question, with its name; the next question is answered."""
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no film")
    wav = make_wav(tmp_path / "c.wav")

    refused = child.ask(1, video=bad, picture=True, sound=False)
    answered = child.ask(2, audio=wav, picture=False, sound=True)

    assert (refused["type"], refused["id"]) == ("error", "1")
    assert "bad.mp4: is damaged, or no media file" in refused["message"]
    assert answered["type"] == "answer"


def test_a_spool_that_vanished_is_named(child, tmp_path):
    """Where the arrays can't be written, the question's error says which file and why."""
    wav = make_wav(tmp_path / "c.wav")
    (tmp_path / "spool").rmdir()

    refused = child.ask(1, audio=wav, picture=False, sound=True)

    assert refused["type"] == "error"
    assert "waveform.npy: can't be written (No such file or directory)" in refused["message"]


def test_the_child_ends_with_its_input(child):
    """When the parent closes the pipe, as its death does, the child ends."""
    child.process.stdin.close()

    assert child.process.wait(timeout=100) != 0
    child.process.stdin = None
