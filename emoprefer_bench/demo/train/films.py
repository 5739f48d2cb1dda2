"""The clips of the scenes to learn from, made once by several processes and kept in a folder."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.demo.clips import make_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from emoprefer_bench.demo.train.world import Lesson


def film(lessons: Sequence[Lesson], folder: Path, workers: int, told: Callable[[str], None]) -> list[Path]:
    """Make the clips that aren't there yet, and return the path of each lesson's; a second run takes up the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{lesson.name}.mp4" for lesson in lessons]
    missing = [(lesson, path) for lesson, path in zip(lessons, paths, strict=True) if not path.exists()]
    # A fork would wait for ever for the threads of a picture that PyAV scaled before it, and that it lets go.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting = [pool.submit(_film, lesson, path) for lesson, path in missing]
        for count, done in enumerate(as_completed(waiting), 1):
            done.result()
            if count % 20 == 0 or count == len(waiting):
                told(f"{count} of {len(waiting)} clips filmed")
    return paths


def _film(lesson: Lesson, path: Path) -> None:
    """Film under another name first, so that a clip which is there is whole."""
    unfinished = path.with_name(f".{os.getpid()}.mp4")
    make_clip(lesson.acted, unfinished)
    unfinished.replace(path)
