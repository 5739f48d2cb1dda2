"""The child that answers through vLLM, its GPU and its CPU builds: `python -m emoprefer_bench.engines.children.vllm`.

Questions go to vLLM's asynchronous engine as they come, and each answer is sent the moment it is finished. Clips are
named by content to vLLM, so that its caches of preprocessed media and of prompt prefixes make the second question
about a clip cheap, and never give one clip's result to another.
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import logging
import os
import time
from typing import TYPE_CHECKING, Any

from emoprefer_bench.engines.children import loaded, patches
from emoprefer_bench.engines.children.inputs import (
    Media,
    Prompter,
    adapter_of,
    chat_of,
    heard_samples,
    marks_thoughts,
    media_of,
)
from emoprefer_bench.engines.children.memory import READ_AT_ONCE, Cache, cache_of, check_fits, computing
from emoprefer_bench.engines.children.positions import MENDED, VLLM_WORKER, vllm_models
from emoprefer_bench.engines.children.vllm_preparing import keep_processor
from emoprefer_bench.engines.children.vllm_weighing import Weigher, can_weigh
from emoprefer_bench.protocol.worker import Ask, Inbox, Reply, end, one_line, serve
from emoprefer_bench.reading.thinking import opened_by

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.async_llm import AsyncLLM

    from emoprefer_bench.engines.adapters import Adapter

# More in flight than this only fills the spool with decoded clips.
MOST_IN_FLIGHT = 64

CPU_CACHE_BYTES = 1 << 30

OVERLONG = ("maximum context length", "maximum model length")

ENVIRONMENT = {
    # The engine's own process must not be a fork of one with threads, nor hold on to the protocol's descriptors.
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_NO_USAGE_STATS": "1",
}
CPU_ENVIRONMENT = {
    # The engine is in a process of its own in any case; this spares it a second one.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}

log = logging.getLogger(__name__)


class Vllm:
    """A running vLLM engine."""

    def __init__(
        self,
        engine: AsyncLLM,
        adapter: Adapter,
        prompter: Prompter,
        loras: dict[str, LoRARequest],
        extractor: Any,
        ready: dict[str, Any],
    ) -> None:
        self.ready = ready
        self._extractor = extractor
        self._loras = loras
        self._engine = engine
        self._adapter = adapter
        self._prompter = prompter
        self._skips_special = not marks_thoughts(engine.get_tokenizer())
        self._unproven = adapter.family in MENDED["vllm"]
        self._weigher = Weigher(engine, self._send)

    def run(self, inbox: Inbox, reply: Reply) -> None:
        """Answer for ever, all that waits at once."""
        asyncio.run(self._run(inbox, reply))

    async def _run(self, inbox: Inbox, reply: Reply) -> None:
        answering: set[asyncio.Task[None]] = set()
        while True:
            task = asyncio.create_task(self._answer(await asyncio.to_thread(inbox.get), reply))
            answering.add(task)
            task.add_done_callback(answering.discard)

    async def _answer(self, ask: Ask, reply: Reply) -> None:
        started = time.perf_counter()
        try:
            prompt = await asyncio.to_thread(self._prompt, ask.question)
            prepared = time.perf_counter()
            answer = self._weigh if ask.question.get("score") else self._generate
            fields = await answer(prompt, ask)
            await self._prove_positions()
        except Exception as error:
            log.exception("Question %s failed", ask.id)
            self._explain(ask, error, reply)
            return
        seconds = {"preprocess": prepared - started, "model": time.perf_counter() - prepared}
        reply.answer(ask.id, seconds=seconds, **fields)

    async def _prove_positions(self) -> None:
        """Raise RuntimeError, before there is an answer, where vLLM has positions from elsewhere than from our code."""
        if self._unproven and not any(await self._engine.collective_rpc("prompts_numbered")):
            raise RuntimeError(
                f"this vLLM gets the positions of {self._adapter.family} from code that wasn't mended: use a version "
                "that docs/models.md names, or the other engine",
            )
        self._unproven = False

    def _explain(self, ask: Ask, error: Exception, reply: Reply) -> None:
        if self._engine.errored:
            log.critical("vLLM's engine process died while it answered; its own messages stand above")
            end()
        if any(sign in str(error) for sign in OVERLONG):
            reply.answer(ask.id, "", "overlong")
        else:
            reply.error(ask.id, one_line(error.__cause__ or error))  # vLLM's own errors say nothing but that they are

    def _prompt(self, question: dict[str, Any]) -> dict[str, Any]:
        media = media_of(self._adapter, question)
        prompt: dict[str, Any] = {"prompt": self._prompter.text(question)}
        return {**prompt, **self._media(question["modality"], media)} if media else prompt

    def _media(self, modality: str, media: Media) -> dict[str, Any]:
        data: dict[str, Any] = {}
        arguments: dict[str, Any] = {}
        if media.frames is not None and self._adapter.frames_as_images:
            data["image"] = list(media.frames)
        elif media.frames is not None:
            data["video"] = [(media.frames, {**media.metadata, "do_sample_frames": False})]
            if self._adapter.audio_in_video:
                arguments["fps"] = media.fps
        if media.waveform is not None:
            data["audio"] = [(media.waveform, media.sample_rate)]
            if self._extractor is not None:
                arguments["audio_kwargs"] = {"max_length": heard_samples(self._extractor, len(media.waveform))}
        if self._adapter.audio_in_video and modality == "audiovideo":
            # The layout of the prompt reads the second, the positions come from the first: both, or they disagree.
            arguments |= {"use_audio_in_video": True, "second_per_grid_ts": [2 / media.fps]}
        # Sound inside a picture shares its place, and only one of the two names guards a block of the prefix cache.
        # Where each has a place of its own, one name for both would have vLLM put the one where the other belongs.
        shared = self._adapter.audio_in_video
        names = {k: _names(media.identity if shared else f"{media.identity}-{k}", len(v)) for k, v in data.items()}
        return {"multi_modal_data": data, "mm_processor_kwargs": arguments, "multi_modal_uuids": names}

    async def _generate(self, prompt: dict[str, Any], ask: Ask) -> dict[str, Any]:
        """Return the fields of an answer that is drawn."""
        sampling = _sampling(ask.question["sampling"], skip_special_tokens=self._skips_special)
        output = await self._send(prompt, sampling, ask.id, ask.question["modality"])
        counts = {
            **self._prompter.count(list(output.prompt_token_ids or [])),
            "cached": output.num_cached_tokens or 0,
            "output": len(output.outputs[0].token_ids),
        }
        text = opened_by(prompt["prompt"]) + output.outputs[0].text
        return {"text": text, "finish": str(output.outputs[0].finish_reason), "tokens": counts}

    async def _weigh(self, prompt: dict[str, Any], ask: Ask) -> dict[str, Any]:
        """Return the fields of an answer that weighs."""
        texts = self._prompter.texts(ask.question)
        weighed = await self._weigher.weigh(prompt, texts, ask.question["modality"])
        counts = {**self._prompter.count(weighed.prompt), "cached": weighed.cached}
        return {"tokens": counts, "logprobs": weighed.logprobs}

    async def _send(self, prompt: dict[str, Any], sampling: SamplingParams, name: str, modality: str) -> RequestOutput:
        lora = self._loras.get(modality)
        # Prompts are written for a tokenizer that adds its own start; of some models (Gemma 4), vLLM's doesn't.
        whole = {"add_special_tokens": True}
        answers = self._engine.generate(prompt, sampling, name, lora_request=lora, tokenization_kwargs=whole)  # type: ignore[arg-type]
        output = [output async for output in answers][-1]
        if output.outputs[0].finish_reason not in ("stop", "length"):
            raise RuntimeError(f"vLLM gave up the request: {output.outputs[0].finish_reason}")
        return output


def _names(identity: str, count: int) -> list[str]:
    return [identity] if count == 1 else [f"{identity}-{number}" for number in range(count)]


def _sampling(sampling: dict[str, Any], *, skip_special_tokens: bool) -> SamplingParams:
    """Set every value, or vLLM takes the checkpoint's; the protocol has vLLM's names and meanings."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(output_kind=RequestOutputKind.FINAL_ONLY, skip_special_tokens=skip_special_tokens, **sampling)


