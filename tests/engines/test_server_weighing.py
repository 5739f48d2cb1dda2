"""What a server tells of a prompt, read with care: what it doesn't tell, or tells of something else, is an error.

What vLLM's own server tells is tested with one (test_served_watching.py).
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support.asking import Sessions, asked
from support.recorded import completion
from support.servers import Server, reply

import emoprefer_bench
from emoprefer_bench.engines.children.server_weighing import behind

PROMPT, TEXT = [5, 6, 7], "He smiles."


def told(**changes):
    """A completion as vLLM's server sends it where a text of two tokens stands behind the prompt."""
    rows = [None, *({str(token): {"logprob": -token / 10, "rank": 1}} for token in (6, 7, 8, 9))]
    fields = {"prompt_token_ids": [*PROMPT, 8, 9], "prompt_logprobs": rows, "prompt_text": f"<user>Say.<model>{TEXT}"}
    return SimpleNamespace(**{**fields, **changes})


def test_the_rows_behind_the_prompt_are_the_texts():
    """With the text that was rendered, or, where an older server doesn't tell that, without."""
    assert behind(told(), PROMPT, TEXT) == behind(told(prompt_text=None), PROMPT, TEXT) == [-0.8, -0.9]


@pytest.mark.parametrize(
    ("changes", "prompt", "says"),
    [
        ({"prompt_logprobs": None}, PROMPT, "gave no log-probabilities of a prompt"),
        ({"prompt_logprobs": [None]}, PROMPT, "gave no log-probabilities of a prompt"),
        ({"prompt_token_ids": None}, PROMPT, "doesn't tell the tokens of a prompt"),
        ({}, [5, 6, 1], "opens an answer otherwise"),
        ({}, [5, 6, 7, 8, 9], "opens an answer otherwise"),
        ({"prompt_text": "<user>Say.<model>He smiles"}, PROMPT, "changes a text"),
    ],
    ids=["no rows", "fewer rows", "no tokens", "another prompt", "no text", "another text"],
)
def test_what_is_not_told_is_an_error(changes, prompt, says):
    """It says what is wrong with this server, and never takes other rows for the text's."""
    with pytest.raises(RuntimeError, match=says):
        behind(told(**changes), prompt, TEXT)


def test_a_text_with_spaces_around_it_needs_to_be_seen_whole():
    """Chat templates strip texts, so nobody can tell without what was rendered."""
    with pytest.raises(RuntimeError, match="changes a text"):
        behind(told(prompt_text=None), PROMPT, f"{TEXT} ")


@pytest.mark.parametrize(("owner", "dialect"), [("vllm", "openai"), ("sglang", "vllm")])
def test_no_other_server_is_asked_what_vllm_is(tmp_path, owner, dialect):
    """It may refuse fields that it doesn't know: labels are read off its answer in one request, and that is all."""

    def answer(request):
        if request.path.endswith("/models"):
            return reply({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": owner}]})
        body = completion("a1", model="m")
        place = {"token": "a1", "logprob": -0.5, "bytes": None}
        body["choices"][0]["logprobs"] = {"content": [{**place, "top_logprobs": [place]}], "refusal": None}
        return reply(body)

    server = Server(answer=answer)
    engine = emoprefer_bench.served("m", base_url=f"{server.url}/v1", dialect=dialect)
    try:
        with Sessions(tmp_path) as sessions:
            (given,) = sessions.ask(engine, asked(score=("a1", "a2", "same")))
    finally:
        server.close()
    assert given.logprobs == ((-0.5,), None, None)
    assert len(server.requests) == 1
    assert not set(server.bodies()[0]) & {"return_token_ids", "prompt_logprobs", "continue_final_message"}
