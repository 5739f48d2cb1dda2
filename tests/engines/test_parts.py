"""A clip's bytes, as servers take them."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from support.asking import served_clip

from emoprefer_bench.engines.children import parts


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of three seconds with picture and sound."""
    return served_clip(tmp_path_factory.mktemp("clip"))


def test_a_picture_without_its_sound(clip):
    """A model that is only to see gets a file of the same frames with no sound track."""
    kind, content, sounding = parts.video(clip, sounding=False)
    with av.open(io.BytesIO(content)) as file:
        assert not file.streams.audio
        assert sum(1 for _ in file.decode(video=0)) == 75
    assert (kind, sounding) == ("video/mp4", False)


def test_the_file_itself(clip):
    """A model that hears, too, gets the file byte for byte."""
    kind, content, sounding = parts.video(clip, sounding=True)
    with open(clip["video"], "rb") as file:  # noqa: PTH123  # a string, as in the protocol
        assert content == file.read()
    assert (kind, sounding) == ("video/mp4", True)


def test_sound_in_floats_is_the_sound_as_it_was_decoded(clip):
    """Whoever reads the numbers of the file as they are has every sample, to the bit."""
    with av.open(io.BytesIO(parts.sound_in_floats(clip))) as file:
        read = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)
        assert file.streams.audio[0].rate == 16000
    assert read.dtype == np.float32
    assert np.array_equal(read, np.load(clip["waveform"])[None])


def test_a_clip_that_lacks_it(clip):
    """What is not there is an error that names the clip."""
    with pytest.raises(ValueError, match="'clip' has no picture"):
        parts.video({**clip, "video": None}, sounding=False)
    with pytest.raises(ValueError, match="'clip' has no sound"):
        parts.sound({**clip, "waveform": None})
    with pytest.raises(ValueError, match="'clip' has no sound"):
        parts.sound_in_floats({**clip, "waveform": None})
