"""Every snippet of README and docs, as it stands: what a reader pastes works."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import shlex
import shutil
import subprocess
import textwrap
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from support.documents import GOLDEN
from support.media_files import make_clip

from emoprefer_bench.cli.main import _parser
from emoprefer_bench.document.cases import scored
from emoprefer_bench.engines import families
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.plugin.models import models_in
from emoprefer_bench.protocol import worker
from emoprefer_bench.reports import markdown
from emoprefer_bench.scoring import metrics
from emoprefer_bench.trial import strategies

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "dataset").rglob("*.md")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)\n\1```$", re.MULTILINE | re.DOTALL)
SHOWN = "text"  # what a program prints, and drawings: nobody runs these


class Snippet(NamedTuple):
    """A block of a page: `place` is its page and line."""

    place: str
    language: str
    text: str


def _snippets() -> list[Snippet]:
    found = []
    for page in sorted(PAGES):
        words = page.read_text(encoding="utf-8")
        for block in FENCE.finditer(words):
            line = words.count("\n", 0, block.start()) + 1
            place = f"{page.relative_to(ROOT)}:{line}"
            found.append(Snippet(place, block[2], textwrap.dedent(block[3])))
    return found


SNIPPETS = _snippets()


def those(language: str, *signs: str):
    """Parametrize by the snippets of a language that hold all the signs; there must be some."""
    chosen = [each for each in SNIPPETS if each.language == language and all(sign in each.text for sign in signs)]
    assert chosen
    return pytest.mark.parametrize("snippet", chosen, ids=[each.place for each in chosen])


PYTHON = (
    "@emoprefer_bench.model",
    "pytest.mark.gate",
    "from worker import",
    "Adapter(",
    "async def",
    "if name ==",
    "render(",
    "from emoprefer_bench.judges import",
)
RUN_BY_OTHERS = ("docs/reports.md",)  # test_docs.py runs its Python on a run's own folder


def test_every_snippet_has_a_language_that_is_run_here():
    """A new kind of snippet wants a test of its kind."""
    assert {each.language for each in SNIPPETS} == {"console", "bash", "python", "ini", "toml", "yaml", SHOWN}
    python = [each for each in SNIPPETS if each.language == "python" and not each.place.startswith(RUN_BY_OTHERS)]
    assert [each.place for each in python if not any(sign in each.text for sign in PYTHON)] == []


@those("console")
def test_commands_are_understood(snippet, pytester):
    """Programs, options, extras and files exist; what pytest and the command are given is parsed by them."""
    lines = iter(snippet.text.splitlines())
    for line in lines:
        if line.startswith("{"):  # typed into the program that the line before started
            assert json.loads(line)["type"] == "load"
            continue
        for command in re.split(r" && ", line.removeprefix("$ ")):
            _understood(shlex.split(command, comments=True), pytester)


@those("bash")
def test_scripts_are_shell_and_their_own_commands_are_understood(snippet, pytester):
    """What goes before a command of ours or of Ray's (`srun`) is the cluster's."""
    subprocess.run(["bash", "-n"], input=snippet.text, text=True, check=True)
    commands = re.findall(r"^(?:srun .*? )?((?:ray start|pytest) .*?)( &)?$", snippet.text, re.MULTILINE)
    assert len(commands) > 1
    for command, _ in commands:
        _understood(shlex.split(command), pytester)


def _understood(words, pytester):
    program, *rest = words
    if program == "pytest":
        for path in pytester.parseconfig(*rest).args:
            assert path == str(pytester.path) or (ROOT / path.partition("::")[0]).exists(), path
    elif program in UNDERSTOOD:
        assert UNDERSTOOD[program](rest) is not False, words
    elif program.startswith("~"):
        assert (ROOT / "examples" / rest[0]).is_file(), rest
    elif program not in ("ln", "nvidia-smi", "vllm"):
        assert (ROOT / program).is_file(), f"no program {program!r} is known here"


def _installable(words):
    for option, value in itertools.pairwise(words):
        if option == "-r":
            assert (ROOT / value).is_file(), value
        elif option == "--group":
            assert value in PROJECT["dependency-groups"], value
        elif extras := re.search(r"\[(.*)\]", value):
            assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"]), value


def _parsed_by_ray(command, *options):
    cli = importlib.import_module("ray.scripts.scripts").cli
    cli.commands[command].make_context(command, list(options))


UNDERSTOOD = {
    "emoprefer-bench": lambda rest: _parser().parse_args(rest),
    "pip": _installable,
    "python": lambda rest: (ROOT / rest[0]).is_file() or importlib.util.find_spec(rest[1]) is not None,
    "mkdocs": lambda _: (ROOT / "mkdocs.yml").is_file(),
    "ray": lambda rest: _parsed_by_ray(*rest),
    "export": lambda rest: all(re.match("[A-Z_]+=", word) for word in rest),
    "eval": lambda rest: re.fullmatch(r"\$\(register-python-argcomplete (emoprefer-bench|pytest)\)", *rest) is not None,
}  # what each program's words are checked by: an error, or False, where they aren't understood


@those("ini")
def test_settings_can_be_pasted_into_an_ini_file(snippet, bench):
    """They are read, none of them in part, and a floor counts."""
    (bench.pytester.path / "pytest.ini").write_text(snippet.text)
    result = bench.run("-k", "longer and toy")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["emoprefer gates: floors for answered; drops of waf2 only with --emoprefer-compare"])


@those("yaml")
def test_workflows_are_workflows_and_their_commands_are_understood(snippet, pytester):
    """What a step runs is parsed as a command that is typed."""
    workflow = yaml.safe_load(snippet.text)
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert {"uses", "run"} & set(step)
            if "run" in step:
                _understood(shlex.split(step["run"]), pytester)


@those("python", "@emoprefer_bench.model")
def test_models_can_be_pasted_into_a_conftest(snippet, bench):
    """Each is a case of its own, and its fixture makes an engine."""
    imported = "" if "import emoprefer_bench" in snippet.text else "import emoprefer_bench\n"
    conftest = bench.pytester.path / "conftest.py"
    conftest.write_text(imported + snippet.text)
    spec = importlib.util.spec_from_file_location("pasted", conftest)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (info,) = models_in(module)
    assert info.declared(Gpus()).name
    ids = bench.run("--collect-only", "-q", "-k", f"{info.name} and toy").outlines
    assert sum(f"[{info.name}-" in line for line in ids) == len(info.prompts)


@those("python", "from emoprefer_bench.judges import")
def test_built_in_models_can_be_imported(snippet):
    """By the names that the snippet has."""
    names = {}
    exec(snippet.text, names)  # noqa: S102  # our own page
    assert len(names) > 1


@those("python", "emoprefer_bench.function(")
def test_the_function_looks_at_clips_and_is_asked_once(snippet, bench):
    """The README's own judge runs on clips; a second run asks nothing, since it has a version."""
    (bench.pytester.path / "conftest.py").write_text("import emoprefer_bench\n" + snippet.text)
    for name, sound in (("c1", 1.0), ("c2", 4.0)):
        make_clip(bench.data / f"video/{name}.mp4", sound=sound)
    bench.run("-k", "lively and toy").assert_outcomes(passed=1)
    case = bench.cases()["lively-toy"]
    assert case["verdicts"][0]["forward"] == ["a1", "a2", "a2"]
    assert case["media"] == {"answers": 6, "heard": 0, "seen": 6}
    bench.run("-k", "lively and toy")
    assert bench.cases()["lively-toy"]["questions"] == {"asked": 0, "stored": 6}


