"""Keys are taken out of every text before it is kept or shown: providers echo them in error
messages, people paste them.

A secret that is known (a client's key, a header's value, a variable of the environment) is found
wherever it stands; what only looks like one is replaced in the texts of failures.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import re
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable
from urllib.parse import unquote, unquote_plus

__all__ = [
    "HIDDEN",
    "HoldsSecrets",
    "QuietAddresses",
    "address_secrets",
    "environment_secrets",
    "header_secrets",
    "redact",
    "redact_failure",
    "word",
    "SHORTEST",
]

HIDDEN = "[redacted]"
SHORTEST = 8  # characters; a shorter value ("none", "test") stands in too many innocent texts
_NAMED = re.compile(
    r"(?:^|[_-])(?:API[_-]?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|AUTHORIZATION|COOKIE)S?(?:$|[_-])",
    re.IGNORECASE,
)
# Headers whose values anybody may read; of all others a value that looks made by chance is taken
# for a secret.
_OPEN = re.compile(
    r"user-agent|referer|http-referer|accept.*|content-.*|host|x-title|x-stainless-.*|traceparent|idempotency-key",
    re.I,
)
_BY_CHANCE = re.compile(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])(?!.*://)\S{16,}")
_IN_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/\s:@]*:([^/\s]+)@")
_CREDENTIALS = re.compile(
    r"(?<=://)[^/\s@?#]+(?=@)|(?<=\?)[^\s\"']+"
)  # of an address, and its query
_LOOKS = re.compile(
    # keys with the prefixes that providers give them
    r"\b(?:sk|rk|pk|gsk|xai|ghp|gho|hf)[-_][A-Za-z0-9_\-]{12,}"
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
    """The text with every known secret replaced, the longest first: one may hold another."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def redact_failure(text: str, secrets: Iterable[str]) -> str:
    """`redact`, and whatever has the look of a key, for texts that others wrote about a failure."""
    return _LOOKS.sub(HIDDEN, redact(text, secrets))


def environment_secrets(environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Values of environment variables that are named like keys, tokens, secrets or passwords;
    passwords of addresses in any other.
    """
    found = os.environ if environment is None else environment
    named = {value.strip() for name, value in found.items() if _NAMED.search(name)}
    inside = set().union(*(address_secrets(value) for value in found.values() if "://" in value))
    return frozenset(
        value
        for value in named | {password for password in inside if not word(password)}
        if len(value) >= SHORTEST
    )


def address_secrets(text: str) -> set[str]:
    """The passwords of an address, or of several (a proxy's, a database's), as they stand there and
    as they are meant.
    """
    passwords = {
        found[1] for piece in re.split(r"[\s,;]+", text) if (found := _IN_ADDRESS.match(piece))
    }
    return passwords | {unquote(password) for password in passwords}


def word(text: str) -> bool:
    """Whether it may stand in an innocent text, as `postgres` and `1234567890` do; a text of 16
    characters may not.
    """
    return len(text) < 16 and (text.isalpha() or text.isdigit())


class QuietAddresses(logging.Filter):
    """For the logger of an HTTP library, which writes whole addresses: without the credentials of
    those that hold a known secret.
    """

    def __init__(self) -> None:
        super().__init__()
        self.secrets: frozenset[str] = frozenset()

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record is kept, without what it may not say."""
        text = record.getMessage()
        meant = (text, unquote(text), unquote_plus(text))
        if any(secret in each for secret in self.secrets for each in meant):
            record.msg, record.args = redact(_CREDENTIALS.sub(HIDDEN, text), self.secrets), None
        return True


def header_secrets(headers: Mapping[str, object]) -> frozenset[str]:
    """Values of headers (or of a query) that carry credentials: without their scheme ("Bearer
    ..."), of Basic also the password, of a cookie each value, and whatever looks made by chance
    under a name that says nothing.
    """
    values: set[str] = set()
    for name, value in headers.items():
        text = str(value).strip()
        if _NAMED.search(name):
            values |= _of_credentials(text)
        elif _BY_CHANCE.fullmatch(text) and not _OPEN.fullmatch(name):
            values.add(text)
    return frozenset(value for value in values if len(value) >= SHORTEST)


def _of_credentials(text: str) -> set[str]:
    scheme, _, last = text.rpartition(" ")
    pieces = [
        piece.partition("=")[2].strip('" ')
        for piece in re.split(r"[;,]", text)
        if "=" in piece.rstrip("=")
    ]
    values = {
        last,
        *(piece for piece in pieces if not piece.isalpha()),
    }  # a colour's or a user's name is none
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):  # no base64, or no text
            values.add(base64.b64decode(last, validate=True).decode().partition(":")[2])
    return values
