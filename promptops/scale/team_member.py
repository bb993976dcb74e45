"""One member of a team's store: what it knows of the shared folder, and its turn to use it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..spool.locks import turn
from ..spool.segment import make_folder
from ..store.archive import settled
from ..store.recorder import say
from ..store.team import Tombstone
from .membership import Membership
from .shared_files import SharedFiles
from .team_documents import KnownPurges, known_in, marks_in, searched_in, tombstone_in
from .team_layout import (
    FORM,
    Contents,
    Parcel,
    apart,
    batch_of,
    contents_of,
    known_file,
    note_file,
)

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["TeamMember"]

_SCRATCH = ".team-"
WAIT_S = 60.0  # for another process of this store that looks or shares just now


class TeamMember:
    """A store and the shared folder that it belongs to. who: gives the member's name, for the
    others.
    """

    def __init__(self, store: Store, files: SharedFiles, who: Callable[[], str] = getuser) -> None:
        self.files = files
        self._store, self._folder, self._who = store, store.folder, who
        self._lock = threading.RLock()
        self._holder = 0  # the thread that looks or shares: what it asks the store looks no more
        self._next = 0.0
        self._stones: dict[str, Tombstone] = {}
        self._swept: dict[str, frozenset[str]] = {}
        self._said: set[str] = set()
        self._known: dict[str, KnownPurges] = {}  # by member, as it was at this look

    def _parcels(self, there: Contents, mine: Membership) -> list[Parcel]:
        parcels = list(there.segments)
        new = [name for name in there.batches if name not in mine.batches]
        read = self.files.at_once(lambda name: marks_in(self.files, name), new)
        for name, marks in zip(new, read, strict=True):
            if isinstance(marks, StoreError):
                self._say(str(marks))
            elif not isinstance(marks, Exception):
                mine.batches[name] = marks
            elif not isinstance(marks, FileNotFoundError):
                raise marks
        for name, sizes in there.batches.items():
            if name in mine.batches:
                parcels.append(batch_of(name, sizes, mine.batches[name]))
        return apart(parcels)

    def _stone(self, identity: str) -> Tombstone:
        """A purge. Raises StoreError if it cannot be read, or was removed since it was listed."""
        if identity not in self._stones:
            try:
                self._stones[identity] = tombstone_in(self.files, identity)
            except FileNotFoundError:
                raise StoreError(
                    f"tombstones/{identity}.json in the team's store {self.files.address} is gone;"
                    " restore it, or remove its .swept file too."
                ) from None
        return self._stones[identity]

    def _readable(self, stones: Sequence[str]) -> dict[str, Tombstone]:
        """Those purges that can be read; a warning names the others, which remain to be done."""
        found = {}
        for identity in stones:
            try:
                found[identity] = self._stone(identity)
            except StoreError as error:
                self._say(f"{error} Until then, what it purged is kept here.")
        return found

    def _searched(self, stone: str) -> frozenset[str]:
        if stone not in self._swept:
            try:
                self._swept[stone] = searched_in(self.files, stone)
            except FileNotFoundError:
                return frozenset()
            except StoreError as error:  # what may not have been searched is searched again
                self._say(str(error))
                return frozenset()
        return self._swept[stone]

    def _came_after(self, parcel: Parcel) -> frozenset[str] | None:
        """The purges that its member had carried out before it handed over this parcel; None of a
        parcel of an earlier release, of which the clocks alone tell.
        """
        if parcel.member not in self._known:
            self._known[parcel.member] = self._noted_by(parcel.member)
        return self._known[parcel.member].of(parcel.name)

    def _noted_by(self, member: str) -> KnownPurges:
        try:
            return known_in(self.files, known_file(member))
        except StoreError as error:
            self._say(f"{error} Until then, the clocks tell which of its rows a purge means.")
            return KnownPurges()

    def _note(
        self, member: str, parcels: Mapping[str, Collection[str]], there: Contents | None = None
    ) -> None:
        """Say of parcels, before they are handed over, which purges they came after. there: forgets
        parcels that are there no more.
        """
        noted = self._noted_by(member)
        if there is not None:
            standing = {*there.batches, *(parcel.name for parcel in there.segments)}
            noted.parcels = {name: bits for name, bits in noted.parcels.items() if name in standing}
        for name, stones in parcels.items():
            noted.note(name, stones)
        self.files.write(known_file(member), json.dumps(noted.document()).encode())
        self._known[member] = noted

    def _membership(self) -> Membership:
        """As it is on the disk: another process of this store may have looked meanwhile."""
        found = Membership.of(self._folder)
        if found is None or found.address != self.files.address:
            found = Membership(self.files.address)
        return found

    def present(self) -> None:
        """Raises StoreError if this store looked there before, and what it saw there is gone: a
        share that is not mounted is an empty folder. It is not made a team's store again, as a
        purge that is left in it would reach nobody.
        """
        self._contents(self._membership())

    def _contents(self, mine: Membership) -> Contents:
        """What is there now. Raises as `present` does."""
        there = contents_of(self.files.listing())
        if there.form or mine.member in there.members or not mine.looked_ns:
            return there
        if not any(map(self._is_there, (FORM, note_file(mine.member)))):  # a listing may be stale
            raise StoreError(
                f"the team's store {self.files.address} is not there: this store shared it before,"
                " and finds neither its share.json nor its own note in it; mount the folder, or"
                " check the address; or, if the team's store was removed on purpose, run `promptops"
                " store share` with the address to begin it again."
            )
        return there

    def _is_there(self, name: str) -> bool:
        try:
            self.files.read(name)
        except FileNotFoundError:
            return False
        return True

    @property
    def _holding(self) -> bool:
        return self._holder == threading.get_ident()

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether this process is the one of its store that looks or shares now."""
        if self._holding:
            yield True  # the lock is the process's: ending an inner turn would end the outer one
            return
        make_folder(self._folder)
        where = self._folder / "team.lock"
        with self._lock, turn(where, exclusive=True, wait_s=WAIT_S) as mine:
            self._holder = threading.get_ident()
            try:
                yield mine
            finally:
                self._holder = 0

    @contextmanager
    def _alone_to_share(self) -> Iterator[bool]:
        """As `_alone`, but not while a purge of this store is under way: between its tombstone and
        its end, rows that it takes out would be handed over as if they had come after it. A purge
        waits for `_alone`, so that it is not waited for within.
        """
        until = time.monotonic() + WAIT_S
        while True:
            with self._alone() as mine:
                if not mine or settled(self._folder):
                    yield mine
                    return
            if time.monotonic() > until:
                yield False
                return
            time.sleep(0.05)

    @contextmanager
    def _scratch_folder(self) -> Iterator[Path]:
        """A folder on the store's own disk, so that a rename brings a file in; gone at the end. One
        that a killed process left, with rows that may have been purged since, is removed: it is
        this process's turn.
        """
        for left in self._folder.glob(f"{_SCRATCH}*") if os.name == "posix" else ():
            shutil.rmtree(left, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self._folder))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            say(text)
