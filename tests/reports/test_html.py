from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zlib
from dataclasses import replace

import av
import numpy as np
import pytest
from support import documents
from support.media_files import make_clip, placed
from support.media_sounds import level, onsets, sine, write
from support.runs import HALF, HOSTILE, a_hostile_run, a_run, golden, prefers_longer, says, some_pairs, told

from emoprefer_bench.cases import Case
from emoprefer_bench.data.datasets import Dataset
from emoprefer_bench.media.decode import decode
from emoprefer_bench.media.plan import MediaPlan
from emoprefer_bench.media.small import FRAMES_A_SECOND
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.reports import html
from emoprefer_bench.reports.forms import FormError
from emoprefer_bench.reports.page import embedded
from emoprefer_bench.reports.page.pairs import browsable
from emoprefer_bench.reports.page.summary import summary


def unpacked(page):
    """The index of the pairs, and all texts in order."""
    packs = re.findall(r'<script type="text/plain" class="pack">([^<]*)</script>', page)
    index, *blocks = [json.loads(zlib.decompress(base64.b64decode(pack))) for pack in packs]
    return index, [text for block in blocks for text in block]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's document and the folder of its transcripts, which no test changes."""
    folder = tmp_path_factory.mktemp("run")
    return a_run(folder, rows=12), folder / "transcripts"


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory):
    """The same of a run in which everything that can be hostile is."""
    folder = tmp_path_factory.mktemp("hostile")
    return a_hostile_run(folder), folder / "transcripts"


def between(page, start, end):
    """What stands between two marks that are there once."""
    assert page.count(start) == 1
    return page.partition(start)[2].partition(end)[0]


