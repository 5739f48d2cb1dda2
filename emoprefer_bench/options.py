"""The command line options, and the settings of a run that they make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emoprefer_bench import prompts
from emoprefer_bench.cases import MODALITIES
from emoprefer_bench.prompts import PromptPack, PromptPackError

if TYPE_CHECKING:
    from emoprefer_bench.trial import Settings

BUILT_IN = ("demo", "emoprefer", "emopreferv2")


def add_options(parser: pytest.Parser) -> None:
    """Add the group `emoprefer` to pytest's options."""
    group = parser.getgroup("emoprefer", "emotion preference benchmark")
    add = group.addoption
    add("--emoprefer-json", metavar="PATH", type=Path, help="write the report as JSON (docs/report.schema.json)")
    add("--emoprefer-out", metavar="DIR", type=Path, default=Path(".emoprefer"), help="answers, logs and results (default: .emoprefer)")
    add("--emoprefer-fresh", action="store_true", help="ask again, whatever is stored")
    add("--emoprefer-limit", metavar="N", type=_at_least_one, help="only the first N pairs of each data set")
    add("--emoprefer-rounds", metavar="N", type=_at_least_one, default=1, help="ask N times (default: 1)")
    add("--emoprefer-prompts", metavar="FILE", type=Path, help="another prompt pack (TOML)")
    add("--emoprefer-llm", metavar="NAME", help="the model that is the text LLM of S3 and S4")
    add("--emoprefer-modality", metavar="M", choices=MODALITIES, help=f"what judges get: {', '.join(MODALITIES)}")
    add("--emoprefer-coresident", action="store_true", help="keep judge and text LLM loaded side by side")
    add(
        "--emoprefer-data",
        metavar="NAME=PATH",
        action="append",
        default=[],
        type=_named_path,
        help="a data set of your own: a CSV with name,a1,a2,preference (repeatable; see dataset/README.md)",
    )
    parser.addini("emoprefer_dataset", "folder of the data sets, relative to the root folder", default="dataset")


def dataset_names(config: pytest.Config) -> tuple[str, ...]:
    """All data sets of a run by name. Raises UsageError for a name that is taken twice."""
    own = [name for name, _ in config.option.emoprefer_data]
    names = (*BUILT_IN, *own)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise pytest.UsageError(f"--emoprefer-data: the name {twice[0]!r} is taken already, choose another")
    return names


def prompt_pack(config: pytest.Config) -> PromptPack:
    """The prompt pack of a run. Raises UsageError for one that can't be used."""
    named = config.option.emoprefer_prompts
    try:
        return prompts.load(Path(config.invocation_params.dir, named) if named else prompts.DEFAULT)
    except PromptPackError as error:
        raise pytest.UsageError(f"--emoprefer-prompts: {error}") from None


def settings(config: pytest.Config, pack: PromptPack) -> Settings:
    """The settings of every trial."""
    from emoprefer_bench import datasets  # noqa: PLC0415  # only a run that asks something needs them
    from emoprefer_bench.trial import Settings  # noqa: PLC0415

    option = config.option
    root = config.rootpath / config.getini("emoprefer_dataset")
    sources = datasets.built_in(root)
    sources |= {name: datasets.Source(name, Path(config.invocation_params.dir, path)) for name, path in option.emoprefer_data}
    return Settings(
        out=Path(config.invocation_params.dir, option.emoprefer_out),
        sources=sources,
        pack=pack,
        rounds=option.emoprefer_rounds,
        limit=option.emoprefer_limit,
        fresh=option.emoprefer_fresh,
        coresident=option.emoprefer_coresident,
    )


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _named_path(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not path or not re.fullmatch(r"[A-Za-z0-9_.]+", name):
        raise ValueError(text)
    return name, Path(path).expanduser()
