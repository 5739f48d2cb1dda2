"""What answers are kept under: no judge is ever given another's, by the real runner, seats, store and children."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants
from support import media_files

import emoprefer_bench
from emoprefer_bench.engines import digests, weights
from emoprefer_bench.engines.engine import ChildEngine
from emoprefer_bench.engines.gpus import Gpus
from emoprefer_bench.media.plan import MediaPlan

A, B = "a" * 40, "b" * 40
GPUS = Gpus()

# A child that downloads, as the hub's client does, on its first start, or where told so nothing at all; and that says
# what it answers. Each model says something else.
CHILD = """
import json, os, pathlib, sys
from huggingface_hub import constants
load = json.loads(sys.stdin.readline())
options = load["options"]
if options.get("downloads", True):
    refs = pathlib.Path(constants.HF_HUB_CACHE) / ("models--" + load["model"].replace("/", "--")) / "refs"
    refs.mkdir(parents=True, exist_ok=True)
    (refs / "main").write_text(load["revision"] or options["commit"])
ready = dict(type="ready", protocol=1, engine="x", version="1", concurrency=4)
print(json.dumps(ready | options.get("ready", {})), flush=True)
for line in sys.stdin:
    answer = dict(type="answer", id=json.loads(line)["id"], text=options["says"])
    print(json.dumps(answer), flush=True)
"""
CONFTEST = """
import pathlib, sys, emoprefer_bench
from emoprefer_bench.engines.engine import ChildEngine

SCRIPT = str(pathlib.Path(__file__).with_name("child.py"))

def hub(model, **options):
    packages = (("huggingface_hub", "hub"),)
    return ChildEngine("fake", "1", (sys.executable, SCRIPT), model, packages=packages, **options)
"""
MODEL = """
@emoprefer_bench.model(gpus=0, modality="text", prompts=("S1",))
def {name}(gpus):
    return {engine}
"""


class Judges:
    """A user's project with the judges that a test declares; the hub's files lie in a folder of its own."""

    def __init__(self, bench, monkeypatch):
        self.bench, self.path = bench, bench.pytester.path
        self.cache = self.path / "hub"
        for name in ("HF_HOME", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_HUB_CACHE", str(self.cache))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(self.cache))
        (self.path / "child.py").write_text(CHILD)

    def declare(self, **engines):
        """Write a conftest.py: a model's name, and the expression of its engine."""
        self.bench.pytester.makeconftest(
            CONFTEST + "".join(MODEL.format(name=name, engine=engine) for name, engine in engines.items())
        )

    def run(self, *names, options=()):
        """Run these judges on the toy data; the cases of the report by name, without `-S1-toy`."""
        self.result = self.bench.run("-k", f"toy and ({' or '.join(names)})", *options)
        return {case_id.removesuffix("-S1-toy"): case for case_id, case in self.bench.cases().items()}


@pytest.fixture
def judges(bench, monkeypatch):
    """The project."""
    return Judges(bench, monkeypatch)


def verdicts(case):
    """All that a case's judge said in the first order."""
    return set(case["verdicts"][0]["forward"])


def says(text, **options):
    """The options of the child, as source."""
    return repr({"says": text, "commit": A, **options})


@pytest.mark.parametrize("downloads", [True, False])
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_models_that_were_never_downloaded_never_share_an_answer(judges, downloads, workers):
    """With equal sampling, on a fresh machine, whether or not the parent finds out what the child has downloaded."""
    judges.declare(
        one=f"hub('org/one', options={says('a1', downloads=downloads)})",
        two=f"hub('org/two', options={says('a2', downloads=downloads)})",
    )
    cases = judges.run("one", "two", options=workers)
    assert {name: case["questions"] for name, case in cases.items()} == {
        "one": {"asked": 6, "stored": 0},
        "two": {"asked": 6, "stored": 0},
    }
    assert (verdicts(cases["one"]), verdicts(cases["two"])) == ({"a1"}, {"a2"})
    again = judges.run("one", "two")
    assert verdicts(again["two"]) == {"a2"}
    assert again["two"]["questions"]["stored"] == 6


