"""Reaching a dask scheduler and its workers, and what is looked for there before anything is
asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import SetupError
from .errands import AskedModel, ScorerText, Session

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["PATIENCE_S", "addresses_of", "connected", "examined", "proof_of"]

PATIENCE_S = 10  # for the scheduler to answer at all


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[object]:
    """A client on the running loop. Raises SetupError if no scheduler answers."""
    from distributed import Client

    try:
        client = await Client(address, asynchronous=True, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SetupError(
            f"no dask scheduler answers at {address} ({error}); start one with `dask scheduler`,"
            " and join workers to it with `dask worker`."
        ) from None
    try:
        yield client
    finally:
        await client.close()


def _listed(dask_scheduler: Any = None) -> list[str]:
    return sorted(dask_scheduler.workers)


async def addresses_of(client: Client) -> list[str]:
    """The workers that the scheduler has now."""
    found: list[str] = await client.run_on_scheduler(_listed)
    return found


async def examined(
    client: Client, session: Session, models: Iterable[AskedModel], texts: Iterable[ScorerText] = ()
) -> list[str]:
    """The workers, each of which has what it needs. Raises SetupError if one has not."""
    from .worker_session import examine

    workers = await addresses_of(client)
    if not workers:
        raise SetupError(
            f"the scheduler {client.scheduler.address} has no workers; join one with `dask worker"
            f" {client.scheduler.address}`."
        )
    asked = list(models), list(texts), __version__
    found = await client.run(examine, session, *asked, on_error="return")
    for address, text in found.items():
        if isinstance(text, BaseException):
            text = [
                f"it cannot run this release of promptops-toolkit ({type(text).__name__}: {text})"
            ]
        if text:
            raise SetupError(
                f"worker {address} cannot do its part: {'; '.join(text)}; nothing was asked."
            )
    return workers


def proof_of(session: Session) -> Path:
    """The file by which a worker knows the store that asks."""
    return Path(session.folder) / session.proof
