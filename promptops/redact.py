"""The one redactor: whatever promptops writes or shows is cleaned of secrets here.

Known secrets are the values that a client was given, the values of environment variables that are
named like secrets, and the passwords of addresses in any other variable. Beside them, whatever has
the shape of a key that a provider issues is replaced everywhere. Cleaning never changes
the structure of JSON.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable
from urllib.parse import unquote

from .key_shapes import HIDDEN, HINT, hide_shapes
from .late_pattern import late_pattern

__all__ = [
    "ABROAD",
    "ELSEWHERE",
    "IN_ADDRESS",
    "PART",
    "PARTS",
    "SHORTEST",
    "HoldsSecrets",
    "Redactor",
    "address_secrets",
    "environment_secrets",
    "named_like_a_secret",
    "redact",
    "redact_shapes",
    "word",
]

SHORTEST = 8  # characters; a shorter value ("none", "test") is in too many innocent texts
_LOOK_S = 0.25  # how long the environment's names are trusted; a look costs some 50 us
_MANY = 32  # secrets that are learnt whatever they look like

# A name is split into its parts at "_", "-", "." and at camel case; one part is enough.
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
PART = re.compile(
    r"(?:[A-Z]*(?:API|SECRET|ACCESS|PRIVATE|MASTER|SIGNING|ENCRYPTION|AUTH|APP|SSH|DEPLOY|AI))?"
    r"KEYS?"
    r"|[A-Z]*TOKENS?|PASSE|MDP|CONTRASENA|CLAVE|SENHA|HASLO|PAROLA|WACHTWOORD|LOSENORD|SALASANA"
    r"|[A-Z]*SECRETS?|[A-Z]{0,8}(?:PASSWORD|PASSWD|PASSPHRASE|PASSCODE|PASSWORT"
    r"|PASSWRD|PASSKEY|KENNWORT|SCHLUE?SSEL|GEHEIMNIS)S?"
    r"|(?:PG|DB|SSH|SMTP|FTP|MY|MQ|LDAP|REDIS|MONGO|USER|ROOT)?PASS|(?:MYSQL|DB|PG)?PWD"
    r"|PWS?|PSWD|PATS?"
    r"|DSNS?|AUTH|AUTHORIZATION|CREDS?|CREDENTIALS?|COOKIES?|JWT|BEARER|WEBHOOKS?|SALT|PEM"
)
ABROAD = late_pattern(
    r"(?i)парол|ключ|секрет|токен|密码|密碼|密钥|パスワード|秘密|암호|비밀번호|κωδικός"
)
_WORKING_FOLDERS = ("PWD", "OLDPWD")  # a shell's, which are named like DB_PWD
ELSEWHERE = {"PATH", "FILE", "FILENAME", "DIR", "FOLDER", "SOCK", "SOCKET", "LEN", "LENGTH", "TTL"}

IN_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/\s:@]*:([^/\s]+)@")


@runtime_checkable
class HoldsSecrets(Protocol):
    """A model that was given secrets and names them, so that no row holds them."""

    @property
    def secrets(self) -> frozenset[str]: ...


def named_like_a_secret(name: str) -> bool:
    """Whether a variable, header or field of this name usually holds a secret.

    `DB_PASS`, `PGPASSWORD`, `githubToken` and `X-Api-Key` do; `SSH_KEY_PATH` names a place.
    """
    if not name.isascii():
        from unicodedata import normalize

        if ABROAD.search(name):
            return True
        name = normalize("NFKD", name).encode("ascii", "ignore").decode()
    parts = [part.upper() for part in PARTS.findall(name)]
    if not parts or parts[-1] in ELSEWHERE:
        return False
    return any(PART.fullmatch(part) for part in parts)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every known secret replaced, the longest first: one may hold another."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def redact_shapes(text: str, secrets: Iterable[str] = ()) -> str:
    """`redact`, and whatever has the shape of a key or follows the name of one."""
    return hide_shapes(redact(text, secrets))


def environment_secrets(environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Values of the environment variables that are named like secrets, and the passwords of
    addresses in any other; without words and small numbers, which innocent texts hold too.
    """
    found = os.environ if environment is None else environment
    values: set[str] = set()
    for name in list(found):  # other threads may change it
        value = found.get(name, "").strip()
        if named_like_a_secret(name) and not (name in _WORKING_FOLDERS and value.startswith("/")):
            values.add(value)
        if "://" in value:
            values |= address_secrets(value)
    return frozenset(value for value in values if len(value) >= SHORTEST and not word(value))


def address_secrets(text: str) -> set[str]:
    """The passwords of an address, or of several (a proxy's, a database's), as they are there and
    as they are meant.
    """
    passwords = {
        found[1] for piece in re.split(r"[\s,;]+", text) if (found := IN_ADDRESS.match(piece))
    }
    return passwords | {unquote(password) for password in passwords}


