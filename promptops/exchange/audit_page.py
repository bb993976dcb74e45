"""An audit as one self-contained HTML file: no script, nothing loaded, every text escaped."""

from __future__ import annotations

from ..markup import esc
from .audit import Audit, Claim

__all__ = ["audit_page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #d0d7de;
  vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.holds { color: #116329; font-weight: 600 } .reversed { color: #a40e26; font-weight: 600 }
.open { color: #57606a }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 }
  th, td { border-color: #30363d } .holds { color: #56d364 } .reversed { color: #ff7b72 }
  .open { color: #9ea7b3 } }
"""
_HEAD = ("Claimed better", "than", "Score", "Shared", "Gain", "90 % interval", "p", "p (Holm)")
_NUMBERS = frozenset(("Shared", "Gain", "90 % interval", "p", "p (Holm)"))


def audit_page(found: Audit) -> str:
    """The page: the one line, the table of claims, the methods, and what was not read."""
    heads = "".join(
        f'<th scope="col"{_class(name)}>{esc(name)}</th>' for name in (*_HEAD, "Judgement")
    )
    rows = "".join(map(_row, found.claims))
    left = "".join(f"<li>{esc(str(item))}</li>" for item in found.left)
    notes = "".join(f"<li>{esc(note)}</li>" for note in found.notes)
    aside = [f"{found.equal:,} pairs have equal means and claim nothing."] if found.equal else []
    if found.apart:
        aside.append(f"{found.apart:,} pairs share no scored example.")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Audit</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{esc(found.summary())}</h1>"
        f"<p>{len(found.runs):,} runs. {esc(' '.join(aside))}</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        f"<h2>Methods</h2><p>{esc(found.methods())}</p>"
        + (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "")
        + (f"<h2>Not read</h2><ul>{left}</ul>" if left else "")
        + "</main></body></html>\n"
    )


def _class(name: str) -> str:
    return ' class="n"' if name in _NUMBERS else ""


def _row(claim: Claim) -> str:
    figures = claim.figures
    kind = claim.judgement if claim.judgement in ("holds", "reversed") else "open"
    needed = f" ({figures.n_needed:,} examples would settle it)" if figures.n_needed else ""
    text = claim.judgement + (needed if kind == "open" else "")
    known = figures.low is not None and figures.high is not None
    span = (
        f"{_points(figures.low or 0.0)} to {_points(figures.high or 0.0)}" if known else "unknown"
    )
    cells = (
        f"<td>{esc(claim.better)}</td><td>{esc(claim.worse)}</td><td>{esc(claim.scorer)}</td>"
        f'<td class="n">{figures.n:,}</td><td class="n">{_points(figures.gain)} pp</td>'
        f'<td class="n">{span}</td><td class="n">{claim.p:.2g}</td>'
        f'<td class="n">{claim.adjusted:.2g}</td><td class="{kind}">{esc(text)}</td>'
    )
    return f"<tr>{cells}</tr>"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
