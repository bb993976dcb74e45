"""Live calls of a prompt in a site: its versions by calls, failures, cost, latency and quality, in
each environment, over the week before the newest call.

Figures only: what was asked and answered stays in the store. No clock: the same project is the same
page.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..lab.live_view import LiveView
from ..markup import esc
from ..monitor.queries.live_listing import newest_of_each
from .live_calls import parts

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = ["live_parts"]

_DAYS = 7


def live_parts(project: Project, name: str) -> str:
    """One card per environment; "" if no live call is known."""
    out = []
    for env, newest in newest_of_each(project.store, name):
        since = (newest - timedelta(days=_DAYS)).isoformat()
        live = LiveView(project, {"prompt": name, "env": env, "since": since}, None)
        until = f"<p class='dim'>until {esc(newest.isoformat(' ', 'minutes'))} UTC</p>"
        out.append(parts(live) + until)
    return "".join(out)