def test_equal_models_are_told_apart_by_everything_that_is_declared():
    """Also where nobody ever finds out which commit they are: branch, options, settings, version and plan."""
    engine = ChildEngine("k", "1", (), "org/m", packages=(("json", ""),))
    others = [
        replace(engine, model="org/n"),
        replace(engine, revision="dev"),
        replace(engine, version="2"),
        replace(engine, kind="l"),
        replace(engine, options={"dtype": "float32"}),
        replace(engine, settings={"system": "Be kind."}),
        replace(engine, plan=MediaPlan(fps=1.0, min_frames=1, max_frames=8)),
    ]
    kept = [json.dumps(one.identity_once_loaded(None)) for one in (engine, *others)]
    assert len(set(kept)) == len(kept)


def test_the_first_run_keeps_its_answers_under_what_the_next_run_finds(judges):
    """The model is downloaded on the way, and nothing is asked twice for it."""
    judges.declare(one=f"hub('org/one', options={says('a1')})")
    first = judges.run("one")["one"]
    assert first["engine"]["judge"]["identity"]["revision"] == A
    assert judges.run("one")["one"]["questions"] == {"asked": 0, "stored": 6}


def test_what_the_child_says_that_it_loaded_counts_where_the_parent_finds_nothing(judges):
    """`revision` in its ready message; something that is no revision does not."""
    judges.declare(one=f"hub('org/one', options={says('a1', downloads=False, ready={'revision': B})})")
    assert judges.run("one")["one"]["engine"]["judge"]["identity"]["revision"] == B
    judges.declare(one=f"hub('org/one', options={says('a1', downloads=False, ready={'revision': ['x']})})")
    assert "unknown" in judges.run("one")["one"]["engine"]["judge"]["identity"]["revision"]


def test_a_branch_that_moves_on_does_not_change_the_weights_of_a_key(judges):
    """The child is told the commit that was downloaded, not to look for the branch's newest."""
    judges.declare(one=f"hub('org/one', options={says('a1', commit=A)})")
    judges.run("one")
    judges.declare(one=f"hub('org/one', options={says('a1', commit=B)})")
    judges.run("one", options=("--emoprefer-fresh",))
    assert (judges.cache / "models--org--one/refs/main").read_text() == A


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("HF_HUB_CACHE", ""),
        ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
        ("HOME", ".cache/huggingface/hub"),
    ],
)
def test_the_hubs_cache_is_where_the_hubs_client_has_it(tmp_path, variable, below):
    """Whatever variable says so; in a process of its own, since that client reads them once."""
    refs = tmp_path / below / "models--org--m/refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(A)
    names = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    code = "from emoprefer_bench.engines.weights import revision_of; print(revision_of('org/m'), revision_of('org/n'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, variable: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == [A, "None"]


def test_that_nothing_was_found_is_never_remembered(tmp_path):
    """A model that is downloaded while this process runs is found from then on, and so is another commit."""
    refs = tmp_path / "models--org--m" / "refs"
    assert weights.revision_of("org/m", cache=str(tmp_path)) is None
    refs.mkdir(parents=True)
    for commit in (A, B):
        (refs / "main").write_text(commit)
        assert weights.revision_of("org/m", cache=str(tmp_path)) == commit
    assert weights.revision_of("org/m", "z" * 40, cache=str(tmp_path)) is None, "40 letters that are no commit"
    assert weights.revision_of("org/m", "c" * 40, cache=str(tmp_path)) == "c" * 40


def checkpoint(folder, middle=b"", config=None):
    """A folder as of a model, with a file of weights of 65 MiB, and `middle` in the middle of it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "qwen2"}))
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(65 << 20)
        file.seek(30 << 20)
        file.write(middle)
    return folder


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """Where digests are remembered, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "_remembered", {})
    return tmp_path / "cache/emoprefer-bench/digests.jsonl"


