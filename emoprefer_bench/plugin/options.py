"""The command line options, and the settings of a run that they make."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from emoprefer_bench.data.datasets import Source
    from emoprefer_bench.engines.fleet import Cluster
    from emoprefer_bench.gates.baselines import Baseline
    from emoprefer_bench.gates.limits import Limit
    from emoprefer_bench.prompts import PromptPack
    from emoprefer_bench.replay.recorded import Recorded
    from emoprefer_bench.trial.tally import FailureBound
    from emoprefer_bench.trial.trial import Settings

BUILT_IN = ("demo", "emoprefer", "emopreferv2")
BASELINES = "benchmarks/baselines"
JUDGES = "emoprefer_bench.judges"  # the group of entry points


def add_options(parser: pytest.Parser) -> None:
    """Add the group `emoprefer` to pytest's options."""
    group = parser.getgroup("emoprefer", "emotion preference benchmark")
    add = group.addoption
    add("--emoprefer-json", metavar="PATH", type=Path, help="write the report as JSON here too")
    add(
        "--emoprefer-out",
        metavar="DIR",
        type=Path,
        default=Path(".emoprefer"),
        help="where answers, logs and the report go (default: .emoprefer)",
    )
    add("--emoprefer-fresh", action="store_true", help="ask everything again, ignoring stored answers")
    add("--emoprefer-limit", metavar="N", type=_at_least_one, help="only the first N pairs of each data set")
    add("--emoprefer-rounds", metavar="N", type=_at_least_one, default=1, help="ask N times (default: 1)")
    add("--emoprefer-prompts", metavar="FILE", type=Path, help="another prompt pack (TOML)")
    add(
        "--emoprefer-judges",
        action="store_true",
        help="also the models that installed packages bring: the built-in ones, and those of entry points",
    )
    add("--emoprefer-list", action="store_true", help="show models, data sets and prompts, and run nothing")
    add("--emoprefer-memory", action="store_true", help="show what models need of the GPUs here, and run nothing")
    add("--emoprefer-plan", action="store_true", help="show what the selected cases would ask, and ask nothing")
    add(
        "--emoprefer-prices",
        metavar="FILE",
        type=Path,
        help="prices for --emoprefer-plan, in TOML: for each model, input and output of a million tokens",
    )
    add(
        "--emoprefer-prompt",
        metavar="PROMPT",
        action="append",
        default=[],
        choices=("S1", "S2", "S3", "S4", "L1", "P1"),
        help="ask by this prompt too, where a model's fixture leaves it out, as most do L1 and P1 (repeatable)",
    )
    add("--emoprefer-llm", metavar="NAME", help="the model to use as the text LLM of S3 and S4")
    add(
        "--emoprefer-modality",
        metavar="M",
        type=_modality,
        help="what judges are given: audio, video, audiovideo or text; with +subtitle also what is said",
    )
    add(
        "--emoprefer-ray",
        metavar="ADDRESS",
        help="run models on the Ray cluster whose head is at host:port, or `auto` (docs/cluster.md)",
    )
    add("--emoprefer-replicas", metavar="N", type=_at_least_one, help="how many replicas of each model; default: 1")
    add("--emoprefer-coresident", action="store_true", help="keep judge and text LLM loaded side by side")
    add(
        "--emoprefer-max-requests",
        metavar="N",
        type=_at_least_one,
        help="how many requests this run may send to servers in all; without it, paid models are skipped",
    )
    add(
        "--emoprefer-max-failures",
        metavar="N|N%",
        type=_failure_bound,
        help="end a case when more of its questions failed: a number, or a share of its verdicts (default: 10%%)",
    )
    add(
        "--emoprefer-data",
        metavar="NAME=PATH",
        action="append",
        default=[],
        type=_named_path,
        help="a data set of your own: a CSV with name,a1,a2,preference (repeatable; see dataset/README.md)",
    )
    add("--emoprefer-subset", metavar="COLUMN", help="the column that parts the rows of data sets (default: subset)")
    add(
        "--emoprefer-check-media",
        action="store_true",
        help="decode every clip to its end before a model loads, to find damage in the middle too",
    )
    parser.addini("emoprefer_dataset", "folder of the data sets, relative to the root folder", default="dataset")
    for form, what in (
        ("html", "one HTML page with a browser of pairs"),
        ("markdown", "tables for GitHub"),
        ("latex", "the paper's table"),
        ("csv", "a row for each case and metric"),
        ("verdicts", "CSV too: a row for each verdict, with its margin where it was weighed"),
        ("predictions", "name,a1,a2,preference of each judge, and a zip of it, for challenges"),
    ):
        add(f"--emoprefer-{form}", metavar="PATH", type=Path, help=f"write {what}")
    add(
        "--emoprefer-embed-media",
        action="store_true",
        help="put the clips into the page of --emoprefer-html, small, instead of links",
    )
    add(
        "--emoprefer-log",
        metavar="NAME",
        action="append",
        default=[],
        help="give the report to this logger too, such as wandb (repeatable; see docs/reports.md)",
    )
    add(
        "--emoprefer-replay",
        metavar="DIR",
        type=Path,
        help="score existing output: the reference's files, or the --emoprefer-out folder of another run",
    )
    _add_doubts(parser)
    _add_gates(parser)


