"""Where the registry and the environment are read from: PROMPTOPS_REGISTRY or upwards from here;
PROMPTOPS_ENV.
"""

from __future__ import annotations

import os

from ..errors import NotDeployed, RegistryNotFound

__all__ = ["FILE", "environment", "find"]

FILE = "promptops.json"


def environment(name: str) -> str:
    """The environment of PROMPTOPS_ENV. Raises NotDeployed if it is unset."""
    env = os.environ.get("PROMPTOPS_ENV")
    if not env:
        raise NotDeployed(
            f'load({name!r}) does not know its environment; pass env="prod", or set PROMPTOPS_ENV.'
        )
    return env


def find() -> str:
    """The absolute path of the registry: PROMPTOPS_REGISTRY (which need not exist yet), else the
    nearest upwards from here.

    Raises RegistryNotFound, which says where it looked.
    """
    named = os.environ.get("PROMPTOPS_REGISTRY")
    if named:
        return absolute(os.path.expanduser(named))
    start = folder = _here()
    while True:
        path = os.path.join(folder, FILE)
        if os.path.isfile(path):
            return path
        parent = os.path.dirname(folder)
        if parent == folder:
            raise RegistryNotFound(
                f"no {FILE} in {start} or any folder above it; pass registry=..., or set"
                " PROMPTOPS_REGISTRY to the file's path."
            )
        folder = parent


def absolute(path: str | os.PathLike[str]) -> str:
    """The path made absolute, so that a later chdir changes nothing; symbolic links are kept, and
    followed at each get.

    Raises RegistryNotFound for what is not a path, such as an address.
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(text, str):
        raise RegistryNotFound(
            f"a registry was given as {type(path).__name__}; expected the path of its file as text,"
            f' such as "{FILE}".'
        )
    if text.startswith(("http://", "https://")):
        raise RegistryNotFound(
            "a registry was given as an address; expected the path of a file on this machine:"
            " fetch it with `promptops sync`, and pass the path of the copy."
        )
    return text if os.path.isabs(text) else os.path.normpath(os.path.join(_here(), text))


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        raise RegistryNotFound(
            "the working directory no longer exists; pass registry=..., or set PROMPTOPS_REGISTRY."
        ) from None
