"""What a member of a team's store takes from it: the parcels that it lacks, without the rows of
purges that never searched them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import StoreError
from ..spool.ends import leave_end
from ..spool.locks import stopped
from ..spool.segment import Segment, make_folder, segment_path, segments
from ..store.archive import ARCHIVE, Batch, alone, batches, marks_of
from .membership import Membership
from .parcels import Fetched, digest_of, fetched, put_batch, rewritten, shared_name
from .team_layout import Contents, Parcel, other_name
from .team_member import WAIT_S, TeamMember

__all__ = ["TeamReader", "moment_of"]

_TOGETHER = 200  # parcels that are installed at once: who is interrupted keeps those before
_REFUSED = 20  # of them that the place does not give, before the rest waits for another look


class TeamReader(TeamMember):
    """A member as it reads."""

    def _news(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Those with bytes of a segment that this store does not hold."""
        known = marks_of(batches(self._folder))
        for segment in segments(self._folder):
            known[segment.name] = max(segment.size, known.get(segment.name, 0))
        new = []
        for parcel in parcels:
            if any(
                size > max(known.get(name, 0), known.get(other_name(name, parcel.hash), 0))
                for name, size in parcel.marks.items()
            ):
                new.append(parcel)
                known.update(parcel.marks)  # who shares a segment again shares the same bytes
        return new

    def _bring(self, new: Sequence[Parcel], there: Contents, mine: Membership) -> None:
        """Take in parcels; those that are older than a purge which never searched them without the
        rows that it names.
        """
        if not new:
            return
        together: dict[tuple[str, ...], list[Parcel]] = {}
        for parcel in new:
            together.setdefault(self._unsearched(parcel, there), []).append(parcel)
        for stones, parcels in together.items():
            # what a purge names is known by all of its parcels, so that those stay together
            size = len(parcels) if stones else _TOGETHER
            for start in range(0, len(parcels), size):
                self._bring_part(parcels[start : start + size], stones, mine)

    def _bring_part(
        self, parcels: Sequence[Parcel], stones: Sequence[str], mine: Membership
    ) -> None:
        with self._scratch_folder() as scratch:
            group = self._fetched(parcels, scratch)
            try:
                clean = self._without(group, stones, mine, scratch)
            except StoreError as error:  # a purge that nobody can read: they wait for it
                self._say(str(error))
                return
            self._install(group, clean)

    def _fetched(self, parcels: Sequence[Parcel], scratch: Path) -> list[Fetched]:
        """Those that are there, and are what their names say. Raises StoreError if the place
        answers no more.
        """
        found, unanswered = [], 0
        for each in self.files.at_once(
            lambda parcel: fetched(self.files, parcel, scratch), parcels
        ):
            if isinstance(each, Fetched):
                found.append(each)
            elif isinstance(each, FileNotFoundError):
                continue  # rewritten since it was listed: the next look meets it
            elif isinstance(each, StoreError):
                unanswered += each.__cause__ is not None  # not of a torn file, but of the place
                if unanswered > _REFUSED:
                    raise each
                self._say(str(each))
            else:
                raise each
        return found

    def _unsearched(self, parcel: Parcel, there: Contents) -> tuple[str, ...]:
        """The purges that may mean rows of the parcel and did not search it: those that its member
        had not carried out before, or, where it does not say, that came after the first row.
        """
        known = self._came_after(parcel) if there.tombstones else None
        return tuple(
            stone
            for stone in there.tombstones
            if (moment_of(stone) > parcel.born_ns if known is None else stone not in known)
            and not (stone in there.swept and parcel.name in self._searched(stone))
        )

    def _without(
        self, group: Sequence[Fetched], stones: Sequence[str], mine: Membership, scratch: Path
    ) -> Mapping[str, Batch]:
        """parcel's name -> its rows without the purged ones, where it holds any; the shared folder
        is cleaned of them as well.
        """
        clean = rewritten(group, [self._stone(stone) for stone in stones], scratch)
        for each in group:
            if each.parcel.name in clean:
                self._replace(each.parcel, clean[each.parcel.name], stones, mine)
        return clean

    def _replace(
        self, parcel: Parcel, batch: Batch, stones: Sequence[str], mine: Membership
    ) -> str:
        """Hand over a parcel without the rows of these purges in the place of what is there."""
        name = shared_name(mine.member, batch)
        known = self._came_after(parcel)
        if known is not None:
            self._note(mine.member, {name: known.union(stones)})
        put_batch(self.files, name, batch)
        mine.batches[name] = dict(batch.segments)
        # of a batch the manifest goes first: without it the rest is not a batch
        for file in sorted(parcel.files, key=lambda file: not file.endswith("manifest.json")):
            self.files.remove(file)
        return name

    def _install(self, group: Sequence[Fetched], clean: Mapping[str, Batch]) -> None:
        """Put what was fetched where the store finds it, each by one rename. What this store wrote
        under the same name stays.
        """
        make_folder(self._folder)
        with alone(self._folder, WAIT_S) as free:
            if not free:
                return  # another process writes the archive: the next look brings them
            for each in group:
                content = clean.get(each.parcel.name, each.content)
                if isinstance(content, Segment):
                    self._install_segment(content, each.parcel.hash)
                elif all(self._set_aside(*mark) for mark in content.segments.items()):
                    (self._folder / ARCHIVE).mkdir(mode=0o700, exist_ok=True)
                    os.rename(content.folder, self._folder / ARCHIVE / content.folder.name)

    def _install_segment(self, segment: Segment, digest: str) -> None:
        name, own = segment.name, segment_path(self._folder, segment.name)
        with stopped(own) as facts:
            if own.exists() and (facts is None or not _begins(segment.path, own, facts.st_size)):
                name = other_name(name, digest)
            leave_end(self._folder, name, segment.size)
            os.replace(segment.path, segment_path(self._folder, name))

    def _set_aside(self, name: str, size: int) -> bool:
        """Whether a batch may have so many bytes of a segment: what this store has of it may be
        other rows, which get a name of their own. False while a process writes to it.
        """
        own = segment_path(self._folder, name)
        with stopped(own) as facts:
            if facts is None:
                return not own.exists()
            if facts.st_size < size:
                other = other_name(name, digest_of(own))
                leave_end(self._folder, other, facts.st_size)
                os.replace(own, segment_path(self._folder, other))
        return True


def _begins(path: Path, own: Path, size: int) -> bool:
    """Whether a file begins with the bytes of another, which has so many."""
    with path.open("rb") as file, own.open("rb") as beginning:
        while piece := beginning.read(1 << 20):
            if file.read(len(piece)) != piece:
                return False
    return size <= path.stat().st_size


def moment_of(stone: str) -> int:
    """The moment of a purge, by its id, in nanoseconds since 1970."""
    return int(stone.partition("-")[0], 16)