def _add_doubts(parser: pytest.Parser) -> None:
    """Add what tells a score from a shortcut or from noise."""
    add = parser.getgroup("emoprefer").addoption
    add(
        "--emoprefer-audit",
        action="store_true",
        help="also judge without the clip, with another row's, and with its sound or its picture alone",
    )
    add(
        "--emoprefer-cross",
        action="store_true",
        help="also have every judge compare by the descriptions of all others (S2, S3): whose fault is an error?",
    )
    add(
        "--emoprefer-noise",
        metavar="N",
        type=_at_least_one,
        help="ask N rows again, to see whether the engine repeats itself",
    )
    add("--emoprefer-vote", action="store_true", help="also report the majority over rounds, orders and models")
    add(
        "--emoprefer-fuse",
        action="store_true",
        help="also report all judges fused into one, fitted on labels of other clips (docs/weighing.md)",
    )
    add(
        "--emoprefer-fuse-on",
        metavar="NAME",
        help="fuse judges by the labels of this data set, and judge the others by that",
    )


def _add_gates(parser: pytest.Parser) -> None:
    """Add what holds a run against an earlier one (docs/ci.md)."""
    add = parser.getgroup("emoprefer-gates", "emotion preference benchmark: gates").addoption
    add("--emoprefer-save", metavar="NAME", help="save this run's clean, complete cases as the baseline NAME")
    add("--emoprefer-compare", metavar="NAME", help="compare with the baseline NAME (or a path), which must exist")
    add(
        "--emoprefer-compare-fail",
        metavar="METRIC:DROP",
        action="append",
        default=[],
        type=_limit,
        help="fail a drop beyond waf2:2pp (points) or waf2:3%% (of the baseline), or under min_acc2:0.6; waf2[x]:2pp "
        "is about the subset x alone (repeatable)",
    )
    add(
        "--emoprefer-strict",
        action="store_true",
        help="also fail a drop that these rows are too few to confirm",
    )
    add(
        "--emoprefer-update",
        action="store_true",
        help="merge clean, complete cases into the saved or compared baseline",
    )
    parser.addini("emoprefer_gates", "limits as in --emoprefer-compare-fail, one per line", type="linelist")
    parser.addini("emoprefer_gate_p", "the one-sided p under which a drop is confirmed", default="0.01")
    parser.addini(
        "emoprefer_names", "what the paper's table calls a model: `model = Name`, one per line", type="linelist"
    )
    parser.addini("emoprefer_baselines", "folder of the baselines, relative to the root folder", "string", BASELINES)


def judge_modules(config: pytest.Config) -> dict[str, ModuleType]:
    """The modules of models that --emoprefer-judges adds, by name; without it, none. Raises UsageError."""
    if not config.option.emoprefer_judges:
        return {}
    from importlib.metadata import entry_points  # for a run that wants them

    modules = {}
    for entry in entry_points(group=JUDGES):
        try:
            modules[entry.name] = entry.load()
        except Exception as error:  # noqa: BLE001  # another package's module may raise anything
            raise pytest.UsageError(
                f"--emoprefer-judges: the models {entry.name} ({entry.value}) can't be loaded: "
                f"{type(error).__name__}: {error}"
            ) from None
    return modules


def dataset_names(config: pytest.Config) -> tuple[str, ...]:
    """All data sets of a run by name. Raises UsageError for a name that is taken twice, or a file that isn't there."""
    own = [name for name, _ in config.option.emoprefer_data]
    names = (*BUILT_IN, *own)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise pytest.UsageError(f"--emoprefer-data: the name {twice[0]!r} is taken already, choose another")
    for name, path in config.option.emoprefer_data:
        file = Path(config.invocation_params.dir, path)
        if not file.is_file():
            is_folder = "is a folder, and should be the CSV file in it" if file.is_dir() else "doesn't exist"
            raise pytest.UsageError(f"--emoprefer-data {name}={path}: {file} {is_folder}")
    _check_fusion(config, names)
    return names


