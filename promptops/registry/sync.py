"""Bringing the registry to a machine: fetched only when it changed, verified whole, put in place
whole.

Whatever goes wrong leaves the destination as it was, which goes on serving.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import RegistryCorrupt, RegistryError
from ..plain_file import open_plain
from . import document
from .fetch import fetch, shown
from .locate import absolute
from .write_lock import locked, replace

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Synced", "sound", "sync"]


@dataclass(frozen=True, slots=True)
class Synced:
    """changed: whether the destination has new bytes; why: one phrase."""

    changed: bool
    why: str


def sync(
    source: str, dest: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 30.0
) -> Synced:
    """Make `dest` hold what `source` holds: an https address (http on loopback only) or a file.

    headers: sent with the request, for a private host; neither they nor the address are stored;
    timeout_s: for all of the fetch together, during which nobody is kept from writing `dest`. The
    answer's ETag is kept beside the file, so that an unchanged registry is not sent again. Raises
    RegistryError if it cannot be had, RegistryCorrupt if it is not sound; `dest` is then untouched.
    """
    dest = absolute(dest)
    before = _bytes_of(dest)
    if "://" not in source:
        try:
            with open(source, "rb") as file:
                data, tag = file.read(document.MAX_BYTES + 1), None
        except OSError as error:
            raise RegistryError(
                f"{source} cannot be read ({error.strerror}); {dest} is as it was."
            ) from None
    else:
        fetched = fetch(source, _headers(source, dest, before, headers or {}), timeout_s)
        if fetched is None:
            return Synced(False, "the host says that it is unchanged")
        data, tag = fetched
    sound(data, shown(source) if "://" in source else source)
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    with locked(dest):  # not while a host is waited for: a rollback needs it at once
        now = _bytes_of(dest)
        if now not in (before, data):
            raise RegistryError(
                f"{dest} was written while {shown(source)} was fetched, and is left as it is now;"
                " sync again."
            )
        changed = replace(dest, data)
        if tag is not None:
            replace(
                _beside(dest),
                json.dumps(
                    {"source": _named(source), "etag": tag, "sha256": _sha256(data)}
                ).encode(),
            )
    return Synced(changed, "written" if changed else "the same bytes were there")


def sound(data: bytes, where: str) -> Document:
    """The document of bytes in which every version and every chain was verified.

    Raises RegistryCorrupt, naming the faults.
    """
    read = document.parse(data, where)
    faults = [fault for _, fault in document.check(read)]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise RegistryCorrupt(f"{where} is not sound: {'; '.join(faults[:3])}{more}.")
    return read


def _bytes_of(dest: str) -> bytes | None:
    try:
        with open_plain(dest) as file:
            return file.read()
    except OSError:
        return None


def _headers(
    source: str, dest: str, held: bytes | None, given: Mapping[str, str]
) -> dict[str, str]:
    """The request's headers; with If-None-Match where the destination still is what that tag stood
    for.
    """
    out = {"Accept": "application/json", "User-Agent": "promptops-sync", **given}
    try:
        with open_plain(_beside(dest)) as file:
            kept = json.loads(file.read())
        if (
            held is not None
            and kept["source"] == _named(source)
            and kept["sha256"] == _sha256(held)
        ):
            out["If-None-Match"] = str(kept["etag"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return out


def _named(source: str) -> str:
    """What the file beside the registry calls the address: it may hold a signature or a token."""
    return _sha256(source.encode("utf-8", "surrogateescape"))


def _beside(dest: str) -> str:
    folder, name = os.path.split(dest)
    return os.path.join(folder, f".{name}.etag")


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
