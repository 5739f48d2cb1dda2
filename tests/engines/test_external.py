"""Judges of another environment: a second virtual environment that has nothing of this package."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from support.media_files import make_clip

import emoprefer_bench
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.pairs import Clip, Question, Sampling
from emoprefer_bench.protocol import worker
from emoprefer_bench.protocol.parent import LoadError

ROOT = Path(__file__).parents[2]
CHECKPOINTS = ROOT / "tests" / "support" / "checkpoints"
SCRIPT = '''
import os, sys
from worker import OneByOne, serve

def load(message):
    """Refuse to run where the package can be imported."""
    try:
        import emoprefer_bench
    except ImportError:
        pass
    else:
        raise RuntimeError("this environment is not another one")
    options = message["options"]

    def answer(question):
        print("noise on standard output")
        clip = question["clip"] or {}
        return {
            "text": f"{sys.prefix} {os.environ['CUDA_VISIBLE_DEVICES']} {message['model']} {options}"
            if question["prompt"] == "who?" else "a1",
            "tokens": {"video": len(clip.get("times", ())), "audio": int(bool(clip.get("waveform")))},
        }

    return OneByOne({"engine": "other", "version": "1"}, answer)

if __name__ == "__main__":
    serve(load)
'''


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A virtual environment, and beside it a folder with a script and a copy of worker.py."""
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True, timeout=300)
    shutil.copy(worker.__file__, folder / "worker.py")
    (folder / "script.py").write_text(SCRIPT)
    return folder


def judge(elsewhere, script="script.py", **settings):
    """The script as a judge."""
    settings = {"version": "1", **settings}
    return emoprefer_bench.external(f"python {elsewhere / script}", python=str(elsewhere / "env"), **settings)


def ask(engine, log, prompt="Which?", clip=None):
    """Ask one question."""
    about = Clip("clip", digest="0" * 64) if clip else None
    question = Question({"engine": "x"}, prompt, "video" if clip else "text", Sampling(max_tokens=9), about)

    async def main():
        async with engine.open(log) as session:
            return await session.answer(question, clip)

    return asyncio.run(main())


def test_it_runs_in_its_own_environment(elsewhere, tmp_path):
    """Its own Python, the leased GPUs, the model and the options of the fixture; what it prints goes to the log."""
    engine = judge(elsewhere, model="weights", gpus=Gpus(("3", "5")), beams=2, max_tokens=9)
    said = ask(engine, tmp_path / "log", "who?").text
    assert said == f"{elsewhere / 'env'} 3,5 weights {{'beams': 2}}"
    assert "noise on standard output" in (tmp_path / "log").read_text()


def test_a_whole_run(elsewhere, bench):
    """The plugin asks it, reads its verdicts and reports them, and its version is in the key of every answer."""
    bench.pytester.makeconftest(f"""
        import emoprefer_bench
        @emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
        def other(gpus):
            return emoprefer_bench.external(
                "python {elsewhere / "script.py"}", python="{elsewhere / "env"}", version="7", gpus=gpus)
    """)
    bench.run("-k", "other and toy", apart=True).assert_outcomes(passed=1)
    (case,) = bench.cases().values()
    assert case["questions"]["asked"] == 6
    assert case["engine"]["judge"]["identity"]["version"] == "7"
    bench.run("-k", "other and toy", apart=True).assert_outcomes(passed=1)
    assert bench.cases()["other-S1-toy"]["questions"] == {"asked": 0, "stored": 6}


