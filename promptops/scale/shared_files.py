"""The files of a shared folder or bucket, wherever fsspec finds it. A file appears whole or not at
all, and whatever fails is one sentence that names the address.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ..errors import MissingExtra, StoreError

__all__ = ["SharedFiles"]

T = TypeVar("T")
R = TypeVar("R")
_PART = ".part"
_ANSWER_S = 120.0  # for a listing or a small document; clients of buckets try for longer
_LINES = 8  # files that are read at once: a bucket takes some 30 ms for each
_TRANSFER_S = 900.0  # for a segment or a file of a batch
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "az": "azure"}


class SharedFiles:
    """Names are relative to the address, with `/` between their parts.

    Raises MissingExtra if the packages of the address's kind are not installed, StoreError if
    it is not an address.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise MissingExtra("a team's store", "team") from None
        kind = address.partition("://")[0] if "://" in address else "file"
        try:
            self._fs, root = url_to_fs(address)
        except ImportError:
            raise MissingExtra(f"a store at {kind}://", _EXTRAS.get(kind, "team")) from None
        except Exception as error:  # each kind of address has errors of its own
            raise StoreError(
                f"{address!r} is not an address of a team's store ({error}); expected a folder, or"
                " a bucket as in s3://team/promptops."
            ) from None
        self._root = str(root).rstrip("/")
        self._local = kind in ("file", "local")
        self._silent_until = 0.0

    def listing(self) -> dict[str, int]:
        """name -> bytes, of every whole file. Raises StoreError if the place is not there, or says
        of no file how large it is.
        """
        with self._explained("listed"):
            self._fs.invalidate_cache()
            try:
                found = self._answered(lambda: self._fs.find(self._root, detail=True))
            except FileNotFoundError as error:  # of one file it is news, of the place a fault
                raise OSError(f"it is not there: {error}") from error
        start = len(self._root) + 1
        sizes = {
            path[start:]: facts.get("size")
            for path, facts in found.items()
            # a link or a pipe in a folder is not what a member wrote, and may lead anywhere
            if not path.endswith(_PART) and facts.get("type") == "file"
        }
        known = {name: size for name, size in sizes.items() if type(size) is int and size >= 0}
        if sizes and not known:
            raise StoreError(
                f"the team's store {self.address} does not say how large its files are, so that a"
                " torn one looks like a whole one; share a folder or a bucket that does."
            )
        return known

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError if it is gone."""
        with self._explained("read"):
            return bytes(self._answered(lambda: self._fs.cat_file(self._path(name))))

    def fetch(self, name: str, target: Path) -> None:
        """Copy to a file of this machine that only its owner may read. Raises FileNotFoundError."""
        with self._explained("read"):
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            self._answered(lambda: self._fs.get_file(self._path(name), str(target)), _TRANSFER_S)

    def at_once(self, do: Callable[[T], R], items: Sequence[T]) -> list[R | Exception]:
        """What comes of each, or what it raised, in their order: some at a time where the place is
        far away, as each waits for an answer.
        """
        found: dict[int, R | Exception] = {}
        left = deque(range(len(items)))

        def work() -> None:
            while left:
                try:
                    at = left.popleft()
                except IndexError:  # another line took the last
                    return
                try:
                    found[at] = do(items[at])
                except Exception as error:
                    found[at] = error

        if self._local:
            work()
        else:
            # not of a pool: the interpreter's end waits for those
            lines = [
                threading.Thread(target=work, name="promptops-team", daemon=True)
                for _ in range(min(_LINES, len(items)))
            ]
            for line in lines:
                line.start()
            try:
                for line in lines:
                    line.join()
            finally:
                left.clear()  # who is interrupted waits for no more
        return [found[at] for at in range(len(items))]

    def put(self, source: Path, name: str) -> None:
        """Copy a file of this machine there."""
        with self._explained("written"):
            where, size = self._place(name), source.stat().st_size
            self._answered(lambda: self._fs.put_file(str(source), where), _TRANSFER_S)
            self._arrive(where, name, size)

    def write(self, name: str, data: bytes) -> None:
        """Make a file, or replace it."""
        with self._explained("written"):
            where = self._place(name)
            self._answered(lambda: self._fs.pipe_file(where, data))
            self._arrive(where, name, len(data))

    def remove(self, name: str) -> None:
        """Remove a file, which may be gone already."""
        with self._explained("changed"):
            try:
                self._answered(lambda: self._fs.rm_file(self._path(name)))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _place(self, name: str) -> str:
        """Where to write first: a bucket shows an object when it is whole, a folder at once."""
        if not self._local:
            return self._path(name)
        where = self._path(name)
        folder = where.rpartition("/")[0]
        self._fs.makedirs(folder, exist_ok=True)
        if os.path.realpath(folder) != os.path.join(
            os.path.realpath(self._root), *name.split("/")[:-1]
        ):
            raise StoreError(
                f"{folder} in the team's store is a link to a folder outside it; remove the link."
            )
        return f"{where}.{os.getpid()}-{os.urandom(3).hex()}{_PART}"

    def _arrive(self, where: str, name: str, size: int) -> None:
        """Raises OSError if what was written is not there: a proxy or a login page says "200" to
        everything, and a bucket can lose what it acknowledged.
        """
        if self._local:
            os.replace(where, self._path(name))
            return
        self._fs.invalidate_cache()
        try:
            found = self._answered(lambda: self._fs.info(self._path(name))).get("size")
        except FileNotFoundError:
            found = None
        if found != size:
            raise OSError(
                f"{name} was acknowledged, and {'nothing' if found is None else f'{found} bytes'}"
                f" of its {size} are there"
            )

    def clock(self, name: str) -> float | None:
        """When a file was written by the clock of the place, in Unix seconds; None if it does not
        say.
        """
        with self._explained("read"):
            try:
                self._fs.invalidate_cache()
                found = self._answered(lambda: self._fs.modified(self._path(name)))
            except (NotImplementedError, AttributeError, KeyError):
                return None
        if not isinstance(found, datetime):
            return None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

    def _answered(self, call: Callable[[], T], within_s: float | None = None) -> T:
        """What a call gives. A host that never answers, or sends a byte a second, is given up: a
        read of the rows waits here.

        Raises:
            TimeoutError: it did not answer in time, or did not shortly before.
        """
        if self._local:
            return call()
        if time.monotonic() < self._silent_until:
            raise TimeoutError("it did not answer shortly before")
        within_s = _ANSWER_S if within_s is None else within_s
        given: list[T] = []
        raised: list[BaseException] = []

        def ask() -> None:
            try:
                given.append(call())
            except BaseException as error:
                raised.append(error)

        # not of a pool: the interpreter's end waits for those
        thread = threading.Thread(target=ask, name="promptops-team", daemon=True)
        thread.start()
        thread.join(within_s)
        if raised:
            raise raised[0]
        if not given:
            self._silent_until = time.monotonic() + within_s
            raise TimeoutError(f"it did not answer within {within_s:g} s")
        return given[0]

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except Exception as error:  # each kind of bucket has errors of its own
            if isinstance(error, FileNotFoundError) and what != "written":
                raise  # of a file that is read or removed it is news
            first: Any = (str(error).splitlines() or [""])[0]
            raise StoreError(
                f"the team's store {self.address} cannot be {what} ({type(error).__name__}:"
                f" {first}); check the address, the network and the credentials in the environment."
            ) from error
