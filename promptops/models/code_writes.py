"""What a function's code itself changes: a memo, a log, a counter, a file."""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .code_reads import WRITES, codes

__all__ = ["FILLS", "CodeWrites", "writes_of"]

_ITEM = {"STORE_SUBSCR": 2, "DELETE_SUBSCR": 2}  # how deep in the stack the container begins
_TAKEN = {"LOAD_ATTR", "LOAD_METHOD"}
_GLOBAL = ("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME")
FILLS = WRITES | {"setdefault", "pop", "popitem", "insert", "remove", "discard", "move_to_end"}
FILLS |= {"appendleft", "popleft", "sort", "reverse", "subtract"}
_SAVERS = {"write", "writelines", "write_text", "write_bytes", "dump", "save", "executemany"}
_UNNAMED = {"setattr", "vars", "__dict__", "__setattr__"}
_SAVERS |= {"to_csv", "to_json", "to_parquet", "to_pickle"}


@dataclass(frozen=True, slots=True)
class CodeWrites:
    """names: global and enclosed names that are assigned, or whose content changes; stored: those
    that are assigned; keys: of such a name, or of its attributes, which key is set, None for one
    that is not known; paths: such a name and the attributes behind which the content changes;
    attributes: that are assigned, or whose content changes, of whatever object; assigned: those of
    them that are assigned; given: arguments whose content changes; others: whether that of another
    value does which the code was given; files: whether it writes files; any_attribute: whether it
    assigns attributes that it does not name (`setattr`).
    """

    names: frozenset[str]
    stored: frozenset[str]
    keys: frozenset[tuple[str, str | None]]
    paths: frozenset[tuple[str, ...]]
    attributes: frozenset[str]
    assigned: frozenset[str]
    given: frozenset[str]
    others: bool
    files: bool
    any_attribute: bool


@functools.lru_cache(maxsize=1024)
def writes_of(code: types.CodeType) -> CodeWrites:
    """What the code and the functions within it change."""
    names, attributes, given, others, files = set[str](), set[str](), set[str](), False, False
    paths, assigned, stored = set[tuple[str, ...]](), set[str](), set[str]()
    keys = set[tuple[str, str | None]]()
    for each in codes(code):
        steps = list(dis.get_instructions(each))
        taken = each.co_varnames[: each.co_argcount + each.co_kwonlyargcount]
        for base, path, key in _changed(steps):
            attributes |= set(path)
            if base.opname.startswith(_GLOBAL):
                names |= set() if path else {str(base.argval)}
                keys.add((".".join((str(base.argval), *path)), key))
                paths.add((str(base.argval), *path))
            elif base.opname.startswith("LOAD_FAST") and not path:
                locals_ = base.argval if isinstance(base.argval, tuple) else (base.argval,)
                given |= {name for name in locals_ if each is code and name in taken}
                others = others or any(
                    name in taken if each is not code else name in _aliases(steps)
                    for name in locals_
                )
        for step in steps:
            if step.opname == "STORE_GLOBAL" or (
                step.opname == "STORE_DEREF" and step.argval in code.co_freevars
            ):
                stored.add(str(step.argval))
            elif step.opname == "STORE_ATTR":
                assigned.add(str(step.argval))
        files = files or not _SAVERS.isdisjoint(each.co_names) or _opens_to_write(each)
    attributes |= assigned
    named = frozenset(names | stored), frozenset(stored), frozenset(keys)
    kept = *named, frozenset(paths), frozenset(attributes)
    any_attribute = any(not _UNNAMED.isdisjoint(each.co_names) for each in codes(code))
    more = frozenset(assigned), frozenset(given)
    return CodeWrites(*kept, *more, others, files, any_attribute)


def _opens_to_write(code: types.CodeType) -> bool:
    modes = {mode + more for mode in "wax" for more in ("", "b", "+", "t", "b+", "+b")}
    return "open" in code.co_names and any(
        isinstance(each, str) and each in modes for each in code.co_consts
    )


def _aliases(steps: Sequence[dis.Instruction]) -> set[str]:
    """Local names of what something else holds."""
    sources = (*_GLOBAL, *_TAKEN, "BINARY_SUBSCR")
    return {
        str(step.argval)
        for before, step in pairwise(steps)
        if step.opname.startswith("STORE_FAST")
        and (before.opname.startswith(sources) or before.argrepr == "[]")
    }


def _changed(
    steps: Sequence[dis.Instruction],
) -> Iterator[tuple[dis.Instruction, list[str], str | None]]:
    """What loads each container that the code changes, the attributes that lead to it, and the key
    of it below which the change is, where that is a text in the code.
    """
    for at, step in enumerate(steps):
        if step.opname in _ITEM:
            yield from _base(steps, _read_before(steps, at), _ITEM[step.opname])
        elif step.opname in _TAKEN and step.argval in FILLS:
            yield from _base(steps, at, 1)


def _read_before(steps: Sequence[dis.Instruction], at: int) -> int:
    """Where `box[key] += value` has loaded its box and key: they are copied there, and swapped back
    before the step; the step itself for a plain assignment.
    """
    if [step.opname for step in steps[max(at - 2, 0) : at]] != ["SWAP", "SWAP"]:
        return at
    for place in range(at - 2, 0, -1):
        if {step.opname for step in steps[place - 1 : place + 1]} == {"COPY"}:
            return place - 1
    return at


def _base(
    steps: Sequence[dis.Instruction], at: int, depth: int
) -> Iterator[tuple[dis.Instruction, list[str], str | None]]:
    """The load that put a value on the stack, so deep below its top before a step, and how the code
    goes on from there; nothing if it branches on the way.
    """
    height = 0
    for place in range(at - 1, -1, -1):
        step = steps[place]
        height += dis.stack_effect(step.opcode, step.arg, jump=False)
        if height >= depth:
            path = []
            for after in steps[place + 1 : at]:
                if after.opname not in _TAKEN:
                    break
                path.append(str(after.argval))
            yield step, path, _key(steps, place + 1 + len(path), at)
            return
        if "JUMP" in step.opname or step.is_jump_target:
            return


def _key(steps: Sequence[dis.Instruction], at: int, end: int) -> str | None:
    """The text between the first brackets behind a value, as in `held["calls"]["all"] += 1`."""
    if at >= end or steps[at].opname != "LOAD_CONST" or not isinstance(steps[at].argval, str):
        return None
    then = steps[at + 1]
    brackets = then.opname == "BINARY_SUBSCR" or then.argrepr.startswith("[")
    return steps[at].argval if at + 1 == end or brackets else None
