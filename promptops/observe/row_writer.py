"""What of a row reaches a sink: the one place where users become keyed hashes and secrets leave
texts, for every sink alike.

Runs in the writing thread. Where the application's own `redact` raises, the row goes on without its
content, and the fault is counted.
"""

from __future__ import annotations

import codecs
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..redact import Redactor
from ..run import utc

if TYPE_CHECKING:
    from .live_queue import Sink

__all__ = ["CONTENT", "HASHED", "USERS", "RowWriter", "keyed_hash"]

CONTENT = ("values", "output", "tool_calls", "failure_detail", "label", "correction", "note")
USERS = ("key_hash", "session", "by")  # named by what is written there, not by what is given
HASHED = "u1-"  # what a keyed hash begins with
# Looked up now: a process that forks while the writing thread loads it has children that lack it.
_PAIRS = codecs.lookup("utf-16-le").name
_SAFE = frozenset(("id", "attribution", "served_from", "failure", "kind", "table"))
Redact = Callable[[str], str]


def keyed_hash(secret: bytes, text: str) -> str:
    """`u1-` and 32 hex digits of HMAC-SHA256 over the text: the same in every language."""
    data = _well_formed(text).encode()
    return f"{HASHED}{hmac.new(secret, data, hashlib.sha256).hexdigest()[:32]}"


def _well_formed(text: str) -> str:
    """The text, lone surrogates replaced: UTF-8 cannot carry them."""
    return text.encode(_PAIRS, "surrogatepass").decode(_PAIRS, "replace")


class RowWriter:
    """redact: the application's own, text -> text, for everything that is content of rows that
    bring none of their own, such as feedback.
    """

    def __init__(self, redact: Redact | None = None) -> None:
        self.redact = redact
        self.faults = 0  # rows whose content was dropped because `redact` raised
        self._clean = Redactor()

    def keep_secret(self, values: Iterable[str]) -> None:
        """Never write these texts."""
        for value in values:
            self._clean.keep_secret(value)

    def clean(self, text: str) -> str:
        """The text without secrets."""
        return self._clean(_well_formed(text))

    def forked(self) -> None:
        """Start the count at zero in a child process: the faults so far are the parent's."""
        self.faults = 0

    def prepared(self, table: str, row: dict[str, Any], sink: Sink) -> dict[str, object]:
        """The row as it is written: JSON-ready, without nulls. Its "redact" is its client's, by
        which it is changed, and `str` if that client has none.
        """
        redact = row.pop("redact", self.redact)
        secret = sink.secret() if any(row.get(name) is not None for name in USERS) else None
        for name in USERS:
            if row.get(name) is not None:
                row[name] = keyed_hash(secret, str(row[name])) if secret else None
        for name in ("started_at", "at"):
            if isinstance(row.get(name), float):
                row[name] = utc(row[name])
        self._content(row, None if redact is str else redact)
        kept = {name: value for name, value in row.items() if value is not None}
        texts = [value for value in kept.values() if isinstance(value, str)]
        together = "\n".join(texts)
        if self._cleaned(together) != together:  # else one look was enough for all of them
            for name, value in kept.items():
                if name not in _SAFE:
                    kept[name] = self._cleaned(value)
        return kept

    def _content(self, row: dict[str, Any], redact: Redact | None) -> None:
        for name in ("values", "tool_calls"):
            value = row.get(name)
            if value is not None and not isinstance(value, str):
                row[name] = json.dumps(
                    self._plain(value), ensure_ascii=False, separators=(",", ":")
                )
        if redact is None:
            return
        try:
            changed: dict[str, object] = {
                name: str(redact(self._clean(row[name])))
                for name in CONTENT
                if row.get(name) is not None
            }
        except Exception:
            self.faults += 1
            changed = dict.fromkeys(CONTENT) | {"kept": None}
        row.update({name: value for name, value in changed.items() if name in row})

    def _cleaned(self, value: object) -> object:
        return self.clean(value) if isinstance(value, str) else value

    def _plain(self, value: object, depth: int = 0) -> object:
        """JSON of whatever the application gave, cleaned text by text: a secret with a quote in it
        would not be found in the document.
        """
        if isinstance(value, str):
            return self._cleaned(str.__str__(value))
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else None
        if depth < 20 and isinstance(value, Mapping):
            return {
                str(self._plain(str(name))): self._plain(each, depth + 1)
                for name, each in value.items()
            }
        if depth < 20 and isinstance(value, (list, tuple)):
            return [self._plain(each, depth + 1) for each in value]
        dump = getattr(value, "model_dump", None)
        if depth < 20 and callable(dump):
            return self._plain(dump(), depth + 1)
        return self._cleaned(str(value)[:10_000])
