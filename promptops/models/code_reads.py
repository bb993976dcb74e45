"""What a function's code reads beside its arguments: global names, attributes of modules, modules
that it imports, environment variables and files.

Found in the bytecode; nothing is run. A variable or a file is known by name where the code names it
by a text or by one name that has a value; a name that is only put together while the function runs
is not, and is reported as hidden.
"""

from __future__ import annotations

import dis
import functools
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Any

__all__ = [
    "code_text",
    "MISSING",
    "CodeReads",
    "ImportedName",
    "Look",
    "Use",
    "WRITES",
    "attributes_of",
    "WRITING",
    "codes",
    "held_by",
    "looking",
    "only_written",
    "reads_of",
]

# What a function only writes to (a log, a counter) does not change what it answers.
WRITES = {"append", "add", "extend", "update", "put", "put_nowait", "set", "write", "clear"}
_NAMED = {"LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_NAME"}
_LOCAL = ("LOAD_FAST", "LOAD_DEREF", "LOAD_NAME")
_ATTRIBUTES = {"LOAD_METHOD", "LOAD_ATTR"}
_STORES = ("STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL")
_FILE_METHODS = {"read_text", "read_bytes"}
_ENDS = ("CALL", "KW_NAMES", "BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR")
_SILENT = {"PUSH_NULL", "PRECALL", "CACHE", "COPY", "SWAP", "NOP", "RESUME", "EXTENDED_ARG"}

WRITING = re.compile("[wax][bt+]*")
Look = Callable[[str], object]  # the value of a name, MISSING if it has none
MISSING = object()


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a name is loaded. path: attributes that are taken from it at once; first: the
    text or path that the call or the brackets after it begin with, MISSING if it is not known;
    mode: the second text of such a call.
    """

    name: str
    path: tuple[str, ...]
    first: Any = MISSING
    mode: str = ""

    @property
    def writes(self) -> bool:
        """Whether `open` of a path writes with these arguments."""
        given = (each for each in (self.first, self.mode) if isinstance(each, str))
        return any(map(WRITING.fullmatch, given))


@dataclass(frozen=True, slots=True)
class ImportedName:
    """One import: module and level; name: what is taken from it, "" for the module itself; uses:
    of the name that it was given.
    """

    module: str
    level: int
    name: str
    uses: list[Use]


@dataclass(slots=True)
class CodeReads:
    """uses: of global and enclosed names; written: of those, names of containers that are only
    written to; loose: readers of files that belong to no name (`read_text`), with their path where
    it is known.
    """

    uses: list[Use] = field(default_factory=list)
    written: frozenset[str] = frozenset()
    imported: list[ImportedName] = field(default_factory=list)
    loose: list[tuple[str, object]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names that are read, sorted."""
        return sorted({use.name for use in self.uses} - self.written)

    def of(self, name: str) -> list[Use]:
        """The uses of one name."""
        return [use for use in self.uses if use.name == name]


def reads_of(code: types.CodeType, look: Look) -> CodeReads:
    """What the code and the functions within it read.

    Args:
        code: of a function.
        look: the value of a global or enclosed name, or MISSING.
    """
    found = CodeReads()
    writes: dict[str, list[bool]] = {}
    by_name = any(not _BY_NAME.isdisjoint(each.co_names) for each in codes(code))
    for each in codes(code):
        steps = [step for step in dis.get_instructions(each) if step.opname not in _SILENT]
        for at, step in enumerate(steps):
            if step.opname in _NAMED:
                use = _use(steps, at, look)
                found.uses.append(use)
                only = use.path[:1] in _WRITTEN and _unused(steps, at)
                only = only or (not use.path and not by_name and _raised(steps, at))
                writes.setdefault(use.name, []).append(only)
            elif step.opname in _ATTRIBUTES and (loose := _loose(steps, at)) is not None:
                found.loose.append(loose)
            elif step.opname == "IMPORT_NAME":
                found.imported += _imports(steps, at, code, look)
    found.written = frozenset(name for name, each in writes.items() if all(each))
    return found


