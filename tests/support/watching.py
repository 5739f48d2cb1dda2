"""The demo as questions to a child with the small judge: its clips, changed at will, and scores."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from emoprefer_bench import prompts
from emoprefer_bench.engines.families import adapter
from emoprefer_bench.media.decode import Decoded, decode
from emoprefer_bench.pairs import Answer
from emoprefer_bench.verdicts import read

DEMO = Path(__file__).parents[2] / "dataset" / "demo"
PLAN = adapter("qwen25omni").plan
PACK = prompts.load()
EXCHANGED = {"a1": "a2", "a2": "a1", "same": "same"}

Change = Callable[[Decoded], Decoded]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a preference file: the clip's path, both texts, and which is preferred."""

    clip: Path
    a1: str
    a2: str
    label: str
    subset: str = ""

    @property
    def turned(self) -> Row:
        """The same with the texts in each other's place."""
        return replace(self, a1=self.a2, a2=self.a1, label=EXCHANGED[self.label])


def rows(table: Path) -> list[Row]:
    """Read the rows of a preference file that prefer one of the texts."""
    with table.open(encoding="utf-8", newline="") as file:
        cells = [row for row in csv.DictReader(file) if row["preference"] != "same"]
    video = table.parent / "video"
    return [
        Row(video / f"{row['name']}.mp4", row["a1"], row["a2"], row["preference"], row.get("subset", ""))
        for row in cells
    ]


class Watcher:
    """The small judge in a running child. Decoded clips are kept, changed ones are made anew."""

    def __init__(self, child: Any, folder: Path) -> None:
        self._child = child
        self._folder = folder
        self._decoded: dict[Path, Decoded] = {}

    def score(
        self, asked: Iterable[Row], modality: str = "audiovideo", change: Change | None = None, at_once: int = 1000
    ) -> float:
        """Return the percentage of right verdicts over both orders; `same` is half right, no verdict is wrong."""
        both = [turn for row in asked for turn in (row, row.turned)]
        told = self.verdicts(both, modality, change, at_once)
        worth = [
            1.0 if verdict == row.label else 0.5 * (verdict == "same") for row, verdict in zip(both, told, strict=True)
        ]
        return 100 * float(np.mean(worth))

    def verdicts(
        self, asked: Sequence[Row], modality: str = "audiovideo", change: Change | None = None, at_once: int = 1000
    ) -> list[str | None]:
        """Ask for verdicts, so many at once."""
        questions = [self._question(row, modality, change) for row in asked]
        told = []
        for start in range(0, len(questions), at_once):
            told += self._child.ask(*questions[start : start + at_once])
        assert all(answer["type"] == "answer" for answer in told), told
        return [read(Answer(text=answer["text"], finish=answer["finish"])).label for answer in told]

    def _question(self, row: Row, modality: str, change: Change | None) -> dict[str, Any]:
        return {
            "prompt": PACK.render("judge", a1=row.a1, a2=row.a2),
            "texts": None,
            "subtitle": None,
            "modality": modality,
            "clip": None if modality == "text" else self._clip(row.clip, change),
            "sampling": {
                "max_tokens": 6, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0,
                "presence_penalty": 0.0, "seed": 0,
            },
        }  # fmt: skip

    def decoded(self, path: Path) -> Decoded:
        """Decode a clip as the adapter wants it."""
        if path not in self._decoded:
            self._decoded[path] = decode(path, None, PLAN, picture=True, sound=True)
        return self._decoded[path]

    def _clip(self, path: Path, change: Change | None) -> dict[str, Any]:
        """Return the fields of the protocol's clip; its digest is that of what is in it."""
        decoded = self.decoded(path)
        if change:
            decoded = change(decoded)
        digest = hashlib.sha256(
            decoded.frames.tobytes() + decoded.waveform.tobytes() + repr(decoded.fps).encode()
        ).hexdigest()
        fields = {name: getattr(decoded, name) for name in decoded.__slots__}
        for name in ("frames", "waveform"):
            fields[name] = str(self._folder / f"{digest}-{name}.npy")
            if not Path(fields[name]).exists():
                np.save(fields[name], getattr(decoded, name))
        return {**fields, "name": path.stem, "digest": digest, "video": str(path), "audio": None}


def with_frames(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Change:
    """Change the frames and leave the rest."""
    return lambda decoded: replace(decoded, frames=np.ascontiguousarray(change(decoded.frames)))


def with_sound(change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Change:
    """Change the waveform and leave the rest."""
    return lambda decoded: replace(decoded, waveform=np.ascontiguousarray(change(decoded.waveform), dtype=np.float32))


def half_the_frames(decoded: Decoded) -> Decoded:
    """Keep every second frame: at half the rate, no fewer than the model wants."""
    kept = slice(0, None, 2)
    return replace(
        decoded,
        frames=decoded.frames[kept],
        times=decoded.times[kept],
        indices=decoded.indices[kept],
        fps=decoded.fps / 2,
    )


def remixed(source: Path, target: Path, layout: str, rate: int, codec: str = "aac") -> Path:
    """Copy a clip with its sound in every channel of a layout, at another rate; its picture stays as it is.

    What FLAC keeps goes into Matroska, which the copy's name then says.
    """
    target = target.with_suffix(".mkv" if codec == "flac" else ".mp4")
    sound = decode(source, None, PLAN, picture=False, sound=True).waveform
    mono = av.AudioFrame.from_ndarray(sound[None], "flt", "mono")
    mono.sample_rate = PLAN.sample_rate
    resampler = av.AudioResampler("fltp", "mono", rate)
    parts = [part.to_ndarray() for part in (*resampler.resample(mono), *resampler.resample(None))]
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        picture = made.add_stream_from_template(given.streams.video[0])
        options = {"b": "256000"} if codec == "aac" else {}
        track = made.add_stream(codec, rate=rate, layout=layout, options=options)
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = picture
                made.mux(packet)
        channels = av.AudioLayout(layout).nb_channels
        frame = av.AudioFrame.from_ndarray(np.repeat(np.concatenate(parts, axis=1), channels, axis=0), "fltp", layout)
        frame.sample_rate, frame.pts = rate, 0
        cut = av.AudioResampler("fltp" if codec == "aac" else "s16", layout, rate, frame_size=1024)
        for portion in (*cut.resample(frame), *cut.resample(None), None):
            made.mux(track.encode(portion))
    return target
