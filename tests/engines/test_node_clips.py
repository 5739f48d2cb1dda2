"""Clips on a node: found by what is in them, decoded once, and removed when there is no room."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from support.media_files import make_clip

from emoprefer_bench.engines.children.cluster.node_clips import ElsewhereError, NodeClips
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.media.pool import DecodeError, Decoders

PLAN = MediaPlan(2.0, 2, 8)


@pytest.fixture
def clip(tmp_path):
    """Make a clip of a number as it is asked about."""

    def make(number):
        path = make_clip(tmp_path / f"{number}.mp4", frames=25 + number, sound=1.0)
        return {
            "name": str(number),
            "digest": hashlib.sha256(path.read_bytes()).hexdigest(),
            "video": str(path),
            "audio": None,
        }

    return make


async def with_clips(folder, room, use):
    """Use clips that may take so much room."""
    decoders = Decoders(folder / "log", count=1)
    (folder / "spool").mkdir()
    try:
        return await use(NodeClips(folder / "spool", decoders, PLAN, room), decoders)
    finally:
        await decoders.close()


def test_a_clip_is_decoded_once_while_there_is_room_for_it(clip, tmp_path):
    """What nobody asks about goes when another needs the room, the longest unasked first; what is held stays."""
    first, second = clip(0), clip(1)

    async def use(clips, decoders):
        async def hold(which):
            async with clips.held(which, "audiovideo", None) as taken:
                return list(taken.files)

        files = await asyncio.gather(*(hold(first) for _ in range(3)))
        assert decoders.decoded == 1
        assert files[0] == files[1] == files[2]
        clips._room = 1
        async with clips.held(second, "audiovideo", None) as taken:
            held = list(taken.files)
            await hold(first)
            assert all(file.exists() for file in held)
            assert not any(file.exists() for file in files[0])
        assert not any(file.exists() for file in held)
        await hold(first)
        return decoders.decoded

    assert asyncio.run(with_clips(tmp_path, 1 << 30, use)) == 3


def test_another_file_of_the_same_name_is_not_the_clip(clip, tmp_path):
    """Nor is one that is missing, or that changed before it was shipped; what is shipped needs none here."""
    missing = {**clip(0), "video": str(tmp_path / "missing.mp4")}
    other = {**clip(1), "digest": "0" * 64}
    content = Path(clip(0)["video"]).read_bytes()

    async def use(clips, decoders):
        shipped = _come(content)
        for wanted in (missing, other):
            with pytest.raises(ElsewhereError):
                await clips.held(wanted, "video", None).__aenter__()
        with pytest.raises(ElsewhereError, match="changed after it was looked into"):
            await clips.held(other, "video", {"video": shipped}).__aenter__()
        async with clips.held(missing, "video", {"video": shipped}) as taken:
            return [_content(taken.fields[name]) for name in ("video", "frames")]

    video, frames = asyncio.run(with_clips(tmp_path, 1 << 30, use))
    assert video == content
    assert frames.startswith(b"\x93NUMPY")


def _come(content):
    """What Ray would have fetched."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(content)
    return future


def _content(path):
    return Path(path).read_bytes()


def test_a_broken_clip_is_tried_once(tmp_path):
    """All that is asked about it fails alike, with the name of the clip; of what was shipped nothing stays."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    asked = {
        "name": "broken",
        "digest": hashlib.sha256(b"no film").hexdigest(),
        "video": str(broken),
        "audio": None,
    }

    async def use(clips, decoders):
        shipped = _come(b"no film")
        tries = []
        for _ in range(3):
            with pytest.raises(DecodeError, match="clip 'broken' can't be decoded") as caught:
                await clips.held(asked, "video", {"video": shipped}).__aenter__()
            tries.append(caught.value)
        assert tries[0] is tries[1] is tries[2]
        assert list((tmp_path / "spool").iterdir()) == []

    asyncio.run(with_clips(tmp_path, 1 << 30, use))


def test_a_question_without_media_needs_no_file(tmp_path):
    """The clip goes to the engine as it came."""

    async def use(clips, decoders):
        gone = {"name": "gone", "digest": "0" * 64, "video": "/nowhere/gone.mp4", "audio": None}
        async with clips.held(gone, "text", None) as taken:
            return taken.fields

    assert asyncio.run(with_clips(tmp_path, 1 << 30, use)) == {"video": "/nowhere/gone.mp4"}
