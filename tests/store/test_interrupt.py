"""Ctrl-C while DuckDB works: an interrupt, which DuckDB itself makes a RuntimeError of."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptops.store import Store
from promptops.store.sitting import one_at_a_time

LONG = "SELECT sum(hash(range)) FROM range(20000000000)"


@pytest.fixture
def only_ctrl_c() -> Iterator[None]:
    """Handlers as in a program that sets none: pytest's own time limit has one for SIGALRM."""
    numbers = (signal.SIGINT, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("only_ctrl_c")
def test_an_interrupt_of_a_query_is_an_interrupt(tmp_path: Path) -> None:
    """The store goes on."""
    store = Store(tmp_path)
    assert store.rows("SELECT count(*) FROM runs") == [(0,)]  # what is imported first is
    to = threading.main_thread().ident or 0
    timer = threading.Timer(0.5, signal.pthread_kill, (to, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        store.rows(LONG)
    timer.join()
    assert store.rows("SELECT count(*) FROM runs") == [(0,)]


@pytest.mark.usefixtures("only_ctrl_c")
def test_what_another_signal_raised_is_not_taken_for_an_interrupt() -> None:
    """A time limit of a host, whose exception DuckDB has lost, is not to end the process."""
    with pytest.raises(KeyboardInterrupt), one_at_a_time():
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="another fault"), one_at_a_time():
        raise RuntimeError("another fault")
    signal.signal(signal.SIGALRM, lambda *_: None)
    with pytest.raises(RuntimeError, match="Query interrupted"), one_at_a_time():
        raise RuntimeError("Query interrupted")
