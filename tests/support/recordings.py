"""Files of the reference's form, made by numpy; and the counts behind its documented output."""

from __future__ import annotations

from pathlib import Path

import numpy as np

EXCHANGED = {"a1": "a2", "a2": "a1", "same": "same", "tie": "tie"}


def write(folder: Path, name: str, labels: list[str], verdicts: list[str]) -> Path:
    """Write an answer file as the reference does."""
    path = folder / f"{name}.npz"
    np.savez_compressed(path, gt_labels=labels, pred_labels=verdicts)
    return path


def write_both(
    folder: Path, stem: str, data: str, end: str, labels: list[str], forward: list[str], reverse: list[str]
) -> None:
    """Write the forward and the reverse file of a round; `reverse` are the verdicts as they were given there."""
    write(folder, f"{stem}-{data}-{end}", labels, forward)
    write(folder, f"{stem}-{data}reverse-{end}", [EXCHANGED[label] for label in labels], reverse)


def documented() -> tuple[list[str], list[str], list[str]]:
    """Labels, verdicts and reverse verdicts that give the reference's documented row.

    379 of 563 and of 574 right, 454 of 574 consistent; 276 rows are labelled a1 and 11 same.
    """
    labels = ["a1"] * 276 + ["a2"] * 287 + ["same"] * 11
    verdicts = ["a1"] * 203 + ["a2"] * 73 + ["a2"] * 176 + ["a1"] * 111 + ["a1"] * 6 + ["a2"] * 5
    reverse = [EXCHANGED[verdict] if row < 454 else verdict for row, verdict in enumerate(verdicts)]
    return labels, verdicts, reverse
