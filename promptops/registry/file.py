"""One registry file under change: read when it changed, written whole under its lock."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import RegistryCorrupt, RegistryError, UnknownPrompt
from . import document
from .debug_log import debug
from .locate import absolute
from .source import contents, signature
from .write_lock import locked, replace

if TYPE_CHECKING:
    from .document import Document

__all__ = ["RegistryFile", "prompt_of"]


class RegistryFile:
    """The document at a path; `read` gives it, `writing` gives it under the lock, `put` replaces
    it.

    What is read is never changed in place: a change builds a new document that shares what it
    leaves alone.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = absolute(path)
        self._seen: object = None
        self._bytes: bytes | None = None
        self._document: Document = document.empty()
        self._texts = document.Rendered()
        self._held: Document | None = None  # what a `bulk` has come to, and whose it is
        self._holder = 0

    def read(self) -> Document:
        """The document; an empty one if there is no file yet. Raises RegistryCorrupt."""
        held = self._mine()
        if held is not None:
            return held
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return document.empty()
        except OSError as error:  # a loop of links, a folder that may not be entered
            raise RegistryCorrupt(_unreadable(self.path, error)) from None
        seen = signature(found)
        if seen != self._seen:
            self._load()
            self._seen = seen
        return self._document

    @contextlib.contextmanager
    def writing(self) -> Iterator[Document]:
        """The document as it is under the write lock.

        Raises Conflict if the lock is not had in time.
        """
        held = self._mine()
        if held is not None:
            yield held
            return
        with locked(self.path):
            self._seen = None
            if os.path.exists(self.path):
                self._load()
                read = self._document
            else:
                read = document.empty()
            if read["promptops"] > document.FORM:
                raise RegistryError(
                    f"{self.path} has the form {read['promptops']}, and this release writes"
                    f" {document.FORM}; install a newer promptops-toolkit."
                )
            if "exported" in read:
                raise RegistryError(
                    f"{self.path} is an export; change the registry that it was exported from."
                )
            yield read

    def put(self, changed: Document) -> bool:
        """Replace the file by a document, inside `writing`.

        Returns whether its bytes changed. Raises RegistryError, RegistryCorrupt if what was read
        cannot be written again.
        """
        if self._mine() is not None:
            self._held = changed
            return True
        before, self._seen, self._bytes = self._document, None, None
        try:
            data = self._texts.render(changed)
        except (TypeError, AttributeError, LookupError, UnicodeEncodeError) as error:
            raise RegistryCorrupt(
                f"{self.path} holds an entry of an odd shape ({error}) and is as it was; `promptops"
                " registry check` says which, restore it from git."
            ) from None
        if len(data) > document.MAX_BYTES:  # no reader would take it
            self._document, self._bytes = before, None
            raise RegistryError(
                f"{self.path} would have {len(data):,} bytes, more than the limit"
                f" of {document.MAX_BYTES:,}, and is as it was; shorten what is saved, or"
                " discard versions"
                " that never served."
            )
        try:
            written = replace(self.path, data)
        except OSError as error:
            raise RegistryError(
                f"{self.path} could not be written ({error.strerror}) and is as it was; make room,"
                " then try again."
            ) from error
        self._document, self._bytes = self._texts.as_read(changed, before), data
        debug("%s %s: %d bytes", self.path, "written" if written else "is unchanged", len(data))
        return written

    @contextlib.contextmanager
    def bulk(self) -> Iterator[None]:
        """One write for all changes that this thread makes until the block ends, however it ends.

        The lock is kept until then. Raises Conflict if it is not had in time.
        """
        if self._mine() is not None:
            yield
            return
        with self.writing() as read:
            self._held, self._holder = read, threading.get_ident()
            try:
                yield
            finally:
                held, self._held, self._holder = self._held, None, 0
                if held is not read:
                    self.put(held)

    def _mine(self) -> Document | None:
        """What this thread's `bulk` has come to."""
        return self._held if self._holder == threading.get_ident() else None

    def _load(self) -> None:
        try:
            _, data = contents(self.path)
        except OSError as error:
            raise RegistryCorrupt(_unreadable(self.path, error)) from None
        if data != self._bytes:
            self._document = document.parse(data, self.path)
            self._bytes, self._texts = data, document.Rendered()


def _unreadable(path: str, error: OSError) -> str:
    return (
        f"{path} cannot be read ({error.strerror}); check its permissions, or restore it from git."
    )


def prompt_of(read: Document, name: str) -> Document:
    """One prompt of a document.

    Raises UnknownPrompt, naming near ones, or RegistryCorrupt if it is malformed.
    """
    prompt = read["prompts"].get(name)
    if prompt is None:
        import difflib

        near = (
            difflib.get_close_matches(str(name)[:128], read["prompts"], n=3)
            or sorted(read["prompts"])[:3]
        )
        raise UnknownPrompt(
            f"no prompt {str(name)[:128]!r} in the registry;"
            f" {'it holds ' + ', '.join(near) if near else 'it is empty'}."
        )
    fault = document.prompt_fault(name, prompt)
    if fault:
        raise RegistryCorrupt(f"{fault}; restore it from git.")
    return prompt  # type: ignore[no-any-return]
