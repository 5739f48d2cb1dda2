"""Decoding ahead, with real clips in real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support import media_files

from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.media.pool import DecodeError, Decoders
from emoprefer_bench.pairs import Clip
from emoprefer_bench.protocol import spool
from emoprefer_bench.trial.held import HeldClip
from emoprefer_bench.trial.times import Times

PLAN = MediaPlan(fps=2.0, min_frames=2, max_frames=8)


def clip(folder, name):
    """A clip of two seconds."""
    return Clip(name, video=media_files.make_clip(folder / f"{name}.mp4"), digest=name)


def with_decoders(folder, use, **settings):
    """What `use` returns, given decoders."""

    async def main():
        decoders = Decoders(folder / "log", 1, **settings)
        try:
            return await use(decoders)
        finally:
            await decoders.close()

    return asyncio.run(main())


def saved(fields):
    """Whether the arrays are on the disk."""
    return [Path(fields[name]).exists() for name in ("frames", "waveform")]


def test_a_clip_is_decoded_once_for_all_who_want_it_and_removed_when_released(tmp_path):
    """Five questions at once, one decoding, whose cost the first bears."""
    times = [Times() for _ in range(5)]

    async def use(decoders):
        held = HeldClip(clip(tmp_path, "c"), decoders, 0)
        fields = await asyncio.gather(*(held.fields(PLAN, one, picture=True, sound=True) for one in times))
        there = saved(fields[0])
        held.release()
        return decoders.decoded, there, saved(fields[0]), fields

    decoded, there, gone, fields = with_decoders(tmp_path, use)
    assert (decoded, there, gone) == (1, [True, True], [False, False])
    assert all(one == fields[0] for one in fields)
    assert times[0].seconds["decoding"] > 0
    assert not any(one.seconds["decoding"] for one in times[1:])


def test_a_clip_beside_another_is_released_with_it(tmp_path):
    """It is decoded once, however often it is asked for, and what it left on the disk goes when the other goes."""

    async def use(decoders):
        held, other = HeldClip(clip(tmp_path, "c"), decoders, 0), clip(tmp_path, "d")
        fields = await held.beside(other).fields(PLAN, Times(), picture=True, sound=True)
        again = await held.beside(other).fields(PLAN, Times(), picture=True, sound=True)
        there = saved(fields)
        held.release()
        return decoders.decoded, fields["name"], fields == again, there, saved(fields)

    assert with_decoders(tmp_path, use) == (1, "d", True, [True, True], [False, False])


def test_an_engine_without_a_plan_gets_the_paths_alone(tmp_path):
    """No process is started for it."""

    async def use(decoders):
        held = HeldClip(clip(tmp_path, "c"), decoders, 0)
        return decoders.decoded, await held.fields(None, Times(), picture=True, sound=True)

    decoded, fields = with_decoders(tmp_path, use)
    assert decoded == 0
    assert fields == {"name": "c", "digest": "c", "video": str(tmp_path / "c.mp4"), "audio": None}


def test_a_file_that_is_none_is_an_error_and_the_next_is_decoded(tmp_path):
    """The decoder outlives what it can't read."""
    (tmp_path / "bad.mp4").write_bytes(b"no film")
    bad = Clip("bad", video=tmp_path / "bad.mp4", digest="bad")

    async def use(decoders):
        with pytest.raises(
            DecodeError, match=r"^clip 'bad' can't be decoded: /.*/bad\.mp4: is damaged, or no media file"
        ):
            await HeldClip(bad, decoders, 0).fields(PLAN, Times(), picture=True, sound=False)
        return await HeldClip(clip(tmp_path, "c"), decoders, 1).fields(PLAN, Times(), picture=True, sound=False)

    assert with_decoders(tmp_path, use)["frames"]


def test_no_more_clips_are_held_than_there_is_room_for(tmp_path):
    """Before the first is decoded nobody knows; then its size says how many fit, and one always does."""

    async def use(decoders):
        before = decoders.most_clips
        await HeldClip(clip(tmp_path, "c"), decoders, 0).fields(PLAN, Times(), picture=True, sound=False)
        return before, decoders.most_clips

    size = 4 * 48 * 64 * 3 + 128  # frames, and the header of a .npy
    before, after = with_decoders(tmp_path, use, room=3 * size)
    assert before > 1000
    assert after == 3
    assert with_decoders(tmp_path, use, room=10)[1] == 1


def test_the_spool_of_a_dead_process_is_swept_and_that_of_a_living_one_is_not(tmp_path, monkeypatch):
    """The lock says which is which, also across containers that share the folder and count processes anew."""
    monkeypatch.setattr(spool, "_parents", lambda: [tmp_path])
    mine = spool.Spool()
    left = tmp_path / f"{spool.SPOOL}left"
    left.mkdir()
    (left / "clip.npy").write_bytes(b"frames")
    spool.sweep()
    assert mine.folder.is_dir()
    assert not left.exists()
    mine.remove()
    mine.remove()
    assert not mine.folder.exists()
