from __future__ import annotations

import itertools
import json
import re
import time

import numpy as np
import pytest
from support.runs import golden

from emoprefer_bench.reports import html

ROWS, CLIPS = 2670, 1500
MODELS, PROMPTS = range(5), ("S1", "S2", "S3", "S4")
VERDICTS = {"forward": "a1", "exchanged": "a2"}


class Writer:
    """Writes texts of words whose frequency falls as in a language; they repeat less than what models write."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        letters = np.array(list("etaoinshrdlu"))
        self.vocabulary = ["".join(rng.choice(letters, size)) for size in rng.integers(2, 10, 6000)]
        frequency = 1 / np.arange(2, 6002)
        self.words = iter(rng.choice(6000, 10_000_000, p=frequency / frequency.sum()).tolist())

    def text(self, words: int) -> str:
        """A text of so many words."""
        return " ".join(self.vocabulary[word] for word in itertools.islice(self.words, words))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of 2,670 pairs, 4 prompts and 5 models: 53,400 rows of cases in two orders."""
    folder = tmp_path_factory.mktemp("size")
    writer = Writer()
    rows = [
        (f"{row:05}:clip{row % CLIPS}", f"clip{row % CLIPS}", writer.text(80), writer.text(60)) for row in range(ROWS)
    ]
    document = golden()
    dataset = document["datasets"]["toy"]
    dataset |= {"rows": ROWS, "keys": [row[0] for row in rows], "labels": ["a1"] * ROWS}
    done = next(case for case in document["cases"] if case["model"] == "qwen25omni_7b")
    document["cases"] = []
    for model in MODELS:
        descriptions = [writer.text(170) for _ in range(CLIPS)]
        for prompt in PROMPTS:
            name = f"model{model}-{prompt}-toy"
            path = folder / f"{name}.jsonl"
            path.write_text("".join(transcript(rows, prompt, descriptions, writer)), encoding="utf-8")
            case = {
                **done,
                "id": name,
                "model": f"model{model}",
                "prompt": prompt,
                "transcript": f"transcripts/{name}.jsonl",
            }
            one = {order: [label] * ROWS for order, label in VERDICTS.items()}
            one |= {f"{order}_provenance": ["parsed"] * ROWS for order in VERDICTS}
            document["cases"].append({**case, "verdicts": [one]})
    html.write(document, folder / "page.html", folder)
    return folder / "page.html"


def transcript(rows, prompt, descriptions, writer):
    """The lines of a case. Reasoning is another in each order, a description the same."""
    for (row, (key, clip, a1, a2)), (order, verdict) in itertools.product(enumerate(rows), VERDICTS.items()):
        steps = [("describe", descriptions[row % CLIPS])] if prompt != "S1" else []
        steps += [("reason", writer.text(190))] if prompt == "S4" else []
        texts = (a1, a2) if order == "forward" else (a2, a1)
        line = {
            "row": row + 1,
            "round": 0,
            "order": order,
            "key": key,
            "clip": clip,
            "media": "",
            "subtitle": None,
            "a1": texts[0],
            "a2": texts[1],
            "writers": [None, None],
            "steps": [{"asked": asked, "answer": answer} for asked, answer in [*steps, ("conclude", verdict)]],
        }
        yield json.dumps(line) + "\n"


def test_a_page_of_all_pairs_prompts_and_models_is_under_25_megabytes(page):
    """Small enough to be sent."""
    assert page.stat().st_size < 25_000_000


def test_it_paints_in_two_seconds_and_filters_at_once(tab, page):
    """What is first seen waits for no pair; a filter and a search through all texts answer while one looks."""
    tab.open(page)
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert tab.page.evaluate(paint) < 2000
    begun = time.monotonic()
    tab.choose("Judge", "any")
    tab.choose("Verdict when exchanged", "a1")
    assert tab.found() == "0 of 2,670"
    tab.choose("Verdict when exchanged", "any")
    tab.filter("Search").fill("no such words anywhere")
    tab.page.get_by_role("status").get_by_text(re.compile("^0 of 2,670 pairs")).wait_for()
    assert time.monotonic() - begun < 5
    assert tab.unsound() == []
