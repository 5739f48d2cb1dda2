from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import GOLDEN, case, report, toy_pairs
from support.media_files import damage, make_clip, make_wav

from emoprefer_bench.cases import Case
from emoprefer_bench.cli import main as cli
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.document import files as document

REPORT = str(GOLDEN / "report.json")
COMMANDS = (
    "report",
    "compare",
    "rank",
    "data",
    "data check",
    "data fetch",
    "init",
    "list",
    "doctor",
    "cache",
    "history",
)


@pytest.fixture
def run(capsys):
    """Run the command in this process: status, output, errors."""

    def run(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


def test_the_terminals_tables_are_shown_by_default(run):
    """The same as at the end of a run; -v shows more."""
    status, out, _ = run("report", REPORT)
    assert status == 0
    assert "qwen25omni_7b" in out
    assert "first slot" not in out
    assert "first slot" in run("report", REPORT, "-v")[1]


@pytest.mark.parametrize(("form", "suffix"), [("latex", "tex"), ("markdown", "md"), ("csv", "csv")])
def test_each_form_is_written_to_a_file_or_to_standard_output(run, tmp_path, form, suffix):
    """The file and the output are the golden file; new folders are made."""
    golden = (GOLDEN / f"report.{suffix}").read_text(encoding="utf-8")
    status, out, err = run("report", REPORT, f"--{form}", tmp_path / "new" / "out")
    assert (status, out, err) == (0, "", "")
    assert (tmp_path / "new" / "out").read_text(encoding="utf-8") == golden
    assert run("report", REPORT, f"--{form}", "-") == (0, golden, "")


def test_several_forms_are_made_at_once(run, tmp_path):
    """The page too, from the JSON alone."""
    shutil.copy(REPORT, tmp_path)
    run("report", tmp_path / "report.json", "--html", tmp_path / "out.html", "--csv", tmp_path / "out.csv")
    assert (tmp_path / "out.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("dataset,case,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("repot",), "invalid choice: 'repot'"),
        (("report",), "the following arguments are required: REPORT.json"),
        (("report", "gone.json"), "gone.json: can't be read (No such file or directory)"),
        (("report", __file__), "is not JSON"),
        (("report", REPORT, "--latex"), "expected one argument"),
        (("report", REPORT, "--embed-media"), "give --html FILE too"),
        (("report", REPORT, "--csv", "/dev/null/x"), "/dev/null/x: can't be written"),
        (("compare", REPORT), "the following arguments are required: AFTER.json"),
        (("rank",), "rank what?"),
        (("rank", "--data", "emoprefer"), "'emoprefer' should be NAME=PATH"),
        (("rank", "--data", "own=gone.csv"), "there is no file gone.csv"),
        (("data",), "the following arguments are required: COMMAND"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_status_2(run, arguments, message):
    """On standard error, with the command's name before it."""
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("emoprefer-bench: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_says_what_there_is(capsys, command):
    """Every command has it, and the first has examples that this command line takes."""
    with pytest.raises(SystemExit) as end:
        cli.main([*command.split(), "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert out.startswith("usage: emoprefer-bench")
    if not command:
        for example in [line.split()[1:] for line in out.splitlines() if line.startswith("  emoprefer-bench ")]:
            cli._parser().parse_args(example[: example.index(">>")] if ">>" in example else example)


def test_comparing_shows_what_changed(run, tmp_path):
    """Two files in, old to new out."""
    pairs = toy_pairs()
    for name, verdicts in (("a", ["a1"] * 6), ("b", ["a2"] * 6)):
        found = report([case(Case("m", "S1", "toy", "audio"), pairs, verdicts)], Dataset("toy", pairs))
        document.write(found, tmp_path / f"{name}.json")
    status, out, _ = run("compare", tmp_path / "a.json", tmp_path / "b.json")
    assert status == 0
    assert "m-S1-toy: 6 of 6 verdicts flipped" in out


LABELS = ["a1", "a2", "a1", "a2"]
WRITERS = [("x", "y"), ("y", "x"), ("x", "z"), ("y", "z")]


@pytest.fixture
def table(tmp_path):
    """A CSV file with writers, and without clips."""
    path = tmp_path / "own.csv"
    rows = [
        f"clip{row // 2},text {row},other {row},{label},{a},{b}"
        for row, (label, (a, b)) in enumerate(zip(LABELS, WRITERS, strict=True))
    ]
    path.write_text("\n".join(["name,a1,a2,preference,model1,model2", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def ranked(tmp_path):
    """A report on the rows of that table."""
    pairs = toy_pairs(LABELS, writers=WRITERS)
    judged = case(Case("m", "S1", "own", "audio"), pairs, LABELS, transcript="transcripts/m-S1-own.jsonl")
    document.write(report([judged], Dataset("own", pairs)), tmp_path / "report.json")
    return tmp_path / "report.json"


def first_writer(out):
    """Who stands first by people."""
    return next(line.split()[2] for line in out.splitlines() if line.startswith("people"))


def test_writers_are_ranked_by_people_from_a_table_alone(run, table):
    """No report is needed, nor are clips."""
    status, out, _ = run("rank", "--data", f"own={table}")
    assert (status, first_writer(out)) == (0, "x")
    assert "agreement" not in out


def test_writers_are_ranked_by_judges_too(run, table, ranked):
    """With a report; the writers come from the table, or from the transcripts beside the report."""
    status, out, _ = run("rank", ranked, "--data", f"own={table}")
    assert (status, first_writer(out)) == (0, "x")
    assert "agreement with people" in out
    assert run("rank", ranked)[2].startswith(f"emoprefer-bench: {ranked}: there are no transcripts beside it")
    (ranked.parent / "transcripts").mkdir()
    lines = [
        json.dumps({"key": f"{row:05}:x", "order": "forward", "writers": both}) + "\n"
        for row, both in enumerate(WRITERS)
    ]
    (ranked.parent / "transcripts/m-S1-own.jsonl").write_text("".join(lines), encoding="utf-8")
    assert run("rank", ranked) == (0, out, "")


def test_a_table_of_other_rows_is_refused(run, table, ranked):
    """Writers are never given to rows that they did not write."""
    table.write_text(table.read_text(encoding="utf-8").replace("clip1,text 2", "clip9,text 2"), encoding="utf-8")
    status, _, err = run("rank", ranked, "--data", f"own={table}")
    assert status == 2
    assert "its rows of own are not those of the CSV file" in err


def test_checking_decodes_all_of_each_clip(run, tmp_path):
    """Damage in the middle is a fault; a little of it is said, and none."""
    (tmp_path / "own.csv").write_text("name,a1,a2,preference\nbad,x,y,a1\nhurt,x,y,a2\n")
    for name, frames, length in (("bad", 50, 3000), ("hurt", 75, 40)):
        clip = make_clip(
            tmp_path / f"video/{name}.mp4",
            frames=frames,
            size=(256, 192),
            sound=None,
            options={"movflags": "faststart"},
        )
        damage(clip, 0.5, length)
        make_wav(tmp_path / f"audio/{name}.wav")
    own = ("data", "check", "--root", tmp_path, "--data", f"own={tmp_path / 'own.csv'}")

    status, out, _ = run(*own)
    assert status == 1
    assert "data set own: 1 fault\n" in out
    assert "clip 'bad': " in out
    assert "bad.mp4: is damaged, " in out

    (tmp_path / "own.csv").write_text("name,a1,a2,preference\nhurt,x,y,a2\n")
    status, out, _ = run(*own)
    assert status == 0
    assert "nothing is wrong with it\n  but of clip hurt, 1 of 75 frames can't be decoded and are left out\n" in out


def test_checking_says_what_is_there_and_all_that_is_wrong(run, table, tmp_path):
    """Data sets that are not there are no fault; every fault of one that is there has a line."""
    status, out, err = run("data", "check", "--root", tmp_path)
    assert (status, err) == (0, "")
    assert out.count("is not here") == 3
    (tmp_path / "video").mkdir()
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", f"own={table}")
    assert status == 1
    assert "data set own: 2 faults\n" in out
    assert out.count("there is no clip") == 2


def test_a_data_set_that_was_named_must_be_there(run, tmp_path):
    """Who names one wants to know."""
    assert run("data", "check", "--root", tmp_path, "--data", f"own={tmp_path / 'gone.csv'}")[0] == 1


def own(folder, *rows, header="name,a1,a2,preference"):
    """Write a data set, and give its source as the command takes it."""
    folder.mkdir(exist_ok=True)
    (folder / "own.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return f"own={folder / 'own.csv'}"


def test_data_sets_that_were_named_are_checked_first(run, tmp_path):
    """In the order in which they stand there; what has a name of its own comes after."""
    make_wav(tmp_path / "own/audio/c.wav")
    first, second = own(tmp_path / "own", "c,x,y,a1"), f"gone={tmp_path / 'gone.csv'}"
    status, out, _ = run("data", "check", "--data", first, "--data", second)
    assert status == 1
    assert [line.split(": ")[0].split(" is ")[0] for line in out.splitlines()] == [
        "own",
        "data set gone",
        "demo",
        "data set emoprefer",
        "data set emopreferv2",
    ]


@pytest.mark.parametrize(
    ("files", "media"),
    [
        (("video/c.mp4",), "with picture and sound, without subtitles"),
        (("video/silent.mp4",), "with picture, without sound and subtitles"),
        (("audio/c.wav",), "with sound, without picture and subtitles"),
        (("audio/c.wav", "subtitles.csv"), "with sound and subtitles, without picture"),
    ],
)
def test_sound_or_picture_alone_is_no_fault(run, tmp_path, files, media):
    """Judges that want nothing else can be asked; the line says what there is."""
    name = "silent" if "video/silent.mp4" in files else "c"
    source = own(tmp_path / "own", f"{name},x,y,a1")
    for file in files:
        if file == "subtitles.csv":
            (tmp_path / "own" / file).write_text("name,subtitle\nc,Hello.\n")
        elif file.endswith(".wav"):
            make_wav(tmp_path / "own" / file)
        else:
            make_clip(tmp_path / "own" / file, frames=5, sound=None if name == "silent" else 0.5)
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", source)
    assert status == 0
    assert out.splitlines()[0] == f"own: 1 pairs, 1 labelled, 1 clips, {media}; nothing is wrong with it"


def test_subtitles_are_checked_as_a_run_checks_them(run, tmp_path):
    """A clip that the file leaves out would fail every judge that reads them."""
    for name in ("c", "d"):
        make_wav(tmp_path / f"own/audio/{name}.wav")
    source = own(tmp_path / "own", "c,x,y,a1", "d,x,y,a1")
    (tmp_path / "own/subtitles.csv").write_text("name,subtitle\nc,Hello.\n")
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", source)
    assert status == 1
    assert f"{tmp_path}/own/subtitles.csv: no subtitle of clip d, which row 2 (line 3) wants" in out


def test_warnings_are_shown_and_are_no_fault(run, tmp_path):
    """Beside faults, too; where there are some, the data set isn't said to be without."""
    make_wav(tmp_path / "own/audio/c.wav")
    header = "name,a1,a2,preference,emotion,subsett"
    warning = (
        "own.csv: columns that mean nothing here are kept with their rows: 'emotion', 'subsett' (did you mean subset?)"
    )
    source = own(tmp_path / "own", "c,x,y,a1,joy,", header=header)
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", source)
    assert status == 0
    assert out.splitlines()[0].endswith("without picture and subtitles; 1 warning")
    assert out.splitlines()[1] == f"  warning: {warning}"
    assert "'emotion'" not in run("data", "check", "--root", tmp_path, "--data", source, "--subset", "emotion")[1]
    status, out, _ = run("data", "check", "--data", own(tmp_path / "own", "c,x,y,b1,joy,", header=header))
    assert status == 1
    assert "own.csv, row 1 (line 2): the label is 'b1'" in out
    assert f"  warning: {warning}" in out


def test_the_table_of_a_data_set_without_clips_is_checked_all_the_same(run, tmp_path):
    """What is wrong is told at once, not when the clips have come."""
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", own(tmp_path / "own", "c,x,,a1"))
    assert status == 1
    assert "data set own has no clips" in out
    assert "own.csv, row 1 (line 2): a2 is empty" in out
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", own(tmp_path / "own", "c,x,y,a1"))
    assert status == 1
    assert "own: 1 pairs, 1 labelled, 1 clips, without picture, sound and subtitles; nothing is wrong with its" in out


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_terminal_that_can_not_show_the_names_gets_them_escaped(tmp_path, environment):
    """A fault about them is told, not met."""
    (tmp_path / "video").mkdir()
    source = own(tmp_path, "émoi 微笑,x,y,a1")
    command = [sys.executable, "-m", "emoprefer_bench.cli.main", "data", "check", "--root", tmp_path, "--data", source]
    result = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **environment})
    assert (result.returncode, result.stderr) == (1, b"")
    assert rb"there is no clip \xe9moi \u5fae\u7b11: neither" in result.stdout


def test_quoting_that_would_fuse_rows_is_a_fault(run, tmp_path):
    """Three rows would have become one, with a valid label."""
    rows = ('c1,happy,"sad and low,a1', "c2,calm,angry,a2", 'c3,glad,"mad",a1', "c5,x,y,a2")
    status, out, _ = run("data", "check", "--root", tmp_path, "--data", own(tmp_path / "own", *rows))
    assert status == 1
    assert "own.csv, row 1 (line 2): a cell begins with a quotation mark, and more follows the mark" in out


def test_more_than_twenty_faults_are_all_shown(run, tmp_path):
    """A run shows the first twenty; this is the place for the rest."""
    (tmp_path / "video").mkdir()
    rows = [f"clip{row},x,y,a1" for row in range(30)]
    (tmp_path / "own.csv").write_text("\n".join(["name,a1,a2,preference", *rows]) + "\n", encoding="utf-8")
    out = run("data", "check", "--root", tmp_path, "--data", f"own={tmp_path / 'own.csv'}")[1]
    assert out.count("there is no clip") == 30


def test_a_reader_that_stops_early_is_no_error():
    """`emoprefer-bench report ... | head -1` ends quietly."""
    command = f"{sys.executable} -m emoprefer_bench.cli.main report {REPORT} --csv - | head -c 1"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "d", "")


def test_asking_for_help_loads_nothing_heavy():
    """It answers at once."""
    script = (
        "import sys, emoprefer_bench.cli.main\n"
        "print([name for name in ('numpy', 'pandas', 'av', 'tabulate', 'torch') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_the_folder_of_the_repository_is_the_default():
    """`data check` without a folder looks into dataset/."""
    assert cli._parser().parse_args(["data", "check"]).root == Path("dataset")
