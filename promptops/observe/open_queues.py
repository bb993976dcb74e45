"""The queues that this process writes through, one for each sink: two clients that are observed
into one folder share a segment and a thread.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..redact import HoldsSecrets, address_secrets
from .live_queue import LiveQueue, Sink
from .row_writer import Redact, RowWriter
from .sinks import FolderSink, NoSink, StdoutSink

__all__ = ["RECORD", "all_queues", "healths", "named_sink", "open_queue", "queue_for"]

RECORD = "PROMPTOPS_RECORD"
# A process has one set of queues as it has one standard output.
_OPEN: dict[str, LiveQueue] = {}


def named_sink(sink: str | os.PathLike[str] | None) -> str | None:
    """The sink that is named here, else by PROMPTOPS_RECORD; None for none."""
    return os.fspath(sink) if sink is not None else os.environ.get(RECORD) or None


def sink_of(named: str) -> Sink:
    """ "stdout", "otlp", an address of otlp+http(s), or the path of a folder."""
    if named == "stdout":
        return StdoutSink()
    if named == "otlp" or named.startswith(("otlp+http://", "otlp+https://")):
        from .otlp_sink import OtlpSink  # urllib takes 20 ms, which few need

        return OtlpSink(named.removeprefix("otlp+") if named != "otlp" else None)
    if "://" in named:
        return NoSink(named)
    return FolderSink(Path(os.path.abspath(os.path.expanduser(named))))


def open_queue(named: str, redact: Redact | None = None) -> LiveQueue:
    """The queue of a sink; made at the first call, without a file or a thread yet. redact: for
    feedback from now on; however many there are, a sink has one thread and one file.
    """
    queue = _OPEN.get(named) or _OPEN.setdefault(named, _queue(named))
    if redact is not None:
        queue.writer.redact = redact
    return queue


def _queue(named: str) -> LiveQueue:
    sink, writer = sink_of(named), RowWriter()
    writer.keep_secret(address_secrets(named))
    if isinstance(sink, HoldsSecrets):
        writer.keep_secret(sink.secrets)
    return LiveQueue(sink, writer)


def queue_for(sink: str | os.PathLike[str] | None) -> LiveQueue | None:
    """The queue of the named sink, else of PROMPTOPS_RECORD, else the one that was opened last
    here; None if nothing was named.
    """
    named = named_sink(sink)
    if named is None:
        return next(reversed(_OPEN.values()), None)
    return open_queue(named)


def all_queues() -> list[LiveQueue]:
    """Every queue of this process."""
    return list(_OPEN.values())


def healths() -> dict[str, dict[str, object]]:
    """sink -> its health; an address is named without its password."""
    return {
        queue.writer.clean(named) if "://" in named else named: queue.health()
        for named, queue in list(_OPEN.items())
    }
