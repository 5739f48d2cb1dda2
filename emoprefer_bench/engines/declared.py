"""The engines that a model fixture can return. Making one costs nothing; its process starts with the first question."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

from emoprefer_bench.engines.adapters import Adapter, split
from emoprefer_bench.engines.engine import ChildEngine, DeclarationError
from emoprefer_bench.engines.families import FAMILIES, SOUND_ALONE, adapter, family_of
from emoprefer_bench.engines.functions import NAMELESS, FunctionEngine, Said
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.engines.served import ServedEngine
from emoprefer_bench.engines.sight import installed
from emoprefer_bench.engines.weights import model_type, packaged
from emoprefer_bench.media.plan import MediaPlan, Spread
from emoprefer_bench.pairs import Question, Sampling
from emoprefer_bench.prompts import Whitespace
from emoprefer_bench.protocol.environment import HUB, PASSWORD_IN_URL, PROXIES

PATIENCE = 3600.0  # seconds; a server that asks to wait is no dead child
SAMPLING = tuple(field.name for field in fields(Sampling))
DESCRIBED_BY = ("config.json", "params.json")  # the latter in Mistral's own format, which vLLM reads
LOCAL = re.compile(r"[/~]|\.\.?/")
FED = ("whitespace", "flat_answers")  # how its prompts are filled, whatever the prompt pack says

__all__ = [
    "ChildEngine",
    "FunctionEngine",
    "ServedEngine",
    "external",
    "function",
    "gemini",
    "gpt",
    "listener",
    "packaged",
    "served",
    "transformers",
    "vllm",
]


def vllm(model: str, *, gpus: Gpus, revision: str | None = None, **options: Any) -> ChildEngine:  # vLLM's own options
    """A model in vLLM: `model` is a hub name or a folder.

    `options` are sampling settings (`max_tokens`, `temperature`, `top_p`, `top_k`, `repetition_penalty`,
    `presence_penalty`), adapter settings (`family`, `system`, `thinking`, `min_pixels`, `max_pixels`), `timeout` in
    seconds, `env` (names of variables with secrets that it needs beside the hub's token), and whatever vLLM's engine
    takes. Four more feed a model as the EmoPrefer paper's code did (docs/models.md): `frame_rate`, `flat_answers`,
    `spread` (of MediaPlan) and `whitespace`.
    """
    module = "emoprefer_bench.engines.children.vllm"
    version = installed("vllm")
    return _local("vllm", module, version, (("vllm", "vllm"),), model, gpus, revision, options)


def transformers(model: str, *, gpus: Gpus, revision: str | None = None, **options: Any) -> ChildEngine:  # as above
    """A model in transformers; `options` as for `vllm`, and those of children/transformers.py (`batch_size` ...).

    A model ending in `.gguf` is read as GGUF.
    """
    module = "emoprefer_bench.engines.children.transformers"
    version = installed("transformers")
    packages = (("torch", "transformers"), ("transformers", "transformers"))
    return _local("transformers", module, version, packages, model, gpus, revision, options)


def external(
    command: str,
    *,
    python: str | None = None,
    gpus: Gpus | None = None,
    model: str = "",
    version: str = "",
    plan: MediaPlan | None = None,
    env: str | Sequence[str] = (),
    **options: Any,  # the worker's own options
) -> ChildEngine:
    """A worker of another environment that speaks docs/protocol.md.

    `command` is split as a shell would; `python`, an environment's folder or interpreter, replaces a leading `python`.
    `version` identifies the worker and its weights in the key of every answer: change it when they change. With a
    `plan`, clips are decoded for the worker; without, it gets the paths alone. `env` names the variables with secrets
    that it needs: it gets no others (docs/external.md). Raises DeclarationError without a version.
    """
    if not version:
        raise DeclarationError(
            f"external({command!r}) needs a version=...: its answers are kept under that, and another worker, or the "
            "same with other weights, would be given them. Say both, as in version='my-model 7b, worker 1'"
        )
    words = shlex.split(command)
    if python and words[:1] == ["python"]:
        folder = Path(python).expanduser()
        words[0] = str(folder / "bin" / "python" if folder.is_dir() else folder)
    common, rest = _parted(options)
    return ChildEngine(
        kind="external",
        version=version,
        env=_names(env),
        command=tuple(words),
        model=model or command,
        options=rest,
        plan=plan,
        gpus=gpus or Gpus(),
        **common,
    )


def served(
    model: str,
    *,
    base_url: str | Sequence[str],
    gpus: Gpus | None = None,
    key: str | None = None,
    revision: str | None = None,
    picture: str = "video",
    frames: int = 8,
    spread: Spread = "ends",
    **options: Any,  # as in engines/children/openai.py and engines/children/remote.py
) -> ServedEngine:
    """A model behind a server that speaks OpenAI's API, such as `vllm serve`, or behind a fleet of them.

    A fleet is a list of addresses: all questions about a clip go to one of them, and one that fails is left for the
    others; `revision` has to say then what they all serve. Or it is the one address of a router, which finds the digest
    of the clip in the header that `session_header` names.

    `key` names the environment variable with the server's key, where it wants one. The clip goes as a `video` file or
    as `images` (`frames` of them), the sound as a WAV file. `revision` says which weights the server has: then answers
    are kept under that, whatever the address; without it, under the address. `options` are sampling settings,
    `concurrency` (of each address), `attempts`, `request_timeout` and `health_seconds`, `system`, `text_first` (the
    question before the clip), and `extra` (into the body of each request). `spread` says which frames the images are
    (MediaPlan). Start vLLM with `--enable-prompt-tokens-details`, so that it counts the tokens of sound and picture.

    vLLM's own server weighs any text, and reads the clip anew for each (docs/weighing.md). Another one weighs labels,
    where it lists the likeliest tokens.
    """
    plan = replace(SOUND_ALONE, max_frames=frames, spread=spread) if picture == "images" else SOUND_ALONE
    options = {"base_url": _addresses(model, base_url, revision), "key": key, "picture": picture, **options}
    return _remote("openai", model, revision, plan, gpus, options)


def gpt(
    model: str,
    *,
    gpus: Gpus | None = None,
    key: str = "OPENAI_API_KEY",
    frames: int = 3,
    spread: Spread = "ends",
    **options: Any,  # as for `served`
) -> ServedEngine:
    """A model of OpenAI: it gets `frames` images of the clip, as in the reference, and the audio models its sound.

    `model` should be a dated name, since a plain one changes its meaning with time. At another address (`base_url`, or
    OPENAI_BASE_URL), answers are kept under that.
    """
    options = {"key": key, "picture": "images", "dialect": "openai", **_address(options, "OPENAI_BASE_URL")}
    revision = None if options.get("base_url") else model
    engine = _remote("openai", model, revision, replace(SOUND_ALONE, max_frames=frames, spread=spread), gpus, options)
    if engine.sampling.top_k or engine.sampling.repetition_penalty != 1:
        raise DeclarationError(f"{model}: OpenAI takes no top_k and no repetition_penalty; leave them")
    return engine


def gemini(
    model: str, *, gpus: Gpus | None = None, key: str = "GEMINI_API_KEY", **options: Any
) -> ServedEngine:  # as for `served`
    """A Gemini model: it gets the video file itself, with its sound.

    `options` are sampling settings, `fps`, `thinking_budget` (tokens) or `thinking_level`, and those of any server
    (engines/children/remote.py). At another address (`base_url`, or GOOGLE_GEMINI_BASE_URL), answers are kept under
    that. It gives no log-probabilities to rely on, so it is never asked to weigh texts.
    """
    options = {"key": key, **_address(options, "GOOGLE_GEMINI_BASE_URL")}
    engine = _remote("gemini", model, None if options.get("base_url") else model, SOUND_ALONE, gpus, options)
    if engine.sampling.repetition_penalty != 1:
        raise DeclarationError(f"{model}: Gemini takes no repetition_penalty; leave it")
    return engine


def listener(*, gpus: Gpus | None = None, **options: Any) -> ChildEngine:  # the worker's own options
    """The judge by voice and words that needs no LLM (emoprefer_bench/engines/children/listener.py)."""
    from emoprefer_bench.engines.children import listener as worker
    from emoprefer_bench.engines.children.minilm import weights_path

    common, rest = _parted(options)
    return ChildEngine(
        kind="listener",
        version=worker.VERSION,
        command=(sys.executable, "-m", "emoprefer_bench.engines.children.listener"),
        model=str(weights_path()),
        options=rest,
        plan=worker.PLAN,
        gpus=gpus or Gpus(),
        packages=worker.PACKAGES,
        **common,
    )


def function(
    answer: Callable[[Question], Said | Awaitable[Said]],
    *,
    name: str = NAMELESS,
    version: str = "",
    looks_at: str | None = None,
    **settings: Any,  # FunctionEngine's other fields
) -> FunctionEngine:
    """A judge that is a function from a question to the text of its answer, called in this process.

    It may be `async`. `question.texts` are the two texts for a model with `prompts=()`; others read `question.prompt`.
    `question.clip.video` and `.audio` are paths, and `looks_at` ("audio", "video", "audiovideo") says which of them it
    opens. With `scores=True` it is also asked to weigh texts, those in `question.score`: then it returns a dict with
    `logprobs`, for each text a list of its tokens' log-probabilities. With a `version`, which needs a `name`, its
    answers are kept for later runs: take a new one when the function changes. Raises DeclarationError.
    """
    settings = {"durable": bool(version), **settings}
    return FunctionEngine(answer, name, version=version, looks_at=looks_at, **settings)


def _local(
    kind: str,
    module: str,
    version: str,
    packages: tuple[tuple[str, str], ...],
    model: str,
    gpus: Gpus,
    revision: str | None,
    options: dict[str, Any],
) -> ChildEngine:
    """An engine of ours, with the adapter of the model's family."""
    model = _located(model)
    common, rest = _parted(options)
    spread = rest.pop("spread", "ends")
    secrets = (*(() if Path(model).exists() else HUB), *_names(rest.pop("env", ())))
    ours, rest = split(rest)
    family = _adapter(model, revision, ours)
    return ChildEngine(
        kind=kind,
        version=version,
        command=(sys.executable, "-m", module),
        model=model,
        revision=revision,
        options=rest,
        settings=family.settings(),
        plan=replace(family.plan, spread=spread) if family.plan else None,
        gpus=gpus,
        packages=packages,
        env=secrets,
        **common,
    )


def _remote(
    kind: str, model: str, revision: str | None, plan: MediaPlan, gpus: Gpus | None, options: dict[str, Any]
) -> ServedEngine:
    """An engine of ours that asks a server."""
    module, extra = {"openai": ("openai", "openai"), "gemini": ("google.genai", "gemini")}[kind]
    common, rest = _parted(options)
    if any(PASSWORD_IN_URL.match(url) for url in _each(rest.get("base_url") or "")):
        raise DeclarationError(
            f"{model}: its base_url holds a password, which would stand in every report; put what the server wants "
            "into an environment variable, and name that as key=..."
        )
    return ServedEngine(
        kind=kind,
        version=installed(kind),
        command=(sys.executable, "-m", f"emoprefer_bench.engines.children.{kind}"),
        model=model,
        revision=revision,
        options=rest,
        plan=plan,
        gpus=gpus or Gpus(),
        packages=((module, extra), ("tenacity", extra)),
        scores=False if kind == "gemini" else None,
        env=(*([str(rest["key"])] if rest.get("key") else []), *PROXIES),
        **{**common, "timeout": max(common["timeout"], PATIENCE)},
    )


def _addresses(model: str, base_url: str | Sequence[str], revision: str | None) -> str | list[str]:
    """The address of a server, or the addresses of several. Raises DeclarationError for several of who knows what."""
    if isinstance(base_url, str):
        return base_url
    urls = [url.rstrip("/") for url in base_url]
    if not urls or len(set(urls)) < len(urls):
        raise DeclarationError(f"{model}: base_url names {'an address twice' if urls else 'no address'}")
    if len(urls) > 1 and not revision:
        raise DeclarationError(
            f"{model}: at {len(urls)} addresses it needs a revision=..., the weights that all of them serve: its "
            "answers are kept under that, since addresses come and go"
        )
    return urls if len(urls) > 1 else urls[0]


def _address(options: dict[str, Any], variable: str) -> dict[str, Any]:
    """The options with the address that a client would else read from the environment, unseen by the key."""
    address = options.get("base_url") or os.environ.get(variable)
    if address and not isinstance(address, str):
        raise DeclarationError("base_url is one address here; a model at several is declared by served(...)")
    return {**options, "base_url": address} if address else options


def _located(model: str) -> str:
    """A hub's name as it is, and a path without its `~`.

    Raises DeclarationError for what can only be a path and leads nowhere, and for a folder that holds no model.
    """
    path = Path(model).expanduser()
    if path.is_dir() and not any((path / file).is_file() for file in DESCRIBED_BY):
        raise DeclarationError(f"{model}: this folder has no config.json, so it holds no model")
    if not path.exists() and (LOCAL.match(model) or model.count("/") > 1 or model.endswith(".gguf")):
        raise DeclarationError(f"{model}: there is no such file or folder (looked for in {Path.cwd()})")
    return str(path) if model.startswith("~") else model


def _adapter(model: str, revision: str | None, ours: dict[str, Any]) -> Adapter:
    """The adapter of the model's family, with the settings that a fixture gives it."""
    try:
        return adapter(ours.pop("family", None) or _family(model, revision), **ours)
    except DeclarationError:
        raise
    except ValueError as error:
        raise DeclarationError(f"{model}: {error}") from None


def _family(model: str, revision: str | None) -> str:
    """The family that the model's config.json names, or else the one that its name contains."""
    try:
        known = model_type(model, revision)
    except (ValueError, AttributeError) as error:  # no JSON, or no object
        raise DeclarationError(f"{model}: its config.json can't be read: {error}") from None
    if known:
        return family_of(known)
    name = re.sub(r"[^a-z0-9]", "", model.lower())
    for family in sorted(FAMILIES, key=len, reverse=True):
        if family != "text" and family.replace("_", "") in name:
            return family
    raise DeclarationError(
        f"{model}: can't tell its family from the name; say family=..., one of {', '.join(sorted(FAMILIES))}"
    )


def _names(env: str | Sequence[str]) -> tuple[str, ...]:
    """The names of variables; a single one may stand without a list."""
    return _each(env)


def _each(given: str | Sequence[str]) -> tuple[str, ...]:
    """What may be one text or several, as several."""
    return (given,) if isinstance(given, str) else tuple(given)


def _parted(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part options into fields that every engine has (`sampling`, `timeout` and those of FED) and the rest.

    Raises ValueError for a way with whitespace that is not known.
    """
    sampling = Sampling(**{name: options[name] for name in SAMPLING if name in options})
    fed = {name: options[name] for name in FED if name in options}
    if (whitespace := fed.get("whitespace", "keep")) not in get_args(Whitespace):
        raise ValueError(f"whitespace={whitespace!r} is none of {', '.join(get_args(Whitespace))}")
    rest = {name: value for name, value in options.items() if name not in (*SAMPLING, *FED, "timeout")}
    return {"sampling": sampling, "timeout": float(options.get("timeout", 900.0)), **fed}, rest
