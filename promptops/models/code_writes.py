"""Which names and attributes a function's code itself writes to: a memo, a log, a counter."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator, Sequence

from .code_reads import WRITES, codes

__all__ = ["written_attributes", "written_names"]

_ITEM = {"STORE_SUBSCR": 2, "DELETE_SUBSCR": 2}  # how deep in the stack the container begins
_TAKEN = {"LOAD_ATTR", "LOAD_METHOD"}
_FILLS = WRITES | {"setdefault", "pop", "popitem", "insert", "remove", "discard", "move_to_end"}
_FILLS |= {"appendleft", "popleft"}


def written_names(code: types.CodeType) -> frozenset[str]:
    """Global and enclosed names that the code binds anew, or whose content it changes."""
    enclosed = code.co_freevars
    found = set()
    for step, attribute in _changed(code):
        if not attribute and step.opname.startswith(("LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME")):
            found.add(str(step.argval))
    for step in (step for each in codes(code) for step in dis.get_instructions(each)):
        own = step.opname == "STORE_DEREF" and step.argval in enclosed
        if own or step.opname == "STORE_GLOBAL":
            found.add(str(step.argval))
    return frozenset(found)


def written_attributes(kind: type) -> frozenset[str]:
    """Attributes that the methods of a class bind anew, or whose content they change, but for its
    `__init__`.
    """
    found = set()
    for item in [each for base in kind.__mro__ for each in vars(base).values()]:
        function = getattr(item, "__func__", item)
        if isinstance(function, types.FunctionType) and function.__name__ != "__init__":
            found |= {attribute for _, attribute in _changed(function.__code__) if attribute}
            for code in codes(function.__code__):
                steps = dis.get_instructions(code)
                found |= {str(step.argval) for step in steps if step.opname == "STORE_ATTR"}
    return frozenset(found)


def _changed(code: types.CodeType) -> Iterator[tuple[dis.Instruction, str]]:
    """(what loads it, the attribute that is taken from it or "") of each container that the code
    changes.
    """
    for each in codes(code):
        steps = list(dis.get_instructions(each))
        for at, step in enumerate(steps):
            if step.opname in _ITEM:
                yield from _base(steps, at, _ITEM[step.opname])
            elif step.opname in _TAKEN and step.argval in _FILLS:
                yield from _base(steps, at, 1)


def _base(
    steps: Sequence[dis.Instruction], at: int, depth: int
) -> Iterator[tuple[dis.Instruction, str]]:
    """The load with which the value begins that lies so deep in the stack before a step; nothing
    if the code branches on the way.
    """
    height, attribute = 0, ""
    for step in reversed(steps[:at]):
        if step.opname in _TAKEN and height == depth - 1 and not attribute:
            attribute = str(step.argval)
        height += dis.stack_effect(step.opcode, step.arg, jump=False)
        if height >= depth:
            yield step, attribute
            return
        if "JUMP" in step.opname or step.is_jump_target:
            return
