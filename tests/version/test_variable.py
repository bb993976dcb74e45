"""A variable is a name, a type and perhaps a default; what describes it to people is not
content.
"""

from __future__ import annotations

import copy
import math
import pickle

import pytest

from promptops.errors import VersionError
from promptops.version import PromptVersion
from promptops.version.variable import MAX_VARIABLES, Variable, collect


@pytest.mark.parametrize(
    ("spec", "shown", "content"),
    [
        ("string", "x: string", {"type": "string", "required": True}),
        ({}, "x: string", {"type": "string", "required": True}),
        (
            {"type": "number", "default": 0},
            "x: number = 0",
            {"type": "number", "required": False, "default": 0},
        ),
        ({"default": ""}, "x: string = ''", {"type": "string", "required": False, "default": ""}),
        (
            {"type": "boolean", "default": False},
            "x: boolean = False",
            {"type": "boolean", "required": False, "default": False},
        ),
        (
            {"type": "list", "default": [], "required": False},
            "x: list = []",
            {"type": "list", "required": False, "default": []},
        ),
        ({"type": "object", "required": True}, "x: object", {"type": "object", "required": True}),
    ],
)
def test_specs(spec: object, shown: str, content: dict[str, object]) -> None:
    """A spec is a type, or a map of fields; a default makes a variable optional."""
    variable = Variable("x", spec)
    assert repr(variable) == shown
    assert variable.content() == content
    assert Variable("x", variable.document()) == variable


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (3, "is described by 3"),
        (None, "is described by None"),
        ("text", "has the type 'text'; the types are string, number, boolean, object, list"),
        ({"type": ["string"]}, "has the type"),
        ({"kind": "string"}, "unknown field 'kind'"),
        ({1: "string"}, "unknown field '1'"),
        (
            {"type": "number", "default": "1"},
            "the default of variable 'x' is a number, got str '1'",
        ),
        ({"type": "number", "default": True}, "is a number, got bool True"),
        ({"type": "number", "default": math.nan}, "the default of variable 'x' cannot be filled"),
        ({"type": "list", "default": [{1}]}, "the default of variable 'x' cannot be filled"),
        ({"default": "a", "required": True}, "required and has a default"),
        ({"required": False}, "optional without a default"),
        ({"required": "no"}, "required='no'; expected True or False"),
        ({"example": object()}, "the example of x is a object"),
    ],
)
def test_refused_specs(spec: object, said: str) -> None:
    """A spec that cannot hold is refused where the version is made, naming the variable and the
    fault.
    """
    with pytest.raises(VersionError, match="x") as caught:
        PromptVersion("{{x}}", variables={"x": spec})
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["api", "fresh", "self"])
def test_reserved_names(name: str) -> None:
    """A name that `request(...)` or asking already takes as a keyword cannot be a variable."""
    with pytest.raises(VersionError, match=f"'{name}' has a reserved name"):
        PromptVersion(f"{{{{{name}}}}}")


def test_declared_but_unused() -> None:
    """A declared variable that no message uses is an error: most likely a typing mistake."""
    with pytest.raises(
        VersionError, match=r"'tikcet' is declared, but no message uses \{\{tikcet\}\}"
    ):
        PromptVersion("{{ticket}}", variables={"tikcet": "string"})


def test_order_of_first_use() -> None:
    """Variables are in order of first use over all messages, each once."""
    version = PromptVersion(
        [
            {"role": "system", "content": "{{b}} {{a}} {{b}}"},
            {"role": "user", "content": "{{c}} {{a}}"},
        ]
    )
    assert [variable.name for variable in version.variables] == ["b", "a", "c"]
    assert [variable.name for variable in collect(["z", "y"], {"y": "number"})] == ["z", "y"]


def test_too_many() -> None:
    """S3: past a thousand variables it is a bomb."""
    assert len(collect([f"v{i}" for i in range(MAX_VARIABLES)], {})) == MAX_VARIABLES
    with pytest.raises(VersionError, match="1,001 variables"):
        collect([f"v{i}" for i in range(MAX_VARIABLES + 1)], {})


def test_descriptions_are_not_content() -> None:
    """Description and example change neither the id nor equality, and are kept beside it."""
    bare = PromptVersion("{{x}}", variables={"x": {"type": "list", "default": [1]}})
    told = PromptVersion(
        "{{x}}",
        variables={"x": {"type": "list", "default": [1], "description": "what", "example": [2]}},
    )
    assert bare.id == told.id
    assert bare.variables == told.variables
    assert hash(bare.variables[0]) == hash(told.variables[0])
    assert told.document()["variables"]["x"] == {
        "type": "list",
        "required": False,
        "default": [1],
        "description": "what",
        "example": [2],
    }
    assert Variable("x", "string") != Variable("y", "string")
    assert Variable("x", "string") != Variable("x", "number")


def test_fixed_once_made() -> None:
    """Nothing that goes into or comes out of a variable can change it afterwards."""
    default, example = [1], {"a": [1]}
    variable = Variable("x", {"type": "list", "default": default, "example": example})
    default.append(2)
    example["a"].append(2)
    variable.default.append(3)
    variable.example["a"].append(3)
    variable.content()["default"].append(4)  # type: ignore[attr-defined]
    variable.document()["example"]["a"].append(4)  # type: ignore[index]
    assert variable.default == [1]
    assert variable.example == {"a": [1]}
    with pytest.raises(AttributeError, match="fixed once made"):
        variable.type = "string"
    with pytest.raises(AttributeError, match="fixed once made"):
        del variable.name


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_copies_are_equal(again: object) -> None:
    """A copied or pickled variable is equal, descriptions included."""
    variable = Variable(
        "x", {"type": "number", "default": 2, "description": "how many", "example": 3}
    )
    made = again(variable)  # type: ignore[operator]
    assert made == variable
    assert made.document() == variable.document()
