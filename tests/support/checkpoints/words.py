"""The tokenizers of tiny checkpoints, which learn their few hundred tokens from a handful of sentences."""

from __future__ import annotations

import json

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AddedToken, GemmaTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

SENTENCES = [
    "The person in the video is happy, sad, angry, surprised, neutral or worried.",
    "Which description fits the clip better, a1 or a2? Answer with exactly one of: a1, a2, same.",
    "Facial expression, tone of voice, body language, and what is said.",
    "system user assistant\n",
]
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # as sentencepiece writes a space


def chat_template(
    *,
    video: str = "",
    audio: str = "",
    image: str = "",
    turn: str = "<|im_start|>{role}\n{body}<|im_end|>\n",
    answerer: str = "assistant",
    start: str = "",
) -> str:
    """Write a chat template: `start`, then the turns in order, and in each the media where they stand."""
    body = "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    for kind, place in {"video": video, "audio": audio, "image": image}.items():
        body += "{% if part.type == '" + kind + "' %}" + place.replace("\n", "{{ '\\n' }}") + "{% endif %}"
    body += "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}"
    turns = turn.replace("\n", "{{ '\\n' }}").replace("{role}", "{{ message.role }}").replace("{body}", body)
    opening = turn.partition("{body}")[0].replace("\n", "{{ '\\n' }}").replace("{role}", answerer)
    turns = "{% for message in messages %}" + turns + "{% endfor %}"
    return start + turns + "{% if add_generation_prompt %}" + opening + "{% endif %}"


def learn() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Learn a byte-level BPE of some five hundred tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [(first, second) for first, second in learned["merges"]]


def qwen_tokenizer(special: list[str], named: dict[str, str] | None = None) -> Qwen2Tokenizer:
    """Make Qwen's, with tokens of its own for media; `named` are those that a processor asks for by attribute."""
    vocabulary, merges = learn()
    tokenizer = Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named or {},
        model_max_length=32768,
    )
    base = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in base + special])
    return tokenizer


def llama_tokenizer(special: list[str]) -> PreTrainedTokenizerFast:
    """Stand in for Llama's sentencepiece: byte-level, but with its special tokens and its start of text."""
    learned, merges = learn()
    vocabulary = {token: number for number, token in enumerate(["<unk>", "<s>", "</s>", *learned])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<unk>",
        model_max_length=4096,
    )
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.image_token, tokenizer.video_token = special
    return tokenizer


def gemma_tokenizer(special: list[str], named: dict[str, str]) -> GemmaTokenizer:
    """Learn a BPE over characters, with the runs of newlines that vLLM looks for."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(SPACE, behavior="merged_with_next")
    alphabet = [chr(code) for code in range(33, 127)]
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES * 4, trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    first = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    lines = ["\n" * count for count in range(1, 5)]
    words = [word for word in learned["vocab"] if word not in lines]
    merges = [("\n", "\n"), ("\n\n", "\n"), ("\n\n", "\n\n"), *((left, right) for left, right in learned["merges"])]
    vocabulary = {token: number for number, token in enumerate([*first, *lines, *words, *special])}
    made = GemmaTokenizer(vocabulary, merges, extra_special_tokens=named, model_max_length=32768)
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    made.add_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return made
