"""A judge on a Ray cluster of this machine: the answers of one machine, whatever is killed on the way."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from support.cluster import running
from support.fleet_runs import (
    IN_FLIGHT,
    REPLICAS,
    Run,
    again,
    alive,
    fields,
    kill,
    light_engine,
    on,
    question,
    seconds_until,
)
from support.media_files import make_clip
from support.watching import DEMO

from emoprefer_bench.demo import JUDGE, JUDGE_PIXELS
from emoprefer_bench.engines import fleet
from emoprefer_bench.engines.fleet import Cluster, FleetEngine, FleetError
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Clip
from emoprefer_bench.protocol.parent import LoadError

CONFTEST = """
import os
import emoprefer_bench

@emoprefer_bench.model(gpus=int(os.environ.get("TEST_GPUS", "0")), modality="audiovideo", prompts=("S1", "S2"))
def tiny(gpus):
    return emoprefer_bench.transformers(
        {folder!r}, gpus=gpus, max_tokens=24, min_pixels={pixels}, max_pixels={pixels}, batch_size=4
    )
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A head and two nodes, whose token this process has."""
    with running(REPLICAS, tmp_path_factory.mktemp("ray") / "log") as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.client.items():
            patch.setenv(name, value)
        yield started


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """Declare an engine that is light, the same in every test, so that the nodes are looked at once."""
    return partial(light_engine, tmp_path_factory.mktemp("engine"))


@pytest.fixture
def noted(judge):
    """The file in which engines note what they are asked, empty."""
    path = Path(judge.args[0], "noted")
    path.unlink(missing_ok=True)
    return path


def test_the_small_judge_says_on_a_cluster_what_it_says_here(cluster, bench, monkeypatch):
    """Through pytest: what the cluster answered is stored under the keys of this machine, which says the same anew."""
    bench.pytester.makeconftest(CONFTEST.format(folder=str(JUDGE), pixels=JUDGE_PIXELS))
    data = ("--emoprefer-data", f"clips={DEMO / 'preference_demo.csv'}", "--emoprefer-limit=12")
    ray = ("--emoprefer-ray", cluster.address, "--emoprefer-replicas", str(REPLICAS))
    cases = {}
    for where, options in (("cluster", ray), ("stored", ()), ("here", ("--emoprefer-fresh",))):
        monkeypatch.setenv("TEST_GPUS", "1" if where == "cluster" else "0")
        outcome = bench.run("-k", "(tiny or longer) and clips", *data, *options, apart=True)
        outcome.assert_outcomes(passed=3)
        cases[where] = bench.cases()
    for name in ("tiny-S1-clips", "tiny-S2-clips"):
        there, stored, here = (cases[where][name] for where in ("cluster", "stored", "here"))
        assert there["verdicts"] == stored["verdicts"] == here["verdicts"]
        assert stored["questions"]["asked"] == 0
        assert there["tokens"] == here["tokens"]
        assert there["scores"]["waf3"]["mean"] >= 0.95
    assert cases["cluster"]["tiny-S1-clips"]["engine"]["judge"]["device"].startswith("2 x")
    assert cases["cluster"]["tiny-S1-clips"]["seconds"]["decoding"] > 0
    assert cases["cluster"]["longer-clips"]["verdicts"] == cases["here"]["longer-clips"]["verdicts"]


@pytest.mark.parametrize("victim", ["engine", "actor"])
def test_a_replica_that_is_killed_loses_nothing(cluster, judge, noted, tmp_path, victim):
    """Its questions in flight are asked once more, and no others; another comes in its place."""
    run = Run(on(cluster, judge()), tmp_path / "log")
    run.ask(lambda run: kill(run.replicas()[0][victim == "engine"]))
    assert run.whole()
    twice, most = again(noted)
    assert 0 < twice <= IN_FLIGHT
    assert most == 2
    if victim == "actor":
        seconds_until(lambda: not alive(run.replicas()[0][1]))


def test_a_question_that_kills_its_engine_fails_alone(cluster, judge, noted, tmp_path):
    """Twice, and then no more."""
    run = Run(on(cluster, judge()), tmp_path / "log", count=60)
    run.ask(poison=20)
    assert run.whole(20)
    assert run.answers[20].finish == "error"
    assert "on the second attempt too" in run.answers[20].text
    assert Counter(noted.read_text().splitlines())["20 poison"] == 2


def test_a_bridge_that_is_killed_loses_nothing(cluster, judge, noted, tmp_path):
    """All that was in flight is asked once more, side by side, by a new one with new replicas; the old ones end."""
    run = Run(on(cluster, judge()), tmp_path / "log")
    run.ask(lambda run: kill(run.bridge()))
    assert run.whole()
    assert run.session.restarts == 1
    twice, most = again(noted)
    assert twice <= REPLICAS * IN_FLIGHT
    assert most <= 2
    seconds_until(lambda: not any(map(alive, sum(run.replicas(), ()))))


DRIVER = """
import asyncio, sys
sys.path[:0] = {path!r}
from pathlib import Path
from support import fleet_runs as t
engine = t.ChildEngine("external", "1", (sys.executable, {script!r}), "slow")
t.Run(t.FleetEngine(engine, t.Cluster({address!r}, t.REPLICAS), 1), Path({log!r}), count=100_000).ask()
"""


def test_when_the_run_is_killed_all_ends_at_once(cluster, judge, noted, tmp_path):
    """Bridge, actors and engines are gone within five seconds."""
    log, script = tmp_path / "log", judge().command[1]
    path = [str(Path(__file__).parents[1])]
    program = DRIVER.format(path=path, script=script, address=cluster.address, log=str(log))
    with subprocess.Popen([sys.executable, "-c", program]) as driver:
        run = Run(None, log)
        seconds_until(lambda: log.exists() and len(run.replicas()) == REPLICAS and noted.exists())
        bridge = int(
            subprocess.run(["pgrep", "-P", str(driver.pid)], capture_output=True, check=True).stdout.split()[0]
        )
        kill(driver.pid)
        pids = [bridge, *sum(run.replicas(), ())]
        assert seconds_until(lambda: not any(map(alive, pids))) <= 5


def test_shared_clips_stay_where_they_are_and_others_are_shipped_once(cluster, judge, tmp_path):
    """Either way each is decoded on the node, whose engine is given frames and sound."""
    clips = []
    for number in range(3):
        path = make_clip(tmp_path / f"{number}.mp4", frames=25 + number, sound=1.0)
        clips.append(Clip(f"{number}", path, digest=hashlib.sha256(path.read_bytes()).hexdigest()))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    clips.append(Clip("broken", broken, digest=hashlib.sha256(b"no film").hexdigest()))
    changed = Clip("changed", clips[0].video, digest="0" * 64)
    engine = judge(plan=MediaPlan(2.0, 2, 8))

    def ask(log, **ways):
        async def main():
            async with on(cluster, engine, **ways).open(log) as session:
                asked = [question(n, clip) for clip in (*clips, changed) for n in range(4)]
                return await asyncio.gather(*(session.answer(each, fields(each.clip)) for each in asked))

        return asyncio.run(main()), re.findall(r"(\w+) is shipped: (\d+) bytes", log.read_text())

    answers, shipped = ask(tmp_path / "shared.log")
    assert {name for name, _ in shipped} == {"changed"}  # and not taken for another
    for clip, of_clip in zip(clips[:3], (answers[0:4], answers[4:8], answers[8:12]), strict=True):
        assert all(set(answer.tokens) == {"frames", "waveform"} for answer in of_clip), clip
        assert sum("decoding" in answer.seconds for answer in of_clip) in (1, 2)  # by how many replicas
    assert all("can't be decoded" in answer.text and answer.finish == "error" for answer in answers[12:16])
    assert all("changed after it was looked into" in answer.text for answer in answers[16:])
    unshared, shipped = ask(tmp_path / "shipped.log", shared=False)
    assert [answer.tokens for answer in unshared] == [answer.tokens for answer in answers]
    assert Counter(name for name, _ in shipped) == dict.fromkeys(["0", "1", "2", "broken", "changed"], 1)
    assert dict(shipped)["0"] == str(clips[0].video.stat().st_size)


def test_an_engine_sees_no_token(cluster, judge, tmp_path):
    """Whoever has it can run code on every node."""

    async def main():
        async with on(cluster, judge(), replicas=1).open(tmp_path / "log") as session:
            asked = question(0, word="environment")
            return await session.answer(asked, fields(asked.clip))

    seen = asyncio.run(main()).text
    assert "RAY_" in seen
    assert "AUTH" not in seen


def test_a_client_with_another_token_is_told_so(cluster, judge, monkeypatch):
    """In one sentence that names the variables, and none of their values."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    with pytest.raises(FleetError, match=r"doesn't take the token of this machine: RAY_AUTH_MODE=token") as caught:
        FleetEngine(judge(), Cluster(cluster.address, 1), 1).identity()
    assert "f" * 64 not in str(caught.value)