def _check_fusion(config: pytest.Config, datasets: Sequence[str]) -> None:
    """Raise UsageError where judges can't be fused as the options say, before anything is asked."""
    from importlib.util import find_spec

    fuse, on = config.option.emoprefer_fuse, config.option.emoprefer_fuse_on
    if on and on not in datasets:
        raise pytest.UsageError(f"--emoprefer-fuse-on {on}: no such data set; there are {', '.join(datasets)}")
    if (fuse or on) and find_spec("sklearn") is None:
        raise pytest.UsageError("--emoprefer-fuse needs scikit-learn: pip install 'emoprefer-bench[fuse]'")


def cluster(config: pytest.Config) -> Cluster | None:
    """The Ray cluster that models run on, if any. Raises UsageError where it can't be one."""
    address, replicas = config.option.emoprefer_ray, config.option.emoprefer_replicas
    if address is None:
        if replicas:
            raise pytest.UsageError(
                "--emoprefer-replicas: on which cluster? Name its head by --emoprefer-ray host:port"
            )
        return None
    from importlib.util import find_spec

    from emoprefer_bench.engines import fleet  # for a run on a cluster

    if find_spec("ray") is None:
        raise pytest.UsageError("--emoprefer-ray needs Ray: pip install 'emoprefer-bench[ray]'")
    try:
        return fleet.cluster(address, replicas or 1)
    except fleet.FleetError as error:
        raise pytest.UsageError(f"--emoprefer-ray: {error}") from None


def recordings(config: pytest.Config) -> Sequence[Recorded]:
    """What --emoprefer-replay names; empty without it. Raises UsageError where there is nothing to replay."""
    if config.option.emoprefer_replay is None:
        return ()
    from emoprefer_bench.replay import npz, ours, reference  # numpy, for a run that replays

    folder = Path(config.invocation_params.dir, config.option.emoprefer_replay)
    try:
        if (folder / ours.REPORT).is_file():
            return ours.find(folder)
        return reference.find(folder).recordings
    except npz.ReplayError as error:
        raise pytest.UsageError(f"--emoprefer-replay: {error}") from None


def forms(config: pytest.Config) -> dict[str, Path]:
    """The forms of the report that are wanted, and where."""
    from emoprefer_bench.reports.forms import FORMS

    named = {form: getattr(config.option, f"emoprefer_{form}") for form in FORMS}
    return {form: Path(config.invocation_params.dir, path) for form, path in named.items() if path}


def prompt_pack(config: pytest.Config) -> PromptPack:
    """The prompt pack of a run. Raises UsageError for one that can't be used."""
    from emoprefer_bench import prompts  # tomllib

    named = config.option.emoprefer_prompts
    try:
        return prompts.load(Path(config.invocation_params.dir, named) if named else prompts.DEFAULT)
    except prompts.PromptPackError as error:
        raise pytest.UsageError(f"--emoprefer-prompts: {error}") from None


def sources(config: pytest.Config) -> dict[str, Source]:
    """Where each data set of a run lies, by its name."""
    from emoprefer_bench.data import datasets  # only a run that has models needs them

    root = config.rootpath / config.getini("emoprefer_dataset")
    own = {
        name: datasets.Source(name, Path(config.invocation_params.dir, path))
        for name, path in config.option.emoprefer_data
    }
    return datasets.built_in(root) | own


def settings(config: pytest.Config, pack: PromptPack) -> Settings:
    """The settings of every trial."""
    from emoprefer_bench.trial.tally import FailureBound
    from emoprefer_bench.trial.trial import Settings

    option = config.option
    return Settings(
        out=Path(config.invocation_params.dir, option.emoprefer_out),
        sources=sources(config),
        pack=pack,
        rounds=option.emoprefer_rounds,
        limit=option.emoprefer_limit,
        fresh=option.emoprefer_fresh,
        coresident=option.emoprefer_coresident,
        max_requests=option.emoprefer_max_requests,
        subset=option.emoprefer_subset,
        noise=option.emoprefer_noise or 0,
        failures=option.emoprefer_max_failures or FailureBound(),
        check_media=option.emoprefer_check_media,
    )


