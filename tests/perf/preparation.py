"""What it takes to make the tensors of a clip in both engines: with 300 seconds of spectrum, and as it is now."""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from emoprefer_bench.demo import JUDGE
from emoprefer_bench.engines.children import encoding, patches
from emoprefer_bench.engines.children.ahead import Ahead
from emoprefer_bench.engines.children.encoding import Encoder, ShortSpectra
from emoprefer_bench.engines.children.inputs import chat_of, heard_samples, media_of
from emoprefer_bench.engines.children.operators import declare_operators
from emoprefer_bench.engines.children.vllm_preparing import keep_processor
from emoprefer_bench.engines.families import adapter

declare_operators()
from transformers import Qwen2VLVideoProcessor  # noqa: E402  # imports torchvision

ADAPTER = adapter("qwen25omni")
RATE, FPS = 16_000, 25
TIMES = 7
SIZES = {"360p": (640, 360), "720p": (1280, 720)}
SPECTRUM = {"sampling_rate": RATE, "padding": "max_length", "return_tensors": "pt"}


def clip(folder: Path, seconds: float, size: tuple[int, int], number: int) -> dict[str, Any]:
    """A decoded clip that never was: noise to see and to hear, as large as a real one."""
    dice = np.random.default_rng(number)
    assert ADAPTER.plan
    places = ADAPTER.plan.places(int(seconds * FPS), FPS)
    frames = dice.integers(0, 255, (len(places), size[1], size[0], 3), np.uint8)
    sound = dice.standard_normal(int(seconds * RATE), dtype=np.float32) / 10
    names = {"frames": frames, "waveform": sound}
    for name, array in names.items():
        np.save(folder / f"{number}-{name}.npy", array)
    return {
        "name": f"c{number}",
        "digest": f"{number}",
        **{name: str(folder / f"{number}-{name}.npy") for name in names},
        "indices": places,
        "fps": len(places) / seconds,
        "source_fps": float(FPS),
        "total_frames": int(seconds * FPS),
        "duration": seconds,
        "sample_rate": RATE,
    }


def question(about: dict[str, Any]) -> dict[str, Any]:
    """A question about it."""
    return {"prompt": "a1 or a2?", "modality": "audiovideo", "clip": about}


def median(once: Callable[..., object], *args: Any, **kwargs: Any) -> float:
    """The median time of calling it so; that of the processor, which other load doesn't lengthen."""
    taken = []
    for _ in range(TIMES):
        started = time.process_time()
        once(*args, **kwargs)
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def told(what: str, before: float, after: float) -> None:
    """Print a line."""
    print(f"{what}: {1000 * before:.0f} ms -> {1000 * after:.1f} ms, {before / after:.0f} times as fast", flush=True)


def spectra(extractor: Any) -> None:
    """Print it for the sound alone, of 4, 10 and 60 seconds."""
    for length in (4, 10, 60):
        sound = np.random.default_rng(0).standard_normal(length * RATE).astype(np.float32)
        long, short = (median(extract, [sound], **SPECTRUM) for extract in (extractor, ShortSpectra(extractor)))
        told(f"spectrum of {length} s", long, short)


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """Have encoders make 300 seconds of each sound, and patches of frames that are 32 bits a number."""
    cutting = getattr(Qwen2VLVideoProcessor, patches.PREPROCESS)
    with (
        mock.patch.object(encoding, "ShortSpectra", lambda extractor: extractor),
        mock.patch.object(Qwen2VLVideoProcessor, patches.PREPROCESS, cutting.__wrapped__),
    ):
        yield


def anew(encoder: Encoder, about: dict[str, Any], numbers: Iterator[int]) -> None:
    """Encode a question about a clip as if it were another one each time."""
    encoder.encode(question({**about, "digest": f"{next(numbers)}"}))