def test_an_engine_that_cannot_be_loaded_says_why_in_one_sentence(cluster, judge, tmp_path):
    """The engine's own, and on which node."""

    async def main():
        async with on(cluster, judge(options={"fail": "no such weights"})).open(tmp_path / "log"):
            pass

    with pytest.raises(LoadError) as caught:
        asyncio.run(main())
    assert str(caught.value) == "FailedError: on 127.0.0.1, ValueError: no such weights"


def test_a_replica_with_other_weights_is_refused(cluster, judge, tmp_path, monkeypatch):
    """Its answers would be kept under the key of others; it says what differs."""
    engine = on(cluster, judge())
    sight = engine._sight()
    monkeypatch.setitem(sight.identity, "revision", "another")

    async def main():
        async with engine.open(tmp_path / "log"):
            pass

    with pytest.raises(LoadError, match=r"is not like the other nodes.*: revision 'unversioned' in place of 'another'"):
        asyncio.run(main())


def test_a_replica_that_no_node_has_the_gpus_for(cluster, judge):
    """The nodes have one each."""
    with pytest.raises(FleetError, match=r"has 2 GPUs, which a replica takes: of its \d nodes the largest has 1"):
        FleetEngine(judge(), Cluster(cluster.address, 1), 2).identity()


def test_a_node_that_is_lost_and_one_that_comes_late(cluster, judge, noted, tmp_path):
    """The other takes what was in flight; the new one is used."""

    def during(run):
        cluster.tell("kill 0")
        seconds_until(lambda: not all(map(alive, sum(run.replicas(), ()))))
        cluster.tell("add")
        seconds_until(lambda: len(run.replicas()) > REPLICAS)

    run = Run(on(cluster, judge(), silence=10), tmp_path / "log", count=600)
    run.ask(during)
    assert run.whole()
    twice, most = again(noted)
    assert twice <= IN_FLIGHT
    assert most <= 2


