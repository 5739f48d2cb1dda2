"""The child that answers through Hugging Face transformers: `python -m emoprefer_bench.engines.children.transformers`.

It takes what waits, questions about one clip first, and generates for up to `batch_size` of them at once, or weighs as
many texts behind one prompt. Threads prepare the next clips and questions meanwhile, so that the model doesn't wait for
picture and sound to become tensors.
"""

from __future__ import annotations

import copy
import itertools
import json
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import transformers

from emoprefer_bench.engines.children import answering, beginnings, gguf_files, loaded, patches, towers, weighing
from emoprefer_bench.engines.children.ahead import Ahead, threads
from emoprefer_bench.engines.children.encoding import Encoder
from emoprefer_bench.engines.children.generation import Draw, collate, joinable, prompt_of, take_alike, take_behind
from emoprefer_bench.engines.children.inputs import adapter_of, chat_of, marks_thoughts
from emoprefer_bench.engines.children.memory import batch_that_fits, check_fits
from emoprefer_bench.engines.children.options import checked
from emoprefer_bench.engines.children.positions import MENDED, mend_transformers
from emoprefer_bench.protocol.worker import Ask, Inbox, Reply, one_line, serve
from emoprefer_bench.reading.thinking import opened_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from emoprefer_bench.engines.adapters import Adapter

log = logging.getLogger(__name__)

Result = TypeVar("Result")
IN_FLIGHT = 3  # batches: one in the model, one behind it, and what is to be weighed behind their prompts


@dataclass(frozen=True)
class Options:
    """What a fixture may set.

    `dtype` is a name of torch's (default: bfloat16 on a GPU, else float32). `batch_size` is how many prompts are read
    at once (default: up to 16, as many as fit the GPUs by estimate). `max_model_len` is the context in tokens (default:
    the checkpoint's). The rest is transformers' own.
    """

    dtype: str | None = None
    batch_size: int | None = None
    max_model_len: int | None = None
    attn_implementation: str | None = None
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Row:
    """A question on its way through a batch: its prompt as text, as tensors, and the `seconds` that this took.

    `texts` are the tokens of those that it has weighed.
    """

    ask: Ask
    prompt: str
    tensors: dict[str, torch.Tensor]
    counts: dict[str, int]
    texts: list[list[int]]
    seconds: float