@those("python", "pytest.mark.gate")
def test_marks_can_be_pasted_into_a_test(snippet, bench):
    """The gate holds: this judge is right half the time, and the floor is above that."""
    bench.pytester.makepyfile(test_bench="import pytest\n" + snippet.text)
    result = bench.run("-k", "judge and S1 and toy")
    result.assert_outcomes(failed=1)
    assert [decision["outcome"] for decision in bench.cases()["judge-S1-toy"]["gate"]] == ["fail"]


@those("python", "from worker import", "my_repository")
def test_the_worker_runs_where_its_repository_is(snippet, bench):
    """Beside worker.py and a package of the model's."""
    folder = bench.pytester.mkdir("worker")
    shutil.copy(worker.__file__, folder / "worker.py")
    (folder / "mine.py").write_text("import my_repository\n" + snippet.text)
    (folder / "my_repository.py").write_text(
        "class Model:\n    def chat(self, video, prompt): return 'a1' if video.endswith('.mp4') else 'a2', [0, 0, 0]\n"
        "def load(name, **options): return Model()\n"
    )
    for name in ("c1", "c2"):
        make_clip(bench.data / f"video/{name}.mp4")
    bench.pytester.makeconftest(
        "import sys, emoprefer_bench\n"
        "@emoprefer_bench.model(gpus=0, modality='video', prompts=('S1',))\n"
        f"def mine(gpus): return emoprefer_bench.external(f'{{sys.executable}} {folder}/mine.py', version='1')\n"
    )
    bench.run("-k", "mine and toy").assert_outcomes(passed=1)
    case = bench.cases()["mine-S1-toy"]
    assert case["verdicts"][0]["forward"] == ["a1", "a1", "a1"]
    assert case["media"] == {"answers": 6, "heard": 0, "seen": 6}


@those("python", "Adapter(")
def test_an_adapter_can_be_pasted_among_the_families(snippet):
    """All its fields exist."""
    adapter = eval(snippet.text, vars(families))  # noqa: S307  # our own page
    assert set(adapter.modalities) == {"video", "text"}


@those("python", "async def")
def test_a_strategy_can_be_pasted_among_the_strategies(snippet):
    """All that it calls exists."""
    names = {**vars(strategies)}
    exec("from __future__ import annotations\n" + snippet.text, names)  # noqa: S102  # our own page
    assert set(names["twice"].__code__.co_names) - {"judge", "clip"} <= {"usable", "a1", "a2"}


@those("python", "if name ==")
def test_a_score_can_be_pasted_among_the_scores(snippet):
    """It computes what it says."""
    names = {**vars(metrics)}
    exec("def added(name, first, second):\n" + textwrap.indent(snippet.text, "    "), names)  # noqa: S102  # our own page
    assert names["added"]("first_slot", metrics.np.array(3.0), metrics.np.array(1.0)) == 0.75


@those("python", "render(")
def test_a_form_can_be_pasted_into_a_file_of_its_own(snippet):
    """It makes a line a case."""
    names = {**vars(markdown), "scored": scored}
    exec("from __future__ import annotations\n" + snippet.text, names)  # noqa: S102  # our own page
    report = json.loads((GOLDEN / "report.json").read_text(encoding="utf-8"))
    ids = [case["id"] for case in report["cases"] if "scores" in case]
    assert sorted(names["render"](report).splitlines()) == sorted(ids)
