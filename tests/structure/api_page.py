"""`promptops/guide/api.md` of the repository; the wheel has `promptops help api`, which makes it.

`python -m tests.structure.api_page` writes it; `test_api_page.py` holds it to the docstrings.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptops.cli.api_page import DOORS, page

__all__ = ["DOORS", "PAGE", "doors", "page", "parameters"]

PAGE = Path(__file__).parents[2] / "promptops" / "guide" / "api.md"


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


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
