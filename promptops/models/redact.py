"""Keys are taken out of every text before it is kept or shown: providers echo them in error messages, people paste them.

A secret that is known (a client's key, a header's value, a variable of the environment) is found wherever it stands;
what only looks like one is replaced in the texts of failures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

__all__ = ["HIDDEN", "HoldsSecrets", "environment_secrets", "header_secrets", "redact", "redact_failure"]

HIDDEN = "[redacted]"
SHORTEST = 8  # characters; a shorter value ("none", "test") stands in too many innocent texts
_NAMED = re.compile(
    r"(?:^|[_-])(?:API[_-]?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|AUTHORIZATION|COOKIE)S?(?:$|[_-])", re.IGNORECASE
)
_LOOKS = re.compile(
    r"\b(?:sk|rk|pk|gsk|xai|ghp|gho|hf)[-_][A-Za-z0-9_\-]{12,}"  # keys with the prefixes that providers give them
    r"|\bAIza[A-Za-z0-9_\-]{20,}|\bA[KS]IA[A-Z0-9]{12,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password of an address
    r"|(?<=earer )[A-Za-z0-9._~+/\-]{8,}=*"
    r"|(?<=[?&]key=)[^&\s]{8,}"
)


@runtime_checkable
class HoldsSecrets(Protocol):
    """A model that was given secrets and says which, so that no row holds them."""

    @property
    def secrets(self) -> frozenset[str]: ...


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every known secret replaced."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def redact_failure(text: str, secrets: Iterable[str]) -> str:
    """`redact`, and whatever has the look of a key, for texts that others wrote about a failure."""
    return _LOOKS.sub(HIDDEN, redact(text, secrets))


def environment_secrets(environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Values of environment variables that are named like keys, tokens, secrets or passwords."""
    found = os.environ if environment is None else environment
    return frozenset(value.strip() for name, value in found.items() if _NAMED.search(name) and len(value.strip()) >= SHORTEST)


def header_secrets(headers: Mapping[str, object]) -> frozenset[str]:
    """Values of headers that carry credentials, without their scheme ("Bearer ...")."""
    values = [str(value).rpartition(" ")[2] for name, value in headers.items() if _NAMED.search(name)]
    return frozenset(value for value in values if len(value) >= SHORTEST)
