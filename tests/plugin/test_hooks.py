"""The plugin as a pytest user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from support.documents import valid
from support.media_files import damage, make_clip


def test_importing_the_plugin_loads_nothing_heavy():
    """A user of pytest who runs something else waits for none of our libraries."""
    heavy = ("torch", "vllm", "transformers", "numpy", "pandas", "av", "tabulate", "xdist")
    script = f"import sys, emoprefer_bench.plugin.hooks; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_ids_name_model_prompt_and_data_set(bench):
    """A judge without a prompt is one case a data set; others have one for each prompt."""
    result = bench.run("--collect-only", "-q")
    lines = [line.partition("::")[2] for line in result.outlines if "::" in line]
    assert "test_preference[judge-S2-toy]" in lines
    assert "test_preference[longer-toy]" in lines
    assert len(lines) == len(set(lines)) == 4 * (4 + 3)


@pytest.mark.parametrize(
    ("expression", "count"),
    [("judge", 16), ("S2 and toy", 1), ("toy and not judge", 3), ("longer or random", 8), ("emoprefer and judge", 8)],
)
def test_k_selects_by_any_part_of_an_id(bench, expression, count):
    """`-k` works on models, prompts and data sets."""
    result = bench.run("--collect-only", "-q", "-k", expression)
    assert len([line for line in result.outlines if "::" in line]) == count


def test_m_selects_by_need_of_a_gpu(bench):
    """`-m cpu` is what runs anywhere."""
    bench.pytester.makeconftest(
        "import emoprefer_bench\n@emoprefer_bench.model(gpus=1)\ndef large(gpus): raise AssertionError('never made')\n"
    )
    result = bench.run("--collect-only", "-q", "-m", "gpu")
    assert {line.partition("[")[2].split("-")[0] for line in result.outlines if "::" in line} == {"large"}


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_run_ends_with_a_table_and_a_report(bench, workers):
    """Scores stand in the terminal and in the JSON, the same alone and on two workers."""
    result = bench.run("-k", "toy", *workers)
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*emotion preference*", "toy: 3 pairs, 3 labelled, 2 clips*", "judge * S4 *33.33*"])
    cases = bench.cases()
    assert cases["judge-S1-toy"]["verdicts"][0]["forward"] == ["a1", "a1", "a1"]
    assert cases["judge-S1-toy"]["scores"]["acc2"]["mean"] == 0.5
    assert cases["longer-toy"]["scores"]["acc2"]["mean"] == 1.0
    assert cases["judge-S1-toy"]["scores"]["swap"]["mean"] == 0.0
    assert all(case["complete"] and case["outcome"] == "passed" for case in cases.values())
    assert len(bench.asked()) == len(set(bench.asked()))


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_second_run_asks_nothing_and_says_the_same(bench, workers):
    """All answers come from the store, also in another arrangement of processes."""
    bench.run("-k", "toy")
    asked, first = bench.asked(), bench.cases()
    bench.run("-k", "toy", *workers)
    assert bench.asked() == asked
    again = bench.cases()
    assert {name: again[name]["scores"] for name in again} == {name: first[name]["scores"] for name in first}
    assert bench.cases()["judge-S2-toy"]["questions"]["asked"] == 0


def test_cases_stand_in_one_order_however_many_workers_there_are(bench):
    """Workers report as they finish; three controls of one score would change places from run to run."""
    bench.run("-k", "toy")
    alone = list(bench.cases())
    bench.run("-k", "toy", "-n", "3")
    assert list(bench.cases()) == alone


def test_fresh_asks_everything_again(bench):
    """`--emoprefer-fresh` leaves the store unread."""
    bench.run("-k", "judge and S1 and toy")
    bench.run("-k", "judge and S1 and toy", "--emoprefer-fresh")
    assert len(bench.asked()) == 2 * len(set(bench.asked()))


def test_a_case_run_alone_shares_what_others_asked(bench):
    """S3 after S2 asks for no description again."""
    bench.run("-k", "judge and S2 and toy")
    before = len(bench.asked())
    bench.run("-k", "judge and S3 and toy")
    assert len(bench.asked()) - before == 6


def test_limit_takes_the_first_pairs(bench):
    """`--emoprefer-limit` is for a quick look."""
    bench.run("-k", "longer and toy", "--emoprefer-limit", "2")
    assert bench.cases()["longer-toy"]["rows"] == 2
    assert bench.report()["manifest"]["limit"] == 2


def test_rounds_are_scored_each(bench):
    """Three rounds give a mean and a deviation."""
    bench.run("-k", "judge and S1 and toy", "--emoprefer-rounds", "3")
    score = bench.cases()["judge-S1-toy"]["scores"]["acc3"]
    assert len(score["rounds"]) == 3
    assert score["sd"] == 0.0


def test_the_json_goes_where_it_is_wanted(bench):
    """`--emoprefer-json` writes the same document, also without the terminal plugin."""
    bench.run("-k", "longer and toy", "--emoprefer-json", "there/report.json", "-p", "no:terminal", apart=True)
    assert bench.report("there/report.json") == bench.report()


def test_a_prompt_pack_is_used_and_named(bench):
    """Another wording asks other questions, and the report says whose."""
    names = ("subtitle", "describe", "judge_described", "compare", "reason", "conclude")
    pack = bench.pytester.path / "mine.toml"
    pack.write_text("name = 'mine'\njudge = 'Short: {a1} {a2}'\n" + "".join(f"{name} = 'x'\n" for name in names))
    bench.run("-k", "judge and S1 and toy")
    bench.run("-k", "judge and S1 and toy", "--emoprefer-prompts", "mine.toml")
    assert len(set(bench.asked())) == 12
    assert bench.report()["manifest"]["prompts"]["name"] == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--emoprefer-llm", "nobody"], "*--emoprefer-llm nobody: no such model; there are *judge*"),
        (["--emoprefer-data", "demo=x.csv"], "*the name 'demo' is taken already*"),
        (["--emoprefer-data", "nonsense"], "*--emoprefer-data: 'nonsense' should be NAME=PATH: a name for the data*"),
        (["--emoprefer-data", "my set=x.csv"], "*--emoprefer-data: 'my set' can't name a data set: letters of*"),
        (["--emoprefer-max-failures", "5 %"], "*--emoprefer-max-failures: '5 %' should be a number of questions*"),
        (["--emoprefer-max-failures", "101%"], "*--emoprefer-max-failures: '101%' should be a number of questions*"),
        (["--emoprefer-data", "mine=gone/x.csv"], "*--emoprefer-data mine=gone/x.csv: */gone/x.csv doesn't exist*"),
        (["--emoprefer-data", "mine=data"], "*--emoprefer-data mine=data: */data is a folder, and should be the CSV*"),
        (["--emoprefer-rounds", "0"], "*--emoprefer-rounds: '0' should be a whole number, 1 or more"),
        (["--emoprefer-limit", "ten"], "*--emoprefer-limit: 'ten' should be a whole number, 1 or more"),
        (["--emoprefer-modality", "smell"], "*--emoprefer-modality: 'smell' is not one of *audiovideo*"),
        (["--emoprefer-prompts", "nothing.toml"], "*nothing.toml: can't read the prompt pack*"),
    ],
)
def test_a_wrong_option_is_one_message_and_status_4(bench, options, message):
    """What the user typed is named, and no traceback of ours is shown."""
    result = bench.run("-k", "longer and toy", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = result.stderr if any("error" in line.lower() for line in result.errlines) else result.stdout
    told.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_data_set_with_faults_fails_its_cases_with_all_of_them(bench):
    """Every fault at once, with file and row; other data sets run."""
    (bench.data / "bad.csv").write_text("name,a1,a2,preference\nc1,,x,a1\nc2,x,y,better\n")
    result = bench.run("-k", "longer and (toy or bad)", "--emoprefer-data", f"bad={bench.data / 'bad.csv'}")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*bad.csv, row *", "*bad.csv, row *"])
    assert "plugin/" not in "".join(line for line in result.outlines if "Error" in line)
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_data_set_that_was_named_and_is_not_there_ends_the_run(bench, workers):
    """Nothing runs, and status 4 says that the command is at fault: a green run of skips would look like a result."""
    (bench.data / "toy.csv").unlink()
    result = bench.run("-k", "longer", *workers, apart=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        f"ERROR: --emoprefer-data toy={bench.data}/toy.csv: {bench.data}/toy.csv doesn't exist"
    ]
    assert not (bench.pytester.path / ".emoprefer/report.json").exists()


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_warnings_about_a_data_set_are_shown_once(bench, workers):
    """Below its name in the table, however many cases read it; they fail nothing, also where warnings are errors."""
    (bench.data / "toy.csv").write_text("name,a1,a2,preferense\nc1,he,he is glad,a2\nc1,he,he is glad,a2\n")
    result = bench.run("-k", "toy and (judge or longer)", *workers)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        [
            "toy: 2 pairs, 0 labelled, 1 clips*",
            "warning: toy.csv: columns that mean nothing here * 'preferense' (did you mean preference?)",
            "warning: toy.csv: 1 row repeats an earlier one, * (first: row 2 (line 3), as row 1 (line 2)); each is*",
        ]
    )
    assert result.stdout.str().count("warning: ") == 2
    assert len(bench.report()["datasets"]["toy"]["warnings"]) == 2


def test_the_column_of_subsets_may_be_named(bench):
    """The report says what each row belongs to."""
    (bench.data / "toy.csv").write_text("name,a1,a2,subset,emotion\nc1,x,y,s,joy\nc2,x,z,,joy\n")
    bench.run("-k", "longer and toy")
    assert bench.report()["datasets"]["toy"]["subsets"] == ["s", None]
    bench.run("-k", "longer and toy", "--emoprefer-subset", "emotion")
    dataset = valid(bench.report())["datasets"]["toy"]
    assert dataset["subsets"] == ["joy", "joy"]
    assert dataset["warnings"] == []


def test_rows_without_a_label_are_asked_about_and_predicted(bench):
    """Scores count the others alone; swap consistency needs no label."""
    (bench.data / "toy.csv").write_text(
        "name,a1,a2,preference\nc1,sad,very glad,a2\nc1,x,longer,\nc2,happy,so,a1\nc2,angry at it,so,\n"
    )
    result = bench.run("-k", "toy and (longer or S1)", "--emoprefer-predictions", "out.csv")
    result.stdout.fnmatch_lines(
        ["toy: 4 pairs, 2 labelled, 2 clips*", "predictions (2 rows without a label): *out.csv*"]
    )
    longer, judge = bench.cases()["longer-toy"], bench.cases()["judge-S1-toy"]
    assert (longer["rows"], longer["labelled"]) == (4, 2)
    assert (longer["scores"]["acc2"]["mean"], judge["scores"]["acc2"]["mean"]) == (1.0, 0.5)
    assert (longer["scores"]["swap"]["mean"], judge["scores"]["swap"]["mean"]) == (1.0, 0.0)
    assert bench.report()["datasets"]["toy"]["labels"] == ["a2", None, "a1", None]
    predicted = (bench.pytester.path / "out.csv").read_text()
    assert predicted == "name,a1,a2,preference\nc1,x,longer,a1\nc2,angry at it,so,a1\n"


def test_several_people_may_have_judged_a_pair(bench):
    """Each row counts; the judge is asked about each, and the answer is the same."""
    (bench.data / "toy.csv").write_text(
        "name,a1,a2,preference,annotator\nc1,x,much longer,a2,ann\nc1,x,much longer,a1,ben\nc1,x,much longer,a2,cem\n"
    )
    bench.run("-k", "toy and (longer or S1)")
    assert bench.cases()["longer-toy"]["scores"]["acc2"]["mean"] == pytest.approx(2 / 3)
    assert bench.cases()["judge-S1-toy"]["scores"]["acc2"]["mean"] == pytest.approx(1 / 3)
    assert bench.report()["datasets"]["toy"]["warnings"] == []
    assert len(bench.asked()) == len(set(bench.asked())) == 2


def test_transcripts_count_rows_as_people_do(bench):
    """From 1, as every message does; the key beside it stays as it is stored."""
    bench.run("-k", "judge and S1 and toy")
    path = bench.pytester.path / ".emoprefer/transcripts/judge-S1-toy.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {(line["row"], line["key"]) for line in lines} == {(1, "00000:c1"), (2, "00001:c1"), (3, "00002:c2")}


def test_missing_data_and_gpus_are_skips_that_say_how_to_get_them(bench, monkeypatch):
    """A case that can't run here names all it lacks."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    bench.pytester.makeconftest(
        "import emoprefer_bench\n@emoprefer_bench.model(gpus=2)\ndef large(gpus): raise AssertionError('never made')\n"
    )
    result = bench.run("-rs", "-k", "large and S1")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines_random(
        ["*MER2025*large needs 2 GPUs, of which 0 can be seen here*", "*there is no file*preference_emopreferv2.csv*"]
    )
    assert bench.cases()["large-S1-toy"]["outcome"] == "skipped"