def word(text: str) -> bool:
    """Whether it may be in an innocent text, as `postgres` and `1234567890` do; a text of 16
    characters may not.
    """
    return len(text) < 16 and (text.isalpha() or text.isdigit())


def _digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Redactor:
    """`redactor(text)` is the text without secrets, `redactor.clean(data)` the same of UTF-8 bytes.

    One may be shared between threads. environ: where variables are looked up, the process's own
    by default; compile: builds the one linear pattern that decides whether a text may hold a secret
    at all (`re2.compile` is faster than the standard library's).
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        compile: Callable[[bytes], object] = re.compile,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._compile = compile
        self._kept: dict[str, None] = {}  # added to by one step, whichever threads do
        self._learnt = 0  # how many of them the patterns know
        self._found: frozenset[str] = frozenset()
        self._looked = -_LOOK_S
        self._secrets: re.Pattern[str] | None = None
        self._hint: Any = None

    def keep_secret(self, value: str) -> None:
        """Never let this text pass.

        Under 6 characters it stays, since it would be in ordinary words. It is learnt with the next
        text, in half a millisecond each: of many, as where users bring their own keys, only those
        that no shape finds.
        """
        if len(value) < 6 or (len(self._kept) >= _MANY and hide_shapes(value) == HIDDEN):
            return
        self._kept[value] = None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        self._look()
        if self._hint.search(text.encode("utf-8", "surrogatepass")) is None:
            return text
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        return redact_shapes(text)

    def identifiers(self, texts: Sequence[str]) -> list[str]:
        """Ids without secrets that still tell rows apart, by a digest: those such as
        `pk_000000000017` look like keys, and all of them would be one.
        """
        one = "\n".join(texts)
        if self(one) == one:
            return list(texts)
        return [text if self(text) == text else f"{self(text)}-{_digest(text)}" for text in texts]

    def clean(self, data: bytes) -> bytes:
        """The UTF-8 text without secrets, as bytes."""
        self._look()
        return data if self._hint.search(data) is None else self(data.decode()).encode()

    def _look(self) -> None:
        now = time.monotonic()
        new = self._hint is None or self._learnt != len(self._kept)
        if not new and now - self._looked <= _LOOK_S:
            return
        found = environment_secrets(self._environ)
        if new or found != self._found:
            self._found = found
            self._learn()
        self._looked = now

    def _learn(self) -> None:
        # the longest first: one may hold another
        kept = list(self._kept)
        known = sorted({*kept, *self._found}, key=lambda secret: (-len(secret), secret))
        patterns = [_spelled(secret, r"(?<!\\)\\") for secret in known]
        self._secrets = re.compile("|".join(patterns)) if patterns else None
        found = [_spelled(secret, "").encode("utf-8", "surrogatepass") for secret in known]
        self._hint = self._compile(b"|".join([HINT, *found]))
        self._learnt = len(kept)


_SHORT = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


_RUNS = re.compile(r"\\*[\"'/]|\\+|[^\\\"'/]", re.DOTALL)
_IN_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&(?:quot|#34);", "'": "&#(?:x27|39);"}


def _spelled(secret: str, begin: str) -> str:
    """The pattern of the secret as it is in plain text, in JSON, in JSON inside JSON to any depth,
    in an address and in HTML.

    begin: what may come before a first backslash, so that a run of them is tried once; "" if the
    secret is only searched for, by re and by re2: the last backslash is enough.
    """
    first, *rest = _RUNS.findall(secret)
    return _written(first, begin) + "".join(_written(run, r"\\") for run in rest)


def _written(run: str, slash: str) -> str:
    """A character, or a run of backslashes with the character that JSON escapes after it. slash:
    the backslash of a run whose length is not known; "" if one is enough of it.
    """
    char, slashes = run[-1], run.count("\\")
    before = rf"{slash}{{{slashes},}}" if slash else r"\\" * min(slashes, 1)
    in_address = "".join(f"%(?i:{byte:02x})" for byte in run.encode("utf-8", "surrogatepass"))
    if char == "\\":
        return f"(?:{before}|{in_address})"
    if char in "\"'/":
        forms = [before + char, in_address]
    elif " " <= char <= "~":
        if char.isalnum():
            return char
        forms = [re.escape(char), in_address, *([r"\+"] if char == " " else [])]
    else:
        units = char.encode("utf-16-be", "surrogatepass").hex()
        pairs = [f"u(?i:{units[start : start + 4]})" for start in range(0, len(units), 4)]
        many = f"{slash}+" if slash else r"\\"
        forms = [re.escape(char), many + r"\\+".join(pairs), in_address]
        forms += [many + _SHORT[char]] if char in _SHORT else []
    return f"(?:{'|'.join([*forms, *([_IN_HTML[char]] if char in _IN_HTML else [])])})"
