"""Every public name as a user writes it. Mypy reads this file as strictly as the package; nothing runs it."""

from __future__ import annotations

from pathlib import Path

import emoprefer_bench
from emoprefer_bench import (
    Answer,
    BoundCase,
    Case,
    ChildEngine,
    Clip,
    EmopreferError,
    Engine,
    FunctionEngine,
    Gpus,
    Label,
    MediaPlan,
    Pair,
    Question,
    Report,
    Sampling,
    ServedEngine,
)

# A conftest.py: models, each with the engine that its fixture returns.


@emoprefer_bench.model(gpus=1, modality="audiovideo")
def tuned(gpus: Gpus) -> ChildEngine:
    """A model in vLLM."""
    return emoprefer_bench.vllm("my-org/my-finetune", gpus=gpus, max_tokens=512)


@emoprefer_bench.model(gpus=1, modality="video", prompts=("S1",))
def plain(gpus: Gpus) -> ChildEngine:
    """A model in transformers, of weights that a package brings."""
    weights = emoprefer_bench.packaged("my_weights", "model.gguf", sha256="0" * 64)
    return emoprefer_bench.transformers(str(weights), gpus=gpus)


@emoprefer_bench.model(gpus=1, modality="video", llm="plain")
def elsewhere(gpus: Gpus) -> ChildEngine:
    """A worker in an environment of its own."""
    plan = MediaPlan(fps=1.0, min_frames=1, max_frames=100)
    return emoprefer_bench.external("python worker.py", python="~/envs/mine", version="1", plan=plan, gpus=gpus)


@emoprefer_bench.model(gpus=0, modality="audio+subtitle", prompts=())
def hearer(gpus: Gpus) -> Engine:
    """The judge by voice and words."""
    return emoprefer_bench.listener(gpus=gpus)


@emoprefer_bench.model(gpus=0, modality="video", closed=True)
def asked_for_money(gpus: Gpus) -> ServedEngine:
    """A model behind an address; which one doesn't matter here."""
    engines: list[ServedEngine] = [
        emoprefer_bench.gpt("gpt-4o-2024-08-06", gpus=gpus),
        emoprefer_bench.gemini("gemini-2.5-flash", gpus=gpus),
        emoprefer_bench.served("name", base_url="http://host:8000/v1", gpus=gpus),
    ]
    return engines[0]


def shorter(question: Question) -> Answer | str:
    """A judge of one's own, which reads the two texts."""
    clip: Clip | None = question.clip
    if question.texts is None or clip is None:
        return Answer("same")
    a1, a2 = question.texts
    label: Label = "a1" if len(a1) < len(a2) else "a2"
    return label


@emoprefer_bench.model(gpus=0, modality=None, prompts=())
def short(gpus: Gpus) -> FunctionEngine:
    """A function as judge."""
    assert gpus.ids == ()
    return emoprefer_bench.function(shorter, name="short", sampling=Sampling(max_tokens=8))


async def patient(question: Question) -> str:
    """A client of one's own, which waits for an answer."""
    return "a1" if question.prompt else "a2"


@emoprefer_bench.model(name="patient_1", gpus=0, modality="video", prompts=("S1",))
def asks(gpus: Gpus) -> FunctionEngine:
    """A function that is kept, and that looks at the clip."""
    assert gpus.ids == ()
    return emoprefer_bench.function(patient, name="patient", version="1", looks_at="video")


# A benchmark.


def test_preference(case: BoundCase) -> None:
    """The test that every model's cases come from, with a condition of one's own."""
    declared: Case = case.case
    result = case.run()
    assert result["complete"], declared.id
    mean: float | None = result["scores"]["waf2"]["mean"]
    assert mean is None or mean > 0.5


# A notebook.


def best(folder: Path) -> str:
    """The case with the best score in a run's folder."""
    try:
        report: Report = emoprefer_bench.load(folder)
    except EmopreferError as error:
        return str(error)
    frame = report.cases()
    unread = report.verdicts()["forward"].isna().sum()
    return (
        f"{frame['waf2'].idxmax()} of {len(report.document['cases'])}; {unread} unread; {emoprefer_bench.__version__}"
    )


def swapped(pair: Pair) -> Pair:
    """The pair in the other order."""
    return pair.swapped()
