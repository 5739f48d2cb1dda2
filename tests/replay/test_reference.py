from __future__ import annotations

import pickle
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from support.documents import report
from support.recordings import documented, write, write_both

from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.replay import npz
from emoprefer_bench.replay.npz import ReplayError
from emoprefer_bench.replay.reference import find, load
from emoprefer_bench.reports import latex

LABELS = ["a1", "a2", "same"]


def only(folder):
    """The one recording of a folder."""
    (recording,) = find(folder).recordings
    return recording


def document_of(folder):
    """The document of all that a folder holds."""
    loaded = [load(recording) for recording in find(folder).recordings]
    cases = [{**case, "outcome": "passed", "reason": None} for case, _ in loaded]
    names = {described["name"]: described for _, described in loaded}
    found = report(cases)
    return {**found, "datasets": names}


def test_the_documented_counts_give_the_documented_row(tmp_path):
    """379 of 563 and of 574 right, 454 of 574 consistent: the reference's row to the digit, WAF too."""
    write_both(tmp_path, "qwen25omni_7b-audiovideo-cot-answer", "emoprefer", "round1", *documented())
    assert latex.paper_rows(document_of(tmp_path), "emoprefer") == [
        r"Qwen2.5-Omni& S2& 67.21$\pm$0.00& 67.32$\pm$0.00& 65.29$\pm$0.00& 66.03$\pm$0.00& 79.09$\pm$0.00\\"
    ]


def test_names_tell_model_input_prompt_data_set_llm_and_round(tmp_path):
    """Each of the reference's kinds of answer file is a case; models may have hyphens."""
    for stem, data, end in (
        ("a-b-audio-normal", "emoprefer", "round1"),
        ("a-b-audio-cot-answer", "emoprefer", "round1"),
        ("a-b-audio-cot-answer2", "emoprefer", "qwen3_8b-round1"),
        ("a-b-audio-cot-answer3", "emopreferv2", "qwen25-round1"),
        ("gpt_4o-videotext-normal", "emoprefer", "round1"),
    ):
        write_both(tmp_path, stem, data, end, LABELS, LABELS, LABELS)
    found = find(tmp_path)
    assert {(r.case.model, r.case.prompt, r.case.dataset, r.case.modality, r.case.llm) for r in found.recordings} == {
        ("a-b", "S1", "emoprefer", "audio", None),
        ("a-b", "S2", "emoprefer", "audio", None),
        ("a-b", "S3", "emoprefer", "audio", "qwen3_8b"),
        ("a-b", "S4", "emopreferv2", "audio", "qwen25"),
        ("gpt_4o", "S1", "emoprefer", "video+subtitle", None),
    }
    assert [r.id for r in found.recordings if r.named()["closed"]] == ["gpt_4o-S1-emoprefer"]
    assert not found.ignored


def test_finding_opens_no_file_and_loads_no_pytorch(tmp_path):
    """At collection a folder of thousands costs nothing, and what is broken fails its own case alone."""
    for name in ("m-audio-normal-emoprefer-round1.npz", "m-audio-normal-emopreferreverse-round1.npz"):
        (tmp_path / name).write_bytes(b"no zip")
    recording = only(tmp_path)
    with pytest.raises(ReplayError, match=r"round1\.npz: is no \.npz file"):
        load(recording)


def test_what_is_no_answer_file_is_listed_with_the_reason(tmp_path):
    """Descriptions and reasons are not needed, other names are unknown; neither is silently passed over."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    for name in (
        "m-audio-cot-description-emoprefer-round1",
        "m-audio-cot-reasoning-emoprefer-qwen25-round1",
        "m-audio-cot-answer2-emoprefer-round1",
        "m-audio-normal-emoprefer-round01",
        "notes",
    ):
        (tmp_path / f"{name}.npz").write_bytes(b"")
    ignored = find(tmp_path).ignored
    assert {name.split("-")[-2] for name, reason in ignored.items() if "not needed" in reason} == {
        "emoprefer",
        "qwen25",
    }
    assert len([reason for reason in ignored.values() if "its name" in reason]) == 2


@pytest.mark.parametrize("missing", [True, False])
def test_a_folder_without_answers_is_refused(tmp_path, missing):
    """A wrong folder is said at once, with what was looked for."""
    folder = tmp_path / "missing" if missing else tmp_path
    with pytest.raises(ReplayError, match=r"there is no answer file such as .*normal-emoprefer-round1\.npz"):
        find(folder)


def test_rounds_are_matched_by_number(tmp_path):
    """Round 10 stands after round 2, and each round's reverse file is its own."""
    for number, verdicts in ((1, ["a1", "a1", "a1"]), (2, ["a2", "a2", "a2"]), (10, ["same", "same", "same"])):
        write_both(tmp_path, "m-audio-normal", "emoprefer", f"round{number}", LABELS, verdicts, verdicts)
    recording = only(tmp_path)
    assert [files.number for files in recording.rounds] == [1, 2, 10]
    case, _ = load(recording)
    assert [one["forward"][0] for one in case["verdicts"]] == ["a1", "a2", "same"]
    assert case["scores"]["swap"]["rounds"] == [0, 0, 1]
    assert case["scores"]["acc3"]["rounds"] == pytest.approx([1 / 3] * 3)


