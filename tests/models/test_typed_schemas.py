"""Classes and functions in the place of schemas: the bytes of openai's own helper."""

from __future__ import annotations

import dataclasses
import enum
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import openai
import pydantic
import pytest
from openai.lib._parsing._completions import type_to_response_format_param

from promptops.errors import ScorerError, VersionError
from promptops.lab import Lab
from promptops.models.typed_schemas import response_format_of, schema_of, tools_of
from promptops.scorers import json_schema, try_out
from promptops.version import PromptVersion

Base = pydantic.BaseModel


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Plain(Base):
    a: str


class Inner(Base):
    """An inner one."""

    n: int
    said: str | None = None


class Described(Base):
    """What it is."""

    a: str = pydantic.Field(description="the first")


class WithDefault(Base):
    a: int = 3
    b: str | None = None


class Nested(Base):
    inner: Inner


class NestedDescribed(Base):
    inner: Inner = pydantic.Field(description="beside a reference")


class Listed(Base):
    items: list[Inner]


class Mapped(Base):
    items: dict[str, int]


class Chosen(Base):
    kind: Literal["a", "b"]


class Coloured(Base):
    colour: Colour = pydantic.Field(description="one of two")


class Either(Base):
    value: int | str | Inner


class Maybe(Base):
    value: Optional[Inner] = None  # noqa: UP045  (the old spelling is tested too)


class Bounded(Base):
    n: Annotated[int, pydantic.Field(ge=0, le=9)]


class Tree(Base):
    name: str
    children: list[Tree]


class Aliased(Base):
    long_name: str = pydantic.Field(alias="longName")


class Pair(Base):
    both: tuple[int, str]


class Open(Base):
    model_config = pydantic.ConfigDict(extra="allow")
    a: int


class Child(Plain):
    b: float


class Empty(Base):
    pass


@pydantic.dataclasses.dataclass
class Point:
    x: int
    y: int | None = None


CLASSES = [
    *(Plain, Inner, Described, WithDefault, Nested, NestedDescribed, Listed, Mapped, Chosen),
    *(Coloured, Either, Maybe, Bounded, Tree, Aliased, Pair, Open, Child, Empty, Point),
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_class_is_the_response_format_that_openais_helper_makes(kind: type[Any]) -> None:
    """The same bytes, keys in the same order, so that the request is the one that was sent
    before.
    """
    ours, theirs = response_format_of(kind), type_to_response_format_param(kind)
    assert json.dumps(ours) == json.dumps(theirs)
    assert PromptVersion("a", response_format=ours).response_format == theirs


@pytest.mark.parametrize("kind", CLASSES[:-1], ids=lambda kind: kind.__name__)
def test_a_class_is_the_tool_that_openais_helper_makes(kind: type[Any]) -> None:
    """Its docstring is the tool's description."""
    [ours] = tools_of([kind])
    theirs = openai.pydantic_function_tool(kind)
    assert ours == theirs
    assert json.dumps(ours["function"]["parameters"]) == json.dumps(
        theirs["function"].get("parameters")
    )


@dataclasses.dataclass
class Order:
    id: str
    paid: bool = False


def look_up(id: str, limit: int = 3) -> str:
    """Look an order up."""
    return f"{id} {limit}"


def test_functions_and_plain_dataclasses_are_described() -> None:
    """A function's arguments are a tool's parameters; dicts and texts are left as they are."""
    own = {"type": "web_search"}
    tool, same = tools_of([look_up, own])
    assert same is own
    assert (tool["function"]["name"], tool["function"]["description"]) == (
        "look_up",
        "Look an order up.",
    )
    assert tool["function"]["parameters"]["required"] == ["id", "limit"]
    assert tool["function"]["parameters"]["additionalProperties"] is False
    assert response_format_of(Order)["json_schema"]["name"] == "Order"
    assert response_format_of({"type": "text"}) == {"type": "text"}
    assert tools_of("no list") == "no list"


def test_what_cannot_be_described_is_refused_by_name() -> None:
    """One sentence with the next step."""

    class Odd:
        pass

    with pytest.raises(VersionError, match="Odd cannot be described as a JSON Schema"):
        schema_of(Odd)
    with pytest.raises(ScorerError, match="Odd cannot be described"):
        json_schema(Odd)


def test_a_scorer_takes_a_class() -> None:
    """`json_schema(Inner)` accepts what the class does."""
    assert try_out(json_schema(Inner), '{"n": 1}').passed
    assert not try_out(json_schema(Inner), '{"said": "x"}').passed


def test_a_changed_version_takes_classes_and_functions_as_a_saved_one_does(tmp_path: Path) -> None:
    def refund(order: str) -> None:
        """Refund an order."""

    prompt = Lab(tmp_path).prompt("triage")
    first = prompt.save("{{ticket}}", model="gpt-4o-mini")
    saved = prompt.save("{{ticket}}", model="gpt-4o-mini", response_format=Plain, tools=[refund])
    assert first.but(response_format=Plain, tools=[refund]).id == saved.id
    other = first.but(api="gemini", tools=[refund])  # which has no strict tools
    assert (
        other.id == prompt.save("{{ticket}}", model="gpt-4o-mini", api="gemini", tools=[refund]).id
    )
    request = other.version.to_request(other.version.render({"ticket": "t"}))
    assert '"name": "refund"' in json.dumps(request)


def test_a_class_under_another_name_is_pointed_to_its_place() -> None:
    with pytest.raises(VersionError, match="'schema' is the class Plain; .* as response_format="):
        PromptVersion("{{ticket}}", settings={"schema": Plain})
