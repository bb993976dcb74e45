"""One tree of errors: each also the builtin that code expects, each text one sentence that survives
copying.
"""

from __future__ import annotations

import ast
import builtins
import copy
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import promptops.errors as errors
from promptops.errors import CallError, MissingExtra, PromptOpsError, Refused, UnknownPrompt

PACKAGE = Path(errors.__file__).parent
CLASSES = [getattr(errors, name) for name in errors.__all__]


def drawn() -> Iterator[tuple[str, str, str | None]]:
    """(error, its parent, the builtin beside it) of each line of the tree in the module's
    docstring.
    """
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│ ├└─]*)(\w+)(?: \((\w+)\))?(?:  +.*)?$", line)
        if not found or not hasattr(errors, found[2]):
            continue
        depth = len(found[1]) // 4
        path[depth:] = [found[2]]
        yield found[2], path[depth - 1] if depth else "Exception", found[3]


TREE = list(drawn())


def test_the_tree_is_complete() -> None:
    """The drawn tree holds exactly the errors of the module, each once, and `__all__` lists
    them.
    """
    assert sorted(name for name, _, _ in TREE) == sorted(errors.__all__)
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == set(errors.__all__)


@pytest.mark.parametrize(("name", "parent", "builtin"), TREE, ids=[name for name, _, _ in TREE])
def test_as_drawn(name: str, parent: str, builtin: str | None) -> None:
    """Each error is caught as its parent and as the builtin that the tree draws beside it."""
    error = getattr(errors, name)
    assert error.__bases__[0].__name__ == parent
    assert issubclass(error, PromptOpsError)
    assert [base.__name__ for base in error.__bases__[1:]] == ([builtin] if builtin else [])
    if builtin:
        with pytest.raises(getattr(builtins, builtin)):
            raise made(error)


def made(error: type[PromptOpsError]) -> PromptOpsError:
    if issubclass(error, CallError):
        return error(
            "no answer.", failure="timeout_read", code="504", retry_after_s=2.0, request_id="q"
        )
    return error("the thing is wrong; mend it.")


@pytest.mark.parametrize("error", CLASSES)
def test_the_text_is_the_sentence(error: type[PromptOpsError]) -> None:
    """`str` is the sentence itself: no quotes of KeyError, no numbers of OSError; without one it is
    empty, never a crash.
    """
    shown = str(made(error))
    assert "the thing is wrong; mend it" in shown or shown == "no answer."
    assert not shown.startswith(("'", '"', "["))
    if error not in (CallError, MissingExtra, Refused):
        assert str(error()) == ""  # type: ignore[call-arg]


@pytest.mark.parametrize("error", CLASSES)
@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_errors_survive_a_process(error: type[PromptOpsError], again: object) -> None:
    """An error that crosses processes keeps its class, text and fields."""
    first = made(error)
    second = again(first)  # type: ignore[operator]
    assert type(second) is error
    assert str(second) == str(first)
    assert vars(second) == vars(first)
    assert second.args == first.args


def test_a_message_that_quotes_a_long_text_is_cut_in_the_middle() -> None:
    """It begins with the thing and ends with the next step, whatever was passed."""
    text = str(
        errors.StudyError(f"there is no study {'x' * 5_000_000}; `lab.studies` lists those.")
    )
    assert len(text) < 10_100
    assert text.startswith("there is no study xx")
    assert text.endswith("xx; `lab.studies` lists those.")


def test_fields() -> None:
    """A refusal holds every unmet point; a failed call its class, code, wait and id; a missing
    extra the command to run.
    """
    assert Refused("no.", ["a", "b"]).reasons == ("a", "b")
    assert Refused("no.").reasons == ()
    call = made(CallError)
    assert isinstance(call, CallError)
    assert (call.failure, call.code, call.retry_after_s, call.request_id) == (
        "timeout_read",
        "504",
        2.0,
        "q",
    )
    assert "pip install 'promptops-toolkit[lab]'" in str(MissingExtra("promptops.lab"))
    with pytest.raises(KeyError):
        raise UnknownPrompt("no prompt x.")


def raised() -> Iterator[tuple[str, str]]:
    """(place, text) of every error raised with a literal text in the package; \0 means what is
    filled in.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (
                isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args
            ):
                continue
            name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
            if name not in errors.__all__ or name == "MissingExtra":
                continue
            text = node.exc.args[0]
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            if all(isinstance(part, (ast.Constant, ast.FormattedValue)) for part in parts):
                yield (
                    f"{path.name}:{node.lineno}",
                    "".join(
                        part.value if isinstance(part, ast.Constant) else "\0" for part in parts
                    ),
                )  # type: ignore[misc]


def test_each_message_is_one_sentence() -> None:
    """Every text that the package raises is one sentence: it ends in a full stop, and none begins
    within it.
    """
    found = list(raised())
    assert len(found) > 100
    wrong = [
        (place, text)
        for place, text in found
        if not text.rstrip().endswith((".", "\0"))
        or re.search(r"[.!?] [A-Z]", text)
        or "\n" in text.strip()
    ]
    assert wrong == []
