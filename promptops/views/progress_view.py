"""How a running study is shown: one line with counts, rate, cost and time left; followed in a
script until it is done.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, TextIO

from ..analysis import words
from ..markup import esc, plain
from .theme import page

if TYPE_CHECKING:
    from ..engine.progress import Progress
    from ..lab.study_progress import StudyProgress

__all__ = ["bar", "follow", "html", "line", "state"]

_TICK_S = 0.2
_LOG_EVERY_S = 10.0  # where the output is not a terminal


def line(progress: Progress, *, reused: int = 0) -> str:
    """`1,204 of 4,000 · 3 failed (2 rate_limit, 1 refusal) · 7 retries · 310/s · 96,300 + 4,100
    tokens · $0.42 · 9 s left · 120 reused`.
    """
    if progress.total == 0 and not progress.stopped:
        return f"nothing left to ask · {reused:,} reused"
    calls = words.count(progress.done if progress.total is None else progress.total, "call")
    parts = [calls if progress.total is None else f"{progress.done:,} of {calls}"]
    if progress.failures:
        classes = ", ".join(
            f"{count:,} {name}"
            for name, count in sorted(progress.failed.items(), key=lambda item: -item[1])
        )
        parts.append(f"{progress.failures:,} failed ({classes})")
    if progress.retries:
        parts.append(words.count(progress.retries, "retry", "retries"))
    if not progress.finished and progress.handed_in is None:
        parts.append(f"{progress.rate:,.0f}/s" if progress.rate >= 10 else f"{progress.rate:.1f}/s")
    if progress.tokens_in or progress.tokens_out:
        parts.append(f"{progress.tokens_in:,} + {progress.tokens_out:,} tokens")
    parts.append(_cost(progress))
    if progress.finished:
        parts.append(words.duration(progress.elapsed_s))
    elif progress.time_left_s is not None:
        parts.append(f"{words.duration(progress.time_left_s)} left")
    if reused:
        parts.append(f"{reused:,} reused")
    if progress.handed_in is not None:
        parts.append(str(progress.handed_in))
    elif progress.stopped:
        parts.append(f"stopped: {plain(progress.stopped)}")
    return " · ".join(parts)


def bar(progress: Progress, width: int = 24) -> str:
    """A bar of block characters for a terminal."""
    share = progress.done / progress.total if progress.total else 1.0 if progress.finished else 0.0
    full = round(min(share, 1.0) * width)
    return "█" * full + "░" * (width - full)


def follow(progress: StudyProgress, stream: TextIO | None = None) -> None:
    """Write a study's progress until it is done: one line that changes on a terminal, one line
    every 10 s elsewhere. A stream that is closed, full or gone ends no study.
    """
    out, study = stream or sys.stderr, progress.recorded
    live = out is not None and not out.closed and out.isatty()
    began = last = time.monotonic()
    while study.status == "running":
        time.sleep(_TICK_S if time.monotonic() - began > 1 else 0.02)
        now, calls = time.monotonic(), progress.calls
        if now - began < 1 or calls is None:
            continue
        if live:
            _put(out, f"\r\x1b[2K{study.name} {bar(calls)} {line(calls, reused=progress.reused)}")
        elif now - last >= _LOG_EVERY_S:
            last = now
            _put(out, f"{study.name}: {line(calls, reused=progress.reused)}\n")
    calls = progress.calls
    if live and time.monotonic() - began > 1 and calls is not None:
        _put(out, f"\r\x1b[2K{study.name} {bar(calls)} {line(calls, reused=progress.reused)}\n")
    running = study.running
    if running is not None and running.status == "handed_in":
        _put(out, f"{study.name}: {running.handed_in}; run the same again to collect the answers\n")
    if running is not None and running.reused_targets:
        _put(out, f"{study.name}: {running.reused_targets}\n")


def _put(out: TextIO | None, text: str) -> None:
    if out is not None:
        with contextlib.suppress(OSError, ValueError):
            out.write(text)
            out.flush()


def state(progress: StudyProgress) -> str:
    """One line on how far a study is, or that this process does not run it; once it is done, what
    is of another model.
    """
    calls, recorded = progress.calls, progress.recorded
    if calls is None:
        said = f"{recorded.status}; it does not run in this process"
    else:
        said = f"{recorded.status}, {line(calls, reused=progress.reused)}"
    return ". ".join((said, *(sentence.rstrip(".") for sentence in recorded.mixed())))


def html(progress: StudyProgress) -> str:
    """The line for a cell."""
    name = esc(progress.recorded.name)
    return page(f"<p><b>{name}</b> <span class='dim'>{esc(state(progress))}</span></p>")


def _cost(progress: Progress) -> str:
    if progress.cost_unknown and not progress.cost_usd:
        return "cost unknown"
    return words.money(progress.cost_usd) + (
        f" + {words.count(progress.cost_unknown, 'call')} of unknown cost"
        if progress.cost_unknown
        else ""
    )
