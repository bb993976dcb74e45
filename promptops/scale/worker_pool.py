"""Studies on other hosts: an `Executor` over a dask scheduler.

Each worker has one batch at a time, with its share of the budget and of the calls in flight. What a
worker has answered is here before its batch ends, so that a worker that dies costs no more than its
calls in flight: what it had not answered goes to the others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..engine.executor import Order
from ..errors import MissingExtra, SetupError
from ..scorers import Scorer
from ..scorers.case import Case
from .errands import AskedModel, ScorerText, Session, check_named, declared
from .scheduler import PATIENCE_S, connected, examined
from .worker_pass import WorkerPass

if TYPE_CHECKING:
    from ..study.design import StudyDesign
    from ..study.project import Project

__all__ = ["WorkerPool"]

_CASES = 250  # judged in one task


class WorkerPool:
    """Makes runs and scores at the workers of a scheduler.

    address: of the scheduler ("tcp://scheduler:8786"), or a `distributed.Client` that is connected
    to one. Raises MissingExtra without dask, SetupError for what is neither.
    """

    def __init__(self, project: Project, address: object) -> None:
        try:
            # its import takes a second, which a loop must not wait
            import distributed  # noqa: F401
        except ImportError:
            raise MissingExtra("workers=", "scale") from None
        scheduler = getattr(getattr(address, "scheduler", None), "address", address)
        if not isinstance(scheduler, str) or "://" not in scheduler:
            raise SetupError(
                f"workers is {address!r}; expected the address of a dask scheduler, as in"
                ' workers="tcp://scheduler:8786", or a Client.'
            )
        self.address, self._project = scheduler, project

    def start(self, order: Order) -> WorkerPass:
        """A pass over the order's questions."""
        return WorkerPass(self.address, self._session(order), order)

    def check(self, drawn: StudyDesign) -> None:
        """Have every worker look for what the study needs of it. Raises SetupError, which names the
        worker, before anything is asked.
        """
        models = []
        for index, arm in enumerate(drawn.arms):
            asked = _first_request(drawn, index)
            version = arm.version
            models.append(AskedModel(version.model or "", version.api, arm.model.label, asked))
        check_named(models, self._project.models.given)
        self._project.loop.finish(self._examined(models, ()))

    def check_scorers(self, scorers: Sequence[Scorer]) -> None:
        """Raise ScorerError for a scorer that only this process has, SetupError for one that a
        worker cannot make.
        """
        self._project.loop.finish(self._examined((), declared(scorers)))

    def score(
        self, cases: Sequence[Case], scorers: Sequence[Scorer]
    ) -> Iterator[dict[str, object]]:
        """Columns of the table `scores`, as the workers judge."""
        texts = declared(scorers)
        from distributed import Client, as_completed

        from .worker_session import score

        batches = [cases[at : at + _CASES] for at in range(0, len(cases), _CASES)]
        with Client(self.address, timeout=PATIENCE_S, set_as_default=False) as client:
            futures = [client.submit(score, texts, batch, pure=False) for batch in batches]
            for future in as_completed(futures, loop=client.loop):
                yield from future.result()
                future.release()

    async def _examined(self, models: Sequence[AskedModel], texts: Sequence[ScorerText]) -> None:
        async with connected(self.address) as client:
            await examined(client, self._session(None), models, texts)

    def _session(self, order: Order | None) -> Session:
        folder = self._project.store.folder
        where = {"provenance": order.provenance} if order is not None else {}
        return Session(
            os.urandom(6).hex(),
            str(folder.resolve()),
            f".asking-{os.getpid()}-{socket.gethostname()}",
            self._project.location.file.models,
            **where,
        )


def _first_request(drawn: StudyDesign, arm: int) -> dict[str, object]:
    from ..study.questions import question

    for place in range(len(drawn.dataset)):
        asked = question(drawn, (arm, place, 0))
        if not asked.unrendered:
            return dict(asked.call.chat)
    return {}
