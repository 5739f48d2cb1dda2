"""Data sets: a CSV file and its media in, pairs out. Every fault is found before a model loads, all are told at once.

`<folder of the CSV>/video/<name>.mp4` and `<folder of the CSV>/audio/<name>.wav` (or with another ending, clips.py) are
the clip of a row. This module imports nothing heavy, since it is asked hundreds of times whether a data set is there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emoprefer_bench import prompts
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.pairs import Pair, longer_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from emoprefer_bench.data.csv_files import Notes
    from emoprefer_bench.data.tables import Row
    from emoprefer_bench.document.types import Dataset as Described
    from emoprefer_bench.pairs import Clip
    from emoprefer_bench.prompts import PromptPack

FAULTS_SHOWN = 20
GATED = "ask for access to MERChallenge/MER2025 on the Hugging Face hub, then place it as dataset/README.md says"


class DatasetError(EmopreferError):
    """A data set can't be used. `faults` has a sentence each, with file and row; the message shows the first ones.

    `warnings` are what was noticed besides.
    """

    def __init__(self, name: str, faults: list[str], warnings: Sequence[str] = ()) -> None:
        self.faults = faults
        self.warnings = tuple(warnings)
        number = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = [f"data set {name}: {number}", *faults[:FAULTS_SHOWN]]
        if len(faults) > FAULTS_SHOWN:
            lines.append(f"and {len(faults) - FAULTS_SHOWN} more")
        super().__init__("\n  ".join(lines))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set lies, and `access`: what to do where it doesn't."""

    name: str
    csv: Path
    access: str = "put a CSV file there, and its clips into the folder video beside it"

    def missing(self, *, media: bool = True) -> str | None:
        """Say in one sentence what is missing, the CSV or (where asked for) its media, and how to get it; or None."""
        if not self.csv.is_file():
            return f"data set {self.name} is not here, there is no file {self.csv}: {self.access}"
        folder = self.csv.parent
        if media and not any((folder / kind).is_dir() for kind in ("video", "audio")):
            return f"data set {self.name} has no clips, there is no folder {folder / 'video'}: {self.access}"
        return None


def built_in(root: Path) -> dict[str, Source]:
    """Give the data sets that have names of their own, below the folder `root` (the repository's `dataset`).

    Where there is no such folder, as in a repository that has just begun, the demo is the one that came with the
    package.
    """
    demo = root / "demo" if root.is_dir() else _packaged_demo()
    sources = (
        Source("demo", demo / "preference_demo.csv", "make it by `python -m emoprefer_bench.demo`"),
        Source("emoprefer", root / "preference_emoprefer.csv", GATED),
        Source("emopreferv2", root / "preference_emopreferv2.csv", GATED),
    )
    return {source.name: source for source in sources}


def has_references(source: Source) -> bool:
    """Whether rows of a data set may have a reference: by its header alone, since no more is read at collection."""
    from emoprefer_bench.data import csv_files, tables  # noqa: PLC0415  # for a run that asks

    return tables.REFERENCE in csv_files.header(source.csv)


def _packaged_demo() -> Path:
    """The demo data set of an installed package, or of the checkout that is used in its place."""
    package = Path(__file__).parents[1]
    installed = package / "demo" / "dataset"
    return installed if installed.is_dir() else package.with_name("dataset") / "demo"


