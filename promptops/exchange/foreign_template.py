"""Texts of other template languages as our own: plain variables are converted, logic is refused
with its line.

Jinja and Nunjucks `{{ name }}` are ours; `{% if %}`, filters, attributes, `{{#if}}`, dotprompt's
helpers and Langfuse's references to other prompts have no counterpart, since what was evaluated
must be byte for byte what ships.
"""

from __future__ import annotations

import re

from ..errors import TemplateError, VersionError
from ..version.from_request import from_format
from ..version.renderer import literal

__all__ = ["from_fstring", "from_jinja", "logic_in"]

_MARKS = re.compile(r"\{%|\{\{|\{#|@@@langfusePrompt")
_NAME = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}", re.ASCII)
_RAW = re.compile(r"\{%-?\s{0,20}(raw|endraw)\s{0,20}-?%\}")


def logic_in(text: str) -> tuple[int, str] | None:
    """(line within the text, the piece) of the first thing that is not a plain variable."""
    for match in _MARKS.finditer(text):
        if match[0] == "{{" and _NAME.match(text, match.start()):
            continue
        line = text.count("\n", 0, match.start()) + 1
        return line, text[match.start() : match.start() + 60].split("\n")[0]
    return None


def from_jinja(text: str) -> str:
    """A Jinja, Nunjucks, Mustache or Langfuse text as a template.

    Raises TemplateError for logic, naming the line within the text and the piece.
    """
    pieces = _pieces(text)
    out = []
    line = 0
    for index, piece in enumerate(pieces):
        if index % 2:
            out.append(literal(piece))
        else:
            found = logic_in(piece)
            if found is not None:
                raise TemplateError(
                    f"line {line + found[0]}: {found[1]!r} is logic of another template language;"
                    " compute it before, and pass the result as a variable, or save one version for"
                    " each case."
                )
            out.append(_NAME.sub(lambda match: "{{" + match[1] + "}}", piece))
        line += piece.count("\n")
    return "".join(out)


def _pieces(text: str) -> list[str]:
    """The text outside and inside `raw` blocks, by turns, in one pass; a block that does not end
    stays text.
    """
    out, start, opened = [], 0, None
    for mark in _RAW.finditer(text):
        if mark[1] == "raw" and opened is None:
            opened = mark
        elif mark[1] == "endraw" and opened is not None:
            out += [text[start : opened.start()], text[opened.end() : mark.start()]]
            start, opened = mark.end(), None
    return [*out, text[start:]]


def from_fstring(text: str) -> str:
    """A text with `{single}` braces (str.format, LangChain's f-string) as a template.

    Raises TemplateError for a field that is more than a name.
    """
    try:
        return from_format(text)
    except VersionError as error:
        raise TemplateError(str(error)) from None
