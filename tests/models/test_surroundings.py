"""What a target takes from around it counts: modules, variables, files, attributes and settings.

Each case changes one thing that the function's own text does not show, and its answer with it.
"""

from __future__ import annotations

import collections
import functools
import importlib
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.models.function_identity import identify
from promptops.scorers import equals
from promptops.study.resolve_model import as_target

Case = tuple[Callable[..., Any], Callable[[], object]]
GLOBAL = {"model": "a"}
PLACE = Path("unset")
NAME = "PROMPTOPS_TRY"
SPACE = types.SimpleNamespace(model="a")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A module of the user's own, and a file beside it."""
    (tmp_path / "own_settings.py").write_text("MODEL = 'a'\ndef ask(q):\n    return MODEL\n")
    (tmp_path / "prompt.txt").write_text("a")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(NAME, "a")
    monkeypatch.setitem(globals(), "PLACE", tmp_path / "prompt.txt")
    module = importlib.import_module("own_settings")
    yield module
    del sys.modules["own_settings"]


def module_attribute(own: Any) -> Case:
    return (lambda q: own.MODEL), lambda: setattr(own, "MODEL", "b")


def function_of_a_module(own: Any) -> Case:
    return (lambda q: own.ask(q)), lambda: setattr(own, "MODEL", "b")


def replaced_function_of_a_module(own: Any) -> Case:
    return (lambda q: own.ask(q)), lambda: setattr(own, "ask", lambda q: "b")


def import_within(own: Any) -> Case:
    def answer(q: str) -> Any:
        import own_settings  # type: ignore[import-not-found]

        return own_settings.ask(q)

    return answer, lambda: setattr(own, "MODEL", "b")


def import_of_a_name_within(own: Any) -> Case:
    def answer(q: str) -> Any:
        from own_settings import ask

        return ask(q)

    return answer, lambda: setattr(own, "MODEL", "b")


def environment(own: Any) -> Case:
    return (lambda q: os.environ["PROMPTOPS_TRY"]), lambda: os.environ.update({NAME: "b"})


def environment_with_a_default(own: Any) -> Case:
    return (lambda q: os.getenv("PROMPTOPS_TRY", "x")), lambda: os.environ.update({NAME: "b"})


def environment_by_a_global(own: Any) -> Case:
    return (lambda q: os.environ.get(NAME)), lambda: os.environ.update({NAME: "b"})


def environment_imported_within(own: Any) -> Case:
    def answer(q: str) -> str:
        from os import environ

        return environ["PROMPTOPS_TRY"]

    return answer, lambda: os.environ.update({NAME: "b"})


def environment_by_a_made_name(own: Any) -> Case:
    return (lambda q: os.environ["PROMPTOPS" + q]), lambda: os.environ.update({NAME: "b"})


def open_file(own: Any) -> Case:
    return (lambda q: open("prompt.txt").read()), lambda: Path("prompt.txt").write_text("b")


def path_of_a_file(own: Any) -> Case:
    return (lambda q: PLACE.read_text()), lambda: Path("prompt.txt").write_text("b")


def path_made_within(own: Any) -> Case:
    return (lambda q: Path("prompt.txt").read_text()), lambda: Path("prompt.txt").write_text("b")


def file_beside_a_folder(own: Any) -> Case:
    folder = PLACE.parent
    return (
        lambda q: (folder / "prompt.txt").read_text(),
        lambda: (folder / "prompt.txt").write_text("b"),
    )


def global_by_name(own: Any) -> Case:
    return (lambda q: GLOBAL["model"]), lambda: GLOBAL.update(model=GLOBAL["model"] + "b")


def attribute_of_a_namespace(own: Any) -> Case:
    return (lambda q: SPACE.model), lambda: setattr(SPACE, "model", SPACE.model + "b")


def attribute_of_the_function(own: Any) -> Case:
    def answer(q: str) -> Any:
        return answer.model  # type: ignore[attr-defined]

    answer.model = "a"  # type: ignore[attr-defined]
    return answer, lambda: setattr(answer, "model", "b")


def dispatched(own: Any) -> Case:
    @functools.singledispatch
    def answer(q: object) -> str:
        return "a"

    return answer, lambda: answer.register(str, lambda q: "b")


def decorated_by_a_library(own: Any) -> Case:
    helper = functools.wraps(own.ask)(functools.lru_cache(own.ask))
    return (lambda q: helper(q)), lambda: setattr(own, "MODEL", "b")


def default_of_a_map(own: Any) -> Case:
    made = collections.defaultdict(lambda: "a")
    return (lambda q: made[q]), lambda: setattr(made, "default_factory", lambda: "b")


def number_with_an_attribute(own: Any) -> Case:
    class Level(int):
        model = "a"

        def __call__(self, q: str) -> str:
            return self.model

    level = Level(3)
    return level, lambda: setattr(level, "model", "b")


def list_with_an_attribute(own: Any) -> Case:
    class Steps(list[str]):
        model = "a"

    steps = Steps()
    return (lambda q: steps.model), lambda: setattr(steps, "model", "b")


def settings_of_a_client(own: Any) -> Case:
    class Client:
        base_url = "http://127.0.0.1/v1"

        def __init__(self) -> None:
            self.headers = {"x-model": "a"}

    Client.__module__ = "promptops.testing"  # as if it were a library's
    client = Client()
    return (lambda q: client.headers), lambda: client.headers.update({"x-model": "b"})


