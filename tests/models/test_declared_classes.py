"""A function is the same one in the next kernel also where it names a class of a library's making,
and another one once what that class declares was edited.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from promptops.models.function_definition import definition
from promptops.models.function_identity import identify

PYDANTIC = "import pydantic\nfrom typing import Annotated, Literal\n"
JUDGE = "def judge(output):\n    return own\n"
# each is read in two processes of other hash seeds and other places in memory
KEPT = {
    "a model of pydantic": "class own(pydantic.BaseModel):\n    ok: bool\n    why: str = ''\n",
    "with a validator": """
class own(pydantic.BaseModel):
    ok: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(2, description="from 1")
    @pydantic.field_validator("ok")
    @classmethod
    def checked(cls, value):
        return value
""",
    "a nested one": """
class Part(pydantic.BaseModel):
    name: Literal["a", "b"]
class own(pydantic.BaseModel):
    parts: list[Part] | None = None
    @pydantic.computed_field
    @property
    def n(self) -> int:
        return len(self.parts)
""",
    "an object of one": "class C(pydantic.BaseModel):\n    most: int = 9\nown = C(most=3)\n",
    "an adapter of one": """
class Part(pydantic.BaseModel):
    name: str
own = pydantic.TypeAdapter(list[Part])
""",
    "a dataclass of pydantic": """
import pydantic.dataclasses
@pydantic.dataclasses.dataclass
class own:
    most: int = 9
""",
    "a generic class": """
import typing
T = typing.TypeVar("T")
class Box(typing.Generic[T]):
    def held(self) -> T: ...
own = Box()
""",
    "sets in a library's object": """
import types
own = types.SimpleNamespace(bad={"a", "b", "c", "d"}, of={frozenset({"x", "y"}), "z"})
""",
    "a session of requests": "import requests\nown = requests.Session()\n",
    "a client of Gemini": "from google import genai\nown = genai.Client(api_key='k')\n",
    "a part of a client": "import openai\nown = openai.OpenAI(api_key='k').chat.completions\n",
    "a function that is tried again": """
import tenacity
@tenacity.retry(stop=tenacity.stop_after_attempt(3))
def own(output):
    return output
own("once")
""",
}
READ = """
from promptops.models.function_identity import identify
for text in {texts!r}:
    space = {{"__name__": "__main__"}}
    exec(text, space)
    found = identify(space["judge"])
    print(",".join(found.opaque), found.digest)
"""


def made(text: str) -> Any:
    space: dict[str, Any] = {"__name__": "__main__"}
    whole = f"{PYDANTIC}import typing\n{text}{JUDGE}"
    exec(compile(whole, "<cell>", "exec", dont_inherit=True), space)
    return space["judge"]


@pytest.fixture(scope="module")
def in_processes() -> list[list[str]]:
    texts = [f"{PYDANTIC}{text}{JUDGE}" for text in KEPT.values()]
    found = []
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))}
        asked = [sys.executable, "-c", READ.format(texts=texts)]
        told = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
        found.append(told.stdout.splitlines())
    return found


@pytest.mark.parametrize("kind", KEPT)
def test_it_is_the_same_function_in_the_next_process(
    kind: str, in_processes: list[list[str]]
) -> None:
    first, second = (told[list(KEPT).index(kind)] for told in in_processes)
    assert first == second
    assert first.startswith(" ")  # nothing in it could not be compared


FIELD = "class own(pydantic.BaseModel):\n    ok: {}\n"
EDITS = {
    "a field more": (FIELD.format("bool"), FIELD.format("bool\n    why: str = ''")),
    "another type": (FIELD.format("list[int]"), FIELD.format("list[str]")),
    "another choice": (FIELD.format("Literal['a', 'b']"), FIELD.format("Literal['a', 'c']")),
    "another limit": (
        FIELD.format("Annotated[int, pydantic.Field(ge=1)]"),
        FIELD.format("Annotated[int, pydantic.Field(ge=2)]"),
    ),
    "another description": (
        FIELD.format("bool = pydantic.Field(description='true')"),
        FIELD.format("bool = pydantic.Field(description='polite')"),
    ),
    "what the class says of itself": (
        'class own(pydantic.BaseModel):\n    """Is it true?"""\n    ok: bool\n',
        'class own(pydantic.BaseModel):\n    """Is it polite?"""\n    ok: bool\n',
    ),
    "when a validator looks": tuple(
        f"{FIELD.format('int')}    @pydantic.field_validator('ok', mode={mode!r})\n"
        "    @classmethod\n    def checked(cls, value): return value\n"
        for mode in ("before", "after")
    ),
    "a class within": tuple(
        f"class Part(pydantic.BaseModel):\n    {name}: int\n{FIELD.format('list[Part]')}"
        for name in ("a", "b")
    ),
    "what an adapter adapts": tuple(
        f"class Part(pydantic.BaseModel):\n    {name}: int\n"
        "own = pydantic.TypeAdapter(list[Part])\n"
        for name in ("a", "b")
    ),
    "a key of a TypedDict": (
        "class own(typing.TypedDict):\n    ok: bool\n",
        "class own(typing.TypedDict):\n    ok: bool\n    why: str\n",
    ),
}


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_of_what_a_class_declares_is_another_function(kind: str) -> None:
    before, after = (made(text) for text in EDITS[kind])
    again = made(EDITS[kind][0])
    assert identify(before).digest != identify(after).digest
    assert identify(before).digest == identify(again).digest
    # and a cell that redefines the class alone is noticed
    space, unedited = before.__globals__, definition(before)
    space["own"] = after.__globals__["own"]
    assert definition(before) != unedited
    space["own"] = again.__globals__["own"]
    assert identify(before).digest == identify(again).digest


def test_a_plain_class_may_annotate_what_it_likes() -> None:
    texts = [f"class own:\n    {line}\n    most = 3\n" for line in ("most: int", "most: float")]
    assert len({identify(made(text)).digest for text in texts}) == 1