def test_checkpoints_of_one_name_and_size_in_two_folders_are_two_models(tmp_path, ledger):
    """Though they begin and end alike: runA/ckpt and runB/ckpt."""
    one, other = checkpoint(tmp_path / "runA/ckpt", b"1"), checkpoint(tmp_path / "runB/ckpt", b"2")
    engines = [emoprefer_bench.transformers(str(folder), gpus=GPUS) for folder in (one, other)]
    assert engines[0].identity() != engines[1].identity()
    shutil.copytree(one, tmp_path / "elsewhere/ckpt")
    moved = emoprefer_bench.transformers(str(tmp_path / "elsewhere/ckpt"), gpus=GPUS)
    assert moved.identity() == engines[0].identity(), "a path is no part of it"


@pytest.mark.parametrize("keep", [False, True])
def test_weights_that_are_replaced_in_place_are_another_model(tmp_path, ledger, keep):
    """In one process, by weights of the same size, also where their time of change is put back."""
    folder = checkpoint(tmp_path / "ckpt", b"1")
    os.utime(folder / "model.safetensors", (1, 1))
    engine = emoprefer_bench.transformers(str(folder), gpus=GPUS)
    before = engine.identity()
    checkpoint(folder, b"2")
    if keep:
        os.utime(folder / "model.safetensors", (1, 1))
    assert engine.identity() != before


def test_large_files_are_read_once(tmp_path, ledger, monkeypatch):
    """Not again in the next process, but again where the note of them was lost, damaged, or can't be written."""
    read = []
    real = digests._read
    monkeypatch.setattr(digests, "_read", lambda path: read.append(path.name) or real(path))
    monkeypatch.setattr(digests, "SETTLED", 0)
    folder = checkpoint(tmp_path / "ckpt", b"1")
    first = digests.of(folder)
    assert "model.safetensors" in read
    monkeypatch.setattr(digests, "_remembered", {})
    read.clear()
    assert digests.of(folder) == first
    assert "model.safetensors" not in read
    ledger.write_bytes(b"\xff[]\n{}\n[1]\nnull\n" + ledger.read_bytes()[:-9])
    monkeypatch.setattr(digests, "_remembered", {})
    assert digests.of(folder) == first
    assert "model.safetensors" in read
    ledger.unlink()
    ledger.mkdir()
    monkeypatch.setattr(digests, "_remembered", {})
    assert digests.of(folder) == first


def test_links_inside_a_model_are_followed_and_end(tmp_path, ledger):
    """A folder of adapters that is a link counts; one that leads back up ends."""
    folder, adapters = checkpoint(tmp_path / "ckpt"), tmp_path / "adapters"
    adapters.mkdir()
    (adapters / "lora.bin").write_bytes(b"1")
    plain = digests.of(folder)
    (folder / "lora").symlink_to(adapters)
    (folder / "again").symlink_to(folder)
    first = digests.of(folder)
    assert first != plain
    (adapters / "lora.bin").write_bytes(b"2")
    assert digests.of(folder) != first


def test_an_option_that_names_a_file_counts_by_what_is_in_it(tmp_path, ledger):
    """A tokenizer or a template that is replaced in place; a folder of anything else may be the whole disk."""
    tokenizer = checkpoint(tmp_path / "tokenizer")
    folder = checkpoint(tmp_path / "ckpt")
    engine = emoprefer_bench.vllm(str(folder), gpus=GPUS, tokenizer=str(tokenizer), allowed_local_media_path="/")
    before = engine.identity()
    assert before["options"]["allowed_local_media_path"] == "/"
    assert str(tmp_path) not in json.dumps(before)
    (tokenizer / "config.json").write_text("{}")
    assert engine.identity() != before


