"""What a child sees of this process's environment: all of it but secrets, and of these the ones that it declares.

Decoders read hostile media, models bring code of their own, workers are anybody's: none of them needs the keys of the
services that a person uses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

# Whole words of a name, parted by underscores, that stand in the names of secrets.
_WORDS = (
    "apikey|auth|authorization|cookie|credential|credentials|dsn|key|keys|kubeconfig|netrc|pass|passphrase|passwd|"
    "jwt|password|pat|pwd|secret|secrets|token"
)
# What else names them: words that are run together, and the variables of clouds.
SECRET = re.compile(
    rf"(?i)(^|.*_)({_WORDS})\d*(_.*|$)|.*(apikey|password|secret).*|(aws|azure|arm|gcp|google|ssh|gpg|docker|vault)_.*",
)
PASSWORD_IN_URL = re.compile(r"(?s).*\w://[^/@\s]*:[^/@\s]+@")
PLAIN = frozenset({"PWD", "OLDPWD"})
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
HUB = ("HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN", *PROXIES)
"""What an engine declares that downloads weights."""


def without_secrets(environment: Mapping[str, str], declared: Collection[str] = ()) -> dict[str, str]:
    """The variables that a child gets: those that are no secrets by their names or values, and what it declares."""
    return {
        name: value
        for name, value in environment.items()
        if name in declared or not (_named_so(name) or PASSWORD_IN_URL.match(value))
    }


def _named_so(name: str) -> bool:
    return name not in PLAIN and SECRET.fullmatch(name) is not None