@dataclass(frozen=True)
class Dataset:
    """A data set without faults, in the order of its rows. `warnings` are sentences about what may be a mistake.

    `pack` is the wording that it asks by, where that isn't the run's.
    """

    name: str
    pairs: list[Pair]
    warnings: tuple[str, ...] = ()
    pack: PromptPack | None = None

    @cached_property
    def asks(self) -> bool:
        """Whether its rows have questions of their own."""
        return any(pair.question for pair in self.pairs)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the row digests, in order."""
        return hashlib.sha256("".join(map(row_digest, self.pairs)).encode()).hexdigest()

    @cached_property
    def labelled(self) -> int:
        """How many pairs have a human label."""
        return sum(pair.label is not None for pair in self.pairs)

    @cached_property
    def subsets(self) -> list[str | None] | None:
        """The subset of each row, in row order; None where no row has one."""
        subsets = [pair.subset for pair in self.pairs]
        return subsets if any(subsets) else None

    def described(self) -> Described:
        """Give what a report says of the data set, in plain JSON types; lists are in row order, texts stay out."""
        said: Described = {
            "name": self.name,
            "digest": self.digest,
            "rows": len(self.pairs),
            "labelled": self.labelled,
            "clips": len({pair.clip.name for pair in self.pairs}),
            "keys": [pair.key for pair in self.pairs],
            "labels": [pair.label for pair in self.pairs],
            "row_digests": [row_digest(pair) for pair in self.pairs],
            "subsets": self.subsets,
            "warnings": list(self.warnings),
            "clip_digests": [pair.clip.digest or None for pair in self.pairs],
        }
        if self.subsets:
            said["longer"] = [longer_text(pair.a1, pair.a2) for pair in self.pairs]
        if self.pack:
            said["prompts"] = self.pack.described()
        if any(pair.clip.subtitle is not None for pair in self.pairs):
            said["subtitle_digests"] = [_digest(pair.clip.subtitle) for pair in self.pairs]
        return said


def row_digest(pair: Pair) -> str:
    """Digest a row (SHA-256, hex): clip name, clip digest, texts and label, and its own question where it has one.

    Equal rows of two runs share it.
    """
    said = [pair.clip.name, pair.clip.digest, pair.a1, pair.a2, pair.label]
    said += [pair.question, pair.criterion] if pair.question else []
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def _digest(subtitle: str | None) -> str | None:
    """Digest what is said in a clip (SHA-256, hex); None where that was not read."""
    return None if subtitle is None else hashlib.sha256(subtitle.encode()).hexdigest()


def read(
    source: Source,
    *,
    sound: bool | None,
    picture: bool | None,
    subtitles: bool | None,
    subset: str | None = None,
    limit: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    thorough: bool = False,
) -> Dataset:
    """Read a data set, whose clips have `sound`, `picture` and `subtitles` where these are asked for.

    None asks for sound or picture of every clip if any clip has it, and takes the subtitles that there are. `subset`
    names the column of the subsets, if it isn't `subset`. The tables are checked as a whole, the clips of the first
    `limit` rows. Clips are looked into once while they don't change: what was found is kept in the folder `cache`.
    `progress` is called with the clips done and their number. A `thorough` look into a clip decodes all of it. A clip
    without files is no fault where neither sound nor picture is asked for. Raises DatasetError.
    """
    from emoprefer_bench.data import clips, tables  # noqa: PLC0415  # for a run that reads
    from emoprefer_bench.data.csv_files import Notes  # noqa: PLC0415  # likewise

    notes = Notes()
    rows = tables.read_rows(source.csv, notes, subset)[:limit]
    places: dict[str, str] = {}
    for row in rows:
        places.setdefault(row.name, row.place)
    heard = notes if subtitles else Notes()  # nobody is missing what nobody asked for
    spoken = tables.read_subtitles(source.csv.parent, places, heard) if subtitles is not False else {}
    looks = clips.find(source.csv.parent, list(places), cache, progress, thorough=thorough)
    pack = _pack(source.csv, notes)
    asked = _asked(sound, picture, looks.values())
    whole: dict[str, Clip] = {}
    like = clips.likeness(source.csv.parent)
    for name, clip in looks.items():
        fault = clip if isinstance(clip, str) else _lacks(clip, asked, like)
        if fault:
            notes.faults.append(f"{source.csv}, {places[name]}: {fault}")
        elif not isinstance(clip, str):
            whole[name] = replace(clip, subtitle=spoken.get(name))
    if notes.faults:
        raise DatasetError(source.name, notes.faults, notes.warnings)
    pairs = [_pair(index, row, whole[row.name]) for index, row in enumerate(rows)]
    return Dataset(source.name, pairs, tuple(notes.warnings), pack)


def _pack(path: Path, notes: Notes) -> PromptPack | None:
    """The prompt pack that lies beside a preference file, `<stem>_prompts.toml`; None where there is none."""
    own = path.with_name(f"{path.stem}_prompts.toml")
    try:
        return prompts.load(own) if own.is_file() else None
    except prompts.PromptPackError as error:
        notes.faults.append(str(error))
        return None


class _Asked(NamedTuple):
    """What every clip must have: a file at all, sound, picture."""

    file: bool
    sound: bool
    picture: bool


def _asked(sound: bool | None, picture: bool | None, looks: Iterable[Clip | str]) -> _Asked:  # noqa: FBT001  # as `read` takes them
    """Find out what is asked of every clip where that depends on what the clips have."""
    whole = [clip for clip in looks if not isinstance(clip, str)]
    return _Asked(
        file=sound is not False or picture is not False,
        sound=any(clip.has_sound for clip in whole) if sound is None else sound,
        picture=any(clip.has_picture for clip in whole) if picture is None else picture,
    )


def _lacks(clip: Clip, asked: _Asked, like: Callable[[str], list[str]]) -> str | None:
    """Say what a clip lacks of what is asked for. `like` lists files that may be meant by its name."""
    if asked.file and not clip.video and not clip.audio:
        others = " and ".join(like(clip.name))
        hint = f"; there is {others}: rename it, or encode it again" if others else ""
        return f"there is no clip {clip.name}: neither video/{clip.name}.mp4 nor audio/{clip.name}.wav{hint}"
    if asked.picture and not clip.has_picture:
        return f"clip {clip.name} has no picture: put one into video/, or ask for a modality without picture"
    if asked.sound and not clip.has_sound:
        return f"clip {clip.name} has no sound track: add audio/{clip.name}.wav, or ask for a modality without sound"
    return None


def _pair(index: int, row: Row, clip: Clip) -> Pair:
    return Pair(
        f"{index:05}:{row.name}",
        clip,
        row.a1,
        row.a2,
        row.label,
        row.model1,
        row.model2,
        row.annotator,
        row.subset,
        row.reference,
        row.question,
        row.criterion,
        row.fields,
    )
