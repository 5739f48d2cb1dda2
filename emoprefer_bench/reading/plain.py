"""An answer without its clothes: from its text to plain words, and to the sentences that speak of a label."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from emoprefer_bench.reading import words

# Zero-width and direction marks, soft hyphens, variation selectors, keycaps: they can't be seen.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\u20e3]")
_CROSSES = re.compile("[\u274c\u274e\u2716-\u2718\u00d7\U0001f44e\U0001f6ab\u26d4\u2610\u25a1]")
_UNTICKED, _TICKED = re.compile(r"\[ ?\] |\( \) "), re.compile(r"\[x\] |\(x\) ")
_CYRILLIC_A = re.compile("\u0430(?=[12])")
_STRUCK = re.compile(r"~~[^~]*~~")
_BOX = re.compile(r"\\?\bf?boxed(?=\s*[\[{])|\\framebox")
_COMMAND = re.compile(r"\\[a-z]+")  # LaTeX
_SUBSCRIPT = re.compile(r"\ba_\{?([12])\b")  # LaTeX: a_1, a_{1}
_TAG, _CLOSING_TAG = re.compile(r"<([\w -]+)>"), re.compile(r"</[\w -]+>|<\|/?\w+\|>")
_NEXT_KEY = re.compile(r"""["']\s*,\s*(?=["'][\w -]+["']\s*:)""")  # of JSON: what comes is another matter
_ENUMERATED = re.compile(r"[0-9a-c](?<=\b[0-9a-c])[.)]\s+(?=[(*\"'`]*(?:a[12]|same)\b)")  # "1. a1 2. a2"
_CONFIDENCE = re.compile(r"(?:confidence|certainty|probability)\W{0,4}[0-9]+(?:\.[0-9]+)?%?")
_QUOTE = re.compile(r"(?<!\w)'|'(?!\w)")  # but no apostrophe
_BARE = str.maketrans(
    {
        **dict.fromkeys('*`"$~\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}'),
        **dict.fromkeys("_#()[]{}\\\u300c\u300d\u300e\u300f\u3010\u3011\u300a\u300b\u00ab\u00bb", " "),
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\r": "\n",
    }
)

# Names in Chinese and Japanese of the two texts.
_NAMED_IN_CHINESE = re.compile(
    r"第(?:(?P<first>一)|二)[个個种種段条條项項]?(?:描述|文本|选项|選項|説明|说明)"
    r"|(?:描述|文本|选项|選項|説明|说明)\s*(?:(?P<number>[1一])|[2二])(?!\d)"
)

# Letters of scripts that put no blanks between words are tokens of their own, so that a label may touch them
# ("答案是a2"). A combining mark is part of a word: a label that is struck out is none.
_CJK = r"\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(
    r"\n|vs\.|[a-z]+(?=[ \n,.])|[0-9]+(?:[.,/:][0-9]+)*%?(?![a-z])"
    rf"|[{_CJK}]+|(?:[^\W_{_CJK}]|[\u0300-\u036f])+(?:'[a-z]+)?(?:\.(?:mp4|wav))?"
    r"|[-=]>|[<>]=|[^\w\s]"
)


def plain(text: str) -> str:
    """Return an answer in small letters without Markdown, JSON, LaTeX, tags, full-width and unseen letters.

    What their structure says stays: keys and tags become names with a colon, and a box an answer.
    """
    text = text.lower()
    if not text.isascii():
        text = _CYRILLIC_A.sub("a", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).lower()))
        text = _CROSSES.sub(" wrong ", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        text = _NAMED_IN_CHINESE.sub(lambda name: f" description a{1 if name['first'] or name['number'] else 2} ", text)
    if "~~" in text:
        text = _STRUCK.sub(" ", text)
    if "box" in text:
        text = _BOX.sub("answer: ", text)
    if "\\" in text:
        text = _COMMAND.sub(" ", text)
    if "_" in text:
        text = _SUBSCRIPT.sub(r"a\1", text)
    if "<" in text:
        text = _TAG.sub(r"\1: ", _CLOSING_TAG.sub("\n", text))
    if "{" in text:
        text = _NEXT_KEY.sub("\n", text)
    if ". " in text or ") " in text or "] " in text:
        text = _ENUMERATED.sub("\n", _TICKED.sub(" ", _UNTICKED.sub(" wrong ", text)))
    if "confidence" in text or "certainty" in text or "probability" in text:
        text = _CONFIDENCE.sub(" ", text)
    text = text.translate(_BARE)
    return _QUOTE.sub("", text) if "'" in text else text


def tokens_of(text: str) -> list[str]:
    """The words and signs of a plain text, in which every name of a text is its label."""
    tokens = _TOKEN.findall(text)
    if words.NOUNS.isdisjoint(tokens) and words.ORDINALS.keys().isdisjoint(tokens):
        return tokens
    named: list[str] = []
    for place, token in enumerate(tokens):
        before = named[-1] if named else ""
        after = tokens[place + 1] if place + 1 < len(tokens) else "."
        alone = before == "the" and after in words.AFTER_ORDINAL
        if token in words.ORDINALS and (alone or after in words.ORDERED):
            named += ["description", words.ORDINALS[token]]
        elif token in words.ORDERED and before in words.TEXTS and tokens[place - 1] in words.ORDINALS:
            continue
        elif token in words.NUMBERS and before in words.NOUNS and after not in words.NOUNS:
            named.append(words.NUMBERS[token])
        elif token not in ("no", "number") or before not in words.NOUNS or after not in words.NUMBERS:
            named.append(token)
    return named


def sentences_of(tokens: list[str]) -> Iterator[tuple[list[str], int]]:
    """The sentences that speak of a label or of a tie, but for questions; each with the place after its end."""
    start = 0
    for place, token in enumerate((*tokens, "\n")):
        if token in words.ENDS:
            sentence = tokens[start:place]
            asks = token in words.QUESTION
            if not asks and not (words.LABELS.isdisjoint(sentence) and words.TIES.isdisjoint(sentence)):
                yield sentence, place
            start = place + 1