def load(message: dict[str, Any]) -> Vllm:
    """Start vLLM with the model of a `load` message. Raises ValueError for an option that this vLLM doesn't know."""
    _set_environment(ENVIRONMENT)
    import vllm
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    if current_platform.is_cpu():
        _set_environment(CPU_ENVIRONMENT)
    adapter, options = adapter_of(message)
    if "vllm" not in adapter.engines:
        raise ValueError(f"vLLM can't run {adapter.family}; {' and '.join(adapter.engines)} can")
    cache, compute = _memory(message, options)
    check_fits(message["model"], message["revision"], options.get("dtype"), cache=cache, compute=compute)
    known = [field.name for field in dataclasses.fields(AsyncEngineArgs)]
    _check(options, known, vllm.__version__)
    if adapter.audio_in_video:
        keep_processor()
    if "video" in adapter.modalities:
        patches.cut_first()
    if adapter.family in MENDED["vllm"]:
        vllm_models()  # is refused here in plain words, and in a worker only in its log
        if "worker_extension_cls" in options:
            raise ValueError(f"worker_extension_cls is taken: it mends the positions of {adapter.family}; leave it")
    defaults = {**_defaults(adapter, message, cpu=current_platform.is_cpu()), **_preparing(adapter, options)}
    # Its defaults are for many questions and no user who waits: up to eight times as many tokens are read in a step.
    offline = UsageContext.LLM_CLASS
    engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**{**defaults, **options}), usage_context=offline)
    ready = {
        "engine": "vllm",
        "version": vllm.__version__,
        "device": "CPU" if current_platform.is_cpu() else current_platform.get_device_name(),
        "concurrency": min(engine.vllm_config.scheduler_config.max_num_seqs, MOST_IN_FLIGHT),
        "revision": loaded.revision(message),
        "scores": can_weigh(engine),
    }
    trust = bool({**defaults, **options}.get("trust_remote_code"))
    chat: Any = engine.get_tokenizer()
    if not adapter.template:
        chat = chat_of(adapter, message["model"], revision=message["revision"], trust_remote_code=trust)
    extractor = chat.feature_extractor if adapter.audio_in_video else None  # of the others, each has its own width
    return Vllm(engine, adapter, Prompter(adapter, chat), _loras(adapter, message), extractor, ready)


