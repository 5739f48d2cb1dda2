"""Whole runs with served judges: a bound that is spent on the way, and answers that a provider refuses."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from support.recorded import completion
from support.servers import Server, reply

JUDGE = """
@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
def {name}(gpus):
    return emoprefer_bench.served("{name}", base_url="{url}/v1", concurrency=2)
"""


@pytest.fixture
def server():
    """A server that says a1, but refuses whatever speaks of a word in its `refused`."""
    refused: set[str] = set()

    def answer(request):
        if request.path.endswith("/models"):
            return reply({"object": "list", "data": []})
        prompt = request.body["messages"][-1]["content"]
        return reply(completion("", "content_filter") if any(word in prompt for word in refused) else completion())

    server = Server(answer=answer)
    server.refused = refused
    yield server
    server.close()


@pytest.fixture
def served(bench, server):
    """A project with two judges, `one` and `two`, and six questions for each."""
    judges = (JUDGE.format(name=name, url=server.url) for name in ("one", "two"))
    bench.pytester.makeconftest("import emoprefer_bench\n" + "".join(judges))
    return bench


def prompts(server):
    """Count what was asked, by model and prompt."""
    return Counter((body["model"], body["messages"][-1]["content"]) for body in server.bodies())


def test_a_bound_that_is_spent_on_the_way(served, server):
    """Four of six are asked, the case fails and says how to go on; with more allowed, the other two alone are asked."""
    spent = served.run("-k", "one and toy", "--emoprefer-max-requests", "4", apart=True)
    spent.assert_outcomes(failed=1)
    spent.stdout.fnmatch_lines(["*2 of 6 answers failed*all of the 4 requests*are sent*answered is stored: run again*"])
    assert len(server.requests) == 4
    case = served.cases()["one-S1-toy"]
    assert "--emoprefer-max-requests" in case["reason"]
    assert provenances(case) == {"parsed": 4, "error": 2}
    served.run("-k", "one and toy", "--emoprefer-max-requests", "9", apart=True).assert_outcomes(passed=1)
    assert served.cases()["one-S1-toy"]["questions"] == {"asked": 2, "stored": 4}
    assert set(prompts(server).values()) == {1}
    assert len(server.requests) == 6


def test_workers_share_the_bound(served, server):
    """Two workers, a judge each, send seven of twelve between them; the next run the other five."""
    spent = served.run("-k", "toy and (one or two)", "-n", "2", "--emoprefer-max-requests", "7")
    assert spent.parseoutcomes()["failed"] >= 1
    assert len(server.requests) == 7
    assert sum(provenances(case)["parsed"] for case in served.cases().values()) == 7
    rest = served.run("-k", "toy and (one or two)", "-n", "2", "--emoprefer-max-requests", "5")
    rest.assert_outcomes(passed=2)
    assert set(prompts(server).values()) == {1}
    assert len(server.requests) == 12


def test_a_refusal_is_a_verdict_and_is_asked_again(served, server):
    """It is no label, no error and not stored: the report says so, and the next run asks for it, and for it alone."""
    server.refused.add("he is sad")
    run = served.run("-k", "one and toy", "-v", "--emoprefer-compare-fail", "min_answered:0.5", apart=True)
    run.assert_outcomes(passed=1)
    case = served.cases()["one-S1-toy"]
    assert case["complete"]
    assert case["faults"] == {}
    assert provenances(case) == {"parsed": 4, "refused": 2}
    assert [case["verdicts"][0][order][0] for order in ("forward", "exchanged")] == [None, None]
    assert case["scores"]["answered"]["mean"] == pytest.approx(4 / 6)
    transcript = (served.pytester.path / ".emoprefer" / case["transcript"]).read_text().splitlines()
    assert sum("refused" in json.dumps(json.loads(line)) for line in transcript) == 2
    server.refused.clear()
    server.forget()
    served.run("-k", "one and toy", apart=True).assert_outcomes(passed=1)
    assert all("he is sad" in body["messages"][-1]["content"] for body in server.bodies())
    assert len(server.requests) == 2
    assert provenances(served.cases()["one-S1-toy"]) == {"parsed": 6}


def provenances(case):
    """Count why the verdicts of a case are what they are, over both orders."""
    (one,) = case["verdicts"]
    return Counter(one["forward_provenance"] + one["exchanged_provenance"])
