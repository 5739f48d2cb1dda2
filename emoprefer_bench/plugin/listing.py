"""What there is to run, for `--emoprefer-list`: models and what they need, data sets, and prompts."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emoprefer_bench import prompts
from emoprefer_bench.cases import DIRECT
from emoprefer_bench.engines import gpus
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.plugin import private
from emoprefer_bench.plugin.models import model_of
from emoprefer_bench.plugin.options import sources
from emoprefer_bench.plugin.stash import pack_of
from emoprefer_bench.printable import printable
from emoprefer_bench.reports.grids import WIDTH, grid
from emoprefer_bench.trial.strategies import STRATEGIES

if TYPE_CHECKING:
    from emoprefer_bench.engines.engine import Engine
    from emoprefer_bench.plugin.models import ModelInfo

HEADS = ("model", "takes", "engine", "GPUs", "runs here?")


def show(config: pytest.Config) -> None:
    """Print it."""
    blocks = [_models(config), _datasets(config), _prompts(config)]
    sys.stdout.write(printable("\n\n".join(blocks)) + "\n")


def declared(config: pytest.Config) -> dict[str, tuple[ModelInfo, object]]:
    """The models of every module that pytest loaded, with their fixtures, by name."""
    models: dict[str, tuple[ModelInfo, object]] = {}
    for module in filter(inspect.ismodule, private.plugins(config)):
        for attribute, fixture in vars(module).items():
            if type(fixture) is private.FIXTURE and (info := model_of(fixture)):
                name = info.name if info.renamed else attribute
                models[name] = (replace(info, name=name), fixture)
    return models


def _models(config: pytest.Config) -> str:
    keys: set[str] = set()
    rows = [_model(info, fixture, keys) for info, fixture in declared(config).values()]
    if not rows:
        return "models: none here; see --emoprefer-judges, or declare one in conftest.py (README.md)"
    ready = sum(here == "yes" for *_, here in rows)
    room = WIDTH - sum(max(len(row[column]) for row in [HEADS, *rows]) + 2 for column in range(4))
    cut = [[*row[:4], here if len(here) <= room else f"{here[: max(room - 3, 0)]}..."] for *row, here in rows]
    text = grid(HEADS, cut, left=len(HEADS))
    unset = ", ".join(f"${key}" for key in sorted(keys))
    about = [_paragraph(f"API keys that are not set: {unset}", 2)] if keys else []
    return "\n".join([f"{len(rows)} models, of which {ready} can run here", "", text, *about])


def _model(info: ModelInfo, fixture: object, keys: set[str]) -> list[str]:
    """A row: what the model is, and whether it can run here or what it lacks. `keys` gets the key that it lacks."""
    seen = len(gpus.visible())
    lacks = [f"{info.gpus} GPU{'s' * (info.gpus > 1)}"] if info.gpus > seen else []
    kind = "?"
    try:
        engine: Engine = private.called(fixture, gpus.Gpus())
    except (EmopreferError, ValueError) as error:
        lacks.append(str(error).splitlines()[0])
    except TypeError:  # it takes fixtures of its project, which are made in a run alone
        kind = "?"
    else:
        kind = str(getattr(engine, "kind", "function"))
        lacks += [module for module, _ in getattr(engine, "packages", ()) if importlib.util.find_spec(module) is None]
        key = getattr(engine, "options", {}).get("key")
        if key and key not in os.environ:
            keys.add(key)
            lacks.append("an API key")
    here = f"needs {'; '.join(lacks)}" if lacks else "yes"
    return [info.name, info.modality or "texts", kind, str(info.gpus), here]


def _datasets(config: pytest.Config) -> str:
    known = sources(config)
    indent = max(map(len, known)) + 2
    lines = ["data sets", ""]
    for name, source in known.items():
        about = f"not here: {source.access}" if source.missing(media=False) else str(source.csv)
        without = ", without clips" if source.missing() and not source.missing(media=False) else ""
        lines.append(_paragraph(f"{name:{indent}}{about}{without}", indent))
    return "\n".join(lines)


def _prompts(config: pytest.Config) -> str:
    abouts = {name: (strategy.__doc__ or "").strip().splitlines()[0] for name, strategy in STRATEGIES.items()}
    said = {name: about.removeprefix(f"{name}: ") for name, about in abouts.items() if name != DIRECT}
    lines = [_paragraph(f"{name}  {about}", 4) for name, about in said.items()]
    named = config.option.emoprefer_prompts or prompts.DEFAULT
    return "\n".join(["prompts", "", *lines, _paragraph(f"worded by {pack_of(config).name}: {named}", 4)])


def _paragraph(text: str, indent: int) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
