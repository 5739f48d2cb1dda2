"""Pictures beside a torch that torchvision wasn't compiled for."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import numpy as np, torch
folder, whole = sys.argv[1], sys.argv[2] == "whole"
load_own = torch.ops.load_library

def load_no_torchvision(path):
    if "torchvision" in str(path):
        raise OSError("libcudart.so.13: cannot open shared object file")
    load_own(path)

if not whole:
    torch.ops.load_library = load_no_torchvision
from emoprefer_bench.engines.children.inputs import chat_of
from emoprefer_bench.engines.families import adapter

if sys.argv[3] == "text":
    import transformers
    chat = chat_of(adapter("text"), folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    print(model.generate(**chat("So sad.", return_tensors="pt"), max_new_tokens=4, do_sample=False).tolist())
    sys.exit()

chat = chat_of(adapter("qwen25omni"), folder)
frames = np.random.default_rng(0).integers(0, 256, (4, 240, 320, 3), np.uint8)
pixels = chat.video_processor([frames], do_sample_frames=False, return_tensors="pt")["pixel_values_videos"]
import hashlib, torchvision
print(torchvision.extension._has_ops(), pixels.numel() > 0, hashlib.sha256(pixels.numpy().tobytes()).hexdigest())
"""


def seen(folder: str, how: str, what: str) -> str:
    """What the script prints."""
    command = [sys.executable, "-c", SCRIPT, folder, how, what]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_pictures_are_the_same_to_the_bit_without_torchvision_s_library(checkpoint):
    """Where its library can't be loaded, torchvision is imported all the same and prepares the same pictures."""
    folder = checkpoint("omni")
    without, whole = (seen(folder, how, "pictures").split() for how in ("without", "whole"))
    assert without[0] == "False"
    assert without[1:] == whole[1:]
    assert whole[1] == "True"


def test_a_text_model_answers_without_torchvision_s_library(checkpoint):
    """Torchvision is imported by transformers for a model that takes text alone, too."""
    folder = checkpoint("text")
    without, whole = (seen(folder, how, "text") for how in ("without", "whole"))
    assert without == whole != ""
