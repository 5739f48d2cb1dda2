"""What the selected cases would ask, for `--emoprefer-plan`: shown in place of the run, and nothing is asked."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from emoprefer_bench.engines import fleet
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.errors import EmopreferError
from emoprefer_bench.plugin import options, private
from emoprefer_bench.plugin.collection import case_of, recording_of
from emoprefer_bench.plugin.listing import declared
from emoprefer_bench.plugin.stash import CLUSTER, settings_of
from emoprefer_bench.reports.grids import grid
from emoprefer_bench.trial.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from emoprefer_bench.cases import Case
    from emoprefer_bench.engines.engine import Engine
    from emoprefer_bench.trial.plan import Planned

HEADS = ("case", "verdicts", "stored", "to ask", "clips", "in", "out", "time")
THOUSAND, MILLION = 1_000, 1_000_000
NONE = "-"
ABOUT_MONEY = "money: of the models that have a price, where tokens are known; S3 and S4 at most."


class Cost(NamedTuple):
    """What a case would take, judged by the last run of it, or of its model; None where there was none.

    `money` is None where nothing has a price, and not a number where something has, and there was no run.
    """

    tokens_in: float | None = None
    tokens_out: float | None = None
    seconds: float | None = None
    money: float | None = None


class Planning:
    """A plugin that takes the place of the run."""

    def __init__(self, config: pytest.Config) -> None:
        """Raises UsageError: xdist's workers have nothing to do, and prices have to be some."""
        if getattr(config.option, "numprocesses", None):
            raise pytest.UsageError("--emoprefer-plan asks nothing, so there is no work for workers: leave -n")
        self._config = config
        self._prices = options.prices(config)
        self._notes: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Show the plan, and run nothing."""
        if session.testsfailed or session.config.option.collectonly:
            return None
        cases = [case for item in session.items if (case := case_of(item)) and not recording_of(item)]
        plans = self._plans(list(dict.fromkeys(cases)))
        if reporter := private.terminal(self._config):
            reporter.section("emotion preference: the plan")
            reporter.write_line("\n".join([*self._table(plans), *self._notes]))
        return True

    def _plans(self, cases: Sequence[Case]) -> dict[str, tuple[Case, Planned]]:
        """What each case would ask whose data is here; GPUs and packages may be elsewhere. Controls ask nothing."""
        judged = [case for case in cases if case.modality is not None]
        sources = settings_of(self._config).sources
        here = [case for case in judged if not sources[case.dataset].missing(media=case.sound or case.picture)]
        if len(here) < len(judged):
            self._notes.append(f"{len(judged) - len(here)} cases are left out, since their data set is not here.")
        plans: dict[str, tuple[Case, Planned]] = {}
        for model in dict.fromkeys(case.model for case in here):
            of_model = [case for case in here if case.model == model]
            try:
                engines = self._engines({name for case in of_model for name in case.engines})
                made = Trial(settings_of(self._config), model, of_model, engines).plan()
            except (EmopreferError, ValueError, TypeError, KeyError) as error:
                self._notes.append(f"{model} can't be planned: {error}")
                continue
            plans |= {case.id: (case, made[case.id]) for case in of_model if case.id in made}
        return plans

    def _engines(self, names: set[str]) -> dict[str, Engine]:
        known = declared(self._config)
        cluster = self._config.stash[CLUSTER]
        engines = {name: (known[name][0].gpus, private.called(known[name][1], Gpus())) for name in sorted(names)}
        return {name: fleet.placed(engine, cluster, gpus) for name, (gpus, engine) in engines.items()}

    def _table(self, plans: Mapping[str, tuple[Case, Planned]]) -> list[str]:
        if not plans:
            return ["Nothing would be asked of any model."]
        before = _before(settings_of(self._config).out / "report.json")
        costs = {name: self._cost(case, plan, before) for name, (case, plan) in plans.items()}
        rows = [[name, *_counts([plan]), *_amounts([costs[name]])] for name, (_, plan) in plans.items()]
        if len(rows) > 1:
            rows.append(["in all", *_counts([plan for _, plan in plans.values()]), *_amounts(list(costs.values()))])
        about = [
            "to ask: questions; clips: to decode; in, out: tokens. Tokens and time are at the",
            "rates of the last report here; loading is not counted.",
        ]
        if self._prices:
            about.append(ABOUT_MONEY)
        heads = [*HEADS, *(["money"] if self._prices else [])]
        rows = rows if self._prices else [row[:-1] for row in rows]
        return [grid(heads, rows, left=1), *about]

    def _cost(self, case: Case, plan: Planned, before: Sequence[Mapping[str, Any]]) -> Cost:
        """What the questions would take, at the rates of the last run of this case, or else of this model."""
        questions = sum(plan.questions.values())
        if not questions:
            return Cost(0, 0, 0, 0.0 if case.model in self._prices else None)
        alike = [of for of in before if of["model"] == case.model and (of["prompt"] or "direct") == case.prompt]
        same = [of for of in alike if of["dataset"] == case.dataset] or alike
        if not same:
            return Cost(money=self._money({"prompt": math.nan, "output": math.nan}, plan))
        last = same[0]
        answers = sum(last["questions"].values())
        tokens = {name: last["tokens"].get(name, 0) / answers * questions for name in ("prompt", "output")}
        rate = (last.get("pace") or {}).get("questions")
        seconds = questions / rate if rate else None
        return Cost(tokens["prompt"], tokens["output"], seconds, self._money(tokens, plan))

    def _money(self, tokens: Mapping[str, float], plan: Planned) -> float | None:
        """What the tokens cost by the dearer of the prices of judge and text LLM, as a report doesn't part them.

        A model that has no price costs nothing; None where neither has one.
        """
        priced = [self._prices[model] for model in plan.questions if model in self._prices]
        if not priced:
            return None
        dearest_in, dearest_out = max(price[0] for price in priced), max(price[1] for price in priced)
        return (tokens["prompt"] * dearest_in + tokens["output"] * dearest_out) / MILLION


def _before(report: Path) -> list[Mapping[str, Any]]:
    """The cases of the last report that were asked; none where there is no report that can be read."""
    try:
        cases = json.loads(report.read_bytes())["cases"]
        return [case for case in cases if sum((case.get("questions") or {}).values())]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _counts(plans: Sequence[Planned]) -> list[str]:
    clips = {clip for plan in plans for clip in plan.clips}
    questions = sum(sum(plan.questions.values()) for plan in plans)
    numbers = (sum(plan.verdicts for plan in plans), sum(plan.stored for plan in plans), questions, len(clips))
    return [f"{number:,}" for number in numbers]


def _amounts(costs: Sequence[Cost]) -> list[str]:
    """The sums of tokens, time and money; what is unknown for one is unknown for all. What has no price is free."""
    tokens_in, tokens_out, seconds = (
        None if any(amount is None for amount in amounts) else sum(amounts)
        for amounts in zip(*(cost[:3] for cost in costs), strict=True)
    )
    paid = [cost.money for cost in costs if cost.money is not None]
    money = sum(paid) if paid else math.nan
    return [
        NONE if tokens_in is None else _short(tokens_in),
        NONE if tokens_out is None else _short(tokens_out),
        NONE if seconds is None else _clock(seconds),
        NONE if math.isnan(money) else f"{money:.2f}",
    ]


def _short(tokens: float) -> str:
    if tokens >= MILLION:
        return f"{tokens / MILLION:.1f}M"
    return f"{tokens / THOUSAND:.1f}k" if tokens >= THOUSAND else f"{tokens:.0f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
