"""One file over https: whole, within one deadline, from where it was asked for; whatever else a
host does is a RegistryError.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import RegistryError
from . import document

__all__ = ["fetch", "shown"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PIECE = 1 << 16
Fetched = tuple[bytes, str | None]  # body, ETag


def fetch(source: str, headers: Mapping[str, str], timeout_s: float) -> Fetched | None:
    """(body, ETag), or None if the host says that what the request's If-None-Match names is
    unchanged.

    timeout_s: for all of it together: names, redirects, headers that drip, and the body. Raises
    RegistryError.
    """
    _checked(source)
    found: list[Fetched | None] = []
    faults: list[BaseException] = []
    until = time.monotonic() + timeout_s

    def work() -> None:
        try:
            found.append(_fetched(source, headers, until))
        except BaseException as error:  # raised where the caller waits
            faults.append(error)

    # A thread, since no timeout of a socket covers more than one read; it ends with its host.
    worker = threading.Thread(target=work, name="promptops-fetch", daemon=True)
    worker.start()
    worker.join(max(0.0, timeout_s))
    if faults:
        raise faults[0]
    if not found:
        raise _late(source)
    return found[0]


def _late(source: str) -> RegistryError:
    return RegistryError(
        f"{shown(source)} was not fetched within the timeout; what was there stays: try again, or"
        " give it longer."
    )


def _fetched(source: str, headers: Mapping[str, str], until: float) -> Fetched | None:
    import http.client
    import urllib.error
    import urllib.request

    request = urllib.request.Request(source)
    for name, value in headers.items():
        # a token must not follow a redirect to another host
        request.add_unredirected_header(name, value)
    try:
        with _opener().open(request, timeout=max(0.01, until - time.monotonic())) as answer:
            return _whole(source, answer, until)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 304 and "If-None-Match" in headers:
            return None
        hint = (
            "it was not asked whether anything changed; a proxy may answer for it"
            if error.code == 304
            else "check the address and who may read it"
        )
        raise RegistryError(
            f"{shown(source)} answered {error.code} {_line(error.reason)}; {hint}."
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RegistryError(
            f"{shown(source)} cannot be fetched ({type(error).__name__}: {_line(error)}); what was"
            " there stays."
        ) from None


def _line(error: object) -> str:
    """The host's words on one line."""
    return " ".join(str(error).split())[:200]


def _whole(source: str, answer: Any, until: float) -> Fetched:
    if answer.status != 200:
        raise RegistryError(
            f"{shown(source)} answered {answer.status}, which is not the whole file; check the"
            " address."
        )
    parts, size = [], 0
    while size <= document.MAX_BYTES:
        if time.monotonic() > until:
            raise _late(source)
        piece = answer.read1(_PIECE)
        if not piece:
            break
        parts.append(piece)
        size += len(piece)
    length = answer.headers.get("Content-Length")
    whole = size > document.MAX_BYTES or length is None or not length.isdigit()
    if not whole and int(length) != size:
        raise RegistryError(
            f"{shown(source)} was cut short at {size:,} of {length} bytes; try again."
        )
    return b"".join(parts), answer.headers.get("ETag")


def _opener() -> Any:
    """Opens https (and http on loopback) alone, and follows a redirect only to the same scheme."""
    import urllib.request

    class Redirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(
            self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> Any:
            _checked(newurl)
            if urlsplit(newurl).scheme != urlsplit(req.full_url).scheme:
                raise RegistryError(
                    f"{shown(req.full_url)} redirects to another scheme ({shown(newurl)}), which"
                    " is not followed; give the final address."
                )
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return urllib.request.build_opener(Redirects)


def _checked(address: str) -> None:
    try:
        parts = urlsplit(address)
    except ValueError:
        raise RegistryError(
            f"{shown(address)} is not an address; give one such as https://HOST/promptops.json."
        ) from None
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise RegistryError(
            f"{shown(address)} is not https; a registry is fetched over https, or copied from a"
            " file."
        )
    if "@" in parts.netloc:
        raise RegistryError(
            f"the address of {shown(address)} holds a name or password, which is not sent; leave it"
            " out, and send a token (--token-env, headers=)."
        )


def shown(address: str) -> str:
    """An address as messages show it: without a name, a password and the query, which may hold a
    signature or a token.
    """
    scheme, mark, rest = address.split("?")[0].split("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"[:200]
