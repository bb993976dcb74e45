"""The one strict renderer: `{{name}}` in one pass, and nothing else.

A filled value is never scanned again; whatever else is between double braces is an error when
the text is saved; `{{{{` writes a literal `{{`. No filters, no code, no attribute access: other
languages must render the same bytes.
"""

from __future__ import annotations

from ..canonical import canonical, number
from ..errors import RenderError, TemplateError, VersionError
from ..late_pattern import late_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MAX_TEXT", "TYPES", "fill", "kind_of", "literal", "mismatch", "names", "to_text"]

# characters of one message: far past any context window, small enough to refuse a bomb at once
MAX_TEXT = 2_000_000
_MARK = late_pattern(r"\{\{\{\{|\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}|\{\{", ascii_only=True)
TYPES = ("string", "number", "boolean", "object", "list")


def names(text: str) -> tuple[str, ...]:
    """The variables of a text, in order of first use.

    Raises TemplateError if a mark is not a variable.
    """
    if len(text) > MAX_TEXT:
        raise TemplateError(
            f"a text of {len(text):,} characters exceeds the limit of {MAX_TEXT:,}; shorten it."
        )
    found: dict[str, None] = {}
    for match in _MARK.finditer(text):
        if match[1]:
            found[match[1]] = None
        elif match[0] == "{{":
            shown = text[match.start() : match.start() + 40].split("\n")[0]
            raise TemplateError(
                f"{shown!r} is not a variable: only a name such as"
                " {{ticket}} is allowed between double braces (letters, digits, underscore);"
                " write {{{{ for"
                " literal double braces."
            )
    return tuple(found)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with every mark replaced by its value, in one pass.

    `values` holds every name of the text.
    """
    return _MARK.sub(lambda match: values[match[1]] if match[1] else "{{", text)


def literal(text: str) -> str:
    """The text as a template that renders to exactly it."""
    return text.replace("{{", "{{{{")


def to_text(name: str, kind: str, value: object) -> str:
    """What a typed value renders to: text as it is, everything else as canonical JSON.

    Raises RenderError if the value is not of the variable's type, or holds what JSON cannot
    (NaN, a set, a date).
    """
    if kind == "string" and value.__class__ is str and value.isascii():
        return value  # most texts, which need no further look
    if not _CHECKS[kind](value):
        raise RenderError(
            f"variable {name!r} is a {kind}, got {_shown(value)}; {_remedy(name, kind, value)}."
        )
    if kind == "string":
        text = str.__str__(value)  # an enum of text means its value
        _refuse_surrogates(name, text)
        return text
    try:
        if kind == "number":
            return number(value)  # type: ignore[arg-type]
        return canonical(value, name)
    except VersionError as error:
        raise RenderError(f"variable {name!r} cannot be filled: {error}") from None


def kind_of(value: object) -> str:
    """The variable type that a Python value has; "string" for whatever has none."""
    return next((kind for kind in TYPES if _CHECKS[kind](value)), "string")


def mismatch(missing: list[str], extra: list[str], takes: list[str], history: bool) -> str:
    """How values differ from what a version takes; the end of a sentence about that version.

    takes: its variables as they show; history: whether it takes a conversation.
    """
    wording = [f"is missing {', '.join(missing)}"] if missing else []
    wording += [f"does not know {', '.join(extra)}"] if extra else []
    form = (
        " The request form is the version's own; save another one with version.but(api=...)."
        if "api" in extra
        else ""
    )
    return (
        f"{' and '.join(wording)}; it takes"
        f" {', '.join(takes) or 'no variables'}{', history' if history else ''}.{form}"
    )


def _remedy(name: str, kind: str, value: object) -> str:
    """What to pass in place of a value that is not of the variable's type."""
    if value is None:
        nothing = 'pass "" if there is none' if kind == "string" else f"pass a {kind}"
        return f"{nothing}, or declare it with a default and leave it out"
    if kind != "string":
        return f"pass a {kind}"
    other = kind_of(value)
    return (
        "pass text, as in str(value)"
        if other == "string"
        else f'declare it with variables={{"{name}": "{other}"}} or pass text'
    )


def _refuse_surrogates(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RenderError(
            f"variable {name!r} holds a lone surrogate, which UTF-8 cannot carry; clean the text"
            " first."
        ) from None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # an integer of too many digits, or a class of the user's
        text = "that cannot be shown"
    return f"{type(value).__name__} {text if len(text) <= 40 else text[:39] + '…'}"


_CHECKS: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: hasattr(value, "keys"),
    "list": lambda value: isinstance(value, (list, tuple)),
}
