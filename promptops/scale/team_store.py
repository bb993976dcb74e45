"""A team's store: a shared folder or bucket of finished segments and Parquet batches, which any
number of people write to without a server. Each keeps a DuckDB file of their own and merges what is
new exactly once.

A purge travels as a tombstone that every member carries out before it answers again. Nothing here
stops a study: where the folder cannot be reached, a warning says so, and the rows wait.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from getpass import getuser
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..monitor.record_folder import cut_folder
from ..run import utc
from ..spool.locks import held
from ..spool.segment import segment_path
from ..store.team import Tombstone
from ..study.queries.recorded_runs import older_than
from .membership import Membership
from .parcels import (
    rewritten,
)
from .shared_files import SharedFiles
from .team_documents import kept_days
from .team_layout import FORM, Contents, contents_of, note_file
from .team_reader import moment_of
from .team_writer import TeamWriter

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["TeamStore", "join_team"]

LOOK_S = 30.0  # a look is good for so long, where nobody asks for a new one
_PAUSE = 10.0  # times what a look took that failed: how long none is tried again
_DAY_NS = 86_400 * 10**9
_SKEW_S = 3600.0  # between two clocks, beyond which none of them says what is old


def join_team(store: Store, address: str, who: Callable[[], str] = getuser) -> TeamStore:
    """Have a store share its rows at an address: a folder, or a bucket that fsspec knows.

    Nothing is read or written there before the store is asked something.
    """
    team = TeamStore(store, SharedFiles(address), who)
    store.join(team)
    return team


class TeamStore(TeamWriter):
    """One member's view of the shared folder. who: gives the member's name, for the others."""

    # -- what a store asks for

    def look(self, *, now: bool = False) -> None:
        """Carry out the others' purges and bring their rows, where the last look is old."""
        if self._holding or (not now and (time.monotonic() < self._next or self._holder)):
            return
        began = time.monotonic()
        self._next = began + LOOK_S
        try:
            with self._alone() as mine:
                if mine:
                    self._look()
        except (StoreError, OSError) as error:
            self._say(f"{error} What is recorded here stays here until then.")
            # a place that answers late or never: its client tries for a minute, and a reader
            # would wait for it at each read
            took = time.monotonic() - began
            self._next = began + took + LOOK_S + _PAUSE * took

    def share(self) -> None:
        """Hand over every finished segment that is not there yet, this process's own included."""
        if self._holding:
            return
        try:
            with self._alone_to_share() as mine:
                if mine:
                    self._store.seal()
                    self._share()
        except (StoreError, OSError) as error:
            self._say(f"{error} What is recorded here stays here until then.")

    def sync(self, *, bring: bool = True) -> None:
        """Look and share now. bring: False if only this store's rows are handed over, as those
        of an application's host. Raises StoreError if the folder cannot be reached.
        """
        try:
            self._sync(bring)
        except StoreError:  # it names the shared folder, and is an OSError too
            raise
        except OSError as error:
            raise StoreError(
                f"the store {self._folder} cannot be written ({error.strerror or error}), so that"
                " nothing was exchanged; make room there or use a folder that you may write."
            ) from error

    def _sync(self, bring: bool) -> None:
        with self._alone_to_share() as free:
            if not free:
                raise StoreError(
                    f"another process of {self._folder} shares or purges just now; try again."
                )
            if bring:
                self._look()
            else:
                self._obey_in_folder()
            self._store.seal()
            self._share()

    def begin(self) -> None:
        """Exchange with what is there now, also where this store saw another content before."""
        with self._alone() as free:
            mine = self._membership()
            if free and mine.looked_ns:
                mine.looked_ns = 0
                mine.keep(self._folder)
        self.sync()

    def keep_days(self, days: float | None) -> None:
        """Have runs that are older than so many days purged at every member; None: keep them."""
        form = {"format": 1} if days is None else {"format": 1, "keep_days": days}
        self.files.write(FORM, json.dumps(form).encode())

    def bury(self, stone: Tombstone) -> None:
        """Leave a tombstone, and take its rows out of the shared folder."""
        with self._alone() as free:
            if not free:
                raise StoreError(
                    f"another process of {self._folder} is sharing just now; purge again, nothing"
                    " was removed."
                )
            mine = self._membership()
            self._contents(mine)  # where it is not the team's store, nobody would see the purge
            body = json.dumps(stone.document()).encode()
            name = f"tombstones/{stone.id}.json"
            try:
                self.files.write(name, body)
            except StoreError:
                # half of it would stop every member, and no purge was made
                with suppress(StoreError):
                    self.files.remove(name)
                raise
            self._stones[stone.id] = stone
            mine.applied.append(stone.id)
            mine.keep(self._folder)
            try:
                self._sweep(stone, mine)
            except StoreError as error:  # the purge is made: it is carried out here all the same
                self._say(
                    f"{error} The purge is left there for every member; its rows are taken out of"
                    " the shared files by the next member that looks after ten minutes."
                )

    # -- looking

    def _obey_in_folder(self) -> None:
        """Carry out the others' purges in the folder of an application's host; those whose rows a
        living writer still holds, again the next time.
        """
        mine, before = self._membership(), Membership.of(self._folder)
        there = contents_of(self.files.listing())
        found = there.form or there.segments or there.batches or self._is_there(FORM)
        if before is not None and before.address == self.files.address and not found:
            raise StoreError(
                f"the team's store {self.files.address} is not there: rows of {self._folder} were"
                " sent to it before, and it is empty now; mount the folder, or check the address;"
                " or, if the team's store was removed on purpose, run `promptops store share` with"
                " the address to begin it again."
            )
        new = [identity for identity in there.tombstones if identity not in mine.applied]
        readable = self._readable(new)
        left = cut_folder(self._folder, [(stone.named, stone.runs) for stone in readable.values()])
        if left:
            self._say(" ".join(left))
        elif readable:
            mine.applied.extend(readable)
            mine.keep(self._folder)

    def _look(self) -> None:
        self._known.clear()
        mine = self._membership()
        there = self._contents(mine)
        if not there.form:
            self._form()
        readable = self._readable(there.tombstones)
        for identity, stone in readable.items():
            if identity in mine.applied or self._store.obey(stone).owed:
                continue
            mine.applied.append(identity)
            mine.keep(self._folder)
        parcels = self._parcels(there, mine)
        new = self._news(parcels)
        if any(held(segment_path(self._folder, name)) for parcel in new for name in parcel.marks):
            self._store.seal()  # a machine that went back: what comes is more than it knows
        self._bring(new, there, mine)
        for identity, stone in readable.items():
            late = abs(time.time_ns() - moment_of(identity)) > 600 * 10**9
            if identity not in there.swept and late:
                self._sweep(stone, mine)  # who buried it did not come to the end
        mine.looked_ns = time.time_ns()
        mine.keep(self._folder)
        self._retire(there, readable, self._introduce(mine, len(parcels)))

    def _form(self) -> None:
        """Say that a team's store is here, where no listing shows it: one that is stale does not
        show how long the team keeps its runs, which is not to be forgotten.
        """
        try:
            found = self.files.read(FORM)
        except FileNotFoundError:
            self.files.write(FORM, json.dumps({"format": 1}).encode())
            return
        if b'"format"' not in found:
            raise StoreError(
                f"{self.files.address} gives a file that it does not list, with other content than"
                " a team's store has; it is not a bucket, or a proxy or a login page answers for"
                " it; check the address and the endpoint."
            )

    def _retire(self, there: Contents, readable: Mapping[str, Tombstone], note: str) -> None:
        """Once a day, purge what is older than the team keeps. note: a file that was written just
        now, by whose moment a clock that is wrong is known: it would purge everything.
        """
        try:
            days = kept_days(self.files) if there.form else None
        except StoreError as error:  # rows are exchanged all the same
            self._say(f"{error} Until then, nothing is purged for its age.")
            return
        now = time.time_ns()
        if days is None or any(
            abs(now - moment_of(stone)) < _DAY_NS and readable[stone].named.before is not None
            for stone in readable
        ):
            return
        there_now = self.files.clock(note)
        if there_now is not None and abs(there_now - now / 1e9) > _SKEW_S:
            self._say(
                f"the clock of this machine is {abs(there_now - now / 1e9) / 3600:,.1f} hours from"
                f" that of the team's store {self.files.address}; nothing is purged for its age"
                " here before one of them is set right."
            )
            return
        before = utc(now / 1e9 - days * 86_400)
        if older_than(self._store, before):
            self._store.purge(before=before)

    def _introduce(self, mine: Membership, holds: int) -> str:
        """Say to the others who this is, and how fresh; returns the file's name."""
        note = {
            "who": self._who(),
            "host": socket.gethostname(),
            "looked_at": utc(),
            "holds": holds,
        }
        name = note_file(mine.member)
        self.files.write(name, json.dumps(note).encode())
        return name

    # -- purging

    def _sweep(self, stone: Tombstone, mine: Membership) -> None:
        """Take a purge's rows out of everything that is there, and note what was searched."""
        there = contents_of(self.files.listing())
        self._known.clear()
        parcels = self._parcels(there, mine)
        later = {each.name for each in parcels if stone.id in (self._came_after(each) or ())}
        searched = sorted(later)
        with self._scratch_folder() as scratch:
            found = self._fetched([each for each in parcels if each.name not in later], scratch)
            clean = rewritten(found, [stone], scratch)
            for each in found:
                name, batch = each.parcel.name, clean.get(each.parcel.name)
                searched.append(
                    self._replace(each.parcel, batch, [stone.id], mine) if batch else name
                )
        mine.keep(self._folder)
        self.files.write(f"tombstones/{stone.id}.swept", json.dumps(searched).encode())
