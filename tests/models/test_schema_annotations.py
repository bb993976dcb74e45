"""What only a schema reads of a function or a class counts: `Literal`, `Annotated` and the words of
a `TypedDict`, as libraries send them for tools and structured answers.
"""

from __future__ import annotations

from typing import Any

import pytest

from promptops.models.function_identity import identify
from promptops.study.resolve_model import as_target

AROUND = "import dataclasses\nfrom typing import Annotated, Literal, NamedTuple, TypedDict\n"
SCHEMAS = {
    "a tool's values": "def held(unit: Literal['kind']):\n    'Weighs.'",
    "a tool's description": "def held(unit: Annotated[int, 'kind']):\n    'Weighs.'",
    "a dataclass": "@dataclasses.dataclass\nclass held:\n    unit: Literal['kind']",
    "a tuple": "class held(NamedTuple):\n    unit: Annotated[str, 'kind']",
    "the words of a TypedDict": "class held(TypedDict):\n    'kind'\n    unit: str",
}


def version(cell: str, future: str = "") -> str:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(f"{future}{AROUND}{cell}", space)
    exec("TOOLS = [held]\ndef answer(q):\n    return str(TOOLS)", space)
    return as_target(space["answer"]).label


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
@pytest.mark.parametrize("kind", SCHEMAS)
def test_an_edit_of_it_counts(kind: str, future: str) -> None:
    """The answers of the tool before had been reused, in the next kernel too."""
    cell = SCHEMAS[kind]
    assert version(cell, future) == version(cell, future)
    assert version(cell, future) != version(cell.replace("kind", "rude"), future)


def test_a_type_hint_alone_makes_no_other_function() -> None:
    def identity(cell: str) -> str:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(f"{AROUND}{cell}\ndef answer(q):\n    return held(q)", space)
        return identify(space["answer"]).digest

    assert identity("def held(q):\n    return q") == identity("def held(q: str):\n    return q")
