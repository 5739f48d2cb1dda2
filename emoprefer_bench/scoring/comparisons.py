"""Two judges, or two runs of one, on the same rows, as a report holds the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emoprefer_bench.cases import VARIANTS
from emoprefer_bench.document.rows import clip_of, verdicts
from emoprefer_bench.scoring import statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emoprefer_bench.document.types import Comparison, ComparisonKind, Dataset, RanCase, ScoredCase
    from emoprefer_bench.pairs import Label, Pair
    from emoprefer_bench.verdicts import Verdicts

HEADLINE = ("waf2", "acc2", "swap")
DRAWS = 2_000  # a fifth of what a gate decides by: enough for two digits of an interval
METRICS = (*HEADLINE, *(f"strict_{name}" for name in HEADLINE))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that two judges are compared on: their keys, labels and clips, in row order."""

    keys: Sequence[str]
    labels: Sequence[Label | None]
    clips: Sequence[str]

    @classmethod
    def of(cls, dataset: Dataset) -> Rows:
        """The rows of a data set in a report."""
        return cls(dataset["keys"], dataset["labels"], [clip_of(key) for key in dataset["keys"]])

    def part(self, rows: Sequence[int]) -> Rows:
        """Some of them."""
        return Rows(
            [self.keys[row] for row in rows], [self.labels[row] for row in rows], [self.clips[row] for row in rows]
        )


def rounds_of(case: RanCase, rows: int) -> list[Verdicts]:
    """The verdicts of a complete case in a report, a `Verdicts` for each round."""
    return verdicts(case, range(rows))


def compared(
    against: str,
    kind: ComparisonKind,
    rows: Rows,
    own: Sequence[Verdicts],
    other: Sequence[Verdicts],
) -> list[Comparison]:
    """Compare a judge with another by each of `METRICS`: its `score`, the `other`'s, how sure the difference is."""
    differences = statistics.paired_difference(rows.labels, rows.clips, own, other, metrics=METRICS, draws=DRAWS)
    return [
        {
            "against": against,
            "kind": kind,
            "metric": metric,
            "score": difference["score"],
            "other": difference["other"],
            "difference": difference["difference"],
            "interval": list(difference["interval"]) if difference["interval"] else None,
            "p_two_sided": difference["p_two_sided"],
            "p_one_sided": difference["p_one_sided"],
            "mcnemar": difference["mcnemar"],
        }
        for metric, difference in differences.items()
    ]


def with_controls(
    pairs: Sequence[Pair], rounds: Sequence[Verdicts], controls: Mapping[str, Verdicts]
) -> list[Comparison]:
    """Compare a judge with what each control says of the same pairs, whether or not the controls' cases are run.

    A judge's headline is its gain over the best of them (`emoprefer_bench.document.cases.best_control`).
    """
    rows = Rows([pair.key for pair in pairs], [pair.label for pair in pairs], [pair.clip.name for pair in pairs])
    comparisons = []
    for name, said in controls.items():
        comparisons += compared(name, "control", rows, rounds, [said] * len(rounds))
    return comparisons


def with_variants(cases: Sequence[ScoredCase], datasets: Mapping[str, Dataset]) -> None:
    """Compare every judge in a report with its variants: adds to the `comparisons` of its case."""
    by_id = {case["id"]: case for case in cases if case["complete"]}
    for case in by_id.values():
        variant = case.get("variant")
        judge = by_id.get(case["id"].removesuffix(f"-{variant}"))
        if variant not in VARIANTS or judge is None:
            continue
        rows = Rows.of(datasets[case["dataset"]])
        own, other = (rounds_of(side, len(rows.keys)) for side in (judge, case))
        judge["comparisons"] += compared(variant, "variant", rows, own, other)
