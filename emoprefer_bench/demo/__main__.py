"""`python -m emoprefer_bench.demo [OUTDIR]`: make the demo data set."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from emoprefer_bench.demo import controlled, senses
from emoprefer_bench.demo.preferences import COLUMNS, preferences
from emoprefer_bench.demo.scenes import Scene, scenes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emoprefer_bench.demo.clips import Performance

SENSES = "senses"
"""The folder, inside that of the data set, with the scenes in which face and voice tell different things."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the data set in the folder that the command line names."""
    folder: Path = _parser().parse_args(arguments).outdir
    missing = [name for name in ("espeakng_loader", "PIL") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"The demo data set needs {' and '.join(missing)}: pip install 'emoprefer-bench[demo]'")
    cast, mixture = scenes(), senses.mixed()
    write_tables(folder, cast)
    write_senses(folder / SENSES, mixture)
    from emoprefer_bench.demo.clips import performance  # noqa: PLC0415 - needs the packages that were looked for

    _make_clips(folder / "video", {scene.name: performance(scene) for scene in cast})
    _make_clips(folder / SENSES / "video", {scene.name: scene.acted for scene in mixture})
    # Written last, so that its existence means the folder is complete.
    (folder / "README.md").write_text(about(cast), encoding="utf-8")


def write_tables(folder: Path, cast: Sequence[Scene]) -> None:
    """Write the three CSV files, the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    subtitles = [{"name": scene.name, "subtitle": scene.sentence} for scene in cast]
    _write_csv(folder / "preference_demo.csv", COLUMNS, preferences(cast))
    _write_csv(folder / "controlled.csv", controlled.COLUMNS, controlled.controlled(cast))
    _write_csv(folder / "subtitles.csv", ("name", "subtitle"), subtitles)


def write_senses(folder: Path, mixture: Sequence[senses.Mixed]) -> None:
    """Write the preference file of the scenes in which face and voice tell different things."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "preference_senses.csv", senses.COLUMNS, senses.rows(mixture))


def about(cast: Iterable[Scene]) -> str:
    """Return the README of the data set, with a table of its scenes."""
    template = (files("emoprefer_bench.demo") / "about.md").read_text(encoding="utf-8")
    lines = [f"| {scene.name} | {scene.emotion} | {scene.sentence} |" for scene in cast]
    return template.replace("SCENES", "\n".join(lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emoprefer_bench.demo",
        description="Make the demo data set: 20 short clips of a drawn face with a synthetic voice, and 164 pairs of "
        "descriptions whose truth is known by construction; and 12 clips and 36 pairs more, in which face and voice "
        "tell different things. It measures the harness, not anybody's understanding of emotion. Takes about 25 "
        "seconds and 1.3 MB. Needs the extra [demo].",
    )
    default = Path("dataset", "demo")
    what = f"the folder to make, where files of the same names are replaced (default: {default})"
    parser.add_argument("outdir", nargs="?", type=Path, default=default, help=what)
    return parser


def _make_clips(folder: Path, acted: Mapping[str, Performance]) -> None:
    from emoprefer_bench.demo.clips import make_clip  # noqa: PLC0415 - as above

    folder.mkdir(exist_ok=True)
    for done, (name, played) in enumerate(acted.items(), 1):
        make_clip(played, folder / f"{name}.mp4")
        sys.stderr.write(f"\r{done} of {len(acted)} clips")
    sys.stderr.write("\n")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
