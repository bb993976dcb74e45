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
from urllib.parse import urlsplit

from ..errors import RegistryCorrupt, RegistryError
from . import document
from .locate import absolute
from .write_lock import locked, replace

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Synced", "sound", "sync"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Synced:
    """changed: whether the destination has new bytes; why: one phrase."""

    changed: bool
    why: str


def sync(
    source: str, dest: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 30.0
) -> Synced:
    """Make `dest` hold what `source` holds: an https address (http on loopback only) or a file.

    headers: sent with the request, for a private host; never stored. The answer's ETag is kept
    beside the file, so that an unchanged registry is not sent again. Raises RegistryError where it
    cannot be had, RegistryCorrupt where it is not sound; `dest` is then untouched.
    """
    dest = absolute(dest)
    os.makedirs(os.path.dirname(dest), exist_ok=True)
    with locked(dest):
        if "://" not in source:
            try:
                with open(source, "rb") as file:
                    data, tag = file.read(document.MAX_BYTES + 1), None
            except OSError as error:
                raise RegistryError(
                    f"{source} cannot be read ({error.strerror}); {dest} is as it was."
                ) from None
        else:
            fetched = _fetch(source, _headers(source, dest, headers or {}), timeout_s)
            if fetched is None:
                return Synced(False, "the host says that it is unchanged")
            data, tag = fetched
        sound(data, source)
        changed = replace(dest, data)
        if tag is not None:
            replace(
                _beside(dest),
                json.dumps({"source": source, "etag": tag, "sha256": _sha256(data)}).encode(),
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


def _headers(source: str, dest: str, given: Mapping[str, str]) -> dict[str, str]:
    """The request's headers; with If-None-Match where the destination still is what that tag stood
    for.
    """
    out = {"Accept": "application/json", "User-Agent": "promptops-sync", **given}
    try:
        with open(_beside(dest), "rb") as file:
            kept = json.loads(file.read())
        with open(dest, "rb") as file:
            if kept["source"] == source and kept["sha256"] == _sha256(file.read()):
                out["If-None-Match"] = str(kept["etag"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return out


def _fetch(
    source: str, headers: dict[str, str], timeout_s: float
) -> tuple[bytes, str | None] | None:
    """(body, ETag), or None where the host says 304."""
    import urllib.error
    import urllib.request

    _checked(source)
    request = urllib.request.Request(source)
    for name, value in headers.items():
        request.add_unredirected_header(
            name, value
        )  # a token must not follow a redirect to another host
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            _checked(answer.url)  # where it was redirected to
            data = answer.read(document.MAX_BYTES + 1)
            length = answer.headers.get("Content-Length")
            if (
                length is not None
                and length.isdigit()
                and int(length) != len(data)
                and len(data) <= document.MAX_BYTES
            ):
                raise RegistryError(
                    f"{source} was cut short at {len(data):,} of {length} bytes; try again."
                )
            return data, answer.headers.get("ETag")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 304:
            return None
        raise RegistryError(
            f"{source} answered {error.code} {error.reason}; check the address and who may read it."
        ) from None
    except (OSError, ValueError) as error:
        raise RegistryError(
            f"{source} cannot be fetched ({error}); what was there stays."
        ) from None


def _checked(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise RegistryError(
            f"{address[:80]} is not https; a registry is fetched over https, or copied from a file."
        )


def _beside(dest: str) -> str:
    folder, name = os.path.split(dest)
    return os.path.join(folder, f".{name}.etag")


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