def test_when_the_head_is_killed_answers_go_on_and_nothing_stays(cluster, judge, noted, tmp_path):
    """The replicas answer without it; they end by themselves when nobody speaks to them any more."""
    run = Run(on(cluster, judge(), silence=5), tmp_path / "log")
    run.ask(lambda run: cluster.tell("kill_head"))
    assert run.whole()
    assert again(noted)[0] == 0
    seconds_until(lambda: not any(map(alive, sum(run.replicas(), ()))))


def test_an_address_where_nothing_answers(judge):
    """Found out at once: Ray itself would try for minutes."""
    with pytest.raises(FleetError, match=r"nothing answers at 127.0.0.1:9 .*start Ray there"):
        FleetEngine(judge(), Cluster("127.0.0.1:9", 1), 1).identity()
    with pytest.raises(FleetError, match="'there' is no address of a Ray head: write host:port"):
        FleetEngine(judge(), Cluster("there", 1), 1).identity()


def test_a_cluster_on_a_network_needs_a_word_about_tokens(monkeypatch):
    """Its ports run anybody's code; on loopback it is this machine's users alone."""
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(FleetError, match=r"whoever reaches the ports of 10\.0\.0\.1:6379 runs code on its nodes"):
        fleet.cluster("10.0.0.1:6379", 2)
    assert fleet.cluster("127.0.0.1:6379", 2).replicas == 2
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert fleet.cluster("10.0.0.1:6379", 2).address == "10.0.0.1:6379"


def test_pytest_knows_the_options(bench):
    """Replicas need a cluster; and the run itself knows nothing of Ray."""
    refused = bench.run("--emoprefer-replicas", "3", apart=True)
    refused.stderr.fnmatch_lines(["*--emoprefer-replicas: on which cluster?*"])
    bench.pytester.makepyfile(test_bench="import sys\ndef test_light():\n    assert 'ray' not in sys.modules\n")
    outcome = bench.run("--emoprefer-ray", "127.0.0.1:9", "--emoprefer-replicas=3", "-k", "light", apart=True)
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["emoprefer: *; 3 replicas on 127.0.0.1:9; *"])
