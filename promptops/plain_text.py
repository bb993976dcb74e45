"""Text for a terminal or pipe whose encoding lacks a character: the nearest plain one is written.

A Windows console, a redirect or a build log is often cp1252 or ASCII; a minus sign must not end a
command there.
"""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

__all__ = ["for_stdout", "plain_where_needed"]

_PLAIN = {
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\u2015", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
    "\u2026": "...",
    "\u00b7": "-",
    "\u2022": "*",
    "\u00d7": "x",
    "\u2192": "->",
    "\u2190": "<-",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2260": "!=",
    "\u2248": "~",
    "\u00b1": "+/-",
    "\u2713": "ok",
    "\u2717": "x",
    **dict.fromkeys("\u2500\u2501", "-"),
    **dict.fromkeys("\u2502\u2503", "|"),
    **dict.fromkeys("\u2588\u2593\u2587\u2586\u2585\u2584\u25a0\u25cf", "#"),
    **dict.fromkeys("\u2591\u2592\u2583\u2582\u2581\u25cb", "."),
}


def plain_where_needed(stream: object) -> None:
    """Let a text stream write the nearest plain character where its encoding lacks one."""
    codecs.register_error("promptops-plain", _nearest)
    if isinstance(stream, io.TextIOWrapper) and stream.errors != "promptops-plain":
        stream.reconfigure(errors="promptops-plain")


def for_stdout(text: str) -> str:
    """The text with the nearest plain characters where standard output would refuse to write it.

    The stream itself is the program's, and is left as it is.
    """
    stream = sys.stdout
    encoding = getattr(stream, "encoding", None)
    if text.isascii() or not encoding or getattr(stream, "errors", None) != "strict":
        return text
    codecs.register_error("promptops-plain", _nearest)
    return text.encode(encoding, "promptops-plain").decode(encoding)


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_one(char, error.encoding) for char in text), error.end


def _one(char: str, encoding: str) -> str:
    if char in _PLAIN:
        return _PLAIN[char]
    base = unicodedata.normalize("NFKD", char)[0]  # a letter without its accent
    try:
        base.encode(encoding)
    except UnicodeEncodeError:
        return "?"
    return base
