from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest
from support.hub import REPOSITORY, REVISION, Hub, serving

from emoprefer_bench.data import fetch

CHUNK = 10 * 2**20  # what the hub's library writes at once
LARGE = os.urandom(CHUNK + 2**20)
FILES = {
    "video/a.mp4": b"a picture",
    "audio/a.wav": b"a sound",
    "subtitle_chieng.csv": b"name,chinese,english\n",
    "openface_face/faces.zip": b"not wanted",
}


@pytest.fixture
def hub():
    """The stand-in, serving."""
    with serving(Hub(dict(FILES))) as found:
        yield found


@pytest.fixture
def command(hub, tmp_path):
    """The command line and the environment of `data fetch`, with the user's own token."""
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.token,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    arguments = [sys.executable, "-m", "emoprefer_bench.cli.main", "data", "fetch", "--root", str(tmp_path / "data")]
    return {"args": arguments, "env": environment}


def run(command, *more, **variables):
    """The ended process."""
    return subprocess.run(
        [*command["args"], *more],
        env=command["env"] | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_what_is_wanted_is_got_and_noted(hub, command, tmp_path):
    """Clips and tables land where data sets look for them, with their digests and the revision."""
    result = run(command)
    assert (result.returncode, result.stderr) == (0, "")
    data = tmp_path / "data"
    noted = json.loads((data / "fetched.json").read_text(encoding="utf-8"))
    assert (noted["repository"], noted["revision"]) == (REPOSITORY, REVISION)
    assert set(noted["files"]) == {"video/a.mp4", "audio/a.wav", "subtitle_chieng.csv"}
    for name, note in noted["files"].items():
        assert (data / name).read_bytes() == FILES[name]
        assert note == {"sha256": hashlib.sha256(FILES[name]).hexdigest(), "bytes": len(FILES[name])}
    assert "3 files of MERChallenge/MER2025" in result.stdout


def test_what_is_here_is_not_got_again(hub, command):
    """A second fetch asks for no content."""
    run(command)
    hub.asked.clear()
    assert run(command).returncode == 0
    assert not [path for method, path, _ in hub.asked if method == "GET" and "/resolve/" in path]


def test_a_connection_cut_in_the_middle_goes_on_where_it_was(hub, command, tmp_path):
    """The rest of the file is asked for, not all of it."""
    hub.files = {"video/large.mp4": LARGE}
    hub.cut["video/large.mp4"] = CHUNK + 1000
    assert run(command).returncode == 0
    assert hub.starts_of("video/large.mp4") == [None, f"bytes={CHUNK}-"]
    assert (tmp_path / "data/video/large.mp4").read_bytes() == LARGE


def test_a_fetch_that_was_killed_goes_on_with_what_is_missing(hub, command, tmp_path):
    """Whole files are kept, the one that was being written is got anew, and only then everything is noted."""
    hub.hang["video/a.mp4"] = 4
    with subprocess.Popen(**command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        assert hub.hanging.wait(60)
        for _ in range(600):
            if all((tmp_path / "data" / name).exists() for name in ("audio/a.wav", "subtitle_chieng.csv")):
                break
            hub.ended.wait(0.05)
        first.kill()
    assert not (tmp_path / "data/fetched.json").exists()
    assert run(command).returncode == 0
    assert [len(hub.starts_of(name)) for name in ("video/a.mp4", "audio/a.wav", "subtitle_chieng.csv")] == [2, 1, 1]
    assert (tmp_path / "data/video/a.mp4").read_bytes() == FILES["video/a.mp4"]
    assert (tmp_path / "data/fetched.json").exists()


@pytest.mark.parametrize(("status", "token"), [(403, "hf_users_own"), (401, "hf_users_own"), (None, "hf_another")])
def test_a_refusal_says_how_to_ask_for_access(hub, command, tmp_path, status, token):
    """One line with the address and the next step; nothing is noted, and no traceback is shown."""
    hub.refuse = status
    result = run(command, HF_TOKEN=token)
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "https://huggingface.co/datasets/MERChallenge/MER2025 and ask for access" in result.stderr
    assert "hf auth login" in result.stderr
    assert token not in result.stderr
    assert not (tmp_path / "data/fetched.json").exists()


def test_a_failing_server_leaves_what_was_got_and_the_next_fetch_the_rest(hub, command, tmp_path):
    """The files that came are kept; only what is missing is asked for again."""
    hub.fail = {"video/a.mp4"}
    failed = run(command, "--include", "*.csv", "--include", "video/*")
    assert failed.returncode == 1
    assert "could not be got" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
    hub.fail.clear()
    assert run(command, "--include", "*.csv", "--include", "video/*").returncode == 0
    assert hub.starts_of("subtitle_chieng.csv") == [None]
    assert (tmp_path / "data/video/a.mp4").read_bytes() == FILES["video/a.mp4"]


def test_no_server_is_one_line(command):
    """Without a network it is said, and that nothing is lost."""
    result = run(command, HF_ENDPOINT="http://127.0.0.1:9")
    assert result.returncode == 1
    assert "could not be got" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_a_pattern_that_matches_nothing_is_said(command):
    """With what there is instead."""
    result = run(command, "--include", "clips/*")
    assert result.returncode == 1
    assert "has no file named like clips/*; it has video/a.mp4, audio/a.wav" in result.stderr


def test_archives_are_named_for_unpacking(hub, command):
    """Some folders of the repository are split archives; what has to be done by hand is said."""
    hub.files = {"video/video.zip": b"z", "video/video.z01": b"z", "track.csv": b"name\n"}
    result = run(command)
    assert [line.rsplit("/", 1)[1] for line in result.stdout.splitlines()[1:]] == [
        "video.z01 in its folder",
        "video.zip in its folder",
    ]


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    """huggingface_hub is an extra."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(fetch.FetchError, match=r"pip install 'emoprefer-bench\[hub\]'"):
        fetch.fetch(tmp_path)
