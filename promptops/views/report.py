"""One HTML file for people who review: it needs no network, no server and no Python, prints well,
and runs one script of its own.

Outputs are data: everything is escaped, and the page's own policy forbids any script but that one,
any image, any connection. A reviewer filters the changed examples and labels them there; the labels
download as JSON lines.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc
from ..plain_file import write_target
from ..run import utc
from .changed_examples import Changed, changed_examples
from .drift_view import monitors_html
from .environments import serving_html, serving_line
from .folds import PAGE, flip, listed, opened
from .grid import grid
from .prompt_view import template_html
from .study_view import results
from .theme import ROOT, STYLE, chip, colour

if TYPE_CHECKING:
    from ..lab.comparison import Comparison
    from ..lab.study import Study

__all__ = ["report_html", "write_report"]

MOST = 400  # changed examples in a report

_SCRIPT = """
const $ = (q) => [...document.querySelectorAll(q)];
const rows = $('.flip'), folds = $('.more');
const text = document.getElementById('find'), kind = document.getElementById('kind');
const count = document.getElementById('count');
const words = new Map();
function filter() {
  const wanted = text.value.toLowerCase(), narrow = wanted || kind.value !== 'all'; let shown = 0;
  for (const row of rows) {
    if (!words.has(row)) words.set(row, row.textContent.toLowerCase());
    const on = (kind.value === 'all' || row.dataset.kind === kind.value)
      && (!wanted || words.get(row).includes(wanted));
    row.hidden = !on; shown += on;
  }
  for (const fold of folds) if (narrow) fold.open = true;
  count.textContent = shown + ' of ' + rows.length + (narrow ? ' match' : '');
}
if (text) {
  text.addEventListener('input', filter);
  kind.addEventListener('change', filter);
  filter();
}
let closed = [];
window.addEventListener('beforeprint', () => {
  const inside = (one) => one.closest('.more:not([open])');
  closed = $('details:not(.more):not([open])').filter((one) => !inside(one));
  for (const one of closed) one.open = true;
});
window.addEventListener('afterprint', () => {
  for (const one of closed) one.open = false;
  closed = [];
});
const labels = new Map();
for (const button of $('.label')) button.addEventListener('click', () => {
  const row = button.closest('.flip');
  labels.set(row.dataset.example, {
    form: 'l1', kind: 'pairwise', study: document.body.dataset.study,
    example_id: row.dataset.example, first: row.dataset.candidate, second: row.dataset.baseline,
    label: button.value, rater: document.getElementById('rater').value || 'reviewer',
    labelled_at: new Date().toISOString().replace('Z', ''),
  });
  for (const other of row.querySelectorAll('.label'))
    other.setAttribute('aria-pressed', String(other === button));
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

_TOOLS_STYLE = """<style>
.bar{display:flex;gap:10px;flex-wrap:wrap;align-items:center;margin:8px 0}
.bar input,.bar select,.bar button,.label{font:inherit;max-width:100%;padding:4px 9px;
  border:1px solid #afb8c1;border-radius:6px;background:#f6f8fa}
.label[aria-pressed=true]{background:#0072B2;color:#fff}
:is(input,select,button,summary):focus-visible{outline:2px solid #0072B2;outline-offset:2px}
@media(prefers-color-scheme:dark){
.bar input,.bar select,.bar button,.label{background:#161b22;color:#d7dbe0;border-color:#3b424b}}
@media print{.bar,.label{display:none}}
</style>"""


def write_report(study: Study, path: Path) -> Path:
    """Write the report, atomically; returns its path."""
    page = study.recorded.project.store.clean(report_html(study))  # it is made to be sent around
    path.parent.mkdir(parents=True, exist_ok=True)
    write_target(path, page)
    return path


def report_html(study: Study, *, made: str = "", above: str = "") -> str:
    """The whole page.

    Args:
        made: the moment that the report names (UTC); the present by default.
        above: safe markup before the heading, such as the way back to a site.
    """
    script_hash = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script_hash}';"
        " base-uri 'none'; form-action 'none'"
    )
    try:
        comparison = study.compare() if len(study.record.arms) > 1 else None
    except PromptOpsError:
        comparison = None
    parts = (
        above,
        _head(study, made or utc()),
        results(study, texts=False),
        _serves(study),
        _watched(study),
        _changes(study, comparison),
        _flipped(study, comparison),
        _prompts(study),
        _how(study),
    )
    body = "".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta'
        f' http-equiv="Content-Security-Policy" content="{policy}"><meta name="viewport"'
        f' content="width=device-width, initial-scale=1"><title>{esc(study.name)}: promptops'
        f" report</title>{STYLE}{PAGE}{_TOOLS_STYLE}</head><body"
        f' data-study="{esc(study.id)}"><main><div'
        f' class="{ROOT}">{body}</div></main><script>{_SCRIPT}</script></body></html>\n'
    )


def _head(study: Study, made: str) -> str:
    """Whose report it is, and what of the prompt served when it was made."""
    prompt, project = study.record.prompt, study.recorded.project
    serves = serving_line(project, prompt) if prompt in project.registry.names() else ""
    return (
        f"<h1>{esc(prompt or study.name)}</h1><p class='dim'>promptops report of"
        f" {esc(study.name)}, made {esc(made[:16].replace('T', ' '))} UTC</p>{serves}"
    )


