"""Images that a prompt or a dataset names by file: read at set-up, sent and recorded as the bytes
that they are.

An `image_url` whose url is not an address (`https:`, `data:`, another scheme with `//`) is a path
below the project's root. Nothing outside that folder is ever read, by whatever way a path leads
there, and nothing that is not a PNG, JPEG, GIF or WebP image by its own first bytes. A run is
recorded whole, so the images of one request may have 10 MB together.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import SetupError

__all__ = ["LARGEST", "embedded", "files_in", "holds_images"]

# bytes of all images of one request; as base64 they fit into what the store keeps of a request
LARGEST = 10_000_000
_ADDRESS = re.compile(r"(?:https?|data):|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_FILE = re.compile(r"file:|[a-z]:[/\\]", re.IGNORECASE)
_KEPT = 4  # encoded images that are kept, since the arms of a study send the same ones in turn
_Messages = list[dict[str, Any]]
_Found = tuple[
    Path, int, tuple[int, int]
]  # where it really is, its bytes, and what tells that it was changed


def embedded(messages: _Messages, root: Path) -> tuple[_Messages, _Messages]:
    """(the messages to send, the messages to name them by): an image that is a file is in the
    first as a `data:` address, in the second as its type and SHA-256, so that what is asked is
    known by the image's content and never by its path.

    Both are the messages themselves where no image is a file. Raises SetupError, which names the
    file and what is wrong with it.
    """
    if all(isinstance(message.get("content"), str) for message in messages):
        return messages, messages  # nearly always
    found = _files(messages, root)
    if not found:
        return messages, messages
    return _with(messages, {path: _data_url(*each) for path, each in found.items()}), _with(
        messages, {path: _name(*each) for path, each in found.items()}
    )


def files_in(messages: _Messages, root: Path) -> list[str]:
    """The type and SHA-256 of each image that is a file, in order.

    Raises SetupError as `embedded` does; none is encoded.
    """
    return [_name(*each) for each in _files(messages, root).values()]


def holds_images(messages: object) -> bool:
    """Whether any of these messages, or of a version's template, has an image."""
    return next(_images(messages), None) is not None


def _files(messages: _Messages, root: Path) -> dict[str, _Found]:
    """path -> the file.

    Raises SetupError if one cannot be sent, or all of them are too large together.
    """
    paths = [url for url in _images(messages) if not _is_address(url)]
    found = {path: _found(path, root) for path in paths}
    size = sum(found[path][1] for path in paths)
    if size > LARGEST:
        raise SetupError(
            f"the images {', '.join(map(repr, found))[:200]} have {size:,} bytes together; one"
            f" request may have {LARGEST:,}, scale them down."
        )
    return found


def _images(messages: Any) -> Iterator[str]:
    """The url of each image part."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, (list, tuple)) else ():
            if (url := _url(part)) is not None:
                yield url


def _url(part: object) -> str | None:
    image = (
        part.get("image_url")
        if isinstance(part, Mapping) and part.get("type") == "image_url"
        else None
    )
    url = image.get("url") if isinstance(image, Mapping) else None
    return url if isinstance(url, str) else None


def _with(messages: _Messages, urls: Mapping[str, str]) -> _Messages:
    def part_of(part: Any) -> object:
        url = _url(part)
        return (
            {**part, "image_url": {**part["image_url"], "url": urls[url]}}
            if url is not None and url in urls
            else part
        )

    return [
        (
            {**message, "content": list(map(part_of, message["content"]))}
            if isinstance(message.get("content"), list)
            else message
        )
        for message in messages
    ]


def _is_address(url: str) -> bool:
    return _ADDRESS.match(url) is not None and _FILE.match(url) is None


# -- files


def _found(path: str, root: Path) -> _Found:
    """The file. Raises SetupError for what is not a regular file, is too large, or is outside of
    the root.
    """
    told = f"the image {path[:200]!r}"
    if (
        _FILE.match(path)
        or "\\" in path
        or "\0" in path
        or ".." in path.split("/")
        or not path.strip()
    ):
        raise SetupError(
            f"{told} is not a path below the project's folder; write it from there with /, as in"
            " images/cat.png, or give an address."
        )
    here = root.resolve()
    try:
        where = (here / path).resolve(strict=True)
        if not where.is_relative_to(here):
            raise SetupError(
                f"{told} leads out of the project's folder {here}; only images below it are read:"
                " copy it there."
            )
        state = where.stat()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a circle of links
        if isinstance(error, SetupError):
            raise
        what = getattr(error, "strerror", None) or type(error).__name__
        raise SetupError(
            f"{told} cannot be read below {here}: {what}; put it there, or correct the path."
        ) from None
    if not stat.S_ISREG(state.st_mode):
        raise SetupError(f"{told} is not a file; give the path of an image.")
    if state.st_size > LARGEST:
        raise SetupError(
            f"{told} has {state.st_size:,} bytes; the images of one request may have {LARGEST:,},"
            " scale it down."
        )
    found = where, state.st_size, (state.st_mtime_ns, state.st_ino)
    if not _kind(*found)[0]:
        raise SetupError(
            f"{told} is not a PNG, JPEG, GIF or WebP image by its content; convert it."
        )
    return found


@functools.lru_cache(maxsize=20_000)
def _kind(where: Path, size: int, changed: tuple[int, int]) -> tuple[str, str]:
    """(its type by its first bytes, "" for no image; its SHA-256)."""
    content = _read(where)
    return _type_of(content), hashlib.sha256(content).hexdigest()


@functools.lru_cache(maxsize=_KEPT)
def _data_url(where: Path, size: int, changed: tuple[int, int]) -> str:
    content = _read(where)
    if hashlib.sha256(content).hexdigest() != _kind(where, size, changed)[1]:
        raise SetupError(f"the image {str(where)!r} was changed while it was read; run again.")
    return f"data:{_type_of(content)};base64,{base64.b64encode(content).decode()}"


def _name(where: Path, size: int, changed: tuple[int, int]) -> str:
    kind, digest = _kind(where, size, changed)
    return f"{kind};sha256={digest}"


def _read(where: Path) -> bytes:
    """The file's bytes, no more than are allowed; none of what is no longer a file, or is a link.

    Raises SetupError.
    """
    flags = (
        os.O_RDONLY
        | getattr(os, "O_NOFOLLOW", 0)
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_BINARY", 0)
    )
    try:
        with os.fdopen(os.open(where, flags), "rb") as file:
            return file.read(LARGEST) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError as error:
        raise SetupError(
            f"the image {str(where)!r} cannot be read: {error.strerror}; make it readable."
        ) from None


def _type_of(content: bytes) -> str:
    """The type by the first bytes (as the formats' own specifications give them); "" for none of
    the four that models take.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""