def _loras(adapter: Adapter, message: dict[str, Any]) -> dict[str, LoRARequest]:
    """Return what vLLM adds to the weights for each modality."""
    if not adapter.loras:
        return {}
    from huggingface_hub import snapshot_download
    from vllm.lora.request import LoRARequest

    model = message["model"]
    folder = model if os.path.isdir(model) else snapshot_download(model, revision=message["revision"])  # noqa: PTH112  # it may be a hub's name
    names = sorted(set(adapter.loras.values()))
    requests = {name: LoRARequest(name, number, f"{folder}/{name}") for number, name in enumerate(names, 1)}
    return {modality: requests[name] for modality, name in adapter.loras.items()}


def _set_environment(values: dict[str, str]) -> None:
    for name, value in values.items():
        os.environ.setdefault(name, value)


def _check(options: dict[str, Any], known: list[str], version: str) -> None:
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise ValueError(f"vLLM {version} has no option {name!r}{f'; did you mean {close[0]!r}?' if close else ''}")


def _memory(message: dict[str, Any], options: dict[str, Any]) -> tuple[Cache | None, int]:
    """Return what vLLM keeps of a prompt as long as the context, and what it computes with, by the config.

    None and 0 where that can't be told.
    """
    from transformers import PreTrainedConfig

    try:
        config, _ = PreTrainedConfig.get_config_dict(message["model"], revision=message["revision"])
    except (OSError, ValueError):  # vLLM itself will say what is wrong with it
        return None, 0
    kept = None if options.get("kv_cache_dtype", "auto") != "auto" else cache_of(config, options.get("max_model_len"))
    return kept, computing(config, options.get("max_num_batched_tokens") or READ_AT_ONCE)


def _preparing(adapter: Adapter, options: dict[str, Any]) -> dict[str, Any]:
    """Return what has to be set where several threads prepare media. Raises ValueError for what doesn't go together.

    All threads would write to vLLM's cache of what was prepared, which is safe for one: wrong media could come out of
    it (its pull requests 38418 and 50896). In the cache that lies in shared memory, vLLM 0.32 doesn't find again that a
    clip's sound belongs inside its picture, and every question with both is an error.
    """
    if adapter.audio_in_video and options.get("mm_processor_cache_type") == "shm":
        raise ValueError(
            f"mm_processor_cache_type='shm' doesn't go with {adapter.family}: vLLM loses there that a clip's sound "
            "belongs inside its picture. Leave it",
        )
    if options.get("renderer_num_workers", 1) == 1:
        return {}
    if options.get("mm_processor_cache_gb"):
        raise ValueError(
            "renderer_num_workers and mm_processor_cache_gb don't go together: vLLM's cache of prepared clips is not "
            "safe for several threads. Leave the one or the other",
        )
    return {"mm_processor_cache_gb": 0}


def _limits(adapter: Adapter) -> dict[str, int]:
    heard, seen = int("audio" in adapter.modalities), int("video" in adapter.modalities)
    if adapter.frames_as_images:
        assert adapter.plan is not None
        return {"image": adapter.plan.max_frames, "video": 0, "audio": heard}
    return {"image": 0, "video": seen, "audio": heard}


def _defaults(adapter: Adapter, message: dict[str, Any], *, cpu: bool) -> dict[str, Any]:
    gpus = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    defaults = {
        "model": message["model"],
        "revision": message["revision"],
        "tensor_parallel_size": len(gpus) or 1,
        "enable_prefix_caching": True,
        "limit_mm_per_prompt": _limits(adapter),
        "mm_processor_kwargs": adapter.video_arguments() or None,
        "seed": 0,
        **adapter.vllm_options,
    }
    if adapter.family in MENDED["vllm"]:
        defaults["worker_extension_cls"] = VLLM_WORKER
    if cpu:
        defaults |= {
            # Of 128, the CPU's default, most prompts would have no whole block to find in the cache again.
            "block_size": 32,
            # A prompt that is computed in pieces and drawn with a seed ends the engine: "CPU Generator does not use
            # offset" (vLLM 0.32, gpu_model_runner.py, where it takes back the draw after each piece).
            "enable_chunked_prefill": False,
            "kv_cache_memory_bytes": CPU_CACHE_BYTES,
            "enforce_eager": True,
            "dtype": "float32",
        }
    return defaults


if __name__ == "__main__":
    serve(load)