class Transformers:
    """A loaded model that answers in batches; a batch that doesn't fit the GPU's memory is halved."""

    def __init__(self, model: Any, encoders: list[Encoder], options: Options, batch_size: int) -> None:
        self._model = model
        self._encoder, *others = encoders
        encoder = self._encoder
        self._ahead = Ahead(others)
        self._tokenizer = copy.deepcopy(encoder.tokenizer)  # another thread's; a fast tokenizer serves one at a time
        self._passed_on, self._waiting = Inbox(), list[Ask]()
        self._encoded: dict[str, Future[Row | None]] = {}
        self._batch_size = batch_size
        self._context = options.max_model_len or model.config.get_text_config().max_position_embeddings
        self._stop_ids = _forget_sampling(model, self._tokenizer)
        self._skips_special = not marks_thoughts(self._tokenizer)
        self._prompts = weighing.Prompts()
        self.ready = {
            "engine": "transformers",
            "version": transformers.__version__,
            "device": torch.cuda.get_device_name() if model.device.type == "cuda" else "CPU",
            "concurrency": IN_FLIGHT * batch_size,
            "scores": True,
        }

    def run(self, inbox: Inbox, reply: Reply) -> None:
        """Answer for ever, a batch at a time."""
        threading.Thread(target=self._encode_ahead, args=(inbox, reply), daemon=True).start()
        while True:
            self._waiting += self._passed_on.waiting()
            if not self._waiting:
                self._waiting.append(self._passed_on.get())
                continue
            rows = self._rows(take_alike(self._waiting, self._batch_size))
            if rows and rows[0].texts:
                self._weigh(rows, reply)
                continue
            rows.sort(key=lambda row: str(joinable(row.tensors)))
            for _, group in itertools.groupby(rows, key=lambda row: joinable(row.tensors)):
                self._answer(list(group), reply)

    def _rows(self, asks: list[Ask]) -> list[Row]:
        """The questions as they were encoded, without those that couldn't be."""
        return [row for ask in asks if (row := self._encoded.pop(ask.id).result())]

    def _encode_ahead(self, inbox: Inbox, reply: Reply) -> None:
        """Pass questions on and have them encoded, in the order they come: no more than `concurrency` are here."""
        with ThreadPoolExecutor(1) as encoding:
            while True:
                ask = inbox.get()
                self._ahead.prepare(ask.question)
                self._encoded[ask.id] = encoding.submit(self._encode, ask, reply)
                self._passed_on.put(ask)

    def _encode(self, ask: Ask, reply: Reply) -> Row | None:
        started = time.perf_counter()
        try:
            prompt, tensors, counts = self._encoder.encode(ask.question)
            texts = self._encoder.texts(ask.question)
        except Exception as error:
            log.exception("Question %s can't be asked", ask.id)
            reply.error(ask.id, one_line(error))
            return None
        seconds = time.perf_counter() - started
        if counts["prompt"] + max(map(len, texts), default=0) >= self._context:
            reply.answer(ask.id, "", "overlong", counts, {"preprocess": seconds})
            return None
        return Row(ask, prompt, tensors, counts, texts, seconds)

    def _answer(self, rows: list[Row], reply: Reply) -> None:
        started = time.perf_counter()
        generated, exceeded = _tried(lambda: self._generate(rows))
        if generated is None:
            self._answer_in_halves(rows, reply, exceeded)
            return
        outputs, said = generated
        seconds = (time.perf_counter() - started) / len(rows)
        for row, ids in zip(rows, outputs, strict=True):
            finish = "stop" if ids[-1] in self._stop_ids else "length"
            text = self._tokenizer.decode(
                ids[:-1] if finish == "stop" else ids, skip_special_tokens=self._skips_special
            )
            # Half a character at the cut is no text; vLLM leaves it out too.
            text = opened_by(row.prompt) + text.rstrip("\N{REPLACEMENT CHARACTER}")
            counts = {**row.counts, "output": len(ids)}
            reply.answer(row.ask.id, text, finish, counts, {"preprocess": row.seconds, "model": seconds})
        self._weigh_behind(rows, said, reply)

    def _weigh_behind(self, rows: list[Row], said: weighing.Said, reply: Reply) -> None:
        """Weigh what waits to be weighed behind the prompts that were just answered, which needn't be read again."""
        for number, row in enumerate(rows):
            self._waiting += self._passed_on.waiting()
            if behind := self._rows(take_behind(self._waiting, row.ask)):
                self._weigh(behind, reply, said, number)

    def _weigh(self, rows: list[Row], reply: Reply, said: weighing.Said | None = None, answered: int = 0) -> None:
        """Weigh the texts of all rows, which have one prompt: the model reads it once, unless it just did.

        Where that was for an answer, `said` is of its batch, and `answered` its number there.
        """
        started = time.perf_counter()
        done, exceeded = _tried(lambda: self._weighed(rows, said, answered))
        if done is None and said is not None:
            said.forget()
            torch.cuda.empty_cache()
            self._weigh(rows, reply)
            return
        if done is None:
            self._weigh_fewer(rows, reply, exceeded)
            return
        weights, known = iter(done[0]), done[1]
        seconds = (time.perf_counter() - started) / len(rows)
        for number, row in enumerate(rows):
            logprobs: list[list[float] | None] = [next(weights) for _ in row.texts]
            counts = {**row.counts, "cached": row.counts["prompt"] if known or number else 0}
            spent = {"preprocess": row.seconds, "model": seconds}
            reply.answer(row.ask.id, tokens=counts, seconds=spent, logprobs=logprobs)

    def _weighed(
        self, rows: list[Row], said: weighing.Said | None, answered: int
    ) -> tuple[list[list[float]], weighing.Read | None]:
        """Return what all texts of the rows weigh, and the prompt where it needn't be read for that."""
        key = json.dumps(prompt_of(rows[0].ask.question))
        known = self._prompts.kept(key)
        if known is None and said is not None:
            known = weighing.read_for_answer(said, answered)
        prompt = known or self._prompts.keep(key, lambda: self._read(rows[0]))
        return weighing.weigh(self._model, prompt, [t for row in rows for t in row.texts], self._batch_size), known

    def _read(self, row: Row) -> weighing.Read:
        tensors = {name: self._placed(tensor) for name, tensor in row.tensors.items()}
        return weighing.read(self._model, tensors, self._encoder.generation_arguments(row.ask.question))

    def _weigh_fewer(self, rows: list[Row], reply: Reply, exceeded: str) -> None:
        self._prompts.clear()
        torch.cuda.empty_cache()
        if self._batch_size == 1:
            for row in rows:
                reply.error(row.ask.id, f"this question alone exceeds the GPU's memory: {exceeded}")
            return
        self._batch_size //= 2
        log.warning("A batch of texts exceeds the GPU's memory; going on with %d", self._batch_size)
        self._weigh(rows, reply)

    def _answer_in_halves(self, rows: list[Row], reply: Reply, exceeded: str) -> None:
        self._prompts.clear()
        torch.cuda.empty_cache()
        if len(rows) == 1:
            reply.error(rows[0].ask.id, f"this question alone exceeds the GPU's memory: {exceeded}")
            return
        self._batch_size = max(1, len(rows) // 2)
        log.warning("A batch of %d exceeds the GPU's memory; going on with %d", len(rows), self._batch_size)
        self._answer(rows[: self._batch_size], reply)
        self._answer(rows[self._batch_size :], reply)

    def _generate(self, rows: list[Row]) -> tuple[list[list[int]], weighing.Said]:
        """Return the new tokens of each row, up to and with the one that ended it, and what the model keeps of it."""
        question = rows[0].ask.question
        sampling = question["sampling"]
        batch = collate([row.tensors for row in rows], self._tokenizer.pad_token_id or 0)
        text = beginnings.can_be_apart(self._model, batch)
        batch, begun = beginnings.read_once(self._model, batch) if text else (batch, {})
        mask = batch["attention_mask"].bool()
        draw = Draw(sampling, [row.ask.question["sampling"]["seed"] for row in rows], mask)
        placed = {name: self._placed(tensor) for name, tensor in batch.items()}
        arguments = {**placed, **begun, **self._encoder.generation_arguments(question)}
        stops = answering.Stops(self._stop_ids, sampling["max_tokens"])
        outputs, cache = answering.answer(self._model, arguments, draw, stops, may_leave=text)
        return outputs, weighing.Said(cache, draw.first, mask, weighing.shifts(self._model, len(rows)))

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        """Move a tensor to the model. Pixels and spectra get its precision; times, one number a clip, keep theirs."""
        media = tensor.is_floating_point() and tensor.dim() > 1
        return tensor.to(self._model.device, self._model.dtype if media else tensor.dtype)


def _tried(work: Callable[[], Result]) -> tuple[Result | None, str]:
    """Return what comes of the work; None, and what torch said, where it exceeds the memory.

    Not the error itself: what filled the memory hangs on its traceback, and would lie there when less is tried.
    """
    try:
        return work(), ""
    except torch.OutOfMemoryError as error:
        return None, one_line(error)


def _forget_sampling(model: Any, tokenizer: Any) -> frozenset[int]:
    """Replace the checkpoint's decoding settings by greedy ones; what ends an answer stays, and is returned."""
    own = model.generation_config
    stop = own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id
    model.generation_config = transformers.GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        bos_token_id=own.bos_token_id,
        eos_token_id=stop,
        pad_token_id=tokenizer.pad_token_id or 0,
    )
    return frozenset(stop if isinstance(stop, list) else [] if stop is None else [stop])


