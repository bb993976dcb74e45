"""Places of files that hold something else: a pipe would keep its reader or its writer for good,
and a device or a file of many gigabytes has no end. An unpacked archive or a pull request can put
any of them in a file's place; a person may name a pipe or /dev/stdout to be written to.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:  # the application's door keeps its saved copy with this, and loads none of them
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = [
    "NOT_A_FILE",
    "copy_plain",
    "is_odd",
    "open_plain",
    "open_target",
    "read_plain",
    "replacing",
    "write_target",
]

NOT_A_FILE = "it is a pipe, socket or device, not a file"
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)
_ACCESS_LIST = "system.posix_acl_access"  # acl(5)
_MOST = 64 << 20  # bytes: far more than a person writes, or one of our small files has


def is_odd(path: str | Path) -> bool:
    """Whether a pipe, socket or device is at the path, also behind a symlink."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_plain(path: str | os.PathLike[str]) -> BinaryIO:
    """The file, open for reading its bytes. Raises OSError, also if it is not a plain file."""
    fd = os.open(path, os.O_RDONLY | _NOT_WAITING | getattr(os, "O_BINARY", 0))
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, NOT_A_FILE, str(path))
    return os.fdopen(fd, "rb")


def read_plain(path: str | os.PathLike[str], *, most: int = _MOST) -> bytes:
    """The bytes of a file that is found by its place, not named by a person.

    Raises OSError, also if it is not a plain file or has more than `most` bytes.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(
                errno.EFBIG, f"it has {size:,} bytes, more than the {most:,} that are read", path
            )
        return file.read(most)


def open_target(path: str | os.PathLike[str]) -> BinaryIO:
    """A file that a person named, opened for writing from its beginning. A pipe or device is
    written to as well. Raises OSError, also if it is a pipe that nobody reads.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NOT_WAITING | getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "it is a pipe that nobody reads", str(path)) from None
        raise
    if _NOT_WAITING:
        os.set_blocking(fd, True)  # a reader that is there may be slow
    return os.fdopen(fd, "wb")


def write_target(path: Path, text: str) -> None:
    """Put the text into a file that a person named, whole or not at all. A pipe or device is
    written to as well. Raises OSError, which names the file: a full disk would name none.
    """
    try:
        _put(path, text.encode("utf-8"))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _put(path: Path, data: bytes) -> None:
    if is_odd(path):
        with open_target(path) as file:
            file.write(data)
        return
    with replacing(path) as beside, open(beside, "wb") as file:  # a link such as /dev/stdout stays
        file.write(data)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Where a file is written that afterwards takes the place of the one at the path, or of the one
    to which a link there leads: whole, or not at all.

    It keeps the permissions, the access list, and as far as the system lets us the owner: others
    may not read more than before, not even while it is written, and their owner not less.

    Raises OSError, also if the file that is there may not be written.
    """
    place = os.path.realpath(path)
    folder, name = os.path.split(place)
    beside = os.path.join(folder, f".{name[:50]}.{os.urandom(4).hex()}.writing")
    was = None
    with suppress(FileNotFoundError):
        was = os.stat(place)
    if was is not None and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), place)
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if was else 0o666))
    try:
        yield beside
        if was is not None:
            _give_rights(beside, place, was)
        os.replace(beside, place)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(beside)


def _give_rights(beside: str, place: str, was: os.stat_result) -> None:
    for owner in (was.st_uid, -1):
        with suppress(OSError, AttributeError):  # of another's file, or on Windows
            os.chown(beside, owner, was.st_gid)
            break
    with suppress(OSError, AttributeError):  # one that the folder gave
        os.removexattr(beside, _ACCESS_LIST)
    with suppress(OSError, AttributeError):
        os.setxattr(beside, _ACCESS_LIST, os.getxattr(place, _ACCESS_LIST))
    os.chmod(beside, stat.S_IMODE(was.st_mode))


def copy_plain(source: str, target: str) -> str:
    """Copy a file, for `shutil.copytree`; what is not a plain file becomes an empty one, which
    reads no better than the original.
    """
    import shutil

    if is_odd(source):
        open(target, "ab").close()
    else:
        shutil.copyfile(source, target)
    return target
