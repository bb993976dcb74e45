"""`promptops --debug COMMAND`: the log of `promptops.*` on standard error."""

from __future__ import annotations

import logging
import sys

import click

__all__ = ["debug_option"]


def _listen(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    log, handler = logging.getLogger("promptops"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    before = log.level
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)

    def ended() -> None:
        log.removeHandler(handler)
        log.setLevel(before)

    context.call_on_close(ended)


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_listen,
    help="Log reads, calls and writes to standard error, without content or keys.",
)
