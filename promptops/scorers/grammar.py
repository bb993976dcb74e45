"""Scorers that are declared, not programmed: a name of the catalogue with constants.

Nothing that is written is executed.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ScorerError

if TYPE_CHECKING:
    from . import Scorer

__all__ = ["COLUMN_FIRST", "FORM", "scorer_from", "scorer_of", "text_of"]

_DEPTH = 4  # of scorers within scorers
FORM = 2  # of what is written now: a plain text is that text
COLUMN_FIRST = frozenset(
    {
        "chrf",
        "edit_distance",
        "exact",
        "instructions",
        "number_close",
        "rouge_l",
        "similar_meaning",
        "similar_to",
    }
)  # scorers whose first text was a column in format 1


def scorer_of(text: str, *, form: int = FORM) -> Scorer:
    """The scorer that `text` names, as in "equals", "similar_to(column='gold', at_least=0.9)" or
    "not_(contains('sorry'))".

    Args:
        text: a scorer's name with constants, lists and dicts of them, or scorers again.
        form: the format that it was written in. In format 1 the first text of the scorers in
            `COLUMN_FIRST` was a column.

    Raises:
        ScorerError: it is anything else.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ScorerError(
            f"{text!r} names no scorer; write it as in similar_to or similar_to(column='gold',"
            " at_least=0.9)."
        ) from None
    return _built(tree, text, 0, form)


def scorer_from(document: Mapping[str, Any] | str, *, form: int = FORM) -> Scorer:
    """The scorer of a TOML table: {name = "similar_to", at_least = 0.9}, positional ones as args =
    [...]; or of a text as `scorer_of` takes.

    Raises:
        ScorerError: the table or text does not name a scorer and its arguments.
    """
    if isinstance(document, str):
        return scorer_of(document, form=form)
    if not isinstance(document, Mapping) or not isinstance(document.get("name"), str):
        raise ScorerError(
            f"a scorer is {document!r}; expected a table with its name, as in {{name ="
            ' "similar_to", at_least = 0.9}.'
        )
    given = {key: value for key, value in document.items() if key not in ("name", "args")}
    return _made(document["name"], list(document.get("args", [])), given, form)


def text_of(scorer: Scorer) -> str | None:
    """A text from which `scorer_of` builds an equal scorer, of the same name and version.

    None if it cannot be written so, as for a user's function or a judge with its own model.
    """
    try:
        tree = ast.parse(getattr(scorer, "spec", "") or scorer.name, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    called = _called(tree)
    for node, golden, form in (
        *((tree, False, FORM), (tree, True, FORM), (tree, False, 1)),
        *((called, False, FORM), (called, True, FORM), (called, False, 1)),
    ):
        try:
            text = ast.unparse(_spelled(node, golden, form))
            made = scorer_of(text)
        except (ScorerError, ValueError, RecursionError):
            continue
        if all(
            getattr(made, each) == getattr(scorer, each) for each in ("name", "version", "needs")
        ):
            return text
    return None


def _called(node: ast.expr) -> ast.expr:
    """The same with each scorer that is named without arguments, as in `not_(json_valid)`, as a
    call.
    """
    if isinstance(node, ast.Call):
        keywords = [ast.keyword(k.arg, _called(k.value)) for k in node.keywords]
        return ast.Call(node.func, [_called(each) for each in node.args], keywords)
    return ast.Call(node, [], []) if _word(node) in _names() else node


def _spelled(node: ast.expr, golden: bool, form: int) -> ast.expr:
    """A scorer's own spelling as a call: bare words are texts, a threshold is `at_least`.

    golden: leave out the word "expected", which is what a scorer without arguments means; form: 1
        if the first text of a scorer in `COLUMN_FIRST` is its column.
    """
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.GtE):
        call = _spelled(node.left, golden, form)
        if isinstance(call, ast.Call):
            call.keywords.append(ast.keyword("at_least", node.comparators[0]))
        return call
    if isinstance(node, ast.Call):
        kept = [a for a in node.args if not (golden and _word(a) == "expected")]
        keywords = [ast.keyword(k.arg, _spelled(k.value, golden, form)) for k in node.keywords]
        places = [_spelled(a, golden, form) for a in kept]
        if form == 1 and places and _word(node.func) in COLUMN_FIRST:
            keywords.insert(0, ast.keyword("column", places.pop(0)))
        return ast.Call(node.func, places, keywords)
    return node if (word := _word(node)) is None else ast.Constant(word)


def _word(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _built(node: ast.expr, text: str, depth: int, form: int) -> Scorer:
    call = node if isinstance(node, ast.Call) else None
    name = call.func if call is not None else node
    if not isinstance(name, ast.Name) or depth > _DEPTH:
        raise ScorerError(
            f"{text!r} names no scorer; write it as in similar_to or similar_to(column='gold',"
            " at_least=0.9)."
        )
    if call is None:
        return _made(name.id, [], {}, form)
    if any(keyword.arg is None for keyword in call.keywords):
        raise ScorerError(f"{text!r} unpacks its arguments; write each one out.")
    return _made(
        name.id,
        [_value(argument, text, depth, form) for argument in call.args],
        {str(keyword.arg): _value(keyword.value, text, depth, form) for keyword in call.keywords},
        form,
    )


def _value(node: ast.expr, text: str, depth: int, form: int) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _built(node, text, depth + 1, form)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise ScorerError(
            f"{text!r} holds an argument that is neither a constant nor a scorer; pass your"
            " own functions from Python."
        ) from None


def _made(name: str, args: list[object], given: Mapping[str, object], form: int) -> Scorer:
    from .. import scorers

    known = _names()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise ScorerError(
            f"there is no scorer {name!r};"
            f" {f'did you mean {near[0]!r}?' if near else '`promptops scorers` lists them.'}"
        )
    if form == 1 and name in COLUMN_FIRST and args:
        given = {"column": args[0], **given}
        args = args[1:]
    try:
        made = getattr(scorers, name)(*args, **given)
    except TypeError as error:
        raise ScorerError(
            f"{name} does not take these arguments ({error}); `promptops scorers {name}`"
            " explains it."
        ) from None
    return scorers.as_scorer(made)


def _names() -> set[str]:
    from .. import scorers

    return {entry.name for entry in scorers.CATALOGUE}
