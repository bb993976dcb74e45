"""What a function once wrote to and has left alone since, such as an index that its first call
made: where that differs from what the last call left, somebody else has replaced it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

__all__ = ["ANY", "Parts", "PartsLeft"]

_Part = tuple[int, str]
Parts = dict[_Part, str]  # by the id of what holds a place, and the path to the part
ANY = "[*]"  # any item of a container with many
_ENOUGH = 3  # calls, and half of them all, that have left alone what another one left alone, too


@dataclass(frozen=True, slots=True)
class _Seen:
    """left: the digest of each part; changed_at: the number of the call that changed it last;
    first: that of the first call that was looked at.
    """

    left: Parts
    changed_at: dict[_Part, int]
    first: int
    number: int
    at_rest: bool


class PartsLeft:
    """What calls have left in the parts that their code writes to, and since which call (of all
    functions): a counter changes with each, and may have been raised by one more.
    """

    def __init__(self) -> None:
        self._seen = _Seen({}, {}, -1, 0, False)

    def saw(self, before: Parts, now: Parts, number: int, *, at_rest: bool) -> None:
        """What a call has left. at_rest: whether no other call of the function is in flight."""
        known = self._seen
        changed_at = {
            part: known.changed_at.get(part, known.number)
            if known.left.get(part, before.get(part)) == text
            else number
            for part, text in now.items()
        }
        first = number if known.first < 0 else known.first
        self._seen = _Seen(now, changed_at, first, number, at_rest)

    def replaced(self, now: Parts, kept: Set[_Part], number: int) -> set[_Part]:
        """Those parts that somebody else has replaced since: what was there differs, or all that
        was below it. Items that were only added may be those of another call by hand.

        kept: what code has changed, whose parts are looked at too; number: of the last call.
        """
        seen = self._seen
        if not seen.at_rest:
            return set()
        unseen = number - seen.number
        enough = max(_ENOUGH, unseen, (seen.number - seen.first) // 2)
        parts = sorted(seen.left)
        changed = {part for part in parts if now.get(part, seen.left[part]) != seen.left[part]}
        found = set[_Part]()
        for place, part in enumerate(parts):
            at, path = part
            added = path.endswith(ANY) and (at, path.removesuffix(ANY)) in changed
            quiet = seen.number - seen.changed_at[part] >= enough
            if (
                part in changed
                and quiet
                and not added
                and _all_differ(seen.left, now, parts, place)
            ):
                found.add(part)
        return {part for part in found if any(_is_below(part, each) for each in kept)}

    def forget(self, parts: Set[_Part]) -> None:
        """Do not look at these parts any more."""
        left = {part: text for part, text in self._seen.left.items() if part not in parts}
        self._seen = replace(self._seen, left=left)


def _all_differ(left: Parts, now: Parts, parts: Sequence[_Part], place: int) -> bool:
    """Whether nothing below one of the sorted parts is as it was left."""
    for number in range(place + 1, len(parts)):
        part = parts[number]
        if not _is_below(part, parts[place]):
            break
        if now.get(part) == left[part]:
            return False
    return True


def _is_below(part: _Part, other: _Part) -> bool:
    return part[0] == other[0] and part[1].startswith(other[1])
