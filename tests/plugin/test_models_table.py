"""The README's table of models against the fixtures of conftest.py."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from emoprefer_bench.engines.declared import ServedEngine
from emoprefer_bench.engines.families import FAMILIES
from emoprefer_bench.engines.gpus import Gpus

ROOT = Path(__file__).parents[2]
KINDS = {"vllm": "vLLM", "transformers": "transformers", "openai": "OpenAI", "gemini": "Gemini", "listener": "its own"}
PACKAGED = ("qwen25omni_tiny", "qwen25omni_tiny_vllm", "smollm2_135m", "listener")  # their model is a path


def _fixtures():
    spec = importlib.util.spec_from_file_location("models_on_trial", ROOT / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {name: value for name, value in vars(module).items() if hasattr(value, "emoprefer_model")}
    return {name: (value.emoprefer_model, value._get_wrapped_function()(Gpus())) for name, value in found.items()}


def _rows():
    section = (ROOT / "README.md").read_text().split("## Models\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `([a-z0-9_]+)` \| (.*) \|$", section, re.MULTILINE)
    return {name: [cell.strip().removesuffix(r" \*") for cell in rest.split("|")] for name, rest in lines}


def _settings():
    """Return what docs/models.md says of each model's settings."""
    lines = re.findall(r"^\| (`.*?) \| (.*?) \| .* \|$", (ROOT / "docs" / "models.md").read_text(), re.MULTILINE)
    return {name: said for names, said in lines for name in re.findall(r"`(\w+)`", names)}


FIXTURES = _fixtures()
ROWS = _rows()
SETTINGS = _settings()


def test_every_model_is_a_row():
    """The table has each fixture once, in the order of conftest.py, and none that is not there."""
    assert list(ROWS) == list(FIXTURES)


@pytest.mark.parametrize("name", FIXTURES)
def test_a_row_says_what_the_fixture_declares(name):
    """Model, modality, engine and GPUs are the fixture's."""
    info, engine = FIXTURES[name]
    model, modality, kind, gpus, weights, _ = ROWS[name]
    assert (modality, kind, int(gpus)) == (info.modality, KINDS[engine.kind], info.gpus)
    assert name in PACKAGED or model == engine.model
    assert bool(weights) == bool(info.gpus)


@pytest.mark.parametrize("name", [name for name, (info, _) in FIXTURES.items() if info.gpus])
def test_weights_fit_the_gpus_that_are_leased(name):
    """What the table says of the weights leaves a tenth of GPUs of 80 GB for the rest."""
    assert float(ROWS[name][4]) < FIXTURES[name][0].gpus * 80 * 0.9


@pytest.mark.parametrize("name", FIXTURES)
def test_a_fixture_can_take_what_it_declares(name):
    """Its family takes its modality in its engine; a deaf family is no judge by ear."""
    info, engine = FIXTURES[name]
    if family := FAMILIES.get(engine.settings.get("family")):
        assert info.modality.removesuffix("+subtitle") in family.modalities
        assert engine.kind in family.engines


def test_every_docstring_says_whose_settings_they_are():
    """A fixture is a few lines and a sentence on where its settings are from."""
    spec = (ROOT / "conftest.py").read_text()
    functions = re.findall(r"^def (\w+)\(gpus: Gpus\).*?\n    \"\"\"(.+?)\"\"\"", spec, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in functions] == list(FIXTURES)
    assert all(len(sentence) > 20 for _, sentence in functions)


def test_every_model_has_its_settings_in_the_docs():
    """docs/models.md has each fixture that draws an answer, and none that is not there."""
    assert set(SETTINGS) == set(FIXTURES) - {"listener"}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_docs_say_how_a_model_is_sampled(name):
    """Temperature, limits and penalties are the fixture's, what isn't named is off; so are the tokens, where named."""
    said = SETTINGS[name]
    sampling = FIXTURES[name][1].sampling
    assert ("greedy" in said) == sampling.greedy
    for words, value, off in (
        ("T", sampling.temperature, 0.0),
        ("top-p", sampling.top_p, 1.0),
        ("top-k", sampling.top_k, 0),
        ("repetition", sampling.repetition_penalty, 1.0),
        ("presence", sampling.presence_penalty, 0.0),
    ):
        found = re.search(rf"\b{words} ([0-9.]+)\b", said)
        assert value == (float(found[1]) if found else off), words
    if tokens := re.search(r"([0-9,]+) tokens(?! of thinking)", said):
        assert int(tokens[1].replace(",", "")) == sampling.max_tokens


TWINS = sorted(name for name in FIXTURES if name.endswith("_paper"))


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_differs_in_what_it_is_fed(name):
    """It is the same model of the same weights, with its texts folded, a text LLM of the same kind, and marked."""
    info, engine = FIXTURES[name]
    plain_info, plain = FIXTURES[name.removesuffix("_paper")]
    assert (engine.model, engine.kind, engine.gpus) == (plain.model, plain.kind, plain.gpus)
    assert (info.modality, info.gpus, info.closed) == (plain_info.modality, plain_info.gpus, plain_info.closed)
    assert (engine.whitespace, plain.whitespace) == ("fold", "keep")
    assert info.llm in TWINS
    assert "parity" in ROWS[name][5]


def test_what_the_paper_feeds_is_what_its_twins_say():
    """Frame rates, places of frames, sentences and answers as its code has them; no other model is fed so."""
    fed = {name: engine for name, (_, engine) in FIXTURES.items()}
    rates = {name for name, engine in fed.items() if engine.settings.get("frame_rate") == 2.0}
    flat = {name for name, engine in fed.items() if engine.flat_answers}
    spreads = {name: engine.plan.spread for name, engine in fed.items() if engine.plan and engine.plan.spread != "ends"}
    assert rates == {"qwen25omni_7b_paper", "qwen25vl_7b_paper"}
    assert flat == {"qwen25_7b_paper", "qwen3_8b_paper", "qwen3_14b_paper"}
    assert spreads == {
        "llava_next_video_7b_paper": "starts", "video_llava_7b_paper": "cut", "gpt4o_paper": "seconds",
        "gpt41_paper": "seconds",
    }  # fmt: skip
    assert fed["video_llava_7b_paper"].settings["system"].startswith("A chat between a curious human and an artificial")
    assert {name for name, engine in fed.items() if engine.options.get("text_first")} == {"gpt4o_paper", "gpt41_paper"}


def test_only_served_models_need_no_gpu_and_a_key():
    """Who asks a server names the variable of its key, never the key."""
    served = {name: engine for name, (_, engine) in FIXTURES.items() if isinstance(engine, ServedEngine)}
    assert set(served) == {
        "gpt4o", "gpt41", "gpt_audio", "gemini25_flash", "gemini25_pro", "gemini38_flash", "gpt4o_paper", "gpt41_paper",
    }  # fmt: skip
    assert {engine.options["key"] for engine in served.values()} == {"OPENAI_API_KEY", "GEMINI_API_KEY"}