def test_one_order_alone_has_four_columns_and_a_dash(tmp_path):
    """What needs the exchanged pairs is undefined; the rest is what both orders would give."""
    write(tmp_path, "qwen25omni_7b-audiovideo-normal-emoprefer-round1", LABELS, ["a1", "a1", "same"])
    document = document_of(tmp_path)
    (case,) = document["cases"]
    assert (case["complete"], case["scores"]["acc2"]["mean"], case["scores"]["acc3"]["mean"]) == (True, 0.5, 2 / 3)
    assert {case["scores"][name]["mean"] for name in ("swap", "strict_swap", "first_slot")} == {None}
    assert set(case["verdicts"][0]["exchanged"]) == {None}
    (row,) = latex.paper_rows(document, "emoprefer")
    cells = row.removesuffix(r"\\").split("& ")
    assert (cells[0], cells[3], cells[6]) == ("Qwen2.5-Omni", r"50.00$\pm$0.00", "--")


def test_exchanged_files_of_some_rounds_alone_are_no_basis_for_consistency(tmp_path):
    """Rounds are never paired with another's, and a forward file is always needed."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    write(tmp_path, "m-audio-normal-emoprefer-round2", LABELS, LABELS)
    case, _ = load(only(tmp_path))
    assert (case["scores"]["swap"]["mean"], case["scores"]["acc3"]["rounds"]) == (None, [1, 1])
    write(tmp_path, "n-audio-normal-emopreferreverse-round1", LABELS, LABELS)
    with pytest.raises(ReplayError, match="the forward file of round 1 is missing"):
        load(find(tmp_path).recordings[1])


def test_names_of_older_versions_are_taken(tmp_path):
    """Without the text LLM, and with an input type that says nothing."""
    write_both(tmp_path, "vita15-xxx-cot-answer2", "emoprefer", "round0", LABELS, LABELS, LABELS)
    recording = only(tmp_path)
    assert (recording.case.prompt, recording.case.llm, recording.case.modality) == ("S3", None, "audiovideo")
    assert latex.paper_rows(document_of(tmp_path), "emoprefer")[0].startswith("VITA-1.5& S3& ")


def test_several_inputs_or_llms_of_one_case_have_ids_of_their_own(tmp_path):
    """Where the folder has a case once its id is the usual one, so that it can be compared with a run."""
    for stem, end in (
        ("m-audio-normal", "round1"),
        ("m-video-normal", "round1"),
        ("m-audio-cot-answer", "round1"),
        ("m-audio-cot-answer2", "qwen25-round1"),
        ("m-audio-cot-answer2", "qwen3_8b-round1"),
    ):
        write_both(tmp_path, stem, "emoprefer", end, LABELS, LABELS, LABELS)
    ids = ["m-S1-emoprefer-audio", "m-S1-emoprefer-video", "m-S2-emoprefer"]
    ids += ["m-S3-emoprefer-audio-qwen25", "m-S3-emoprefer-audio-qwen3_8b"]
    assert [recording.id for recording in find(tmp_path).recordings] == ids


def test_a_case_has_the_form_of_a_documents_case(tmp_path):
    """Reports and gates take it as any other: valid by the schema, complete, with the digests of its files."""
    write_both(tmp_path, "m-audio-cot-answer3", "emoprefer", "qwen25-round1", LABELS, LABELS, ["a2", "a1", "same"])
    case = document_of(tmp_path)["cases"][0]
    assert case["complete"]
    assert case["transcript"] is None
    assert case["questions"] == {"asked": 0, "stored": 6}
    assert case["engine"]["llm"]["name"] == "qwen25"
    assert len(case["engine"]["judge"]["identity"]["files"]) == 2
    assert case["scores"]["swap"]["mean"] == case["scores"]["strict_acc3"]["mean"] == 1


@pytest.mark.parametrize("array", ["gt_labels", "pred_labels"])
def test_an_unknown_label_is_an_error_that_names_file_and_row(tmp_path, array):
    """Raw answers, ties of other files and empty cells are no labels."""
    arrays = {"gt_labels": LABELS, "pred_labels": LABELS} | {array: ["a1", "Answer: a2", "same"]}
    for data in ("emoprefer", "emopreferreverse"):
        np.savez(tmp_path / f"m-audio-normal-{data}-round1.npz", **arrays)
    with pytest.raises(ReplayError, match=r"emoprefer-round1\.npz, row 2: the (label|prediction) is 'Answer: a2'"):
        load(only(tmp_path))


@pytest.mark.parametrize("word", ["tie", ""])
def test_files_made_without_labels_have_predictions_and_no_scores(tmp_path, word):
    """`tie` in every row means that nobody was asked; it breaks nothing."""
    write(tmp_path, "m-audio-normal-candidates-round1", [word] * 3, LABELS)
    write(tmp_path, "m-audio-normal-candidatesreverse-round1", [word] * 3, ["a2", "a1", "same"])
    case, dataset = load(only(tmp_path))
    assert (dataset["labelled"], case["scores"]["waf2"]["mean"], case["scores"]["swap"]["mean"]) == (0, None, 1)


def test_a_tie_among_labels_is_none(tmp_path):
    """Only a whole file can be without labels."""
    write(tmp_path, "m-audio-normal-emoprefer-round1", ["a1", "tie"], ["a1", "a1"])
    write(tmp_path, "m-audio-normal-emopreferreverse-round1", ["a2", "tie"], ["a1", "a1"])
    with pytest.raises(ReplayError, match="row 2: the label is 'tie'"):
        load(only(tmp_path))


def test_files_whose_labels_part_are_an_error_that_says_where(tmp_path):
    """Between rounds, and between a file and its reverse, whose labels must be exchanged."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    write(tmp_path, "m-audio-normal-emopreferreverse-round1", ["a2", "a2", "same"], LABELS)
    with pytest.raises(
        ReplayError, match=r"reverse-round1\.npz, row 2: the label, exchanged back, is a1, but .* has a2"
    ):
        load(only(tmp_path))
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round2", ["a1", "a2", "a1"], LABELS, LABELS)
    with pytest.raises(ReplayError, match=r"round2\.npz, row 3: the label is a1, but .*round1\.npz has same"):
        load(only(tmp_path))


