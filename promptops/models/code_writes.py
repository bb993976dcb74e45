"""Which names a function's code itself writes to: a memo, a log, a counter."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator, Sequence

from .code_reads import WRITES, codes

__all__ = ["written_names"]

_ITEM = {"STORE_SUBSCR": 2, "DELETE_SUBSCR": 2}  # how deep in the stack the container begins
_TAKEN = {"LOAD_ATTR", "LOAD_METHOD"}
_FILLS = WRITES | {"setdefault", "pop", "popitem", "insert", "remove", "discard", "move_to_end"}
_FILLS |= {"appendleft", "popleft"}


def written_names(code: types.CodeType) -> frozenset[str]:
    """Global and enclosed names that the code assigns, or whose content it changes."""
    enclosed = code.co_freevars
    found = set()
    for step in _changed(code):
        if step.opname.startswith(("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME")):
            found.add(str(step.argval))
    for step in (step for each in codes(code) for step in dis.get_instructions(each)):
        own = step.opname == "STORE_DEREF" and step.argval in enclosed
        if own or step.opname == "STORE_GLOBAL":
            found.add(str(step.argval))
    return frozenset(found)


def _changed(code: types.CodeType) -> Iterator[dis.Instruction]:
    """What loads each container that the code changes."""
    for each in codes(code):
        steps = list(dis.get_instructions(each))
        for at, step in enumerate(steps):
            if step.opname in _ITEM:
                yield from _base(steps, _read_before(steps, at), _ITEM[step.opname])
            elif step.opname in _TAKEN and step.argval in _FILLS:
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


def _base(steps: Sequence[dis.Instruction], at: int, depth: int) -> Iterator[dis.Instruction]:
    """The load that put a value on the stack, so deep below its top before a step; nothing if the
    code branches on the way.
    """
    height = 0
    for step in reversed(steps[:at]):
        height += dis.stack_effect(step.opcode, step.arg, jump=False)
        if height >= depth:
            yield step
            return
        if "JUMP" in step.opname or step.is_jump_target:
            return