def test_the_policy_allows_the_page_s_own_script_and_style_and_nothing_else(run):
    """Scripts and styles run by their digests alone; nothing is fetched but media beside the page or chosen by hand."""
    page = html.render(*run)
    policy = dict(directive.split(" ", 1) for directive in between(page, 'Policy" content="', '">').split("; "))
    for name, start, end in (("script-src", "<script>", "</script>"), ("style-src", "<style>", "</style>")):
        digest = base64.b64encode(hashlib.sha256(between(page, start, end).encode()).digest()).decode()
        assert policy.pop(name) == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "media-src": "'self' file: data: blob:",  # of a folder that the reader chose
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_names_nothing_outside_itself(run):
    """There is no address of a network in it, but for the name of SVG, which is never fetched."""
    page = html.render(*run)
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|@import|url\(|<img|<iframe| src=", page)


def test_hostile_text_is_never_markup(run, hostile_run):
    """Whatever is written in texts, answers and names, the page has the tags of a harmless one, and is ASCII."""
    hostile, harmless = html.render(*hostile_run), html.render(*run)
    assert re.findall("<[^<>]*>?", hostile) == re.findall("<[^<>]*>?", harmless)
    assert hostile.isascii()
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", hostile)


def test_hostile_text_is_kept_to_the_letter(hostile_run):
    """Nothing is cleaned away: what was written is there to be read, half characters and all."""
    page = html.render(*hostile_run)
    index, texts = unpacked(page)
    rows = index["datasets"]["toy <script>"]
    assert [texts[number] for number in rows["a1"]] == HOSTILE
    assert f"{HALF} a1" in texts
    assert json.loads(between(page, '<script type="application/json" id="report">', "</script>"))["cases"][0]["faults"]


def test_every_text_is_stored_once(tmp_path):
    """Two rows of a clip in two orders and two prompts share its description."""
    judges = {Case("judge", prompt, "toy", "video"): prefers_longer for prompt in ("S2", "S3")}
    page = html.render(told(tmp_path, some_pairs(), judges), tmp_path / "transcripts")
    _, texts = unpacked(page)
    assert len(texts) == len(set(texts))
    assert texts.count("An account of clip0.") == 1


def test_texts_are_in_several_blocks_where_there_are_many(run, monkeypatch):
    """So a browser reads them a piece at a time; together they are all there, in order."""
    whole = unpacked(html.render(*run))
    monkeypatch.setattr(html, "PACK", 100)
    page = html.render(*run)
    assert page.count('class="pack"') >= 10
    assert unpacked(page) == whole


def test_verdicts_stand_a_character_a_row(run):
    """`1`, `2`, `s`: verdicts; `-`: an answer that could not be read; beside them how each was read."""
    index = browsable(*run, None).index
    [vague] = index["cases"]["vague-S1-toy"]
    assert (vague["forward"]["verdicts"], vague["exchanged"]["verdicts"]) == ("1" * 12, "-" * 12)
    assert [index["provenances"][int(code)] for code in vague["exchanged"]["provenances"]] == ["ambiguous"] * 12
    assert index["cases"]["stubborn-S1-other"][0]["forward"]["verdicts"] == "s" * 12
    assert index["datasets"]["toy"]["labels"] == "112s211s222s"


def test_a_row_that_was_not_asked_is_told_from_one_that_was_not_read():
    """An interrupted case has rows without a verdict, and no provenance either."""
    pairs = documents.toy_pairs(("a1", "a2", "a1"))
    case = documents.case(Case("judge", "S1", "toy", "video"), pairs, ["a1", "?", None], outcome="interrupted")
    document = documents.report([case], Dataset("toy", pairs))
    [one] = browsable(document, None, None).index["cases"]["judge-S1-toy"]
    assert one["forward"]["verdicts"] == "1-."
    assert summary(document)["cases"][0]["confusion"] == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_steps_lead_to_each_verdict_in_both_orders(tmp_path):
    """A step is the number of its template and of its answer; an order has its own."""
    document = told(tmp_path, some_pairs(2), {Case("judge", "S2", "toy", "video"): prefers_longer})
    found = browsable(document, tmp_path / "transcripts", None)
    texts = list(found.numbers)
    [one] = found.index["cases"]["judge-S2-toy"]
    forward, exchanged = ([texts[number] for number in one[order]["steps"][0]] for order in ("forward", "exchanged"))
    assert forward == ["describe", "An account of clip0.", "judge_described", "a2"]
    assert exchanged == ["describe", "An account of clip0.", "judge_described", "a1"]


def test_texts_are_those_of_the_data_set_whichever_order_was_written_first(tmp_path):
    """A transcript is in the order in which verdicts came, so the exchanged pair may be the first to tell the texts."""
    pairs = some_pairs(2)
    document = told(tmp_path, pairs, {Case("judge", "S1", "toy", "video"): says("a1")})
    path = tmp_path / "transcripts/judge-S1-toy.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    found = browsable(document, tmp_path / "transcripts", None)
    texts, rows = list(found.numbers), found.index["datasets"]["toy"]
    assert [texts[number] for number in rows["a1"]] == [pair.a1 for pair in pairs]
    assert [texts[number] for number in rows["writers"][0]] == ["first writer", "second writer"]


def test_without_transcripts_there_are_verdicts_and_no_texts(tmp_path):
    """As for a report that was shared without the data, or scored from files that hold verdicts alone."""
    document = golden()
    index, texts = unpacked(html.render(document, tmp_path / "nothing here"))
    assert texts == []
    assert index["cases"]["qwen25omni_7b-S2-toy"][0]["forward"]["verdicts"] == "12121-"
    assert html.render(document) == html.render(document, tmp_path / "nothing here")


def test_cases_without_scores_and_data_sets_without_labels_make_a_page():
    """A run in which nothing ran, and one whose data nobody labelled, are pages too."""
    assert unpacked(html.render(documents.report([])))[1] == []
    pairs = [Pair("00000:clip", Clip("clip"), "one", "two")]
    document = documents.report(
        [
            documents.case(Case("judge", "S1", "toy", "video"), pairs, ["a1"]),
            documents.without_scores(Case("other", "S1", "gone", "video"), "skipped", "there is no data"),
        ],
        Dataset("toy", pairs),
    )
    index, _ = unpacked(html.render(document))
    assert index["datasets"]["toy"]["labels"] == "-"
    assert list(index["cases"]) == ["judge-S1-toy"]


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        (2, '{"row": 1, "round": 0, "key": "00000:another clip"}'),
        (3, '{"row": 99, "round": 0, "key": "00098:x"}'),
        (3, '{"row": 1, "round": 0, "key": "x"}'),
        (1, '{"row": 0, "rou'),
    ],
)
def test_transcripts_of_another_run_are_an_error_that_says_where(tmp_path, line, changed):
    """Another clip, a row too many, a line cut short: the file and the line are named."""
    document = told(tmp_path, some_pairs(2), {Case("careful", "S2", "toy", "video"): prefers_longer})
    path = tmp_path / "transcripts/careful-S2-toy.jsonl"
    lines = path.read_text().splitlines()
    lines[line - 1] = changed
    path.write_text("\n".join(lines))
    with pytest.raises(FormError, match=rf"careful-S2-toy\.jsonl, line {line}: is no verdict of careful-S2-toy"):
        html.render(document, tmp_path / "transcripts")


def test_a_transcript_is_only_read_from_its_folder(tmp_path):
    """The document names it, and a document may be a stranger's."""
    document = told(tmp_path, some_pairs(2), {Case("careful", "S2", "toy", "video"): prefers_longer})
    (tmp_path / "secret.jsonl").write_text("no line of a transcript")
    document["cases"][0]["transcript"] = "../secret.jsonl"
    assert html.render(document, tmp_path / "transcripts").lower().startswith("<!doctype html>")


