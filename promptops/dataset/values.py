"""What a version takes from an example, and the proof that every example renders before a call is
paid for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import DatasetError, RenderError
from ..version import PromptVersion
from . import strict
from .example import RESERVED, Example
from .roles import likely

__all__ = ["Renders", "check", "values_for"]

Renders: TypeAlias = (
    object  # a PromptVersion, or a saved or served version, which holds one as `.version`
)

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def content(version: Renders) -> PromptVersion:
    """The content of a version of any kind. Raises DatasetError for anything else."""
    held = version if isinstance(version, PromptVersion) else getattr(version, "version", None)
    if not isinstance(held, PromptVersion):
        raise DatasetError(
            f"{version!r} is not a version; pass a PromptVersion, or what prompt.save(...)"
            f" returned."
        )
    return held


def values_for(version: PromptVersion, example: Example) -> dict[str, object]:
    """The inputs that the version has variables for, and the history where it takes one.

    Text is read as JSON for a variable that is a number, boolean, object or list, where it reads as
    one of that type ("true" in any case); everything else is passed unchanged, and `render` refuses
    what does not fit. An input that is absent, null, or blank where the variable's type does not
    allow text, is left to the variable's default if it has one.
    """
    values: dict[str, Any] = {}
    for variable in version.variables:
        if variable.name in example.inputs:
            value = example.inputs[variable.name]
            if variable.type != "string" and isinstance(value, str):
                value = _read(variable.type, value.strip())
            if value is not None or variable.required:
                values[variable.name] = value
    if version.takes_history and example.history:
        values["history"] = [dict(message) for message in example.history]
    return values


def _read(kind: str, text: str) -> Any:
    """The value that a text means, None for a blank one; the text itself if it is of
    another type.
    """
    if not text:
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "number" and not _NUMBER.fullmatch(text):
        return text
    try:
        value = strict.parse(text)
    except ValueError:
        return text
    wanted = {"object": dict, "list": list}.get(kind, object)
    return value if isinstance(value, wanted) else text


def check(
    examples: Sequence[Example],
    version: Renders,
    *,
    name: str,
    roles: Mapping[str, str],
    some: bool = False,
) -> tuple[str, ...]:
    """Render every example; return what is worth saying though all render. roles: column -> role
    that it was read as; some: it is enough that some render, those that do not are reported.

    Raises DatasetError with the number of examples that fail, the first of them, its fault, and the
    likely column.
    """
    asked = content(version)
    _check_whole(examples, asked, name)
    failed, first, fault = 0, "", ""
    notes: list[str] = []
    missing: set[str] = set()
    for example in examples:
        values = values_for(asked, example)
        try:
            asked.render(values)
        except RenderError as error:
            failed += 1
            required = {variable.name for variable in asked.variables if variable.required}
            missing |= required - values.keys()
            if failed == 1:
                first, fault = example.id, str(error).rstrip(".").removeprefix(f"{asked.id[:11]} ")
    if failed:
        hints = [
            hint
            for variable in sorted(missing)
            if (hint := _hint(variable, examples, asked, roles))
        ]
        hinted = "".join(f"; {hint}" for hint in hints)
        message = (
            f"{failed:,} of {len(examples):,} examples of {name!r} do not render with"
            f" {asked.id[:11]}; the first is {first!r}: {fault}{hinted}."
        )
        if not some or failed == len(examples):
            raise DatasetError(message)
        notes.append(f"{message[:-1]}; they are not asked, and count as failed (render_error).")
    unread = sum(bool(example.history) for example in examples) if not asked.takes_history else 0
    if unread:
        notes.append(f"examples with a history that {asked.id[:11]} has no place for: {unread:,}.")
    return tuple(notes)


def _check_whole(examples: Sequence[Example], asked: PromptVersion, name: str) -> None:
    """Raise DatasetError if a conversation would be sent without its question: an input is
    beside a history that is spliced in, no variable reads it, and nothing of the user comes last.
    """
    if not asked.takes_history:
        return
    used = {variable.name for variable in asked.variables}
    closing = asked.template[-1]["role"] if asked.template[-1]["role"] != "history" else None
    for example in examples:
        left = [key for key in example.inputs if key not in used]
        last = closing or (example.history[-1]["role"] if example.history else "system")
        unsent = left and (last not in ("user", "tool") or "message" in left)
        if unsent:
            missing = "message" if "message" in left else left[0]
            raise DatasetError(
                f"{asked.id[:11]} splices the history of {name!r} in, but reads no input"
                f" {missing!r}, so the conversation of example {example.id!r} would be sent without"
                f' it; add {{"role": "user", "content": "{{{{{missing}}}}}"}} after the history, or'
                " read the dataset without that column."
            )


def _hint(
    variable: str, examples: Iterable[Example], asked: PromptVersion, roles: Mapping[str, str]
) -> str:
    """Which column was probably meant."""
    used = {other.name for other in asked.variables}
    columns = list(dict.fromkeys(name for example in examples for name in example.inputs))
    if variable in columns:
        return f"some rows have no {variable!r}: fill it in, or give the variable a default"
    if variable in roles:
        return (
            f"the column {variable!r} was read as {roles[variable]}: pass inputs=[...] with it, or"
            f" {roles[variable]}=... of another"
        )
    if variable in RESERVED:
        return f"{variable!r} is a reserved column and never a variable: rename the variable"
    spare = [name for name in columns if name not in used]
    guess = likely(variable, [*spare, *roles]) or (spare[0] if len(spare) == 1 else None)
    if guess is not None:
        return (
            f"the likely column is {guess!r}: read the dataset with inputs={{{variable!r}:"
            f" {guess!r}}}"
        )
    return (
        f"no column looks like {variable!r}: its inputs are"
        f" {', '.join(map(repr, columns[:12])) or 'none'}"
    )