def whole_clips(chat: Any, folder: Path) -> None:
    """Print it for clips with their pictures, and for one question of several about a clip."""
    numbers = itertools.count(100)
    for (name, size), seconds in itertools.product(SIZES.items(), (4, 10)):
        about = clip(folder, seconds, size, 0)
        with as_it_was():
            whole = median(anew, Encoder(ADAPTER, copy.deepcopy(chat)), about, numbers)
        after = Encoder(ADAPTER, copy.deepcopy(chat))
        now = median(anew, after, about, numbers)
        told(f"transformers, a clip of {seconds} s, {name}", whole, now)
        after.encode(question(about))
        told("  a further question about it", whole, median(after.encode, question(about)))


def several(chat: Any, folder: Path) -> None:
    """Print how long twelve clips take one thread, and two."""
    asked = [question(clip(folder, 4, SIZES["720p"], number)) for number in range(12)]
    taken = {}
    for count in (1, 2, 1, 2):
        encoders = Encoder.several(ADAPTER, copy.deepcopy(chat), count + 1)
        ahead = Ahead(encoders[1:])
        started = time.perf_counter()
        for each in asked:
            ahead.prepare(each)
        ahead._pool.shutdown()
        taken.setdefault(count, []).append(time.perf_counter() - started)
    one, two = (min(taken[count]) for count in (1, 2))
    print(
        f"transformers, 12 clips of 4 s, 720p: one thread {one:.1f} s, two {two:.1f} s, {one / two:.2f} times as fast"
    )


def in_vllm(folder: Path) -> None:
    """Print it for vLLM's own preparation, on clips that differ in how many frames a second they have."""
    from vllm.config import ModelConfig  # noqa: PLC0415  # takes longer than all that the others measure
    from vllm.multimodal import MULTIMODAL_REGISTRY  # noqa: PLC0415
    from vllm.multimodal.processing import InputProcessingContext as Context  # noqa: PLC0415

    limits = {"audio": 1, "video": 1, "image": 0}
    arguments = {"mm_processor_kwargs": ADAPTER.video_arguments(), "limit_mm_per_prompt": limits}
    config = ModelConfig(model=str(JUDGE), dtype="float32", max_model_len=16384, **arguments)
    processor = MULTIMODAL_REGISTRY.create_processor(config)
    extractor = processor.info.get_hf_processor().feature_extractor
    numbers = itertools.count()

    def prepare(about: dict[str, Any], *, short: bool) -> None:
        media = media_of(ADAPTER, question(about))
        assert media
        assert media.waveform is not None
        rate = 2 - next(numbers) / 1000  # another one each time
        asked: dict[str, Any] = {"fps": rate, "use_audio_in_video": True, "second_per_grid_ts": [2 / rate]}
        if short:
            asked["audio_kwargs"] = {"max_length": heard_samples(extractor, len(media.waveform))}
        data = {"video": [(media.frames, {**media.metadata, "do_sample_frames": False})]}
        items = processor.info.parse_mm_data({**data, "audio": [(media.waveform, RATE)]})
        processor("<|vision_bos|><|VIDEO|><|vision_eos|>a1?", items, hf_processor_mm_kwargs=asked)

    kinds = list(itertools.product(SIZES.items(), (4, 10)))
    clips = {
        f"{seconds} s, {name}": clip(folder, seconds, size, number)
        for number, ((name, size), seconds) in enumerate(kinds)
    }
    keep_processor()
    prepare(clips["4 s, 360p"], short=True)
    after = {name: median(prepare, about, short=True) for name, about in clips.items()}
    # Each processor that vLLM loads and keeps makes the next calls slower, so this comes last.
    with as_it_was(), mock.patch.object(Context, "get_hf_processor", Context.get_hf_processor.__wrapped__):
        for name, about in clips.items():
            told(f"vLLM, a clip of {name}", median(prepare, about, short=False), after[name])


def main() -> None:
    """Print all, with one thread of torch's; vLLM's in a process of its own."""
    patches.cut_first()
    with tempfile.TemporaryDirectory() as made:
        if sys.argv[1:] == ["vllm"]:
            in_vllm(Path(made))
            return
        torch.set_num_threads(1)
        chat = chat_of(ADAPTER, str(JUDGE))
        spectra(chat.feature_extractor)
        whole_clips(chat, Path(made))
        several(chat, Path(made))
    subprocess.run([sys.executable, __file__, "vllm"], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
