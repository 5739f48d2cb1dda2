"""What children see of the environment: no secret that they didn't declare."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from support import media_files

import emoprefer_bench
from emoprefer_bench.demo import JUDGE
from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.media.pool import Decoders
from emoprefer_bench.pairs import Clip, Question, Sampling
from emoprefer_bench.protocol.environment import without_secrets

NAMES = (
    "OPENAI_API_KEY", "GEMINI_API_KEY", "HF_TOKEN", "GITHUB_TOKEN", "CLIENT_SECRET", "PGPASSWORD", "MYSQL_PWD",
    "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AZURE_CLIENT_ID", "GOOGLE_APPLICATION_CREDENTIALS", "SSH_AUTH_SOCK",
    "SENTRY_DSN", "my_token", "API_KEY_2", "ApiKey", "NPM_CONFIG__AUTH", "CI_JOB_JWT",
)  # fmt: skip
URLS = {"PIP_INDEX_URL": "https://me:s3cret@host/simple", "DATABASE_URL": "postgres://me:s3cret@host/db"}
SECRETS = dict.fromkeys(NAMES, "s3cret") | URLS
PLAIN = ("PATH", "HOME", "PWD", "HF_HOME", "TOKENIZERS_PARALLELISM", "MONKEYS", "PASSENGERS", "MAX_TOKENS", "NO_PROXY")
CHILD = """
import json, os, sys
sys.stdin.readline()
print(json.dumps(dict(type="ready", protocol=1, engine="x", version="1")), flush=True)
for line in sys.stdin:
    print(json.dumps(dict(type="answer", id=json.loads(line)["id"], text=json.dumps(dict(os.environ)))), flush=True)
"""


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    """Let this process have them all."""
    for name, value in (SECRETS | dict.fromkeys(PLAIN[3:], "plain")).items():
        monkeypatch.setenv(name, value)


def seen(engine, log):
    """The environment that the engine's child says it has."""

    async def main():
        async with engine.open(log) as session:
            return await session.answer(Question({"engine": "x"}, "Which?", "text", Sampling()), None)

    return json.loads(asyncio.run(main()).text)


def test_secrets_are_told_by_their_names_and_values():
    """What else is there is passed on."""
    environment = {**SECRETS, **dict.fromkeys(PLAIN, "plain"), "http_proxy": "http://proxy:3128"}
    assert without_secrets(environment).keys() == {*PLAIN, "http_proxy"}
    assert without_secrets(environment, ["my_token"]).keys() == {*PLAIN, "http_proxy", "my_token"}


def test_a_worker_gets_what_it_declares(tmp_path):
    """And nothing else; what it declares is no part of the key."""
    (tmp_path / "child.py").write_text(CHILD)
    command = f"{sys.executable} {tmp_path / 'child.py'}"
    bare = emoprefer_bench.external(command, version="1")
    given = seen(bare, tmp_path / "log")
    assert not given.keys() & SECRETS.keys()
    assert given.keys() >= {"PATH", "MAX_TOKENS", "CUDA_VISIBLE_DEVICES"}
    for env in ("GITHUB_TOKEN", ["GITHUB_TOKEN", "NOT_THERE"]):
        declaring = emoprefer_bench.external(command, version="1", env=env)
        assert seen(declaring, tmp_path / "log").keys() & SECRETS.keys() == {"GITHUB_TOKEN"}
        assert declaring.identity() == bare.identity()


@pytest.mark.parametrize(
    ("declare", "declared"),
    [
        (lambda: emoprefer_bench.transformers("Qwen/Qwen2.5-Omni-3B", gpus=Gpus()), {"HF_TOKEN"}),
        (lambda: emoprefer_bench.vllm("Qwen/Qwen2.5-Omni-3B", gpus=Gpus(), env=["my_token"]), {"HF_TOKEN", "my_token"}),
        (lambda: emoprefer_bench.transformers(str(JUDGE), family="text", gpus=Gpus()), set()),
        (lambda: emoprefer_bench.gpt("gpt-4o"), {"OPENAI_API_KEY"}),
        (lambda: emoprefer_bench.gemini("gemini-2.5-pro", key="my_token"), {"my_token"}),
        (lambda: emoprefer_bench.served("m", base_url="http://a/v1"), set()),
        (emoprefer_bench.listener, set()),
    ],
    ids=["from the hub", "more", "from a folder", "gpt", "gemini", "served", "listener"],
)
def test_an_engine_gets_the_keys_that_it_uses(declare, declared):
    """The hub's for what is downloaded, the server's for who asks one, none for others."""
    (launch,) = declare().launches("log")
    assert without_secrets(SECRETS, launch.secrets).keys() == declared
    assert "env" not in launch.load["options"]


def test_a_decoder_gets_none(tmp_path):
    """It reads files of anybody's."""
    clip = Clip("c1", media_files.make_clip(tmp_path / "c1.mp4"), digest="0")

    async def main():
        decoders = Decoders(tmp_path / "log", 1)
        try:
            await decoders.decode(clip, MediaPlan(fps=1.0, min_frames=1, max_frames=4), picture=True, sound=True)
            (child,) = decoders._children
            return Path(f"/proc/{child._process.pid}/environ").read_text()  # noqa: ASYNC240
        finally:
            await decoders.close()

    environment = asyncio.run(main())
    assert "PATH=" in environment
    assert "s3cret" not in environment


def test_children_that_are_given_nothing_see_no_secret(tmp_path):
    """Also one that is declared by hand."""
    (tmp_path / "child.py").write_text(CHILD)
    engine = ChildEngine("x", "1", (sys.executable, str(tmp_path / "child.py")), "model")
    assert not seen(engine, tmp_path / "log").keys() & SECRETS.keys()
