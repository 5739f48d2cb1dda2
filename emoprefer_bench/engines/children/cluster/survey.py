"""What a cluster's nodes have of an engine and its weights: asked on standard input, answered on standard output.

`python -m emoprefer_bench.engines.children.cluster.survey` reads a JSON object with `address`, `engine` (sight.packed),
`gpus` (of a replica) and `folder` (the run's), and writes the fields of a Sight, or `failed` with one sentence.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

from emoprefer_bench.engines.children.cluster.joined import ClusterError, join
from emoprefer_bench.engines.sight import Sight, seen, sources
from emoprefer_bench.protocol.worker import one_line

LOOK_SECONDS = 240.0


def survey(address: str, engine: dict[str, Any], gpus: int, folder: str) -> Sight:
    """Look at all nodes that could run a replica. Raises ClusterError, also where they are not alike."""
    ray = join(address)
    nodes = able(ray.nodes(), gpus, address)
    look = ray.remote(num_cpus=0, max_retries=0)(seen)
    asked = {
        look.options(scheduling_strategy=_on(node)).remote(
            engine, folder, node["NodeManagerAddress"], number == 0
        ): node
        for number, node in enumerate(nodes)
    }
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=LOOK_SECONDS)
    sights, faults = [], []
    for task in done:
        try:
            sights.append(ray.get(task))
        except ray.exceptions.RayError as error:  # a node that is gone, or can't import this package
            faults.append(f"{asked[task]['NodeManagerAddress']}: {_cause(error)}")
    if not sights:
        raise ClusterError(f"no node of {address} can be looked at: {faults[0] if faults else 'they are silent'}")
    return alike(sights, address)


def able(nodes: list[dict[str, Any]], gpus: int, address: str) -> list[dict[str, Any]]:
    """The nodes that have what a replica takes. Raises ClusterError where none has."""
    alive = [node for node in nodes if node["Alive"]]
    kind, number = ("GPU", gpus) if gpus else ("CPU", 1)
    chosen = [node for node in alive if node["Resources"].get(kind, 0) >= number]
    if not chosen:
        most = max((int(node["Resources"].get(kind, 0)) for node in alive), default=0)
        raise ClusterError(
            f"no node of the cluster at {address} has {number} {kind}{'s' * (number > 1)}, which a replica takes: of "
            f"its {len(alive)} nodes the largest has {most}"
        )
    return chosen


def alike(sights: list[Sight], address: str) -> Sight:
    """What all nodes have. Raises ClusterError where they differ, or differ from this machine."""
    first = next((sight for sight in sights if sight.identity), sights[0])
    for sight in sights:
        if (sight.missing, sight.version) != (first.missing, first.version):
            raise ClusterError(
                f"the nodes of {address} are not alike, so their answers would be a mixture: {first.machine} has "
                f"{_has(first)}, {sight.machine} has {_has(sight)}"
            )
        if sight.sources != sources():
            raise ClusterError(
                f"{sight.machine}, a node of {address}, has another emoprefer_bench than this machine: install the "
                "same on both, or start Ray in the same environment"
            )
    return first


def _has(sight: Sight) -> str:
    return f"nothing of it ({sight.missing})" if sight.missing else f"version {sight.version}"


def _on(node: dict[str, Any]) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)


def _cause(error: Exception) -> str:
    return one_line(getattr(error, "cause", None) or error)[:500]


def main() -> None:
    """Read, look, write."""
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print
    try:
        answer = asdict(survey(**json.load(sys.stdin)))
    except ClusterError as error:
        answer = {"failed": str(error)}
    said.write(json.dumps(answer))
    said.close()
    os._exit(0)  # what Ray would still tidy up takes seconds, and ends with this process anyway


if __name__ == "__main__":
    main()
