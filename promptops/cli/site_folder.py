"""A folder of generated files that is replaced whole, and only if everything in it is our own.

Guarantee: a reader finds the files of before or those of after, and nothing that somebody else put
there is ever removed. A list of our own files in the folder tells the two apart.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import RegistryError
from ..plain_file import read_plain
from ..registry.write_lock import locked

__all__ = ["MARK", "write_folder"]

MARK = ".promptops-site"  # in the folder: the files that this command wrote


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Replace the folder by these files.

    Args:
        folder: made if it is missing; empty, or written by an earlier call.
        files: path within the folder -> text.

    Raises:
        RegistryError: the folder holds what no earlier call wrote; nothing is changed.
        Conflict: another process is writing it.
    """
    folder = Path(os.path.realpath(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    before = folder.with_name(f".{folder.name}.before")
    with locked(str(folder)):
        if before.is_dir() and not folder.exists():  # a step of before was interrupted here
            os.rename(before, folder)
        _refuse_foreign(folder)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.writing-", dir=folder.parent))
        try:
            _fill(new, files)
            if folder.exists():
                shutil.rmtree(before, ignore_errors=True)
                os.rename(folder, before)
            os.rename(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    os.chmod(folder, 0o755)  # a web server is somebody else
    named = {**files, ".nojekyll": "", MARK: json.dumps(sorted(files), indent=1) + "\n"}
    for name, text in named.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _refuse_foreign(folder: Path) -> None:
    """Raise RegistryError if something in the folder is not ours."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RegistryError(f"{folder} is a file; name a folder for the pages, such as public.")
    own = _own(folder)
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted(names + links):
            found = (Path(place) / name).relative_to(folder).as_posix()
            if found not in own:
                raise RegistryError(
                    f"{folder} holds {found}, which no earlier `promptops site` wrote there; name"
                    " an empty folder, or remove that file; nothing was changed."
                )


def _own(folder: Path) -> set[str]:
    try:
        listed = json.loads(read_plain(folder / MARK))
    except (OSError, ValueError):
        return set()
    return {*map(str, listed), ".nojekyll", MARK} if isinstance(listed, list) else set()
