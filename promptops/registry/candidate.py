"""`use`: inside the block, `load` serves the candidates that it names, so that an application is
evaluated as it is.
"""

from __future__ import annotations

from contextvars import ContextVar

from ..errors import RegistryError
from .served_version import Served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from typing import Any

    from ..version import PromptVersion

__all__ = ["CANDIDATES", "use"]

# The one context variable: asyncio tasks inherit it, threads that the application starts do so
# through copy_context().
CANDIDATES: ContextVar[Mapping[str, Served] | None] = ContextVar(
    "promptops_candidates", default=None
)


class use:  # noqa: N801 - a verb, as contextlib's own
    """Serve given versions inside a block: in `with promptops.use({"support-triage": v2}):`, every
    `load("support-triage")` returns v2.

    Blocks can be nested. Asyncio tasks started in the block see the versions too; a thread does if
    it runs in `contextvars.copy_context()`.

    Args:
        versions: prompt name -> PromptVersion, or an object with one as `.version` (a saved or
            served version).

    Raises:
        RegistryError: if a value is not a version.
    """

    __slots__ = ("_served", "_tokens")

    def __init__(self, versions: Mapping[str, object]) -> None:
        self._served = {name: _candidate(name, version) for name, version in versions.items()}
        self._tokens: list[Token[Mapping[str, Served] | None]] = []

    def __enter__(self) -> use:
        self._tokens.append(CANDIDATES.set({**(CANDIDATES.get() or {}), **self._served}))
        return self

    def __exit__(self, *_: object) -> None:
        CANDIDATES.reset(self._tokens.pop())


def _candidate(name: str, given: object) -> Served:
    from ..version import PromptVersion

    version: PromptVersion | Any = (
        given if isinstance(given, PromptVersion) else getattr(given, "version", None)
    )
    if not isinstance(version, PromptVersion):
        raise RegistryError(
            f"use() got a {type(given).__name__} for {name!r}; pass a PromptVersion or a saved"
            " version."
        )
    return Served(
        name,
        None,
        version,
        getattr(given, "number", None),
        source="use",
        reason="a candidate under use()",
    )
