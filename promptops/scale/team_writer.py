"""What a member of a team's store hands over: what the others lack, without the rows that a purge
took out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..spool.segment import Segment, finished
from ..store.archive import Batch, batches, write_batch
from ..store.hidden import hidden_of
from ..store.purges import keep_of
from .membership import Membership
from .parcels import (
    Fetched,
    digest_of,
    lacks_some_of,
    put_batch,
    put_segment,
    rewritten,
    shared_name,
)
from .team_layout import Contents, Parcel, other_name
from .team_reader import TeamReader

__all__ = ["TeamWriter"]


class TeamWriter(TeamReader):
    """A member as it hands over."""

    def _share(self) -> None:
        mine = self._membership()
        there = self._contents(mine)
        here, written = batches(self._folder), finished(self._folder)
        kept = {segment.name for segment in written}
        shared: dict[str, int] = {}
        apart: set[str] = set()  # segments that others continued in another way
        for parcel in self._parcels(there, mine):
            if any(lacks_some_of(batch, there.batches, parcel) for batch in here):
                continue  # acknowledged and lost: it is handed over again
            for name, size in parcel.marks.items():
                shared[name] = max(size, shared.get(name, 0))
                other = other_name(name, parcel.hash)
                if other != name and other in kept:
                    apart.add(name)
                    shared[other] = size
        due: list[Segment | Batch] = [
            segment
            for segment in written
            if segment.size > shared.get(segment.name, 0)
            or (
                segment.name in apart
                and other_name(segment.name, digest_of(segment.path)) not in shared
            )
        ]
        due += [
            batch
            for batch in here
            if any(size > shared.get(name, 0) for name, size in batch.segments.items())
        ]
        if due:
            self._hand_over(due, there, mine)
        mine.keep(self._folder)

    def _hand_over(
        self, contents: Sequence[Segment | Batch], there: Contents, mine: Membership
    ) -> None:
        """Finished segments and batches, without the rows that were purged while they were kept
        here. What was carried out here before is noted first: whatever is recorded since is new.
        """
        with self._scratch_folder() as scratch:
            ready = {}
            for content in contents:
                clean = self._without_purged(content, there, mine, scratch)
                ready[shared_name(mine.member, clean)] = clean
            known = [stone for stone in there.tombstones if stone in mine.applied]
            self._note(mine.member, dict.fromkeys(ready, known), there)
            for name, clean in ready.items():
                if isinstance(clean, Segment):
                    put_segment(self.files, mine.member, clean, name)
                else:
                    put_batch(self.files, name, clean)
                    mine.batches[name] = dict(clean.segments)

    def _without_purged(
        self, content: Segment | Batch, there: Contents, mine: Membership, scratch: Path
    ) -> Segment | Batch:
        """By what this store did, since the clocks of two hosts may differ: what it hid of a
        segment that was being written, and all that is named by purges that it has not carried out,
        since it recorded these rows before it heard of them.
        """
        hidden = {entry["segment"] for entry in hidden_of(self._folder)}
        if isinstance(content, Segment) and content.name in hidden:
            content = write_batch(scratch, [content], keep_of(self._folder))
        marks = dict(content.segments) if isinstance(content, Batch) else {content.name: 0}
        parcel = Parcel("", mine.member, marks, 0, "-")
        stones = [self._stone(each) for each in there.tombstones if each not in mine.applied]
        return rewritten([Fetched(parcel, content)], stones, scratch).get(parcel.name, content)