_BY_NAME = {"globals", "locals", "vars", "eval", "exec"}  # read names that no code shows
_WRITTEN = {(name,) for name in WRITES}


def _unused(steps: Sequence[dis.Instruction], at: int) -> bool:
    """Whether nobody takes what a call gives that begins with this step: `seen.add(text)`, but not
    `return writer.write(text)`, which is a method of the user's.
    """
    began = _start(steps[at])
    for after in range(at + 1, len(steps)):
        if steps[after].opname.startswith("CALL") and _start(steps[after]) == began:
            then = (step.opname for step in steps[after + 1 :] if step.opname not in _AWAITING)
            return next(then, "") == "POP_TOP"
    return False


def _raised(steps: Sequence[dis.Instruction], at: int) -> bool:
    """Whether a step loads what only `count += 1` or `used["tokens"] += 1` needs."""
    began = _start(steps[at])
    for step, after in pairwise(steps[at + 1 :]):
        if _start(step) == began and step.opname.startswith("CALL"):
            return False
        if _start(step) == began and step.opname == "BINARY_OP" and step.argrepr.endswith("="):
            return after.opname.startswith("STORE")
    return False


def _start(step: dis.Instruction) -> tuple[int | None, int | None]:
    """Where the expression begins, the same for a call and for what it is a method of."""
    at = step.positions
    return (at.lineno, at.col_offset) if at is not None else (None, None)


_AWAITING = {"GET_AWAITABLE", "LOAD_CONST", "SEND", "YIELD_VALUE", "JUMP_BACKWARD_NO_INTERRUPT"}
_AWAITING |= {"END_SEND", "CLEANUP_THROW"}


def _use(steps: Sequence[dis.Instruction], at: int, look: Look) -> Use:
    name, path, after = str(steps[at].argval), [], at + 1
    while after < len(steps) and steps[after].opname in _ATTRIBUTES:
        path.append(str(steps[after].argval))
        after += 1
    given = []
    while after < len(steps) and _loads(steps[after]):
        given.append(_given(steps[after], look))
        after += 1
    end = steps[after] if after < len(steps) else None
    if end is not None and end.opname == "CONTAINS_OP" and at and not given:
        return Use(name, tuple(path), _given(steps[at - 1], look))  # "NAME" in os.environ
    if end is None or not given or not _ends(end):  # used otherwise, or of a part of a term
        return Use(name, tuple(path))
    mode = given[1] if len(given) > 1 and isinstance(given[1], str) else ""
    return Use(name, tuple(path), given[0], mode)


def _loads(step: dis.Instruction) -> bool:
    return step.opname.startswith("LOAD_") and step.opname not in _ATTRIBUTES


def _ends(step: dis.Instruction) -> bool:
    """Whether what was loaded before this step is all that a call or the brackets are given."""
    return step.opname.startswith(_ENDS) or (
        step.opname == "BINARY_OP" and step.argrepr.startswith("[")  # brackets, since 3.14
    )


def _given(step: dis.Instruction, look: Look) -> object:
    """The value that a step loads; MISSING if only the run tells."""
    if step.opname == "LOAD_CONST":
        return step.argval
    return look(str(step.argval)) if step.opname in _NAMED else MISSING


def _imports(
    steps: Sequence[dis.Instruction], at: int, code: types.CodeType, look: Look
) -> Iterator[ImportedName]:
    module = str(steps[at].argval)
    level = steps[at - 2].argval if at > 1 and isinstance(steps[at - 2].argval, int) else 0
    after, named = at + 1, at > 0 and steps[at - 1].argval is not None  # from module import names
    while after + 1 < len(steps) and steps[after].opname == "IMPORT_FROM":
        if named:
            alias = str(steps[after + 1].argval)
            uses = list(_uses_of(alias, code, look))
            yield ImportedName(module, level, str(steps[after].argval), uses)
        after += 2 if named else 1
    if not named and after < len(steps) and steps[after].opname.startswith(_STORES):
        whole = after > at + 1  # import a.b as c: the name is the module's own
        alias, top = str(steps[after].argval), module.partition(".")[0]
        uses = list(_uses_of(alias, code, look))
        yield ImportedName(module if whole else top, level, "", uses)