LARGE = """
import emoprefer_bench

@emoprefer_bench.model(gpus=2)
def large(gpus):
    raise AssertionError("never made")

@emoprefer_bench.model(gpus=1)
def small(gpus):
    raise AssertionError("never made")
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_many_skips_are_a_digest_and_no_letters(bench, monkeypatch, workers):
    """What so many cases need, the most needed first; a letter for each would say nothing."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    bench.pytester.makeconftest(LARGE)
    result = bench.run("-k", "large or (small and S1)", *workers)
    result.assert_outcomes(skipped=20)
    result.stdout.fnmatch_lines(
        [
            "20 cases were skipped. So many of them need",
            "    16  2 GPUs",
            "     5  the data set demo: see dataset/README.md",
            "     5  the data set emoprefer: see dataset/README.md",
            "     5  the data set emopreferv2: see dataset/README.md",
            "     4  1 GPU",
        ]
    )
    assert "sss" not in result.stdout.str()
    assert bench.cases()["large-S1-demo"]["needs"] == ["the data set demo: see dataset/README.md", "2 GPUs"]


def test_a_few_skips_say_why_without_being_asked(bench, monkeypatch):
    """Somebody wanted just these."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    bench.pytester.makeconftest(LARGE)
    result = bench.run("-k", "large and S1 and toy")
    result.stdout.fnmatch_lines(["large-S1-toy was skipped: large needs 2 GPUs, of which 0 can be seen here"])


def test_the_header_says_what_is_here(bench, monkeypatch):
    """GPUs and data sets; a project without models hears nothing of it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    said = "emoprefer: 2 GPUs; data here: toy; not here: demo, emoprefer, emopreferv2"
    bench.run("--collect-only", apart=True).stdout.fnmatch_lines([said])
    bench.pytester.makeconftest("")
    assert "emoprefer: " not in bench.run("--collect-only", apart=True).stdout.str()


