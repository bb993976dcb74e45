"""A dataset as a file that reads back: JSONL keeps every type, CSV keeps text.

The file is complete or as it was before: it is written beside its place and moved there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from ..canonical import canonical
from ..errors import DatasetError
from ..markup import cell
from ..plain_file import NOT_A_FILE, is_odd, replacing
from .example import RESERVED, Example
from .parquet_file import write_parquet

__all__ = ["write"]


def write(examples: Sequence[Example], columns: Sequence[str], path: Path) -> Path:
    """Write a .jsonl, .csv or .parquet file.

    Raises DatasetError for another ending, a file that cannot be made, or a text that CSV cannot
    hold.
    """
    ending = path.suffix.lower()
    writers: dict[str, Callable[[IO[str]], None]] = {
        ".jsonl": lambda file: _jsonl(examples, file),
        ".ndjson": lambda file: _jsonl(examples, file),
        ".csv": lambda file: _csv(examples, columns, file),
    }
    if ending not in (*writers, ".parquet"):
        raise DatasetError(
            f"{path.name} cannot be written; the file extensions are .jsonl and .parquet (which"
            " keep types) and .csv (text)."
        )
    if is_odd(path):
        raise DatasetError(
            f"{path.name} cannot be written ({NOT_A_FILE}); give the path of a file."
        )
    try:
        with replacing(path) as beside:
            if ending == ".parquet":
                write_parquet(examples, columns, Path(beside))
            else:
                with open(beside, "w", encoding="utf-8", newline="") as file:
                    writers[ending](file)
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be written ({error.strerror or error}); name a file that you may write,"
            " in a folder that exists."
        ) from error
    return path


def _jsonl(examples: Sequence[Example], file: IO[str]) -> None:
    for example in examples:
        file.write(json.dumps(example.document(), ensure_ascii=False, allow_nan=False) + "\n")


def _csv(examples: Sequence[Example], columns: Sequence[str], file: IO[str]) -> None:
    writer = csv.writer(file)  # its CRLF makes it quote a lone CR or LF in a cell, too
    writer.writerow([cell(name) for name in columns])
    for example in examples:
        writer.writerow([cell(_text(example, name)) for name in columns])


def _text(example: Example, column: str) -> str:
    """A cell: text as it is, "" for nothing, everything else as JSON."""
    value: Any = getattr(example, column) if column in RESERVED else example.inputs.get(column)
    if value is None or value == ():
        return ""
    text = (
        value if isinstance(value, str) else _plain(value) if column == "tags" else canonical(value)
    )
    if "\0" in text:
        raise DatasetError(
            f"example {example.id!r} holds a zero byte in {column!r}, which CSV cannot hold; write"
            " JSONL."
        )
    return text


def _plain(tags: tuple[str, ...]) -> str:
    plain = all(
        tag == tag.strip() and tag and not set(tag) & set(",;\n\r") for tag in tags
    ) and not tags[0].startswith("[")
    return "; ".join(tags) if plain else canonical(list(tags))
