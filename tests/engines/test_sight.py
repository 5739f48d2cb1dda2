"""What machines find of a declared engine, and whether a cluster's nodes are alike."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace

import pytest

import emoprefer_bench
from emoprefer_bench.demo import JUDGE
from emoprefer_bench.engines import digests, weights
from emoprefer_bench.engines.children.cluster.joined import ClusterError
from emoprefer_bench.engines.children.cluster.survey import able, alike
from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.engines.fleet import Cluster, FleetEngine, placed
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.engines.sight import Sight, packed, seen, sources, unpacked

GPUS = Gpus(("0", "1"))


def judges():
    """One of each kind that can run elsewhere."""
    return [
        emoprefer_bench.transformers(str(JUDGE), gpus=GPUS, max_tokens=5, temperature=0.5, batch_size=3),
        emoprefer_bench.vllm("some/qwen2.5-omni", gpus=GPUS, revision="a" * 40, max_model_len=10),
        emoprefer_bench.external("python w.py", version="3", gpus=GPUS, env="A_TOKEN", whitespace="fold", size=1),
    ]


@pytest.mark.parametrize("engine", judges(), ids=lambda engine: engine.kind)
def test_a_declaration_survives_the_way_to_another_machine(engine):
    """As plain JSON, all of it but the GPUs: with the same identity, and so with the same keys."""
    there = unpacked(json.loads(json.dumps(packed(engine))), Gpus(("7",)))
    assert there == replace(engine, gpus=Gpus(("7",)))
    assert there.identity() == engine.identity()


def test_an_interpreter_is_that_of_the_machine(monkeypatch):
    """A worker of another environment keeps its own."""
    engine, _, worker = judges()
    sent = packed(engine), packed(worker)
    monkeypatch.setattr(sys, "executable", "/elsewhere/python")
    assert unpacked(sent[0], GPUS).command[0] == "/elsewhere/python"
    assert unpacked(sent[1], GPUS).command[0] == "python"


def test_large_weights_of_a_package_count_there_as_they_count_here(tmp_path, monkeypatch):
    """By size and both ends, where they are the same file; a file that is another has another identity."""
    monkeypatch.setattr(digests, "LARGE", 10)
    monkeypatch.setattr(weights, "END", 4)
    monkeypatch.setattr(weights, "_packaged", {})
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights of a package")
    plain = weights.revision_of(str(file))
    weights.check(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
    engine = emoprefer_bench.transformers(str(file), gpus=GPUS, family="text")
    identity, sent = engine.identity(), packed(engine)
    assert identity["revision"] != plain
    monkeypatch.setattr(weights, "_packaged", {})  # another process
    assert seen(sent, str(tmp_path), "there", thorough=True).identity == identity
    monkeypatch.setattr(weights, "_packaged", {})
    file.write_bytes(b"weights of a stranger")
    assert seen(sent, str(tmp_path), "there", thorough=True).identity["revision"] == weights.revision_of(str(file))


def test_what_a_machine_finds(tmp_path, monkeypatch):
    """Weights are looked for only where that is wanted, and nothing where the engine is missing."""
    monkeypatch.chdir(tmp_path)
    engine = judges()[0]
    found = seen(packed(engine), str(tmp_path), "here", thorough=True)
    assert found == Sight("here", None, engine.version, engine.identity(), sources())
    assert seen(packed(engine), "/no/such/folder", "here", thorough=False).identity is None
    lacking = seen({**packed(engine), "packages": [["no_such_engine", "vllm"]]}, str(tmp_path), "here", thorough=True)
    assert lacking.missing == "no_such_engine is not installed: pip install 'emoprefer-bench[vllm]'"
    assert lacking.identity is None


def test_nodes_that_are_alike():
    """The weights were looked for on one of them."""
    one = Sight("a", None, "1.0", None, sources())
    other = Sight("b", None, "1.0", {"revision": "x"}, sources())
    assert alike([one, other], "here:1") == other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "1.1"}, "a has version 1.0, b has version 1.1"),
        ({"missing": "vllm is not installed"}, r"a has version 1.0, b has nothing of it \(vllm is not installed\)"),
        ({"sources": "others"}, "b, a node of here:1, has another emoprefer_bench than this machine: install the same"),
    ],
)
def test_nodes_that_differ_are_refused(change, said):
    """Their answers would be kept under one key."""
    one = Sight("a", None, "1.0", {"revision": "x"}, sources())
    with pytest.raises(ClusterError, match=said):
        alike([one, replace(one, machine="b", **change)], "here:1")


def test_nodes_that_can_run_a_replica():
    """By what they have in all, whether or not it is free now."""
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 1.0, "GPU": 4.0}},
        {"Alive": False, "Resources": {"CPU": 1.0, "GPU": 8.0}},
    ]
    assert able(nodes, 4, "here:1") == [nodes[1]]
    assert able(nodes, 0, "here:1") == nodes[:2]
    with pytest.raises(ClusterError, match=r"no node of the cluster at here:1 has 8 GPUs.*of its 2 nodes .* has 4"):
        able(nodes, 8, "here:1")


def test_what_goes_to_a_cluster_and_what_stays():
    """Servers and functions stay; without a cluster, all do. Replicas share what a model has for all of them."""
    cluster = Cluster("127.0.0.1:1", 2)
    engine = judges()[0]
    stay = [
        emoprefer_bench.served("m", base_url="http://127.0.0.1:1/v1"),
        emoprefer_bench.function(lambda question: "a1", name="f"),
    ]
    assert [placed(other, cluster, 0) for other in stay] == stay
    assert placed(engine, None, 2) is engine
    gone = placed(engine, cluster, 2)
    assert isinstance(gone, FleetEngine)
    assert (gone.plan, gone._gpus) == (None, 2)
    eight = ChildEngine("x", "1", ("x",), "m", options={"data_parallel": 4})
    assert placed(eight, cluster, 8)._gpus == 2
    assert placed(eight, cluster, 0)._gpus == 0
