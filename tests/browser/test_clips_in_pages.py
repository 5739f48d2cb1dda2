from __future__ import annotations

import pytest
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


PLAY = "async (video) => { video.muted = true; await video.play(); return [video.videoWidth, video.error]; }"


def test_a_linked_clip_is_fetched_when_it_is_played(tab, clip_page):
    """And not before: a page of ten pairs fetches nothing."""
    path, clip = clip_page()
    tab.open(path)
    assert tab.requests == [path.as_uri()]
    assert tab.page.locator("video").evaluate(PLAY) == [64, None]
    assert tab.requests[1:] == [clip.as_uri()]
    assert tab.unsound() == []


def test_an_embedded_clip_plays_from_the_page_alone(tab, clip_page):
    """The file may be gone."""
    path, clip = clip_page(embed_media=True)
    clip.unlink()
    assert tab.open(path).page.locator("video").evaluate(PLAY) == [64, None]
    assert [url for url in tab.requests if not url.startswith("data:")] == [path.as_uri()]
    assert tab.unsound() == []


def test_a_clip_that_is_gone_is_said_to_be(tab, clip_page):
    """When somebody wants to see it."""
    path, clip = clip_page()
    clip.unlink()
    page = tab.open(path).page
    page.locator("video").evaluate("(video) => { video.load(); video.play().catch(() => {}); }")
    page.get_by_text("the clip is not there").wait_for()
    assert page.get_by_text("the clip is not there").is_visible()
