"""What serves where, since when, who decided it and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc
from .grid import GridColumn, grid, short
from .theme import BAD, GOOD, NEUTRAL, UNSURE, chip, colour, in_text, page

if TYPE_CHECKING:
    from ..lab.deployments import Deployment, History
    from ..registry.deployment import DeploymentEntry

__all__ = ["deployment_html", "history_html", "history_table"]

_KINDS = {"promote": GOOD, "rollback": BAD}


def deployment_html(deployment: Deployment) -> str:
    """One step: what serves now, on which evidence."""
    entry = deployment.entry
    tint = (
        GOOD
        if deployment.changed and entry.kind == "promote"
        else UNSURE
        if deployment.changed
        else NEUTRAL
    )
    title = (
        f"{entry.prompt} v{entry.number} serves in {entry.env}"
        if deployment.changed or not deployment.note
        else f"{entry.prompt} v{entry.number} goes on serving in {entry.env}"
    )
    share = f" for {entry.percent:g} % of the keys" if entry.percent is not None else ""
    facts = [
        entry.kind + _share(entry),
        f"since {entry.at[:19].replace('T', ' ')} UTC",
        f"by {entry.author}",
    ]
    facts += [f"evidence {entry.evidence[:12]}"] if entry.evidence else ["no evidence"]
    facts += ["forced"] if entry.forced else []
    # a reason is anyone's text: in quotes it is not taken for one of our own lines
    said = (deployment.note, entry.why and f"“{entry.why}”")
    wording = "".join(f"<p>{esc(text)}</p>" for text in said if text)
    reasons = (
        "".join(f"<p>{esc(reason)}</p>" for reason in deployment.verdict.reasons)
        if deployment.verdict is not None
        else ""
    )
    return page(
        f"<div class='card' style='--po-accent:{in_text(tint)}'><b"
        f" class='v'>{esc(title + share)}</b><p"
        f" class='dim'>{esc(' · '.join(facts))}</p>{wording}{reasons}</div>"
    )


def _share(entry: DeploymentEntry) -> str:
    """Which version runs beside, and for how many; "" without a canary."""
    return f" v{entry.canary.number} {entry.canary.percent:g} %" if entry.canary else ""


def history_html(history: History) -> str:
    """An environment's chain, newest first."""
    entries = history.deployments[::-1]
    if not entries:
        return page(
            f"<p><b>{esc(history.prompt)}</b> <span class='dim'>was never deployed to"
            f" {esc(history.env)}: lab.promote(version, env={esc(repr(history.env))},"
            " study=study)</span></p>"
        )
    return page(
        f"<p><b>{esc(history.prompt)}</b> in"
        f" <b>{esc(history.env)}</b></p>{history_table(history.prompt, history.env, entries)}"
    )


def history_table(prompt: str, env: str, entries: Sequence[DeploymentEntry]) -> str:
    """The deployments of an environment; entries: newest first."""
    rows = []
    for index, entry in enumerate(entries):
        now = " <span class='dim'>serves now</span>" if index == 0 else ""
        ink = in_text(_KINDS.get(entry.kind, NEUTRAL))
        forced = f" <b style='color:{in_text(BAD)}'>forced</b>" if entry.forced else ""
        rows.append(
            (
                chip(entry.label, colour(entry.number)) + now,
                f"<span class='dim po-whole'>{esc(entry.at[:19].replace('T', ' '))}</span>",
                f"<span style='color:{ink}'>{esc(entry.kind + _share(entry))}</span>{forced}",
                short(entry.author),
                esc(entry.why),
                f"<span class='dim po-whole'>{esc((entry.evidence or '–')[:12])}</span>",
                esc(_lasted(entry.duration_s)) if index else "still",
            )
        )
    columns: list[GridColumn | str] = [
        "version",
        "at (UTC)",
        "step",
        "by",
        "reason",
        "evidence",
        GridColumn("served for", number=True),
    ]
    return grid(columns, rows, caption=f"deployments of {prompt} in {env}, newest first")


def _lasted(seconds: float | None) -> str:
    """How long a version served; a registry tells the seconds."""
    return "under 1 s" if seconds is not None and seconds < 1 else words.duration(seconds)
