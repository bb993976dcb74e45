"""No known secret reaches the disk: every line is cleaned here before it is written, at the one
write point.

Known are the values that were told (`keep_secret`), the values of environment variables that are
named like secrets, the passwords of the addresses in any other (a database's, a proxy's), and texts
in the shape of the common providers' keys. Cleaning never changes a line's JSON structure.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any

from ..redact import address_secrets, word

__all__ = ["MARK", "Redactor"]

MARK = "[redacted]"
_LOOK_S = 0.25  # how long the environment's names are trusted; a look costs some 50 us
_SECRET_NAME = re.compile(r"(?i)(?:^|_)(?:api_?key|key|token|secret|password|passwd|credentials?)$")
# One linear pass (google-re2, 2 us a kB) says whether a text may hold a key at all; only then the
# exact patterns run.
_HINT = (
    rb"(?i:sk-[a-z0-9_-]{16}|[rs]k_live_|xai-[a-z0-9]{20}|gh[pousr]_[a-z0-9]{20}|github_pat_|A[KS]IA[0-9A-Z]{16}|AIza[a-z0-9_-]{30}|xox[abeprs]-|hf_[a-z0-9]{20}|"
    rb"gsk_[a-z0-9]{20}|eyJ[a-z0-9_-]{10}|PRIVATE KEY-----|bearer |"
    rb"(?:api[-_]?key|secret|password|access[-_]?token|auth[-_]?token|authorization)[a-z_]*[\\\"']*\s*[:=])"
)
_KEY = r"[A-Za-z0-9_\-]"
_VALUE = r"(?=[A-Za-z0-9._~+/=\-]{0,200}\d)[A-Za-z0-9._~+/=\-]{12,}"
_SHAPES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"(?<![A-Za-z0-9])sk-{_KEY}{{16,}}", MARK),
        (r"\bgh[pousr]_[A-Za-z0-9]{20,}", MARK),
        (r"\bgithub_pat_[A-Za-z0-9_]{20,}", MARK),
        (r"\bA[KS]IA[0-9A-Z]{16}\b", MARK),
        (rf"\bAIza{_KEY}{{30,}}", MARK),
        (r"\bxox[abeprs]-[A-Za-z0-9\-]{10,}", MARK),
        (r"\b(?:hf_|gsk_|xai-|[rs]k_live_)[A-Za-z0-9]{16,}", MARK),
        # the first of a run of such characters, wherever it stands in it: what follows is the same
        # for every later one
        (
            rf"(?<!{_KEY})(?>({_KEY}*?\b)eyJ){_KEY}{{10,}}+\.{_KEY}{{10,}}+\.{_KEY}{{5,}}",
            rf"\1{MARK}",
        ),
        (
            (
                r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]*-----END [A-Z"
                r" ]{0,30}PRIVATE KEY-----"
            ),
            MARK,
        ),
        (rf"(?i)(\bbearer +){_VALUE}", rf"\1{MARK}"),
        (
            r"(?i)((?:api[-_]?key|secret(?:[-_]?(?:access[-_]?)?key)?|password|access[-_]?token|auth[-_]?token|authorization)"
            rf"\\*[\"']?\s*[:=]\s*\\*[\"']?(?:basic +)?){_VALUE}",
            rf"\1{MARK}",
        ),
    )
)


class Redactor:
    """`redactor(text)` is the UTF-8 text without secrets. Safe to share between threads."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._told: frozenset[str] = frozenset()
        self._found: frozenset[str] = frozenset()
        self._looked = -_LOOK_S
        self._secrets: re.Pattern[str] | None = None
        self._hint: Any = None

    def keep_secret(self, value: str) -> None:
        """Never store this text.

        Under 6 characters it stays, since it would stand in ordinary words.
        """
        if len(value) >= 6:
            self._told |= {value}
            self._learn()

    def __call__(self, text: bytes) -> bytes:
        now = time.monotonic()
        if now - self._looked > _LOOK_S:
            self._look(now)
        if self._hint.search(text) is None:
            return text
        cleaned = text.decode()
        if self._secrets is not None:
            cleaned = self._secrets.sub(MARK, cleaned)
        for pattern, replacement in _SHAPES:
            cleaned = pattern.sub(replacement, cleaned)
        return cleaned.encode()

    def _look(self, now: float) -> None:
        named = [
            self._environ.get(name, "") for name in list(self._environ) if _SECRET_NAME.search(name)
        ]  # other threads may change it
        for value in list(self._environ.values()):
            named += address_secrets(value) if "://" in value else ()
        found = frozenset(filter(_secret, named))
        if found != self._found or self._hint is None:
            self._found = found
            self._learn()
        self._looked = now

    def _learn(self) -> None:
        import re2

        secrets = sorted(
            self._told | self._found, key=lambda secret: (-len(secret), secret)
        )  # the longest first: one may hold another
        patterns = [_pattern(secret) for secret in secrets]
        self._secrets = re.compile("|".join(patterns)) if patterns else None
        self._hint = re2.compile(b"|".join([_HINT, *(pattern.encode() for pattern in patterns)]))


def _secret(value: str) -> bool:
    """Not a word or a small number, which a variable named like a secret may hold too (TOKEN=true,
    MAX_KEY=100).
    """
    return len(value) >= 8 and not word(value)


_SHORT = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def _pattern(secret: str) -> str:
    """The secret as it stands in plain text, in JSON, and in JSON inside JSON to any depth; for re
    and for re2.
    """
    return "".join(map(_escaped, secret))


def _escaped(char: str) -> str:
    if char == "\\":
        return r"\\+"
    if char in '"/':
        return r"\\*" + char
    if " " <= char <= "~":
        return re.escape(char)
    units = char.encode("utf-16-be", "surrogatepass").hex()
    forms = [
        re.escape(char),
        "".join(rf"\\+u(?i:{units[start : start + 4]})" for start in range(0, len(units), 4)),
    ]
    if char in _SHORT:
        forms.append(r"\\+" + _SHORT[char])
    return f"(?:{'|'.join(forms)})"
