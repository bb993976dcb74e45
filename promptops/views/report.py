"""One HTML file for people who review: it needs no network, no server and no Python, prints well, and runs one script of ours.

Outputs are data: everything is escaped, and the page's own policy forbids any script but that one, any image, any
connection. A reviewer filters the changed examples and labels them there; the labels download as JSON lines.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError
from ..markup import esc
from ..run import utc
from .prompt import template_html
from .study import results
from .theme import STYLE, chip, colour

if TYPE_CHECKING:
    from ..lab.comparison import Comparison
    from ..lab.study import Study

__all__ = ["report_html", "write_report"]

MOST = 400  # changed examples in a report, biggest losses first
_TEXT = 4_000  # characters of one output

_SCRIPT = """
const $ = (q) => [...document.querySelectorAll(q)];
const rows = $('.flip'), text = document.getElementById('find'), kind = document.getElementById('kind'), count = document.getElementById('count');
function filter() {
  const wanted = text.value.toLowerCase(); let shown = 0;
  for (const row of rows) {
    const on = (kind.value === 'all' || row.dataset.kind === kind.value) && (!wanted || row.textContent.toLowerCase().includes(wanted));
    row.hidden = !on; shown += on;
  }
  count.textContent = shown + ' of ' + rows.length + ' shown';
}
if (text) { text.addEventListener('input', filter); kind.addEventListener('change', filter); filter(); }
const labels = new Map();
for (const button of $('.label')) button.addEventListener('click', () => {
  const row = button.closest('.flip');
  labels.set(row.dataset.example, {form: 'l1', kind: 'pairwise', study: document.body.dataset.study, example_id: row.dataset.example,
    first: row.dataset.candidate, second: row.dataset.baseline, label: button.value, rater: document.getElementById('rater').value || 'reviewer', labelled_at: new Date().toISOString().replace('Z', '')});
  for (const other of row.querySelectorAll('.label')) other.setAttribute('aria-pressed', String(other === button));
  document.getElementById('labelled').textContent = labels.size + ' labelled';
});
const save = document.getElementById('save');
if (save) save.addEventListener('click', () => {
  const lines = [...labels.values()].map((label) => JSON.stringify(label)).join('\\n') + '\\n';
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([lines], {type: 'application/x-ndjson'}));
  link.download = 'labels.jsonl'; link.click();
});
"""

_PAGE_STYLE = """<style>
body{margin:0;background:#fff;color:#1f2328}main{max-width:1060px;margin:0 auto;padding:26px 22px 60px}
.po{max-width:none}.po h1{font-size:22px;margin:0 0 4px}.po h2{font-size:17px;margin:26px 0 6px;border-bottom:1px solid #d8dee4;padding-bottom:4px}
.flip{border:1px solid #d8dee4;border-radius:6px;padding:8px 12px;margin:8px 0;break-inside:avoid}.two{display:grid;grid-template-columns:1fr 1fr;gap:12px}
@media(max-width:760px){.two{grid-template-columns:1fr}}
.bar{display:flex;gap:10px;flex-wrap:wrap;align-items:center;margin:8px 0}.bar input,.bar select,.bar button,.label{font:inherit;padding:4px 9px;border:1px solid #afb8c1;border-radius:6px;background:#f6f8fa}
.label[aria-pressed=true]{background:#0072B2;color:#fff}.po pre{max-height:240px}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#d7dbe0;--jp-ui-font-color1:#d7dbe0;--jp-ui-font-color2:#9aa4af;--jp-border-color2:#3b424b;--jp-layout-color2:#161b22}.flip{border-color:#3b424b}.bar input,.bar select,.bar button,.label{background:#161b22;color:#d7dbe0;border-color:#3b424b}.po h2{border-color:#3b424b}}
@media print{.bar,.label{display:none}.po pre{max-height:none;overflow:visible}main{padding:0}}
</style>"""


@dataclass(frozen=True, slots=True)
class _Flip:
    example: str
    gain: float
    inputs: str
    expected: str
    candidate: str
    baseline: str
    reasons: tuple[str, str]


def write_report(study: Study, path: Path) -> Path:
    """Write the report, atomically; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_text(report_html(study), encoding="utf-8")
    os.replace(temporary, path)
    return path


def report_html(study: Study) -> str:
    """The whole page."""
    script_hash = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    try:
        comparison = study.compare() if len(study.config["arms"]) > 1 else None
    except PromptOpsError:
        comparison = None
    body = "".join((_head(study), results(study), _changes(study, comparison), _flipped(study, comparison), _prompts(study), _how(study)))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{esc(study.name)}: promptops report</title>{STYLE}{_PAGE_STYLE}</head>'
        f'<body data-study="{esc(study.id)}"><main><div class="po">{body}</div></main><script>{_SCRIPT}</script></body></html>\n'
    )


def _head(study: Study) -> str:
    return f"<h1>{esc(study.prompt or study.name)}</h1><p class='dim'>promptops report of {esc(study.name)}, made {esc(utc()[:16].replace('T', ' '))} UTC</p>"


def _changes(study: Study, comparison: Comparison | None) -> str:
    """What the candidate says otherwise than the baseline."""
    if comparison is None:
        return ""
    old, new = (study.version_of(arm.version) for arm in (comparison.baseline, comparison.candidate))
    if old is None or new is None:
        return ""
    return f"<h2>What changed from {esc(comparison.baseline.label)} to {esc(comparison.candidate.label)}</h2>{old.diff(new)._repr_html_()}"


def _flipped(study: Study, comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    flips = _flips(study, comparison)
    if not flips:
        return "<h2>Changed examples</h2><p class='dim'>Not one example changed.</p>"
    total = len(comparison.flips())
    cut = f" <span class='dim'>(the {len(flips):,} largest of {total:,})</span>" if total > len(flips) else ""
    tools = (
        "<div class='bar'><input id='find' type='search' placeholder='search in these examples' aria-label='search'>"
        "<select id='kind' aria-label='which'><option value='all'>all</option><option value='lost'>got worse</option><option value='won'>got better</option></select>"
        "<span id='count' class='dim'></span><input id='rater' placeholder='your name, for labels' aria-label='your name'><span id='labelled' class='dim'>0 labelled</span>"
        "<button id='save' type='button'>download labels</button></div>"
    )
    return f"<h2>Changed examples{cut}</h2>{tools}" + "".join(_flip(flip, comparison) for flip in flips)


def _flip(flip: _Flip, comparison: Comparison) -> str:
    b, a = comparison.candidate, comparison.baseline
    kind, word, tint = ("won", "got better", "#0A875B") if flip.gain > 0 else ("lost", "got worse", "#CC5018")
    buttons = "".join(
        f"<button class='label' type='button' value='{value}' aria-pressed='false'>{esc(said)}</button> "
        for value, said in (("first", f"{b.label} is better"), ("tie", "alike"), ("second", f"{a.label} is better"))
    )
    golden = f"<p class='dim'>expected</p><pre>{esc(flip.expected)}</pre>" if flip.expected else ""
    return (
        f"<div class='flip' data-kind='{kind}' data-example='{esc(flip.example)}' data-candidate='{esc(b.version)}' data-baseline='{esc(a.version)}'>"
        f"<p><b>{esc(flip.example)}</b> <span style='color:{tint}'>{word}</span></p><pre>{esc(flip.inputs)}</pre>{golden}<div class='two'>"
        f"<div><p class='dim'>{esc(b.label)}</p><pre>{esc(flip.candidate) or '<i>no answer</i>'}</pre><p class='dim'>{esc(flip.reasons[0])}</p></div>"
        f"<div><p class='dim'>{esc(a.label)}</p><pre>{esc(flip.baseline) or '<i>no answer</i>'}</pre><p class='dim'>{esc(flip.reasons[1])}</p></div></div>{buttons}</div>"
    )


def _flips(study: Study, comparison: Comparison) -> list[_Flip]:
    frame = comparison.flips().head(MOST)
    ids = list(frame["example_id"])
    rows = study._lab.store.rows(
        "select m.version_id, m.example_id, any_value(left(r.output, ?)), any_value(s.reason) from study_runs m join runs r on r.id = m.run_id "
        "left join scores s on s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint and s.scorer = ? "
        "where m.study_id = ? and m.version_id in (?, ?) and m.example_id in (select unnest(?)) and m.repeat = 0 group by 1, 2",
        [_TEXT, comparison.primary_name, study.id, comparison.candidate.version, comparison.baseline.version, ids],
    )
    found = {(version, example): (output or "", reason or "") for version, example, output, reason in rows}
    data = {example.id: example for example in study.dataset}
    out = []
    for example_id, gain in zip(ids, frame["gain"], strict=True):
        example = data.get(example_id)
        new, old = (found.get((arm.version, example_id), ("", "")) for arm in (comparison.candidate, comparison.baseline))
        out.append(
            _Flip(
                example_id,
                float(gain),
                _shown(_asked(study, comparison, example)) if example else "",
                _expected(example),
                new[0],
                old[0],
                (new[1], old[1]),
            )
        )
    return out


def _asked(study: Study, comparison: Comparison, example: Any) -> dict[str, Any]:
    """The inputs that the versions take; all of them where no version is known."""
    versions = [version for arm in (comparison.candidate, comparison.baseline) if (version := study.version_of(arm.version)) is not None]
    names = {variable.name for version in versions for variable in version.variables}
    return {name: value for name, value in example.inputs.items() if name in names} or dict(example.inputs)


def _shown(inputs: Any) -> str:
    if len(inputs) == 1:
        return str(next(iter(inputs.values())))[:_TEXT]
    return "\n".join(f"{name}: {value}" for name, value in inputs.items())[:_TEXT]


def _expected(example: Any) -> str:
    import json

    if example is None or example.expected is None:
        return ""
    value = example.expected
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_TEXT]


def _prompts(study: Study) -> str:
    parts = []
    for place, arm in enumerate(study.config["arms"]):
        version = study.version_of(arm["version"])
        if version is not None:
            name = chip(arm["label"], colour(arm.get("number") or place + 1))
            parts.append(
                f"<p>{name} <span class='dim'>{esc(version.id)} · model {esc(version.model or 'none')} · answered by {esc(arm['endpoint'])}</span></p>{template_html(version.template)}"
            )
    return f"<h2>The versions</h2>{''.join(parts)}" if parts else ""


def _how(study: Study) -> str:
    config = study.config
    facts: Sequence[tuple[str, Any]] = (
        ("study", study.id),
        ("dataset", f"{config['dataset']['name']} ({config['dataset']['n']:,} examples), fingerprint {config['dataset']['fingerprint']}"),
        ("split", config.get("split") or "all rows"),
        ("repeats", config["repeats"]),
        ("scorers", ", ".join(f"{scorer['name']} (version {scorer['version']})" for scorer in config["scorers"])),
    )
    rows = "".join(f"<tr><td>{esc(name)}</td><td>{esc(value)}</td></tr>" for name, value in facts)
    return f"<h2>How to see this again</h2><table>{rows}</table><pre>from promptops.lab import Lab\nLab().study({esc(repr(study.name))}).compare()</pre>"
