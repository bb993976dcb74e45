"""`load`: the version of a prompt that an environment serves, by the process's own loader."""

from __future__ import annotations

import os

from ..errors import RegistryNotFound
from .candidate import CANDIDATES
from .loader import Loader
from .served_version import Served, brought_along

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["load"]


def load(
    name: str,
    env: str | None = None,
    key: object = None,
    default: object = None,
    registry: str | os.PathLike[str] | None = None,
) -> Served:
    """The version of a prompt that an environment serves now: `promptops.load("support-triage",
    env="prod")`.

    Args:
        name: the prompt.
        env: the environment; None: PROMPTOPS_ENV.
        key: the key that makes a canary sticky, such as the user's id.
        default: a PromptVersion, text or list of messages to serve if nothing else can be served.
        registry: the file; None: PROMPTOPS_REGISTRY, else the first `promptops.json` found in the
            working directory or its parents, which the process then keeps.

    Raises:
        RegistryNotFound, RegistryCorrupt, UnknownPrompt, NotDeployed: only before the first
            success.
    """
    candidates = CANDIDATES.get()
    if candidates is not None and name in candidates:
        return candidates[name] if key is None else candidates[name].for_key(key)
    named = registry if registry is not None else os.environ.get("PROMPTOPS_REGISTRY")
    try:
        loader = _LOADERS.get(named)
    except TypeError:  # a list or a dict, which the loader refuses in a sentence
        loader = None
    if loader is None:
        try:
            loader = _LOADERS[named] = Loader(registry)
        except RegistryNotFound as error:
            if default is None:
                raise
            loader = _Nowhere(error)
    return loader.get(name, env, key, default)


_LOADERS: dict[
    object, Any
] = {}  # the process's loaders by what named them; a file is read once however often it is asked


class _Nowhere:
    """No registry was found: only a default can be served, and the next `load` looks again."""

    def __init__(self, error: RegistryNotFound) -> None:
        self._error = error

    def get(self, name: str, env: str | None, key: object, default: object) -> Served:
        return brought_along(name, env, default, self._error)