def test_a_model_that_cannot_take_the_modality_is_skipped(bench):
    """Asked for sound, a text judge is no judge."""
    result = bench.run("-rs", "-k", "judge and S1 and toy", "--emoprefer-modality", "audio")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*judge takes text, not audio*"])


def test_a_paid_model_runs_only_within_a_bound(bench):
    """Nobody spends money by a plain `pytest benchmarks`, whatever keys lie in the environment."""
    bench.pytester.makeconftest(
        "import emoprefer_bench\n"
        "@emoprefer_bench.model(gpus=0, modality='text', prompts=('S1',), closed=True)\n"
        "def paid(gpus): return emoprefer_bench.function(lambda q: 'a1', name='paid')\n"
    )
    result = bench.run("-rs", "-k", "paid and toy")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*paid is a paid service: allow it a number of requests, --emoprefer-max-requests N*"])
    bench.run("-k", "paid and toy", "--emoprefer-max-requests", "100").assert_outcomes(passed=1)
    assert bench.cases()["paid-S1-toy"]["closed"]


def test_x_stops_at_the_first_failure_and_reports_it(bench):
    """The failed case is in the report with its reason."""
    (bench.data / "toy.csv").write_text("name,a1\nc1,x\n")
    result = bench.run("-x", "-k", "judge and toy")
    result.assert_outcomes(failed=1)
    (case,) = bench.cases().values()
    assert case["outcome"] == "failed"
    assert "the column a2 is missing" in case["reason"]
    assert "During handling" not in result.stdout.str()


