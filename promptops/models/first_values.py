"""What a function's code writes to, as it was before it was first called here: a counter that an
earlier function has raised makes no other version of an edited one, nor of another that shares it,
than in a kernel where nothing was asked.
"""

from __future__ import annotations

import collections
import copy
import types
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from typing import Any

from .code_reads import MISSING
from .function_definition import holder_of
from .function_identity import FunctionWalk
from .object_state import edited_in, state_of
from .parts_left import ANY
from .still_table import is_frame, still_frame
from .surroundings import Found
from .written_state import LARGEST, WIDE, WrittenPlace, frame_of

__all__ = ["FirstValues", "FirstWalk", "first_values"]

_Key = tuple[int, str]
FirstValues = dict[_Key, tuple[WrittenPlace, object]]
_MAPS = (dict, collections.OrderedDict, collections.Counter, collections.defaultdict)
_LISTS = (list, collections.deque)
_DEEPEST = 6


def first_values(places: Iterable[WrittenPlace], known: Iterable[FirstValues]) -> FirstValues:
    """What is in the places now, where it is not known what was there earlier."""
    earlier, found = list(known), FirstValues()
    for place in places:
        key = id(place.holder), place.name
        for each in earlier:
            if key in each:
                found[key] = each[key]
                break
        else:
            try:
                found[key] = place, _copy(place.now(), 0, [LARGEST])
            except Exception:  # another thread fills it, or what an object of theirs raises
                continue
    return found


class FirstWalk(FunctionWalk):
    """A walk that describes what changes by itself as it was at first. kept: those parts; edited:
    parts that somebody else has changed, maybe below one of them.
    """

    def __init__(
        self, programs: bool, first: FirstValues, kept: Set[_Key], edited: Set[_Key]
    ) -> None:
        super().__init__(programs)
        self._first, self._kept, self._edited = first, kept, edited

    def described(self, value: object, where: str, depth: int) -> str:
        """As it was at first."""
        _, first = self._first.get((id(value), ""), (None, MISSING))
        if type(value) is types.SimpleNamespace:
            value = types.SimpleNamespace(**self.attributes(value, dict(vars(value))))
        elif type(first) is type(value):
            value = self._then(id(value), "", value, first)
        return super().described(value, where, depth)

    def state(self, value: object) -> dict[str, object] | None:
        """The attributes that an object had at first, None if it shows none."""
        state = state_of(value)
        return None if state is None else self.attributes(value, state)

    def attributes(self, owner: object, own: dict[str, object]) -> dict[str, object]:
        """An owner's attributes as they were at first, but for those that somebody else changed."""
        place, first = self._first.get((id(owner), ""), (None, None))
        if place is None or not isinstance(first, types.SimpleNamespace):
            return own
        held, at = vars(first), id(owner)
        found = {
            name: self._then(at, f".{name}", item, held[name]) if name in held else item
            for name, item in own.items()
        }
        if (at, "") not in self._kept:
            return found
        made = {  # by its code, since then
            name
            for name in vars(place.now()).keys() - held.keys()
            if not self._is_edited(at, f".{name}")
        }
        found = {name: item for name, item in found.items() if name not in made}
        return {**{name: held[name] for name in held.keys() - own.keys()}, **found}

    def taken(
        self, function: types.FunctionType, name: str, found: Iterator[Found]
    ) -> Iterator[Found]:
        """What a function reaches under a name, as it was at first."""
        for text, value in found:
            at, path = id(holder_of(function, name)), f"{name}.{text}"
            _, first = self._first.get((at, path), (None, MISSING))
            then = value if first is MISSING else self._then(at, path, value, first)
            yield text, then

    def _then(self, at: int, path: str, now: Any, first: Any, among: str = "") -> Any:
        """A value, with the parts that change by themselves as they were at first. among: its path
        where the items of a wide container are one part.
        """
        among = among or path
        kept = (at, path) in self._kept or (at, among) in self._kept
        frame, first_frame = _frame(now), _frame(first)
        if frame is not None and first_frame is not None and len(frame) == len(first_frame):
            made, columns = frame.copy(), dict(first_frame.items())
            for number, (name, column) in enumerate(frame.items()):
                if name in columns:
                    at_first = self._then(at, f"{path}[{name!r}]", column, columns[name])
                    made.isetitem(number, at_first)
            return made
        if type(now) is not type(first) or type(now) not in (*_MAPS, *_LISTS):
            edited = self._is_edited(at, path) or self._is_edited(at, among)
            return first if kept and not edited else now
        is_map, held, before = type(now) in _MAPS, _items(now), _items(first)
        wide = max(len(held), len(before)) > WIDE

        def then(key: object) -> object:
            if key not in held or key not in before:
                return held[key] if key in held else before[key]
            item = f"[{repr(key)[:200]}]"
            below = f"{among}{ANY if wide else item}"
            return self._then(at, f"{path}{item}", held[key], before[key], below)

        keys = [*before] if kept else [*held]
        for key in held if kept else ():
            if key not in before and self._is_edited(at, f"{path}[{repr(key)[:200]}]"):
                keys.append(key)  # its code has made it, and somebody has replaced it
        items = {key: then(key) for key in keys}
        made = copy.copy(now)
        made.clear()
        (made.update if is_map else made.extend)(items if is_map else items.values())
        return made

    def _is_edited(self, at: int, path: str) -> bool:
        return any(one == at and part.startswith(path) for one, part in self._edited)


def _frame(value: Any) -> Any:
    with suppress(RuntimeError):  # threads have broken it
        return frame_of(value)
    return None


def _items(value: Any) -> Mapping[Any, Any]:
    return dict(value.items() if type(value) in _MAPS else enumerate(value))


def _copy(value: Any, depth: int, left: list[int]) -> Any:
    """A copy of a value's containers, with the same objects in them. left: how many more items."""
    if isinstance(value, (*_MAPS, *_LISTS, set)):
        left[0] -= len(value)
    if depth > _DEEPEST or left[0] < 0:
        return value
    if isinstance(value, types.SimpleNamespace) and not depth:
        return types.SimpleNamespace(**{n: _copy(each, 1, left) for n, each in vars(value).items()})
    if type(value) in _MAPS or type(value) in _LISTS:
        made = copy.copy(value)
        for key, item in _items(value).items():
            made[key] = _copy(item, depth + 1, left)
        return made
    if is_frame(value):
        return still_frame(value).copy()
    table = type(value) is set or (edited_in(value) is not None and hasattr(value, "copy"))
    return value.copy() if table else value