CHANGES = (
    module_attribute,
    function_of_a_module,
    replaced_function_of_a_module,
    import_within,
    import_of_a_name_within,
    environment,
    environment_with_a_default,
    environment_by_a_global,
    environment_imported_within,
    environment_by_a_made_name,
    open_file,
    path_of_a_file,
    path_made_within,
    file_beside_a_folder,
    global_by_name,
    attribute_of_a_namespace,
    attribute_of_the_function,
    dispatched,
    decorated_by_a_library,
    default_of_a_map,
    number_with_an_attribute,
    list_with_an_attribute,
    settings_of_a_client,
)


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.__name__)
def test_what_lies_around_a_function_counts(
    case: Callable[[Any], Case], own: types.ModuleType
) -> None:
    """The same function before and after; unchanged, it stays the same."""
    function, change = case(own)
    before = identify(function)
    assert identify(function).digest == before.digest
    change()
    assert identify(function).digest != before.digest


def reads_by_a_made_path(q: str) -> str:
    return Path(f"{q}.txt").read_text()


def starts_a_program(q: str) -> str:
    return subprocess.run(["echo", q], capture_output=True, text=True, check=True).stdout


def looks_names_up(q: str) -> Any:
    return globals()[q]


def hands_a_module_on(q: str) -> Any:
    return getattr(pytest_module, q)


pytest_module = types.ModuleType("of_the_user")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (reads_by_a_made_path, "a file that read_text(...) reads"),
        (starts_a_program, "subprocess.run"),
        (looks_names_up, "globals"),
        (hands_a_module_on, "the module of_the_user"),
        (lambda q: os.environ[q], "names that only the run tells"),
    ],
)
def test_what_only_the_run_finds_is_named(function: Callable[..., Any], words: str) -> None:
    assert any(words in place for place in identify(function).opaque)


@pytest.mark.parametrize(
    "function",
    [
        lambda q: open("log.txt", "a").write(q),  # noqa: SIM115
        lambda q: os.environ["PROMPTOPS_TRY_NOT_SET"],
        lambda q: os.path.join("a", q),
        lambda q: Path(q).suffix,
        lambda q: sys.version_info >= (3, 11),
    ],
)
def test_what_is_known_or_only_written_is_not_hidden(function: Callable[..., Any]) -> None:
    assert identify(function).opaque == ()


def test_a_key_is_no_part_of_what_a_function_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated key asks nothing again."""

    def answer(q: str) -> str:
        return os.environ["TRIAL_API_KEY"]

    monkeypatch.setenv("TRIAL_API_KEY", "one")
    before = identify(answer).digest
    monkeypatch.setenv("TRIAL_API_KEY", "two")
    assert identify(answer).digest == before


def test_a_target_is_asked_again_after_its_file_changed(own: types.ModuleType) -> None:
    """End to end: 100 % where 100 % is true, not the answers of the text before."""
    lab = Lab(Path.cwd())
    version = lab.prompt("w").save("A {{q}}", model="m")
    rows = [{"q": f"q{i}", "expected": "b"} for i in range(5)]

    def answer(q: str) -> str:
        return PLACE.read_text()

    first = lab.evaluate([version], rows, [equals()], target=answer, name="one")
    PLACE.write_text("b")
    second = lab.evaluate([version], rows, [equals()], target=answer, name="two")
    assert set(first.runs().output) == {"a"}
    assert set(second.runs().output) == {"b"}


def test_a_metaclass_and_a_view_of_bytes_are_part_of_a_function() -> None:
    """What a metaclass answers for its class, and what writable memory holds when it is read."""

    def by_metaclass(label: str) -> Any:
        class Answers(type):
            def __getattr__(cls, name: str) -> str:
                return label

        class Labels(metaclass=Answers):
            pass

        return lambda x: Labels.anything

    def by_memory(label: str) -> Any:
        held = memoryview(bytearray(label.encode()))
        return lambda x: bytes(held).decode()

    for made in (by_metaclass, by_memory):
        assert identify(made("a")).digest == identify(made("a")).digest
        assert identify(made("a")).digest != identify(made("b")).digest


@pytest.mark.parametrize("code", ["from colorsys import hls_to_rgb as found", "import colorsys"])
def test_a_library_that_a_call_imports_first_makes_no_other_version(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study had been paid for again, as its first call had loaded the library."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    space: dict[str, Any] = {"__name__": "a_notebook"}
    exec(f"def answer(q):\n    {code}\n    return q", space)
    before = as_target(space["answer"]).label
    space["answer"]("q")
    assert "colorsys" in sys.modules
    assert as_target(space["answer"]).label == before


def test_a_class_in_a_module_that_a_tool_made_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As runners of notebooks and scripts make one, without a file: it was taken for a library."""
    made = types.ModuleType("a_cell")
    monkeypatch.setitem(sys.modules, "a_cell", made)
    exec("class Held:\n    tone = 'a'\ndef answer(q):\n    return Held.tone", vars(made))
    before = as_target(made.answer).label
    made.Held.tone = "b"
    assert as_target(made.answer).label != before