def test_lf_runs_what_failed(bench):
    """After the data set was mended, --lf runs its cases alone."""
    broken = "name,a1\nc1,x\n"
    whole = (bench.data / "toy.csv").read_text()
    (bench.data / "toy.csv").write_text(broken)
    bench.run("-k", "judge and S1 and toy")
    (bench.data / "toy.csv").write_text(whole)
    bench.run("--lf").assert_outcomes(passed=1)


def test_junit_xml_has_each_case_once(bench):
    """Progress reports leave no trace in it."""
    bench.run("-k", "toy", "--junitxml", "junit.xml")
    cases = ET.parse(bench.pytester.path / "junit.xml").getroot().iter("testcase")  # noqa: S314  # we wrote it
    names = [case.get("name") for case in cases]
    assert len(names) == len(set(names)) == 7
    assert "test_preference[always_a1-toy]" in names


def test_quiet_and_verbose_show_less_and_more(bench):
    """-q keeps the two scores that matter most, -v adds strict scores and costs, -qq is silent."""
    quiet, verbose = bench.run("-q", "-k", "toy"), bench.run("-v", "-k", "toy")
    assert "acc3" not in quiet.stdout.str()
    assert "waf2" in quiet.stdout.str()
    verbose.stdout.fnmatch_lines(["strict_: a tie, *", "*from the store*"])
    assert "waf2" not in bench.run("-qq", "-k", "toy").stdout.str()