def prices(config: pytest.Config) -> dict[str, tuple[float, float]]:
    """What a million tokens cost, in and out, by the model's name. Raises UsageError."""
    if config.option.emoprefer_prices is None:
        return {}
    import tomllib

    path = Path(config.invocation_params.dir, config.option.emoprefer_prices)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return {model: (float(row["input"]), float(row["output"])) for model, row in table.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise pytest.UsageError(
            f"--emoprefer-prices {path}: {error}; write for each model a table [name] with input = and output =, the "
            "prices of a million tokens"
        ) from None


def names(config: pytest.Config) -> dict[str, str]:
    """What the ini file calls models. Raises UsageError."""
    pairs = [line.partition("=") for line in config.getini("emoprefer_names")]
    for model, equals, name in pairs:
        if not (model.strip() and equals and name.strip()):
            raise pytest.UsageError(f"emoprefer_names: {model}{equals}{name}: write model = Name")
    return {model.strip(): name.strip() for model, _, name in pairs}


def limits(config: pytest.Config) -> list[Limit]:
    """The limits of a run: those of the ini file, replaced by those of the command line. Raises UsageError."""
    option, lines = config.option, config.getini("emoprefer_gates")
    if not lines and not option.emoprefer_compare_fail:
        return []
    from emoprefer_bench.gates import limits as gates  # numpy, for a run that has limits

    if not option.emoprefer_compare and any(limit.kind == "drop" for limit in option.emoprefer_compare_fail):
        raise pytest.UsageError("--emoprefer-compare-fail: a drop from what? Name it by --emoprefer-compare NAME")
    try:
        return gates.merged([gates.limit(line) for line in lines], option.emoprefer_compare_fail)
    except gates.LimitError as error:
        raise pytest.UsageError(f"emoprefer_gates: {error}") from None


def gate_p(config: pytest.Config) -> float:
    """How small p must be to confirm a drop. Raises UsageError."""
    try:
        p = float(config.getini("emoprefer_gate_p"))
    except ValueError:
        p = 0.0
    if not 0 < p < 1:
        raise pytest.UsageError(
            f"emoprefer_gate_p = {config.getini('emoprefer_gate_p')}: write a number between 0 and 1"
        )
    return p


def baseline(config: pytest.Config) -> Baseline | None:
    """The baseline to compare with. Raises UsageError for one that is not there or can't be read."""
    if not config.option.emoprefer_compare:
        return None
    from emoprefer_bench.gates import baselines  # as above

    path = _baseline_path(config, config.option.emoprefer_compare)
    try:
        return baselines.load(path, path.stem)
    except baselines.BaselineError as error:
        raise pytest.UsageError(f"--emoprefer-compare: {error}") from None


def compared(config: pytest.Config) -> Path | None:
    """The file of the baseline to compare with."""
    name = config.option.emoprefer_compare
    return _baseline_path(config, name) if name else None


def saved_as(config: pytest.Config) -> Path | None:
    """The file that this run's cases go to. Raises UsageError where that makes no sense, or would lose a baseline."""
    option = config.option
    name = option.emoprefer_save or (option.emoprefer_compare if option.emoprefer_update else None)
    if option.emoprefer_update and not name:
        raise pytest.UsageError(
            "--emoprefer-update: which baseline? Name it by --emoprefer-save or --emoprefer-compare"
        )
    if not name or hasattr(config, "workerinput"):
        return None
    if option.emoprefer_limit:
        raise pytest.UsageError(
            "--emoprefer-save, --emoprefer-update: a baseline is of whole data sets, leave --emoprefer-limit"
        )
    path = _baseline_path(config, name)
    if path.exists() and not option.emoprefer_update:
        raise pytest.UsageError(
            f"--emoprefer-save: {path} exists; add --emoprefer-update to merge into it, or delete it first"
        )
    from emoprefer_bench.plugin import writing  # for a run that saves

    if reason := writing.of_file(path):
        raise pytest.UsageError(f"--emoprefer-save {name}: {path} can't be written ({reason})")
    return path


def _baseline_path(config: pytest.Config, name: str) -> Path:
    if name.endswith(".json") or Path(name).name != name:
        return Path(config.invocation_params.dir, name)
    return Path(config.rootpath, config.getini("emoprefer_baselines"), f"{name}.json")


def _limit(text: str) -> Limit:
    from emoprefer_bench.gates import limits as gates  # as above

    try:
        return gates.limit(text)
    except gates.LimitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _failure_bound(text: str) -> FailureBound:
    from emoprefer_bench.trial.tally import FailureBound  # for a run that sets it

    share = re.fullmatch(r"(\d+\.?\d*|\.\d+)%", text, re.ASCII)
    if share and float(share[1]) <= 100:  # noqa: PLR2004  # percent
        return FailureBound(share=float(share[1]) / 100)
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} should be a number of questions, such as 10, or a share, as 5%")
    return FailureBound(int(text))


def _modality(text: str) -> str:
    from emoprefer_bench.cases import MODALITIES

    if text not in MODALITIES:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(MODALITIES)}")
    return text


def _at_least_one(text: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} should be a whole number, 1 or more")
    return int(text)


def _named_path(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"{text!r} should be NAME=PATH: a name for the data set, and its file")
    if not re.fullmatch(r"[A-Za-z0-9_.]+", name):
        raise argparse.ArgumentTypeError(f"{name!r} can't name a data set: letters of English, digits, _ and . can")
    return name, Path(path).expanduser()