def dataset_of(labels):
    """A data set with these labels."""
    return Dataset("emoprefer", [Pair(f"{n:05}:c", Clip("c"), f"x{n}", "y", label) for n, label in enumerate(labels)])


def test_labels_are_checked_against_the_data_set(tmp_path):
    """Other rows or another order end in an error with file, row and key; equal ones lend their clips and digest."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, ["a2", "a1", "same"])
    whole = dataset_of(LABELS)
    case, described = load(only(tmp_path), whole)
    assert described == whole.described()
    assert case["rows"] == 3
    with pytest.raises(ReplayError, match=r"row 2: the label is a2, but data set emoprefer has same in row 2 \(c\)"):
        load(only(tmp_path), dataset_of(["a1", "same", "a2"]))
    with pytest.raises(ReplayError, match="has 3 rows, but data set emoprefer has 4"):
        load(only(tmp_path), dataset_of([*LABELS, "a1"]))


def test_a_run_cut_short_is_refused(tmp_path):
    """A file of a debugging run with two rows is no round."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round2", LABELS[:2], LABELS[:2], LABELS[:2])
    with pytest.raises(ReplayError, match=r"round2\.npz: has 2 rows, but .*round1\.npz has 3"):
        load(only(tmp_path))


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("form", ["object array", "bare pickle"])
def test_a_pickle_is_refused_and_never_run(tmp_path, form):
    """The error names the file and the reason, and nothing of the file was run."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    path, bomb = tmp_path / "m-audio-normal-emoprefer-round1.npz", Bomb(tmp_path / "boom")
    if form == "object array":
        np.savez(path, gt_labels=np.array([bomb], dtype=object), pred_labels=LABELS)
    else:
        path.write_bytes(pickle.dumps(bomb))
    with pytest.raises(
        ReplayError, match=r"emoprefer-round1\.npz: (holds pickled objects, and unpickling|is no \.npz)"
    ):
        load(only(tmp_path))
    assert not (tmp_path / "boom").exists()


def _bad_checksum(path):
    content = bytearray(path.read_bytes())
    content[80] ^= 0xFF
    path.write_bytes(bytes(content))


def _header_that_lies(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("gt_labels", "pred_labels"):
            header = b"{'descr': '<U4', 'fortran_order': False, 'shape': (9000000000000,), }\n"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def _bomb_of_zeros(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("gt_labels", "pred_labels"):
            archive.writestr(f"{name}.npy", bytes(40 * 2**20))


def _array(words=LABELS, descr=None, shape=None, body=None):
    """An array of strings as numpy saves it, or with another header or body."""
    made = np.array(words)
    header = {"descr": descr or made.dtype.str, "fortran_order": False, "shape": made.shape if shape is None else shape}
    said = repr(header).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(said).to_bytes(2, "little") + said + (made.tobytes() if body is None else body)


def _members(path, predictions, compression=zipfile.ZIP_STORED, **others):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in {"gt_labels.npy": _array(), "pred_labels.npy": predictions, **others}.items():
            archive.writestr(name, content)


def _encrypted(path):
    _members(path, _array())
    content = path.read_bytes()
    for start in (b"PK\x03\x04", b"PK\x01\x02"):  # the flags of each member, in front of it and in the directory
        parts = content.split(start)
        at = 2 if start.endswith(b"\x04") else 4
        content = start.join([parts[0], *(part[:at] + bytes([part[at] | 1]) + part[at + 1 :] for part in parts[1:])])
    path.write_bytes(content)


def _bad_lzma(path):
    _members(path, _array(["a1"] * 5000), zipfile.ZIP_LZMA)
    content = bytearray(path.read_bytes())
    at = content.index(b"pred_labels.npy") + len(b"pred_labels.npy") + 9
    content[at : at + 20] = b"\xff" * 20
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_encrypted, "is no .npz file"),
        (_bad_lzma, "is no .npz file"),
        (lambda path: _members(path, _array(shape=(-3,))), "is no .npz file"),
        (lambda path: _members(path, _array(shape=(10**30,))), "is no .npz file"),
        (lambda path: _members(path, _array(shape=(2,))), "2 strings are announced"),
        (
            lambda path: _members(path, _array(descr="<U0", shape=(10**12,), body=b"")),
            "it should hold one string a row",
        ),
        (lambda path: _members(path, _array(shape=())), "it should hold one string a row"),
        (lambda path: _members(path, _array(descr="<U9999999999")), "is no .npz file"),
        (lambda path: _members(path, _array(descr="|O")), "holds pickled objects"),
        (lambda path: _members(path, _array(body=b"\xff" * 48)), "is no .npz file"),
        (lambda path: _members(path, _array(body=(0xD800).to_bytes(4, "little") * 12)), "the prediction is"),
        (lambda path: _members(path, b"\x93NUMPY\x09\x00" + bytes(99)), "is no .npz file"),
        (lambda path: _members(path, b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535), "is no .npz file"),
        (lambda path: path.write_bytes(b""), "is no .npz file"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "is no .npz file"),
        (_bad_checksum, "is no .npz file"),
        (_header_that_lies, "is no .npz file"),
        (_bomb_of_zeros, "unpacks to 83886080 bytes"),
        (lambda path: np.savez(path, gt_labels=LABELS), "pred_labels"),
        (lambda path: np.savez(path, gt_labels=[1, 2, 3], pred_labels=LABELS), "holds int64 of shape"),
        (lambda path: np.savez(path, gt_labels=[LABELS], pred_labels=LABELS), r"of shape \(1, 3\)"),
        (lambda path: np.savez(path, gt_labels=LABELS, pred_labels=LABELS[:2]), "has 3 labels and 2 predictions"),
        (lambda path: np.savez(path, gt_labels=np.array([], "U4"), pred_labels=np.array([], "U4")), "has 0 labels"),
    ],
)
def test_a_broken_or_hostile_file_is_one_clear_error(tmp_path, spoil, message):
    """Whatever is wrong with a file, its name and the reason are said, and memory is not filled."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    spoil(tmp_path / "m-audio-normal-emoprefer-round1.npz")
    with pytest.raises(ReplayError, match=message) as error:
        load(only(tmp_path))
    assert "emoprefer-round1.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_lies_beside_the_arrays_is_not_unpacked(tmp_path):
    """A member without `.npy` that numpy would take for the array: 100 MiB of zeros, and the answers are read."""
    write_both(tmp_path, "m-audio-normal", "emoprefer", "round1", LABELS, LABELS, LABELS)
    path = tmp_path / "m-audio-normal-emoprefer-round1.npz"
    _members(path, _array(), zipfile.ZIP_DEFLATED, pred_labels=bytes(100 << 20))
    tracemalloc.start()
    answers = npz.read(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(answers.verdicts) == LABELS
    assert most < 4 << 20


def test_replaying_needs_no_engine():
    """Neither torch nor an engine is loaded for it."""
    heavy = ("torch", "vllm", "transformers", "av")
    script = f"import sys, emoprefer_bench.replay.reference; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