def test_a_model_must_take_its_lease(bench):
    """A fixture without `gpus` is refused where it is written."""
    bench.pytester.makeconftest("import emoprefer_bench\n@emoprefer_bench.model()\ndef mine(): pass\n")
    result = bench.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*the model mine must take the fixture `gpus`*"])


def test_plain_tests_beside_the_benchmark_are_untouched(bench):
    """The plugin is installed everywhere; a project without cases sees nothing of it."""
    bench.pytester.makepyfile(test_plain="def test_it(): pass")
    result = bench.run("test_plain.py")
    result.assert_outcomes(passed=1)
    assert "emotion preference" not in result.stdout.str()
    assert not (bench.pytester.path / ".emoprefer").exists()


def test_progress_is_shown_while_a_case_runs(bench):
    """A line now and then, under capture and on workers, that counts as no result."""
    bench.pytester.makeconftest(
        "import time, emoprefer_bench, emoprefer_bench.plugin.progress\n"
        "emoprefer_bench.plugin.progress.LOG_SECONDS = 0.05\n"
        "@emoprefer_bench.model(gpus=0, modality='text', prompts=('S1',))\n"
        "def slow(gpus): return emoprefer_bench.function(lambda q: time.sleep(0.1) or 'a1', name='slow')\n"
    )
    for workers in ((), ("-n", "1")):
        result = bench.run("-k", "slow and toy", *workers, apart=True)  # its clock would stay
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["*slow*/6 verdicts (*%)*/s*left*c?"])


def test_a_run_that_is_asked_to_decodes_all_of_each_clip_before_a_model_loads(bench):
    """Damage in the middle is a fault of the data set then; otherwise it shows where the clip is decoded, if it is."""
    conftest = bench.pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace('modality="text"', 'modality="video"'))
    for name, length in (("c1", 3000), ("c2", 0)):
        clip = make_clip(
            bench.data / f"video/{name}.mp4", size=(256, 192), options={"movflags": "faststart"}, sound=None
        )
        damage(clip, 0.5, length)

    asked = bench.run("-k", "judge and S1 and toy", "--emoprefer-check-media")
    asked.assert_outcomes(failed=1)
    asked.stdout.fnmatch_lines(
        ["*data set toy: 1 fault*", "*clip 'c1': */video/c1.mp4: is damaged, * packets of its picture*"]
    )
    assert bench.asked() == []
    bench.run("-k", "judge and S1 and toy")
    assert bench.asked()


def test_clips_are_put_into_the_page_where_asked_for(bench):
    """As the console command does; without a page to be in, the option is refused before anything is asked."""
    make_clip(bench.data / "video" / "c1.mp4", frames=10, sound=None)
    bench.run("-k", "S1 and toy", "--emoprefer-html", "page.html", "--emoprefer-embed-media")
    page = (bench.pytester.path / "page.html").read_text()
    assert page.count('<script type="text/plain" id="clip-') == 1
    bench.run("-k", "S1 and toy", "--emoprefer-html", "page.html")
    assert '<script type="text/plain" id="clip-' not in (bench.pytester.path / "page.html").read_text()
    refused = bench.run("-k", "S1 and toy", "--emoprefer-embed-media")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*--emoprefer-embed-media is about the page: give --emoprefer-html PATH too"])
