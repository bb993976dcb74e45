"""Where rows come from: a file or an object in memory, opened as one stream of (place, row) pairs.

Nothing is executed and nothing is fetched: pickles and addresses are refused with a sentence. Which
format a file has is reported by its ending; its encoding and delimiter by its content.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ..errors import DatasetError
from ..markup import shorten
from . import csv_file, frames, json_file
from .held import Held
from .rows import Row, Source

__all__ = ["open_source", "open_text"]

_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".npy", ".npz")
_TEXT = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), json_file.open_json),
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), csv_file.open_csv),
}
_FORMATS = "JSONL, JSON, CSV, TSV, XLSX and Parquet"


def open_source(x: object) -> Source:
    """The rows of a path, a frame, a Hugging Face dataset, or a list of dicts.

    Raises DatasetError.
    """
    if isinstance(x, (str, os.PathLike)):
        return _open_file(x)
    found = frames.open_frame(x)
    if found is not None:
        return found
    if isinstance(x, Mapping):
        raise DatasetError(
            f"a dataset is a list of rows, and this is one dict with the keys {_names(x)}; pass"
            " [{...}, {...}]."
        )
    if isinstance(x, Iterable) and not isinstance(x, (bytes, bytearray)):
        notes: list[str] = []
        return Source(
            "list", _listed(x, frames.Plain(notes)), lambda index: f"item {index}", notes=notes
        )
    raise DatasetError(
        f"a dataset cannot be read from {type(x).__name__}; pass a path, a DataFrame or a list of"
        " dicts."
    )


def open_text(file: Held) -> Source | None:
    """The rows of a text file that is in memory; None for a format that is not text.

    Raises DatasetError.
    """
    reader = _TEXT.get(file.suffix.lower())
    return reader(file) if reader is not None else None


def _listed(items: Iterable[object], plain: Callable[[object, str, str], object]) -> Iterator[Row]:
    for index, value in enumerate(items):
        document = value.document() if hasattr(value, "document") else value
        if not isinstance(document, Mapping):
            raise DatasetError(
                f"item {index} is a {type(value).__name__}; expected a dict such as {{'ticket':"
                " '...', 'expected': '...'}."
            )
        yield (
            index,
            {str(name): plain(cell, str(name), f"item {index}") for name, cell in document.items()},
        )


def _open_file(x: str | os.PathLike[str]) -> Source:
    if isinstance(x, str) and "://" in x[:12]:
        raise DatasetError(
            f"{shorten(x, 80)!r} is an address, and nothing is fetched here; download the file and"
            " pass its path."
        )
    path = Path(x)
    ending = path.suffix.lower()
    if ending in _PICKLES:
        raise DatasetError(
            f"{path.name} is a pickle or a binary array, which may run code when it is opened;"
            " export it as JSONL, CSV or Parquet."
        )
    _must_exist(path)
    readers: dict[str, Callable[[Path], Source]] = {
        **_TEXT,
        **dict.fromkeys((".xlsx", ".xlsm"), frames.open_xlsx),
        **dict.fromkeys((".parquet", ".pq"), frames.open_parquet),
    }
    if ending not in readers:
        hint = (
            "save it as .xlsx"
            if ending in (".xls", ".ods", ".xlsb")
            else (
                "unpack it first"
                if ending in (".gz", ".zip", ".bz2", ".xz", ".zst")
                else "convert it to one of these"
            )
        )
        raise DatasetError(
            f"{path.name} has a file extension that is not supported; the formats are"
            f" {_FORMATS}: {hint}."
        )
    return readers[ending](path)


def _must_exist(path: Path) -> None:
    try:
        there, folder = path.exists(), path.is_dir()
    except (OSError, ValueError):  # a text too long, or with NUL, to be a path
        there = folder = False
    if folder:
        raise DatasetError(f"{path} is a folder; pass one file in it.")
    if there:
        return _must_open(path)
    shown = shorten(path, 120)
    if shown.lstrip().startswith(("{", "[")):
        raise DatasetError(
            f"{shorten(shown, 40)!r} is not a path; pass rows as a list of dicts, or write them"
            f" to a"
            " file."
        )
    near: list[str] = []
    if path.parent.is_dir():
        near = difflib.get_close_matches(
            path.name, [other.name for other in path.parent.iterdir()], 1, 0.6
        )
    hint = (
        f"did you mean {str(path.parent / near[0])!r}?"
        if near
        else (
            "it was looked for in"
            f" {shorten(Path.cwd() if not path.is_absolute() else path.parent, 200)}."
        )
    )
    raise DatasetError(f"there is no file {shown!r}; {hint}")


def _must_open(path: Path) -> None:
    if not path.is_file():  # a pipe would keep the reader waiting
        raise DatasetError(f"{path.name} is not a regular file; pass the path of one.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise DatasetError(
            f"{path.name} cannot be opened ({error.strerror}); check who may read it."
        ) from None


def _names(x: Mapping[object, object]) -> str:
    return ", ".join(repr(str(name)) for name in list(x)[:6]) or "(none)"
