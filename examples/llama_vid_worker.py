"""LLaMA-VID (Li et al., arXiv 2311.17043) as a judge, in the environment of its own repository.

Copy this file and emoprefer_bench/protocol/worker.py into one folder; docs/external.md has the rest. The frames come
decoded from the harness, one a second, so that nothing here reads a video.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from llamavid.constants import DEFAULT_IM_END_TOKEN, DEFAULT_IM_START_TOKEN, DEFAULT_IMAGE_TOKEN, IMAGE_TOKEN_INDEX
from llamavid.conversation import conv_templates
from llamavid.model.builder import load_pretrained_model
from llava.mm_utils import KeywordsStoppingCriteria, get_model_name_from_path, tokenizer_image_token
from worker import OneByOne, serve

VERSION = "1"


class LlamaVid:
    """The model, and one question at a time."""

    def __init__(self, path: str) -> None:
        """Load it onto the leased GPU: CUDA_VISIBLE_DEVICES is set already."""
        name = get_model_name_from_path(path)
        self.tokenizer, self.model, self.processor, _ = load_pretrained_model(path, None, name)

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Return the answer's text, and how many frames reached the model."""
        sampling = question["sampling"]
        torch.manual_seed(sampling["seed"])
        frames = np.load(question["clip"]["frames"])  # uint8, (frames, height, width, 3)
        pixels = self.processor.preprocess(frames, return_tensors="pt")["pixel_values"].half().cuda()
        self.model.update_prompt([[question["prompt"]]])
        ids, stop = self.prompt(question["prompt"])
        with torch.inference_mode():
            output = self.model.generate(
                ids,
                images=[pixels],
                do_sample=sampling["temperature"] > 0,
                temperature=sampling["temperature"] or None,
                top_p=sampling["top_p"],
                repetition_penalty=sampling["repetition_penalty"],
                max_new_tokens=sampling["max_tokens"],
                use_cache=True,
                stopping_criteria=[KeywordsStoppingCriteria([stop], self.tokenizer, ids)],
            )
        said = output[0, ids.shape[1] :]
        text = self.tokenizer.decode(said, skip_special_tokens=True).strip()
        finish = "length" if len(said) >= sampling["max_tokens"] else "stop"
        tokens = {"prompt": ids.shape[1], "video": len(pixels), "output": len(said)}
        return {"text": text.removesuffix(stop).strip(), "finish": finish, "tokens": tokens}

    def prompt(self, words: str) -> tuple[torch.Tensor, str]:
        """Return the prompt's tokens, with a place for the clip, and the text that ends an answer."""
        conversation = conv_templates["llava_v1"].copy()
        place = DEFAULT_IMAGE_TOKEN
        if self.model.config.mm_use_im_start_end:
            place = DEFAULT_IM_START_TOKEN + place + DEFAULT_IM_END_TOKEN
        conversation.append_message(conversation.roles[0], place + "\n" + words)
        conversation.append_message(conversation.roles[1], None)
        text = conversation.get_prompt()
        ids = tokenizer_image_token(text, self.tokenizer, IMAGE_TOKEN_INDEX, return_tensors="pt")
        return ids.unsqueeze(0).cuda(), conversation.sep2


def load(message: dict[str, Any]) -> OneByOne:
    """Load what the fixture names."""
    model = LlamaVid(message["model"])
    return OneByOne({"engine": "LLaMA-VID", "version": VERSION, "device": torch.cuda.get_device_name()}, model.answer)


if __name__ == "__main__":
    serve(load)