def _serves(study: Study) -> str:
    """What is in each environment, since when, by whom and why, on the day of the report."""
    if study.record.prompt not in study.recorded.project.registry.names():
        return ""
    return (
        "<h2>What serves</h2><p class='dim'>When this report was"
        f" made.</p>{serving_html(study.recorded.project, study.record.prompt)}"
    )


def _watched(study: Study) -> str:
    """The drift monitors of the prompt: evidence over days against its bar, and alarms."""
    prompt = study.record.prompt
    found = monitors_html(study.recorded.project, prompt) if prompt else ""
    return f"<h2>Drift monitors</h2>{found}" if found else ""


def _changes(study: Study, comparison: Comparison | None) -> str:
    """What the candidate says otherwise than the baseline."""
    if comparison is None:
        return ""
    old, new = (
        study.recorded.version_of(arm.version)
        for arm in (comparison.baseline, comparison.candidate)
    )
    if old is None or new is None:
        return ""
    return (
        f"<h2>What changed from {esc(comparison.baseline.label)} to"
        f" {esc(comparison.candidate.label)}</h2>{old.diff(new).html()}"
    )


def _flipped(study: Study, comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    flips = changed_examples(comparison, MOST, study.recorded)
    ids = {example.id for example in study.recorded.dataset}
    changed = comparison.flips()["example_id"]
    total = sum(example in ids for example in changed)
    earlier = len(changed) - total
    elsewhere = (
        f"<p class='dim'>{words.count(earlier, 'changed example')} of earlier studies"
        f" {'is' if earlier == 1 else 'are'} counted above; the texts are in the reports of those"
        " studies.</p>"
        if earlier
        else ""
    )
    if not flips:
        nothing = "" if earlier else "<p class='dim'>Not one example changed.</p>"
        return f"<h2>Changed examples</h2>{nothing}{elsewhere}"
    cut = (
        f" <span class='dim'>(the {len(flips):,} largest of {total:,})</span>"
        if total > len(flips)
        else ""
    )
    tools = (
        "<div class='bar'><input id='find' type='search' placeholder='search in these examples'"
        " size='24'"
        " aria-label='search'><select id='kind' aria-label='which'><option"
        " value='all'>all</option><option value='lost'>got worse</option><option value='won'>got"
        " better</option></select><span id='count' class='dim'></span><input id='rater'"
        " placeholder='your name, for labels' aria-label='your name'><span id='labelled'"
        " class='dim'>0 labelled</span><button id='save' type='button'>download"
        " labels</button></div>"
    )
    lost, won = ([each for each in flips if (each.gain > 0) is up] for up in (False, True))
    return f"<h2>Changed examples{cut}</h2>{elsewhere}{tools}" + listed(
        [_flip(each, comparison, opened=opened(place)) for place, each in enumerate(lost)],
        [_flip(each, comparison) for each in won],
    )


def _flip(found: Changed, comparison: Comparison, *, opened: bool = False) -> str:
    b, a = comparison.candidate, comparison.baseline
    buttons = "".join(
        f"<button class='label' type='button' value='{value}'"
        f" aria-pressed='false'>{esc(text)}</button> "
        for value, text in (
            ("second", f"{a.label} is better"),
            ("tie", "equally good"),
            ("first", f"{b.label} is better"),
        )
    )
    golden = (
        f"<p class='dim'>golden answer</p><pre>{esc(found.expected)}</pre>"
        if found.expected
        else ""
    )
    sides = "".join(
        f"<div><p class='dim'>{esc(arm.label)}</p><pre>{esc(output) or '<i>no answer</i>'}</pre><p"
        f" class='dim'>{esc(reason)}</p></div>"
        for arm, output, reason in zip((a, b), found.answers, found.reasons, strict=True)
    )
    body = f"<pre>{esc(found.asked)}</pre>{golden}<div class='two'>{sides}</div>{buttons}"
    names = (
        f" data-example='{esc(found.example)}' data-candidate='{esc(b.version)}'"
        f" data-baseline='{esc(a.version)}'"
    )
    return flip(found.example, found.asked, body, gain=found.gain, attributes=names, opened=opened)


def _prompts(study: Study) -> str:
    parts = []
    for place, arm in enumerate(study.record.arms):
        version = study.recorded.version_of(arm.version)
        if version is not None:
            name = chip(arm.label, colour(arm.number or place + 1))
            parts.append(
                f"<p>{name} <span class='dim'>{esc(version.id)} · model"
                f" {esc(version.model or 'none')} · answered by"
                f" {esc(arm.endpoint)}</span></p>{template_html(version.template)}"
            )
    return f"<h2>The versions</h2>{''.join(parts)}" if parts else ""


def _how(study: Study) -> str:
    record = study.record
    facts: Sequence[tuple[str, Any]] = (
        ("study", study.id),
        (
            "dataset",
            (
                f"{record.dataset.name} ({record.dataset.n:,} examples), fingerprint"
                f" {record.dataset.fingerprint}"
            ),
        ),
        ("split", record.split or "all rows"),
        ("repeats", record.repeats),
        (
            "scorers",
            ", ".join(f"{scorer.name} (version {scorer.version})" for scorer in record.scorers),
        ),
    )
    table = grid(
        ["what", "which"],
        [(esc(name), esc(value)) for name, value in facts],
        caption="what this report rests on",
    )
    return (
        f"<h2>How to see this again</h2>{table}<pre>from promptops.lab import"
        f" Lab\nLab().study({esc(repr(study.name))}).compare()</pre>"
    )
