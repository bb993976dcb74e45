"""The manifest of one batch of the archive: read by shape, never by faith.

Anybody's editor, disk or branch may have changed it. What does not read is a fault that names the
file; the rows beside it are still there, and the doctor makes the manifest again from them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..plain_file import open_plain
from .schema import TABLES
from .shortage import Shortage, is_shortage

__all__ = [
    "MANIFEST",
    "Manifest",
    "Unreadable",
    "checksum_of",
    "hash_of",
    "read_json",
    "read_manifest",
    "remade",
    "written",
]

MANIFEST = "manifest.json"
_FIELDS = {"segments", "rows", "hashes", "dropped"}
_MOST = 64 << 20  # bytes of a manifest: a batch of a million segments has fewer


class Unreadable(ValueError):
    """A file of our own that does not have its shape; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """segments: name -> bytes that it had; rows: table -> how many; hashes: file's name -> SHA-256;
    dropped: damaged records.
    """

    segments: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    dropped: int = 0

    def text(self) -> str:
        """What is written: the fields, and the checksum over them."""
        fields = {
            "segments": dict(self.segments),
            "rows": dict(self.rows),
            "hashes": dict(self.hashes),
            "dropped": self.dropped,
        }
        return json.dumps({**fields, "checksum": checksum_of(fields)}, indent=1)


def checksum_of(value: object) -> str:
    """The SHA-256 of a value as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_json(path: Path, most: int = _MOST) -> object:
    """The value of a small JSON file of our own.

    Raises Unreadable, or FileNotFoundError; Shortage where the file is not at fault.
    """
    try:
        with open_plain(path) as file:
            body = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(str(path)) from None
    except OSError as error:
        if is_shortage(error):
            raise Shortage(path, error) from None
        raise Unreadable(error.strerror or str(error)) from None
    if len(body) > most:
        raise Unreadable(f"it is larger than {most >> 20} MB")
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error).splitlines()[0]) from None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a batch's folder.

    Raises Unreadable, or FileNotFoundError if the folder has none.
    """
    found = read_json(folder / MANIFEST)
    if not isinstance(found, dict) or not found.keys() >= _FIELDS:
        raise Unreadable(f"expected a map of {', '.join(sorted(_FIELDS))}")
    fields = {name: found[name] for name in found if name in _FIELDS}
    if found.keys() - _FIELDS - {"checksum"}:
        raise Unreadable("it has fields that no release writes")
    if "checksum" in found and found["checksum"] != checksum_of(fields):
        raise Unreadable("its content no longer has its checksum")
    segments, rows, hashes = (fields[name] for name in ("segments", "rows", "hashes"))
    if not _counts(segments) or not _counts(rows) or not _counts({"": fields["dropped"]}):
        raise Unreadable("segments, rows and dropped must be counts")
    if not isinstance(hashes, dict) or hashes.keys() != {f"{table}.parquet" for table in rows}:
        raise Unreadable("rows and hashes must name the same tables")
    if any(not name.isidentifier() for name in rows):
        raise Unreadable("a table's name is not one")
    if not all(isinstance(digest, str) for digest in hashes.values()):
        raise Unreadable("a hash is not a text")
    return Manifest(segments, rows, hashes, fields["dropped"])


def _counts(value: object) -> bool:
    return isinstance(value, dict) and all(
        type(count) is int and 0 <= count < 1 << 62 for count in value.values()
    )


def remade(folder: Path) -> Manifest:
    """A manifest for the Parquet files in a batch's folder, each read to its end.

    Which segments they came from is not known any more: one name of its own represents them, so
    that they are merged once. Raises OSError or pyarrow's errors where a file does not read.
    """
    import pyarrow.parquet as pq

    rows: dict[str, int] = {}
    for table in TABLES:
        path = folder / f"{table}.parquet"
        if path.is_file() and not path.is_symlink():
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                rows[table] = sum(len(part) for part in file.iter_batches(20_000))
    hashes = {f"{table}.parquet": hash_of(folder / f"{table}.parquet") for table in rows}
    return Manifest({f"recovered-{folder.name}": 1}, rows, hashes)


def hash_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, "missing" where they cannot be read.

    Raises Shortage if the file is not at fault.
    """
    digest = hashlib.sha256()
    try:
        with open_plain(path) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        if is_shortage(error):
            raise Shortage(path, error) from None
        return "missing"
    return digest.hexdigest()


def written(path: Path, text: str) -> None:
    """Put a small file of our own in its place, whole or not at all, on the disk and for its owner
    alone. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