def test_a_worker_that_counts_nothing_is_told_how_to(elsewhere, bench):
    """A case about clips fails where no answer says what reached the model; the message has what to write."""
    (elsewhere / "mute.py").write_text(
        "from worker import OneByOne, serve\n"
        "serve(lambda message: OneByOne({'engine': 'mute', 'version': '1'}, lambda question: 'a1'))\n"
    )
    for name in ("c1", "c2"):
        make_clip(bench.data / f"video/{name}.mp4")
    bench.pytester.makeconftest(f"""
        import emoprefer_bench
        @emoprefer_bench.model(gpus=0, modality="video", prompts=("S1",))
        def mute(gpus):
            return emoprefer_bench.external(
                "python {elsewhere / "mute.py"}", python="{elsewhere / "env"}", version="1", gpus=gpus)
    """)
    result = bench.run("-k", "mute and toy", apart=True)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*6 of 6 answers*counted no picture token*"tokens": {"audio": *docs/external.md*'])


def test_another_version_is_another_judge(elsewhere):
    """Version, options and the way that clips are decoded identify it, GPUs don't."""
    base = judge(elsewhere, version="1").identity()
    plan = MediaPlan(fps=1.0, min_frames=1, max_frames=8)
    others = [
        judge(elsewhere, version="2"),
        judge(elsewhere, version="1", beams=2),
        judge(elsewhere, version="1", plan=plan),
    ]
    assert all(other.identity() != base for other in others)
    assert judge(elsewhere, version="1", gpus=Gpus(("0",))).identity() == base


def test_an_environment_may_be_named_by_its_interpreter(elsewhere):
    """`python` is a folder of an environment or an interpreter; a command that isn't python stays as it is."""
    assert judge(elsewhere).command[0] == str(elsewhere / "env" / "bin" / "python")
    interpreter = str(elsewhere / "env" / "bin" / "python")
    assert emoprefer_bench.external("python x.py", python=interpreter, version="1").command == (interpreter, "x.py")
    assert emoprefer_bench.external("conda run -n mine python x.py", version="1").command[:3] == ("conda", "run", "-n")


# What LLaMA-VID's repository and torch offer to the example, in a few lines: neither can be installed here.
REPOSITORY = {
    "torch": """
        import contextlib
        class Ids(list):
            shape = (1, 4)
            def unsqueeze(self, dim): return self
            def cuda(self): return self
        class cuda:
            get_device_name = staticmethod(lambda: "a GPU")
        manual_seed = print
        inference_mode = contextlib.nullcontext
    """,
    "llamavid/constants": """
        DEFAULT_IM_END_TOKEN = DEFAULT_IM_START_TOKEN = "|"
        DEFAULT_IMAGE_TOKEN, IMAGE_TOKEN_INDEX = "<image>", -200
    """,
    "llamavid/conversation": """
        class Conversation:
            roles, sep2 = ("USER", "ASSISTANT"), "</s>"
            def __init__(self): self.said = []
            copy = __init__ and (lambda self: Conversation())
            def append_message(self, role, text): self.said.append(f"{role}: {text or ''}")
            def get_prompt(self): return " ".join(self.said)
        conv_templates = {"llava_v1": Conversation()}
    """,
    "llamavid/model/builder": """
        class Pixels:
            def __init__(self, frames): self.frames = frames
            def half(self): return self
            def cuda(self): return self
            def __len__(self): return len(self.frames)
        class Processor:
            def preprocess(self, frames, return_tensors): return {"pixel_values": Pixels(frames)}
        class Output(list):
            def __getitem__(self, place): return self if isinstance(place, tuple) else list.__getitem__(self, place)
        class Model:
            class config: mm_use_im_start_end = False
            def update_prompt(self, prompts): self.prompts = prompts
            def generate(self, ids, images, temperature, max_new_tokens, **settings):
                words = f"{self.prompts[0][0]} {images[0].frames.shape} {temperature} {max_new_tokens} {ids.text}"
                return Output(words.split(chr(1)))
        class Tokenizer:
            def decode(self, said, skip_special_tokens): return said[0] + "</s>"
        def load_pretrained_model(path, base, name): return Tokenizer(), Model(), Processor(), 2048
    """,
    "llava/mm_utils": """
        import torch
        def get_model_name_from_path(path): return path
        def KeywordsStoppingCriteria(*given): return given
        def tokenizer_image_token(text, *given, return_tensors):
            ids = torch.Ids()
            ids.text = text
            return ids
    """,
}


@pytest.fixture
def llama_vid(elsewhere):
    """The example worker beside a stand-in for its repository, in that environment with numpy."""
    shutil.copy(ROOT / "examples" / "llama_vid_worker.py", elsewhere)
    for name, source in REPOSITORY.items():
        path = elsewhere / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
    packages = next((elsewhere / "env" / "lib").glob("python*/site-packages"))
    for part in Path(np.__file__).parents[1].glob("numpy*"):
        if not (packages / part.name).exists():
            (packages / part.name).symlink_to(part)
    return elsewhere


def test_the_example_hands_frames_and_settings_to_its_model(llama_vid, tmp_path):
    """Frames arrive as an array, the prompt behind the clip's place, sampling as in the question; all is counted."""
    np.save(tmp_path / "frames.npy", np.zeros((3, 8, 8, 3), np.uint8))
    clip = {"name": "clip", "digest": "0" * 64, "frames": str(tmp_path / "frames.npy"), "times": [0, 1, 2]}
    answer = ask(judge(llama_vid, "llama_vid_worker.py"), tmp_path / "log", clip=clip)
    assert answer.text == "Which? (3, 8, 8, 3) None 9 USER: <image>\nWhich? ASSISTANT:", (tmp_path / "log").read_text()
    assert answer.finish == "stop"
    assert answer.tokens == {"prompt": 4, "video": 3, "output": 1}


def test_without_its_repository_the_example_says_what_is_missing(elsewhere, tmp_path):
    """A worker that can't be imported ends, and the end of its log is in the message."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(ROOT / "examples" / "llama_vid_worker.py", alone)
    script = f"python -S {alone / 'llama_vid_worker.py'}"
    engine = emoprefer_bench.external(script, python=str(elsewhere / "env"), version="1")
    with pytest.raises(LoadError, match=r"(?s)ended while it was loading.*No module named"):
        ask(engine, tmp_path / "log")


def test_the_how_to_has_code_that_runs(elsewhere, tmp_path):
    """The script of docs/external.md works as it stands there, given a repository."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "external.md").read_text(), re.DOTALL)
    script = "\n".join(line.removeprefix("   ") for line in blocks[0].splitlines())
    (elsewhere / "documented.py").write_text("import my_repository\n" + script)
    (elsewhere / "my_repository.py").write_text(
        "class Model:\n    def chat(self, video, prompt): return f'{video}: {prompt}', [0, 0, 0]\n"
        "def load(model, **options): return Model()\n"
    )
    clip = {"name": "clip", "digest": "0" * 64, "video": "/clips/clip.mp4"}
    answer = ask(judge(elsewhere, "documented.py"), tmp_path / "log", clip=clip)
    assert (answer.text, answer.tokens) == ("/clips/clip.mp4: Which?", {"video": 3})


def documented(*signs):
    """The Python of docs/external.md that has these signs; there is one such block."""
    blocks = re.findall(r"^```python\n(.*?)```", (ROOT / "docs" / "external.md").read_text(), re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if all(sign in block for sign in signs)]
    return block


def test_the_how_to_has_a_worker_that_weighs_as_an_engine_does(bench):
    """Both scripts of that section, as they stand: S1, L1 and P1 in a run, beside transformers on the same weights."""
    folder = bench.pytester.mkdir("workers")
    subprocess.run([sys.executable, CHECKPOINTS, folder, "text"], check=True, capture_output=True, timeout=600)
    weights = folder / "text"
    shutil.copy(worker.__file__, folder / "worker.py")
    (folder / "weigher.py").write_text(documented('"scores": True'))
    declared = documented("def my_weigher")
    places = {
        "~/workers": str(folder),
        "~/miniconda3/envs/weigher": sys.executable,
        "~/weights/my-language-model": str(weights),
    }
    for place, here in places.items():
        assert place in declared
        declared = declared.replace(place, here)
    (bench.pytester.path / "conftest.py").write_text(declared + ENGINE.format(weights=weights))
    (bench.data / "subtitles.csv").write_text("name,subtitle\nc1,I lost it.\nc2,Oh! How nice of you.\n")
    options = ("--emoprefer-modality", "text+subtitle", "--emoprefer-compare-fail", "min_answered:0")  # random weights
    run = bench.run("-k", "toy and (my_weigher or engine)", *options, apart=True)
    run.assert_outcomes(passed=6)
    cases = bench.cases()
    for prompt in ("L1", "P1"):
        told, expected = (cases[f"{name}-{prompt}-toy"] for name in ("my_weigher", "engine"))
        assert told["provenance"] == {"weighed": 6}
        (verdicts,), (others,) = told["verdicts"], expected["verdicts"]
        assert all(abs(margin) > 1e-3 for margin in verdicts["forward_margin"])
        for field in ("forward_margin", "exchanged_margin"):
            assert verdicts[field] == pytest.approx(others[field], abs=1e-4)


ENGINE = """

@emoprefer_bench.model(gpus=0, modality="text+subtitle", prompts=("S1", "L1", "P1"))
def engine(gpus):
    return emoprefer_bench.transformers("{weights}", gpus=gpus, family="text", max_tokens=4)
"""
