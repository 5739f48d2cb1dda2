from __future__ import annotations

import io
import shutil
import time

import numpy as np
import pytest
from PIL import Image
from support.media_files import make_clip
from support.runs import says, told

from emoprefer_bench.cases import Case
from emoprefer_bench.pairs import Clip, Pair
from emoprefer_bench.reports import html


@pytest.fixture
def clip_page(tmp_path):
    """A page on one clip, linked or embedded."""
    clip = make_clip(tmp_path / "data/a clip.mp4", frames=25, sound=1.0)
    document = told(
        tmp_path,
        [Pair("00000:clip", Clip("clip", video=clip), "one", "two", "a1")],
        {Case("judge", "S1", "toy", "video"): says("a1")},
    )

    def written(**how):
        html.write(document, tmp_path / "page/page.html", tmp_path / "transcripts", **how)
        return tmp_path / "page/page.html", clip

    return written


MINUTE = 60
PLAY = """async (video) => {
  video.muted = true;
  const late = new Promise((_, fail) => setTimeout(() => fail(new Error("not played after a minute")), 60000));
  await Promise.race([video.play(), late]);
  return [video.videoWidth, video.error];
}"""


def ready(video):
    """Wait for a clip's first frame; the page may put another element in the place of the one that was there."""
    until = time.monotonic() + MINUTE
    while video.evaluate("(video) => video.readyState") < 2:
        assert time.monotonic() < until, "no frame of the clip after a minute"
        video.page.wait_for_timeout(50)


def test_a_linked_clip_shows_its_first_frame(tab, clip_page):
    """Before anybody plays it; and of a page of ten pairs only these clips are looked into."""
    path, clip = clip_page()
    video = tab.open(path).page.locator("video")
    ready(video)
    pixels = np.asarray(Image.open(io.BytesIO(video.screenshot())).convert("L"), int)
    seen = pixels[: pixels.shape[0] // 2]  # above the controls
    assert seen.std() > 20
    assert set(tab.requests) == {path.as_uri(), clip.as_uri()}
    assert tab.unsound() == []


def test_a_linked_clip_plays(tab, clip_page):
    """From its file."""
    path, _ = clip_page()
    assert tab.open(path).page.locator("video").evaluate(PLAY) == [64, None]
    assert tab.unsound() == []


def test_clips_of_other_pairs_are_not_looked_into(tab, tmp_path):
    """A page of the browser holds ten pairs, and a data set hundreds of clips."""
    clip = make_clip(tmp_path / "clip0.mp4", frames=25)
    clips = [Clip(f"clip{n}", video=shutil.copy(clip, tmp_path / f"a{n}.mp4")) for n in range(12)]
    pairs = [Pair(f"{n:05}:clip{n}", clip, "one", "two", "a1") for n, clip in enumerate(clips)]
    document = told(tmp_path, pairs, {Case("judge", "S1", "toy", "video"): says("a1")})
    html.write(document, tmp_path / "page.html", tmp_path / "transcripts")
    tab.open(tmp_path / "page.html")
    for video in tab.page.locator("video").all():
        ready(video)
    assert {url.rpartition("/")[2] for url in tab.requests} == {"page.html", *(f"a{n}.mp4" for n in range(10))}


@pytest.mark.parametrize("beside", ["data", "."])
def test_a_page_that_is_moved_with_its_clips_finds_them(tab, clip_page, tmp_path, beside):
    """Though the folders between them are gone: in a folder of the same name beside the page, or beside it."""
    path, clip = clip_page()
    moved = tmp_path / "elsewhere/page.html"
    (moved.parent / beside).mkdir(parents=True)
    path.rename(moved)
    clip.rename(moved.parent / beside / clip.name)
    ready(tab.open(moved).page.locator("video"))
    assert tab.page.locator("video").evaluate(PLAY) == [64, None]
    assert not tab.page.locator(".no-clip").count()


def test_clips_are_found_again_in_the_folder_that_is_chosen(tab, clip_page, tmp_path):
    """Wherever the page and the clips went. Of two files of one name, the one in a folder of the same name is it."""
    path, clip = clip_page()
    archive = tmp_path / "archive"
    for folder, frames, size in (("other", 5, 32), ("deep/data", 25, 64)):
        make_clip(archive / folder / clip.name, frames=frames, size=(size, size))
    clip.unlink()
    page = tab.open(path).page
    button = page.get_by_role("button", name="Choose the folder of the clips")
    button.wait_for()
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing/else.mp4").touch()
    for folder in ("nothing", "archive"):
        with page.expect_file_chooser() as chooser:
            button.click()
        chooser.value.set_files(tmp_path / folder)
        if folder == "nothing":
            page.get_by_text("the clip is not in that folder").wait_for()
    ready(page.locator("video"))
    assert page.locator("video").evaluate(PLAY) == [64, None]
    assert set(tab.unsound()) == {"Failed to load resource: net::ERR_FILE_NOT_FOUND"}


def test_an_embedded_clip_plays_from_the_page_alone(tab, clip_page):
    """The file may be gone."""
    path, clip = clip_page(embed_media=True)
    clip.unlink()
    assert tab.open(path).page.locator("video").evaluate(PLAY) == [64, None]
    assert [url for url in tab.requests if not url.startswith("data:")] == [path.as_uri()]
    assert tab.unsound() == []


def test_a_clip_that_is_gone_is_said_to_be(tab, clip_page):
    """In its place."""
    path, clip = clip_page()
    clip.unlink()
    page = tab.open(path).page
    page.get_by_text("the clip is not there").wait_for()
    assert page.get_by_text("the clip is not there").is_visible()