def test_stored_answers_keep_their_keys(tmp_path, ledger, monkeypatch):
    """Identities as version 0.1 made them: of a hub's model, a small folder, a worker, a function and a server."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9")
    folder = tmp_path / "ckpt"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen2"}')
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    refs = tmp_path / "hub/models--Qwen--Qwen3-8B/refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(A)
    (refs.parent / "snapshots" / A).mkdir(parents=True)
    (refs.parent / "snapshots" / A / "config.json").write_text('{"model_type": "qwen3"}')
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    engines = [
        emoprefer_bench.vllm("Qwen/Qwen3-8B", gpus=GPUS, dtype="bfloat16", temperature=0.5),
        emoprefer_bench.transformers(str(folder), gpus=GPUS),
        emoprefer_bench.external("python x.py", version="1", model=str(folder)),
        emoprefer_bench.external("python x.py", version="1"),
        emoprefer_bench.function(str, name="judge"),
        emoprefer_bench.served("m", base_url="http://a/v1", revision="r1"),
        emoprefer_bench.served("m", base_url="http://a/v1"),
        emoprefer_bench.gpt("gpt-4o-2024-08-06"),
        emoprefer_bench.gemini("gemini-2.5-pro"),
        emoprefer_bench.listener(),
    ]
    made = [json.dumps(engine.identity(), sort_keys=True) for engine in engines]
    assert made == json.loads((Path(__file__).parents[1] / "golden/identities.json").read_text())


def test_who_is_sent_sound_otherwise_than_before():
    """Servers of vLLM's kind alone: what they answered to sound in 16 bits isn't served again."""
    fleet = emoprefer_bench.served("m", base_url=["http://a/v1", "http://b/v1"], revision="r1")
    assert fleet.sent_sound == emoprefer_bench.served("m", base_url="http://a/v1").sent_sound == "float"
    others = [
        emoprefer_bench.served("m", base_url="http://a/v1", dialect="openai"),
        emoprefer_bench.gpt("gpt-4o-2024-08-06"),
        emoprefer_bench.gemini("gemini-2.5-pro"),
        emoprefer_bench.vllm("Qwen/Qwen3-8B", gpus=GPUS, family="text"),
        emoprefer_bench.function(str, name="judge"),
    ]
    assert {engine.sent_sound for engine in others} == {None}


def test_weights_of_a_package_keep_their_keys(tmp_path, ledger, monkeypatch):
    """A large file that was held against its SHA-256 counts, as before, by its size and ends."""
    package = tmp_path / "tiny_weights"
    checkpoint(package, b"1")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    digest = digests.of_file(package / "model.safetensors")
    path = weights.packaged("tiny_weights", "model.safetensors", sha256=digest)
    assert weights.revision_of(str(path)) == ("sha256:14271347072cd14aa3a1b2348c5525c2579f2fd3b6485364d244dfd0004310f7")


def test_workers_and_functions_say_who_they_are(judges):
    """Two workers without a version, and two functions without a name whose answers are kept, are not asked."""
    judges.declare(
        one="emoprefer_bench.external(f'{sys.executable} {SCRIPT}', model='/runs/a/ckpt', says='a1')",
        two="emoprefer_bench.external(f'{sys.executable} {SCRIPT}', model='/runs/b/ckpt', says='a2')",
        three="emoprefer_bench.function(lambda question: 'a1', durable=True)",
        four="emoprefer_bench.function(lambda question: 'a2')",
    )
    judges.run("one", "two", "three", "four")
    judges.result.assert_outcomes(errors=3, passed=1)
    judges.result.stdout.fnmatch_lines(["*needs a version=...: its answers are kept under that*"])
    judges.result.stdout.fnmatch_lines(["*needs a name=... where its answers are kept*"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_two_judges_of_one_identity_are_refused_in_one_sentence(judges, workers):
    """The second would be given the first's answers, also where they are asked by different workers."""
    (judges.path / "a/ckpt").mkdir(parents=True)
    (judges.path / "b/ckpt").mkdir(parents=True)
    worker = "emoprefer_bench.external(f'{{sys.executable}} {{SCRIPT}}', version='1', downloads=False, says='a1', {})"
    judges.declare(
        one=worker.format(f"model={str(judges.path / 'a/ckpt')!r}"),
        two=worker.format(f"model={str(judges.path / 'b/ckpt')!r}"),
        three=worker.format(f"model={str(judges.path / 'b/ckpt')!r}, max_tokens=9"),
    )
    judges.run("one", "two", "three", options=workers)
    judges.result.assert_outcomes(passed=2, errors=1)
    judges.result.stdout.re_match_lines([r".*(two can't be told from one|one can't be told from two): both declare"])
    assert "Traceback" not in judges.result.stdout.str()
    judges.run("one", "three")
    judges.result.assert_outcomes(passed=2)