def load(message: dict[str, Any]) -> Transformers:
    """Load the model of a `load` message. Raises ValueError for options or model types that nothing here knows."""
    model, common = message["model"], {"revision": message["revision"]}
    if model.endswith(".gguf"):
        model, common["gguf_file"] = str(Path(model).parent), Path(model).name
        message = {**message, "options": {"family": "text", **message["options"]}}
    adapter, given = adapter_of(message)
    options = checked(Options, given, "the transformers engine")
    check_fits(message["model"], message["revision"], options.dtype)
    batch_size = options.batch_size or batch_that_fits(message["model"], message["revision"], given)
    common["trust_remote_code"] = options.trust_remote_code
    if "transformers" not in adapter.engines:
        raise ValueError(f"transformers can't run {adapter.family}; {' and '.join(adapter.engines)} can")
    if adapter.family in MENDED["transformers"]:
        mend_transformers()
    if "video" in adapter.modalities:
        patches.cut_first()
    with gguf_files.read_once():
        encoders = Encoder.several(adapter, chat_of(adapter, model, **common), 1 + threads())
        loaded_model = Transformers(_weights(adapter, model, options, common), encoders, options, batch_size)
    loaded_model.ready["revision"] = loaded.revision(message)
    return loaded_model


def _weights(adapter: Adapter, model: str, options: Options, common: dict[str, Any]) -> Any:
    gpus = torch.cuda.device_count()
    dtype = options.dtype or ("bfloat16" if gpus else "float32")
    arguments: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if gpus:
        arguments |= {"device_map": "auto" if gpus > 1 else "cuda"}
    if options.attn_implementation:
        arguments |= {"attn_implementation": options.attn_implementation}
    weights = getattr(transformers, adapter.model_class).from_pretrained(model, **common, **arguments)
    towers.hasten(weights)
    return weights


if __name__ == "__main__":
    serve(load)
