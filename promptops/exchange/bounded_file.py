"""A file of somebody else, read within limits: nothing is executed, nothing outside its folder is
opened, and a bomb is refused before it is unpacked.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError, MissingExtra

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without xz
    LZMAError = zlib.error  # type: ignore[misc, assignment]

__all__ = ["MOST", "beside", "json_rows", "json_value", "members", "text_of"]

MOST = 64 << 20  # bytes of one text file, or of one member of an archive
_ALL = 128 << 20  # bytes of all members of an archive together
_MEMBERS = 100_000
_RATIO = 200  # a member that unpacks to more than this many times its size is a bomb
_SMALL = 1 << 20  # below this size the ratio does not matter
_ZSTD = 93
# what `zipfile` raises for members that are cut, flipped, encrypted or packed in a way it lacks
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, LZMAError),
    *(OSError, EOFError, RuntimeError, NotImplementedError),
)


def text_of(path: Path, *, most: int = MOST) -> str:
    """The text of a UTF-8 file (a byte order mark aside).

    Raises DatasetError for a file that is missing, too large, or not UTF-8.
    """
    try:
        size = path.stat().st_size
        if size > most:
            raise DatasetError(
                f"{path.name} has {size:,} bytes, more than the {most:,} that an import reads;"
                " split it, or export fewer rows."
            )
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path.name} is not UTF-8 (byte {error.start:,}); export it as UTF-8."
        ) from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}).") from None


def json_value(text: str, name: str) -> object:
    """The JSON value of a text. Raises DatasetError naming the line at fault."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{name}:{error.lineno} is not JSON ({error.msg}).") from None
    except RecursionError:
        raise DatasetError(f"{name} is nested too deeply to be read; export it again.") from None


def json_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, object]]]:
    """(line, object) of each line of a JSON Lines text. Raises DatasetError naming the line."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            raise DatasetError(f"{name}:{number} is not a JSON object; export it again.") from None
        if not isinstance(row, dict):
            raise DatasetError(f"{name}:{number} is a {type(row).__name__}, not a JSON object.")
        yield number, row


def beside(folder: Path, named: str) -> Path | None:
    """The file that `named` (file://...) means, within the folder; None if it leads outside."""
    relative = named.removeprefix("file://")
    target = (folder / relative).resolve()
    return target if target.is_relative_to(folder.resolve()) else None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive: its name and its bytes, unpacked."""

    name: str
    body: bytes


def members(path: Path, wanted: str) -> Iterator[Member]:
    """The members of a zip file whose names begin with `wanted`; zstd, deflate and stored ones.

    Raises DatasetError for an archive that is damaged, or larger unpacked than an import reads.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            listed = archive.infolist()
            _check_sizes(path, listed)
            total = 0
            for entry in listed:
                if entry.filename.startswith(wanted) and not entry.is_dir():
                    body = _unpacked(path, archive, entry)
                    total += len(body)
                    if total > _ALL:
                        raise _bomb(path, entry.filename)
                    yield Member(entry.filename, body)
    except _DAMAGED as error:
        raise DatasetError(f"{path.name} is not a readable archive ({error}).") from None


def _check_sizes(path: Path, listed: list[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in listed)
    many = total > max(_SMALL, _RATIO * path.stat().st_size)
    if len(listed) > _MEMBERS or total > 4 * _ALL or many:
        raise _bomb(path, path.name)
    for entry in listed:
        bomb = entry.file_size > max(_SMALL, _RATIO * max(entry.compress_size, 1))
        if entry.file_size > MOST or bomb:
            raise _bomb(path, entry.filename)


def _bomb(path: Path, name: str) -> DatasetError:
    return DatasetError(
        f"{path.name} holds {name!r}, which unpacks to more than an import reads; it was not"
        " unpacked."
    )


def _unpacked(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """At most MOST bytes of a member, whatever its header claims."""
    if entry.compress_type != _ZSTD:
        with archive.open(entry) as stream:
            body = stream.read(MOST + 1)
    else:
        try:
            import zstandard
        except ImportError:
            raise MissingExtra("reading a log of Inspect") from None

        packed = _raw(path, entry)
        with zstandard.ZstdDecompressor(max_window_size=MOST).stream_reader(packed) as reader:
            try:
                body = reader.read(MOST + 1)
            except zstandard.ZstdError as error:
                raise DatasetError(
                    f"{path.name}: {entry.filename!r} is damaged ({error})."
                ) from None
    if len(body) > MOST:
        raise _bomb(path, entry.filename)
    return body


def _raw(path: Path, entry: zipfile.ZipInfo) -> io.BytesIO:
    """The packed bytes of a member, which `zipfile` of this Python cannot unpack itself."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(30)
        if header[:4] != b"PK\x03\x04":
            raise DatasetError(
                f"{path.name}: {entry.filename!r} has a damaged header; export it again."
            )
        names, extra = struct.unpack("<HH", header[26:30])
        file.seek(names + extra, 1)
        return io.BytesIO(file.read(entry.compress_size))
