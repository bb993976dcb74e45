"""`promptops/guide/api.md` from the docstrings of the public doors.

`python -m tests.structure.api_page` writes it; `test_api_page.py` holds it to the docstrings.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "promptops" / "guide" / "api.md"
_SECTIONS = ("Args:", "Returns:", "Raises:")
DOORS = ("promptops", "promptops.lab", "promptops.scorers")
_HEAD = """\
# API

Every public name of `promptops`, `promptops.lab` and `promptops.scorers`, from its docstring.
Written by `python -m tests.structure.api_page`; a test compares it with the code.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for door in DOORS:
        module = importlib.import_module(door)
        parts.append(f"\n## `{door}`\n")
        for name in sorted(module.__all__):
            parts += _entry(name, getattr(module, name))
    return "\n".join(parts).rstrip() + "\n"


def _entry(name: str, value: Any) -> Iterator[str]:
    if inspect.ismodule(value):  # a package that is called as the function of its name
        value = vars(value)[name]
    yield f"\n### `{name}`\n"
    yield from _call(name, value)
    yield _text(value)
    if inspect.isclass(value) and not issubclass(value, Exception):
        for method, found in sorted(vars(value).items()):
            if not method.startswith("_") and _documented(found):
                bound = getattr(found, "__func__", found)
                yield f"\n#### `{name}.{method}`\n"
                yield from _call(f"{name}.{method}", bound)
                yield _text(bound)


def doors() -> Iterator[tuple[str, Any]]:
    """(name, what it is) of every function, class and method of the doors."""
    for door in DOORS:
        module = importlib.import_module(door)
        for name in sorted(module.__all__):
            value = getattr(module, name)
            value = vars(value)[name] if inspect.ismodule(value) else value
            if not inspect.isclass(value):
                if inspect.isfunction(value):
                    yield name, value
            elif not issubclass(value, Exception):
                yield name, value
                for method, found in sorted(vars(value).items()):
                    bound = getattr(found, "__func__", found)
                    if not method.startswith("_") and inspect.isfunction(bound):
                        yield f"{name}.{method}", bound


def parameters(value: Any) -> list[str]:
    """The names that a call takes."""
    try:
        found = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return []
    return [name for name in found if name not in ("self", "cls")]


def _documented(value: Any) -> bool:
    bound = getattr(value, "__func__", value)
    return isinstance(bound, property) or inspect.isfunction(bound)


def _call(name: str, value: Any) -> Iterator[str]:
    """The call with its parameters as code, below the heading; a parameter a line if it is wide."""
    taken = _signature(value)
    if not taken:
        return
    if len(name + taken) > 76 and taken != "(...)":
        inner = ",\n".join(f"  {each}" for each in _parts(taken[1:-1]))
        taken = f"(\n{inner},\n)"
    yield f"```text\n{name}{taken}\n```\n"


def _parts(inner: str) -> list[str]:
    """The parameters of a signature, parted at the commas outside brackets and texts."""
    parts, depth, text = [""], 0, ""
    for sign in inner:
        text = ("" if text == sign else text or sign) if sign in "'\"" else text
        depth += (sign in "([{") - (sign in ")]}") if not text else 0
        if sign == "," and not depth and not text:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def _signature(value: Any) -> str:
    if isinstance(value, property) or (inspect.isclass(value) and issubclass(value, Exception)):
        return ""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    bare = [
        each.replace(annotation=inspect.Parameter.empty)
        for each in signature.parameters.values()
        if each.name not in ("self", "cls")
    ]
    shown = inspect.Signature(bare)
    text = str(shown)
    return text if " object at 0x" not in text and "<function" not in text else "(...)"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} times `{type(value[0]).__name__}`, in order."
    if not (inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, property)):
        return f"A type: `{value}`."
    told = value.fget if isinstance(value, property) else value
    return _listed(inspect.cleandoc(getattr(told, "__doc__", None) or "").strip())


def _listed(text: str) -> str:
    """The sections `Args:`, `Returns:` and `Raises:` as Markdown lists, a name per point."""
    out: list[str] = []
    section = ""
    for line in text.splitlines():
        if line in _SECTIONS:
            section = line
            out += [f"**{line[:-1]}**", ""]
        elif not line.startswith(" "):
            section = section if not line else ""
            out.append(line)
        elif not section:
            out.append(line)
        elif line.startswith("     ") or section == "Returns:":
            out.append(("  " if section != "Returns:" else "") + line.strip())
        else:
            name, colon, rest = line.strip().partition(":")
            marked = ", ".join(f"`{each}`" for each in re.split(r", (?:or )?| or ", name))
            out.append(f"- {marked}:{rest}" if colon else f"- {line.strip()}")
    return "\n".join(out)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