def test_the_matrices_count_labels_and_both_orders(run):
    """Rows are labels, or verdicts; columns are verdicts, or those on the exchanged pair: a1, a2, same, none."""
    [_, careful, stubborn, vague, _] = summary(run[0])["cases"]
    assert careful["confusion"] == [[2, 2, 0, 0], [1, 4, 0, 0], [3, 0, 0, 0]]
    assert careful["flips"] == [[0, 6, 0, 0], [6, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert stubborn["flips"][1] == [0, 12, 0, 0]
    assert vague["flips"][0] == [0, 0, 0, 12]


def test_the_matrices_add_up_over_rounds(tmp_path):
    """Two rounds count each row twice."""
    document = told(tmp_path, some_pairs(4), {Case("judge", "S1", "toy", "video"): says("a1")}, rounds=2)
    [case] = summary(document)["cases"]
    assert sum(map(sum, case["flips"])) == 8


def test_the_summary_says_nothing_of_single_rows(run):
    """Keys, labels and verdicts are in the packed part, once."""
    document, _ = run
    found = summary(document)
    assert "verdicts" not in found["cases"][0]
    assert found["datasets"]["toy"].keys() == {"name", "digest", "rows", "labelled", "clips", "warnings"}
    assert "00000:clip0" not in json.dumps(found)
    assert "verdicts" in document["cases"][0]


def clip_run(folder, clip):
    """A run on one clip."""
    pair = Pair("00000:clip", Clip("clip", video=clip), "one", "two", "a1")
    return told(folder, [pair], {Case("judge", "S1", "toy", "video"): says("a1")})


def test_clips_are_linked_relative_to_the_page(tmp_path):
    """So the folder can be moved as a whole; whatever its name, a link is never more than a path."""
    clip = tmp_path / "data" / 'javascript:alert(1)"<b> ä?#.mp4'
    path = tmp_path / "pages/deep/report.html"
    html.write(clip_run(tmp_path, clip), path, tmp_path / "transcripts")
    index, _ = unpacked(path.read_text(encoding="ascii"))
    link = "../../data/javascript%3Aalert%281%29%22%3Cb%3E%20%C3%A4%3F%23.mp4"
    assert index["clips"] == [{"name": "clip", "address": link, "kind": "video"}]


def test_a_clip_of_sound_alone_is_played_as_sound(tmp_path):
    """A page that lies nowhere yet names files in full."""
    index, _ = unpacked(html.render(clip_run(tmp_path, tmp_path / "a.wav"), tmp_path / "transcripts"))
    assert index["clips"] == [{"name": "clip", "address": (tmp_path / "a.wav").as_uri(), "kind": "audio"}]


def test_a_judge_that_was_shown_another_clip_does_not_change_the_pair(tmp_path):
    """An audit asks about the texts with another row's clip; the pair keeps its own, and what is said in it."""
    pairs = [Pair("00000:clip", Clip("clip", video=tmp_path / "clip.mp4", subtitle="own words"), "one", "two", "a1")]
    case = Case("judge", "S1", "toy", "video")
    document = told(tmp_path, pairs, {case: says("a1"), replace(case, variant="mismatched"): says("a1")})
    path = tmp_path / "transcripts/judge-S1-toy-mismatched.jsonl"
    path.write_text(path.read_text().replace("clip.mp4", "other.mp4").replace('"clip": "clip"', '"clip": "other"'))
    path.write_text(path.read_text().replace("own words", "other words"))
    document["cases"].reverse()
    found = browsable(document, tmp_path / "transcripts", tmp_path)
    assert found.index["clips"] == [{"name": "clip", "address": "clip.mp4", "kind": "video"}]
    assert list(found.numbers)[found.index["datasets"]["toy"]["subtitle"][0]] == "own words"


def embedded_clips(page):
    """The data addresses of the clips in a page."""
    return re.findall(r'<script type="text/plain" id="clip-\d+">([^<]*)</script>', page)


def test_a_small_clip_is_embedded_as_it_is_and_only_where_asked_for(tmp_path):
    """A clip that isn't there is left out."""
    clip = make_clip(tmp_path / "clip.mp4", frames=10, sound=0.4)
    document = clip_run(tmp_path, clip)
    [address] = embedded_clips(html.render(document, tmp_path / "transcripts", embed_media=True))
    assert address == f"data:video/mp4;base64,{base64.b64encode(clip.read_bytes()).decode()}"
    assert embedded_clips(html.render(document, tmp_path / "transcripts")) == []
    clip.unlink()
    assert embedded_clips(html.render(document, tmp_path / "transcripts", embed_media=True)) == []


def test_a_large_clip_is_embedded_small(tmp_path, monkeypatch):
    """It keeps its shape, its length and its sound."""
    monkeypatch.setattr(embedded, "SMALL", 1000)
    clip = make_clip(tmp_path / "clip.mp4", frames=50, size=(640, 480), sound=2.0)
    head, _, content = embedded.addresses([clip])[0].partition(",")
    assert head == "data:video/mp4;base64"
    with av.open(io.BytesIO(base64.b64decode(content))) as small:
        picture, sound = small.streams.video[0], small.streams.audio[0]
        assert (picture.width, picture.height) == (240, 180)
        assert picture.frames == pytest.approx(2 * FRAMES_A_SECOND, abs=5)
        for stream in (picture, sound):
            assert float(stream.duration * stream.time_base) == pytest.approx(2, abs=0.15)


def test_a_large_clip_sounds_small_as_judges_hear_it(tmp_path, monkeypatch):
    """Two equal channels are as loud as one, and a gap is silent."""
    monkeypatch.setattr(embedded, "SMALL", 1000)
    clip = write(
        tmp_path / "c.mov", (0, sine(1, 48000, 0.6)), (3, sine(1, 48000, 0.6)), layout="stereo", codec="aac", picture=0
    )
    small = tmp_path / "small.mp4"
    small.write_bytes(base64.b64decode(embedded.addresses([clip])[0].partition(",")[2]))

    waveform = decode(small, None, MediaPlan(None, 1, 1), picture=False, sound=True).waveform

    assert onsets(waveform, 16000) == pytest.approx([0, 3], abs=0.05)
    assert level(waveform[1000:15000]) == pytest.approx(0.6, abs=0.03)
    assert np.abs(waveform[20000:46000]).max() < 0.001


@pytest.mark.parametrize("rotation", [90, -90])
def test_a_large_clip_stands_upright_small(tmp_path, monkeypatch, rotation):
    """Its note that it lies on its side is gone, and so it mustn't lie on its side."""
    monkeypatch.setattr(embedded, "SMALL", 1000)
    clip = make_clip(tmp_path / "clip.mp4", frames=10, size=(640, 480), sound=None, rotation=rotation)
    small = tmp_path / "small.mp4"
    small.write_bytes(base64.b64decode(embedded.addresses([clip])[0].partition(",")[2]))

    both = [decode(path, None, MediaPlan(None, 1, 1), picture=True, sound=False).frames[0] for path in (clip, small)]

    assert both[1].shape == (180, 136, 3)
    assert [frame[: len(frame) // 4, ..., 0].mean() > 200 for frame in both] == [rotation == 90] * 2


def test_a_large_clip_that_is_mirrored_is_mirrored_small(tmp_path, monkeypatch):
    """What stood at the left stands at the right."""
    monkeypatch.setattr(embedded, "SMALL", 1000)
    clip = make_clip(tmp_path / "clip.mp4", frames=10, size=(640, 480), sound=None)
    placed(clip, clip, -1, 0, 0, 1)
    small = tmp_path / "small.mp4"
    small.write_bytes(base64.b64decode(embedded.addresses([clip])[0].partition(",")[2]))

    frame = decode(small, None, MediaPlan(None, 1, 1), picture=True, sound=False).frames[0]

    assert frame[:, :110, 0].mean() > 200
    assert frame[:, 130:, 0].mean() < 50


def test_a_large_clip_of_sound_alone_stays_sound(tmp_path, monkeypatch):
    """There is no picture to make small."""
    monkeypatch.setattr(embedded, "SMALL", 1000)
    clip = make_clip(tmp_path / "clip.mp4", frames=0, sound=2.0).rename(tmp_path / "clip.wav")
    assert embedded.addresses([clip])[0].startswith("data:audio/mp4;base64,")


def test_a_large_file_that_is_no_clip_is_embedded_as_it_is(tmp_path, monkeypatch):
    """The browser may know better."""
    monkeypatch.setattr(embedded, "SMALL", 10)
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"this is no clip")
    assert embedded.addresses([path])[0] == f"data:video/mp4;base64,{base64.b64encode(b'this is no clip').decode()}"


def test_the_page_is_the_same_each_time(run, tmp_path):
    """Nothing of when or where it was made goes in but what the document says."""
    html.write(run[0], tmp_path / "new/one.html", run[1])
    page = html.render(*run, beside=tmp_path / "new")
    assert (tmp_path / "new/one.html").read_text(encoding="ascii") == page
