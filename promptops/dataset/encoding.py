"""The encoding of a file: detected from its first bytes and from whether all of it decodes, never
from the locale.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from ..errors import DatasetError
from ..markup import shorten
from .held import File

__all__ = ["lines_of", "sniff"]

_MARKS = (  # the longer marks first: a UTF-32 mark begins as a UTF-16 one
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20
_INVALID = re.compile(
    "[\udc80-\udcff]"
)  # how the surrogateescape handler marks a byte that is not UTF-8
_OTHER = re.compile("[^\x00-\x7f\udc80-\udcff]")
_LETTER = re.compile(
    "[A-Za-z]"
)  # in a Western text these outnumber the accented ones by far; in Greek or Russian they do not
_NOT_CP1252 = re.compile(
    "[\udc81\udc8d\udc8f\udc90\udc9d]"
)  # the five bytes that Windows-1252 leaves open


def sniff(path: File, *, must_be_utf8: bool = False) -> tuple[str, list[str]]:
    """(encoding, what to say about it). Byte order marks and UTF-16 are recognised, then UTF-8,
    then Windows-1252.

    must_be_utf8: no Windows-1252, as for JSON. Raises DatasetError if the bytes are not text, or
        of two kinds.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, (
                []
                if name == "utf-8-sig"
                else [f"{path.name} was read as {name.upper()}, as its first bytes say."]
            )
    if b"\0" in head:
        name = _wide(head, path)
        return name, [f"{path.name} was read as {name.upper()}, which its bytes look like."]
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        raise DatasetError(
            f"{path.name} is a pickle under another name, which may run code when it is opened;"
            " export it as JSONL or CSV."
        )
    return _narrow(path, must_be_utf8)


def lines_of(path: File, encoding: str, *, newline: str = "\n") -> Iterator[tuple[int, str]]:
    """(number from 1, line with its end), streamed. Raises DatasetError on bytes that do not
    decode.

    newline: what ends a line: LF, or with "" also CR alone and CRLF; never translated.
    """
    number = 0
    try:
        with path.open(encoding=encoding, newline=newline) as lines:
            for number, line in enumerate(lines, 1):
                yield number, line
    except UnicodeError as error:
        raise DatasetError(
            f"{path.name}:{number + 1} is not {encoding.upper()} ({str(error)[:80]}); save the file"
            " as UTF-8."
        ) from None


def _wide(head: bytes, path: File) -> str:
    """UTF-16 without a mark: its Latin letters have every other byte zero."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 6 and even * 8 < odd:
        return "utf-16-le"
    if even > len(head) // 6 and odd * 8 < even:
        return "utf-16-be"
    raise DatasetError(
        f"{path.name} holds zero bytes and is not a text file; export it as JSONL, CSV or Parquet."
    )


def _narrow(path: File, must_be_utf8: bool) -> tuple[str, list[str]]:
    """UTF-8 where every byte is; Windows-1252 where its letters are single bytes throughout."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    invalid = valid = letters = lines = 0
    first, open_byte, sample = 0, 0, ""
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            text = decoder.decode(chunk, final=not chunk)
            if not text.isascii():
                bad = _INVALID.search(text)
                if bad and not first:
                    first = lines + text.count("\n", 0, bad.start()) + 1
                    around = text[
                        max(bad.start() - 15, text.rfind("\n", 0, bad.start()) + 1) : bad.end() + 15
                    ].split("\n")[0]
                    sample = around.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
                invalid += len(_INVALID.findall(text))
                letters += len(_LETTER.findall(text))
                valid += len(_OTHER.findall(text))
                hole = _NOT_CP1252.search(text)
                if hole and not open_byte:
                    open_byte = lines + text.count("\n", 0, hole.start()) + 1
            lines += text.count("\n")
            if not chunk:
                break
    if not invalid:
        return "utf-8", []
    if must_be_utf8 or valid >= invalid or open_byte or invalid > letters:
        mixed = valid >= invalid and not must_be_utf8
        fault = (
            "is not UTF-8, though other lines are"
            if mixed
            else "is not UTF-8" + ("" if must_be_utf8 else " and does not look like Windows-1252")
        )
        raise DatasetError(
            f"{path.name}:{first if mixed or must_be_utf8 else open_byte or first} {fault}; save"
            " the whole file as UTF-8."
        )
    return "cp1252", [
        f"{path.name} is not UTF-8 and was read as Windows-1252: check that {shorten(sample, 40)!r}"
        f" (line {first:,}) reads well."
    ]
