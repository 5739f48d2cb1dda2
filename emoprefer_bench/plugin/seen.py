"""What the models of a run find on this machine: its GPUs, and the data sets that are here."""

from __future__ import annotations

import textwrap

import pytest

from emoprefer_bench.engines import gpus
from emoprefer_bench.plugin.options import sources
from emoprefer_bench.plugin.stash import CLUSTER

WIDTH = 80


def header(config: pytest.Config) -> str:
    """GPUs and data sets, for the head of a run."""
    number, cluster = len(gpus.visible()), config.stash[CLUSTER]
    here, elsewhere, silent = [], [], []
    for name, source in sources(config).items():
        if source.missing(media=False):
            elsewhere.append(name)
        elif source.missing():
            silent.append(f"{name} (no clips)")
        else:
            here.append(name)
    parts = [
        f"{number} GPU{'s' * (number > 1)}" if number else "no GPU",
        *([f"{cluster.replicas} replica{'s' * (cluster.replicas > 1)} on {cluster.address}"] if cluster else []),
        f"data here: {', '.join([*here, *silent]) or 'none'}",
        *([f"not here: {', '.join(elsewhere)}"] if elsewhere else []),
    ]
    return textwrap.fill(f"emoprefer: {'; '.join(parts)}", WIDTH, subsequent_indent="  ", break_long_words=False)
