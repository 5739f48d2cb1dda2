"""A run's report as a run of Weights & Biases: `--emoprefer-log wandb`, the logger that others can be written after.

Nothing is sent: the run is kept in the folder `wandb` beside the report, where `wandb sync` finds it, unless the
environment says `WANDB_MODE=online`. Project, name and group are what W&B's own variables say (`WANDB_PROJECT`, ...).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emoprefer_bench.document.cases import is_drawn, is_scored
from emoprefer_bench.reports.forms import FormError

try:
    import wandb
except ModuleNotFoundError as error:
    raise FormError(f"{error}: pip install 'emoprefer-bench[wandb]'") from None

if TYPE_CHECKING:
    from emoprefer_bench.document.types import Document, ReportedCase

PROJECT = "emoprefer-bench"


def log(document: Document, folder: Path) -> str:
    """Log the scores of all cases as `CASE/METRIC`, fractions, with `_low` and `_high`; returns what became of it.

    The configuration has the manifest, the data sets' digests, and what each judge is. `folder` is the report's.
    """
    run = wandb.init(
        dir=folder,
        project=os.environ.get("WANDB_PROJECT", PROJECT),
        mode=_mode(),
        config=_config(document),
        settings=wandb.Settings(console="off", silent=True, reinit="create_new", x_disable_stats=True),
    )
    run.log({name: value for case in document["cases"] for name, value in _values(case).items()})
    kept = Path(run.dir).parent
    run.finish()
    return f"wandb: {kept}" + (f"; to upload it: wandb sync {kept}" if _mode() == "offline" else "")


def _mode() -> Any:  # noqa: ANN401  # one of the words that wandb knows, which checks it
    return os.environ.get("WANDB_MODE", "offline")


def _config(document: Document) -> dict[str, Any]:
    digests = {name: dataset["digest"] for name, dataset in document["datasets"].items()}
    judges = {case["id"]: case["engine"]["judge"] for case in document["cases"] if is_scored(case)}
    return {"manifest": document["manifest"], "datasets": digests, "judges": judges}


def _values(case: ReportedCase) -> dict[str, float | str]:
    """What is logged of a case: a vote by lot, and a case without scores, have only their outcome."""
    values: dict[str, float | str | None] = {"outcome": case["outcome"]}
    if is_scored(case) and not is_drawn(case):
        for metric, score in case["scores"].items():
            low, high = score["interval"] or (None, None)
            values |= {metric: score["mean"], f"{metric}_low": low, f"{metric}_high": high}
        values["seconds"] = case["seconds"].get("elapsed")
    return {f"{case['id']}/{name}": value for name, value in values.items() if value is not None}
