"""The checks for a GPU, walked without one, so that they still run when one is at hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

import pytest

from . import ROOT, bring, machine, roofline, table


def test_the_script_walks_on_a_cpu(tmp_path):
    """It builds its checkpoints, has a model run short of (pretended) memory, and tells so as a table and as JSON."""
    command = [sys.executable, "-m", "tests.gpu", "--cpu", "--only", "shortage", "--seconds", "900"]
    environment = {**os.environ, "OUT": str(tmp_path), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    document = json.loads((tmp_path / "gpu.json").read_text())
    assert [(row["check"], row["result"]) for row in document["checks"]] == [
        ("tiny", "passed"),
        ("shortage", "passed"),
    ]
    assert document["checks"][1]["found"]["limit"] == "pretended"
    assert re.search(r"^shortage +passed", ran.stdout, re.MULTILINE)
    assert max(map(len, ran.stdout.splitlines())) <= table.WIDTH


def test_without_a_gpu_it_says_so(tmp_path):
    """And fails nothing, since there is nothing to look at."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "tests.gpu"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("no GPU here")


def test_the_roofline_is_the_one_that_the_page_derives():
    """What docs/performance.md says of an H100, to the digits that stand there."""
    page = " ".join((ROOT / "docs" / "performance.md").read_text().split())
    needed = roofline.needs(roofline.H100, roofline.OMNI_7B, roofline.Load())
    for part in (needed.prefill, needed.judging, needed.describing):
        assert f"| {part:.3f} |" in page
    assert f"so {needed.clips:.1f} clips a second" in page
    shorter = roofline.needs(roofline.H100, roofline.OMNI_7B, roofline.Load(clip=1500, picture=1380))
    assert f"1,500 tokens allow {shorter.clips:.1f} a second" in page


@pytest.mark.parametrize(("name", "card"), [("NVIDIA H100 80GB HBM3, 81559 MiB, 580", roofline.H100), ("L4", None)])
def test_a_card_is_known_by_its_whole_name(name, card):
    """A smaller sister of it is another card."""
    assert roofline.card_named(name) == card
    assert roofline.card_named("NVIDIA H100 PCIe") is None


SMI = """#!{python}
import time
print("50, 1024\\n[N/A], 2048\\n70, [N/A]", flush=True)
time.sleep(60)
"""
FOUND = {
    "clips_per_second": 4.3, "clip_tokens": 4000, "questions": 120, "loading": 60.0, "seconds_by_part": {"model": 9.0},
    "busy": 0.6, "peak_bytes": 2 << 30, "share": 0.5, "roofline": {"clips": 8.6},
}  # fmt: skip


def test_how_busy_a_card_was_is_what_the_driver_said(tmp_path, monkeypatch):
    """While something was asked, as far as it said anything: a part of a card has no share of the time."""
    program = tmp_path / "nvidia-smi"
    program.write_text(SMI.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    started = time.perf_counter()
    with machine.Watch(("0",)) as watch:
        while len(watch._seen) < SMI.count(", ") and time.perf_counter() < started + 60:  # on a machine however busy
            time.sleep(0.05)
    ended = time.perf_counter()
    assert watch.busy(started, ended) == pytest.approx(0.6)
    assert watch.busy(ended, ended + 1) is None
    assert watch.peak == 2 << 30


def test_the_table_has_the_card_and_the_share_of_what_it_allows():
    """In 80 columns, to be pasted as it is; what was skipped or failed says why."""
    checks = [
        {"check": "transformers-3s", "seconds": 80.0, "result": "passed", "found": FOUND},
        {"check": "vllm-lru", "result": "skipped", "why": "vLLM is not installed"},
    ]
    said = table.table({"cpu": False, "machine": {"card": "NVIDIA H100 80GB HBM3", "torch": "2.13"}, "checks": checks})
    assert said.startswith("NVIDIA H100 80GB HBM3, torch 2.13\n")
    assert "50% of the roofline's 8.6" in " ".join(said.split())
    assert "GPU busy 60%" in " ".join(said.split())
    assert re.search(r"^vllm-lru +skipped +0 s +vLLM is not installed", said, re.MULTILINE)
    assert max(map(len, said.splitlines())) <= table.WIDTH


def test_what_a_machine_lacks_is_named(monkeypatch, tmp_path):
    """With the command that brings it, where no wheel of it travelled along."""
    monkeypatch.setitem(bring.NEEDED, "no_such_module", ("no-such-distribution",))
    monkeypatch.setattr(bring, "BROUGHT", tmp_path)
    with pytest.raises(RuntimeError, match=r"lacks no_such_module: run `python -m tests.gpu --bring 3\.\d+ \d"):
        bring.unpack()


BARE = """
import importlib.metadata as metadata, re, runpy, sys

def closure(names):
    found, todo = set(), [name.lower() for name in names]
    while todo:
        name = re.sub("[-_.]+", "-", todo.pop()).lower()
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name not in found:
            found.add(name)
            todo += [re.split("[^A-Za-z0-9._-]", line)[0] for line in requires if "extra ==" not in line]
    return found

brought = [name for names in {needed!r}.values() for name in names]
allowed = closure(["torch", "transformers", "numpy", "pandas", *brought])
hidden = {{
    module
    for module, owners in metadata.packages_distributions().items()
    if not {{re.sub("[-_.]+", "-", owner).lower() for owner in owners}} & allowed
    and module not in ("emoprefer_bench", "pip", "pkg_resources", "setuptools")
}}

class Hide:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else self.finder.find_spec(name, path, target)

assert "espeakng_loader" in hidden or not metadata.packages_distributions().get("espeakng_loader")
sys.meta_path[:] = map(Hide, sys.meta_path)
sys.argv = ["checkpoints", {folder!r}, "text", "omni", "qwen25_vl", "qwen2_audio"]
sys.path.insert(0, {root!r} + "/tests/support/checkpoints")
try:
    runpy.run_path({root!r} + "/tests/support/checkpoints/__main__.py", run_name="__main__")
except SystemExit as end:
    assert not end.code
import tests.gpu.__main__
from tests.gpu import agreement, lease, limited, machine, shapes, shortage, steps, table, throughput
"""


def test_it_needs_no_more_than_it_brings(tmp_path):
    """A machine may have torch and transformers alone: checkpoints are built, and all is imported, without the rest."""
    program = BARE.format(needed=bring.NEEDED, folder=str(tmp_path), root=str(ROOT))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert (tmp_path / "omni" / "config.json").exists()
