"""The credentials that a client carries in headers, queries and addresses, so that no row and no
log line shows them.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_plus

from ..key_shapes import HIDDEN
from ..redact import SHORTEST, named_like_a_secret, redact

__all__ = ["QuietAddresses", "header_secrets"]

# Headers whose values anyone may read; of all others a value that looks random is taken for a
# secret.
_OPEN = re.compile(
    r"user-agent|referer|http-referer|accept.*|content-.*|host|x-title|x-stainless-.*|traceparent"
    r"|idempotency-key",
    re.I,
)
_RANDOM = re.compile(r"(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])(?!.*://)\S{16,}")
# of an address, and its query
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@?#]+(?=@)|(?<=\?)[^\s\"']+")


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
        if named_like_a_secret(name):
            values |= _of_credentials(text)
        elif _RANDOM.fullmatch(text) and not _OPEN.fullmatch(name):
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
    }  # a colour's or a user's name is not one
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):  # no base64, or no text
            values.add(base64.b64decode(last, validate=True).decode().partition(":")[2])
    return values