def _loose(steps: Sequence[dis.Instruction], at: int) -> tuple[str, object] | None:
    """A reader of a file whose path is not a name: (its name, the path or MISSING)."""
    if steps[at].argval not in _FILE_METHODS and not _opens(steps, at):
        return None
    before = at - 1
    while before >= 0 and steps[before].opname in _ATTRIBUTES:
        before -= 1
    if before >= 0 and steps[before].opname in _NAMED:
        return None  # of a name that has a value
    made = steps[max(before - 2, 0) : before + 1]
    if [step.opname for step in made] == ["LOAD_GLOBAL", "LOAD_CONST", "CALL"] and before == at - 1:
        path, text = made[0].argval, made[1].argval
        return str(steps[at].argval), text if path == "Path" else MISSING
    return str(steps[at].argval), MISSING


def _opens(steps: Sequence[dis.Instruction], at: int) -> bool:
    """Whether it opens a path to read it: `path.open()`, unlike `Image.open(path)`."""
    given = list(takewhile(_loads, steps[at + 1 :]))
    texts = [str(each.argval) for each in given if each.opname == "LOAD_CONST"]
    calls = steps[at + 1 + len(given)].opname.startswith(("CALL", "KW_NAMES"))
    return (
        steps[at].argval == "open"
        and calls
        and len(texts) == len(given)
        and not any(map(WRITING.fullmatch, texts))
    )


def _uses_of(alias: str, code: types.CodeType, look: Look) -> Iterator[Use]:
    for each in codes(code):
        steps = [step for step in dis.get_instructions(each) if step.opname not in _SILENT]
        for at, step in enumerate(steps):
            if step.opname.startswith((*_LOCAL, "LOAD_GLOBAL")) and step.argval == alias:
                yield _use(steps, at, look)


def only_written(kind: type) -> frozenset[str]:
    """Attributes of `self` that the methods of a class only write to."""
    read, written = set[str](), set[str]()
    for item in [each for base in kind.__mro__ for each in vars(base).values()]:
        function = getattr(item, "__func__", item)
        if isinstance(function, types.FunctionType) and function.__name__ != "__init__":
            uses = attributes_of(function.__code__)
            read |= {name for name, only in uses if not only}
            written |= {name for name, only in uses if only}
    return frozenset(written - read)


@functools.lru_cache(maxsize=1024)
def attributes_of(code: types.CodeType) -> frozenset[tuple[str, bool]]:
    """The attributes that code loads, and whether it only writes to what they hold."""
    found = set[tuple[str, bool]]()
    for each in codes(code):
        steps = [step for step in dis.get_instructions(each) if step.opname not in _SILENT]
        for at, (step, after) in enumerate(pairwise([*steps, None])):
            if step is not None and step.opname == "LOAD_ATTR":
                only = (
                    after is not None
                    and after.opname in _ATTRIBUTES
                    and after.argval in WRITES
                    and _unused(steps, at)
                )
                found.add((str(step.argval), only))
    return frozenset(found)


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code and that of the functions within it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from codes(const)


def looking(function: types.FunctionType) -> Look:
    """The values of a function's enclosed and global names."""
    enclosed: Mapping[str, object] = {}
    if function.__closure__:
        cells = zip(function.__code__.co_freevars, function.__closure__, strict=True)
        enclosed = {name: held for name, cell in cells if (held := held_by(cell)) is not MISSING}
    return lambda name: enclosed.get(name, function.__globals__.get(name, MISSING))


def held_by(cell: types.CellType) -> object:
    """What an enclosed name holds; MISSING if it is not bound yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def code_text(code: types.CodeType) -> str:
    """A text that is equal for equal code, with its constants and names."""
    consts = [
        code_text(const) if isinstance(const, types.CodeType) else _const(const)
        for const in code.co_consts
    ]
    names = (code.co_names, code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    return f"code({code.co_code.hex()},{names},{code.co_flags},{consts})"


def _const(const: object) -> str:
    if isinstance(const, frozenset):
        return f"frozenset({sorted(map(repr, const))})"
    return f"{type(const).__name__}:{const!r}"