def test_a_judge_and_its_llm_whose_answers_are_not_kept_are_two(bench):
    """Both functions, without names, and asked the same words: each answers for itself."""
    bench.pytester.makeconftest("""
        import emoprefer_bench

        @emoprefer_bench.model(gpus=0, modality="text", prompts=("S3",), llm="reader")
        def judge(gpus):
            return emoprefer_bench.function(lambda question: "a1")

        @emoprefer_bench.model(gpus=0, modality="text", prompts=())
        def reader(gpus):
            return emoprefer_bench.function(lambda question: "a2")
    """)
    pack = bench.pytester.path / "same.toml"
    default = Path(emoprefer_bench.__file__).parent / "prompts/default.toml"
    pack.write_text(default.read_text())
    bench.run("-k", "toy and judge", "--emoprefer-prompts", str(pack)).assert_outcomes(passed=1)
    assert verdicts(bench.cases()["judge-S3-toy"]) == {"a2"}


def test_servers_at_two_addresses_are_two_unless_they_say_that_they_are_one(monkeypatch):
    """Also where the address comes from the environment, as clients read it."""
    for name in ("OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    own = [emoprefer_bench.gpt("gpt-4o"), emoprefer_bench.gemini("gemini-2.5-pro")]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://a/v1")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://b")
    elsewhere = [emoprefer_bench.gpt("gpt-4o"), emoprefer_bench.gemini("gemini-2.5-pro")]
    named = [
        emoprefer_bench.gpt("gpt-4o", base_url="http://c/v1"),
        emoprefer_bench.gemini("gemini-2.5-pro", base_url="http://d"),
    ]
    for engines in zip(own, elsewhere, named, strict=True):
        assert len({json.dumps(engine.identity()) for engine in engines}) == 3
    assert [engine.options["base_url"] for engine in (*elsewhere, *named)] == [
        "http://a/v1", "http://b", "http://c/v1", "http://d",
    ]  # fmt: skip


CSV = """name,a1,a2,preference
c1,he is sad,he is very happy today,a2
"""
NOTING = """
import emoprefer_bench

@emoprefer_bench.model(gpus=0, modality="video+subtitle", prompts=("S1",))
def judge(gpus):
    return emoprefer_bench.function(lambda question: "a1", name="judge", durable=True)
"""


def test_what_is_shown_and_said_is_in_the_key(bench):
    """Another wording, another subtitle, another file under the same name, size and time: each is asked anew."""
    bench.pytester.makeconftest(NOTING)
    (bench.data / "toy.csv").write_text(CSV)
    subtitles = bench.data / "subtitle.csv"
    subtitles.write_text("name,chinese,english\nc1,,I am fine.\n")
    clip = bench.data / "video/c1.mp4"
    media_files.make_clip(clip)

    def asked(*options):
        bench.run("-k", "judge and toy", *options, "--emoprefer-modality", "video+subtitle")
        return bench.cases()["judge-S1-toy"]["questions"]["asked"]

    assert (asked(), asked()) == (2, 0)
    pack = bench.pytester.path / "own.toml"
    default = (Path(emoprefer_bench.__file__).parent / "prompts/default.toml").read_text()
    pack.write_text(textwrap.dedent(default).replace("Description", "Text"))
    assert asked("--emoprefer-prompts", str(pack)) == 2
    subtitles.write_text("name,chinese,english\nc1,,I am sad.\n")
    assert asked() == 2
    stat, content = clip.stat(), bytearray(clip.read_bytes())
    place = content.index(b"mdat") + 40
    content[place] ^= 1
    clip.write_bytes(content)
    os.utime(clip, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert asked() == 2
