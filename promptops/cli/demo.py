"""`promptops demo`: the whole story on the embedded model, in a new folder, with real progress and
a closing summary.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Refused
from .folding import tell
from .tour import tour_files

if TYPE_CHECKING:
    from ..lab import Dataset, Lab, Study
    from ..lab.prompt import SavedVersion

__all__ = ["demo"]

NAME = "support-triage"
SYSTEM = """You triage support tickets of a company with several products. Answer with one JSON \
object and nothing else, with the keys user_id, category and priority.
user_id: the customer's id as it stands in the ticket, like u-48213, or null where there is none.
category: one of billing, bug, how_to, account, shipping, feedback.
priority: one of low, normal, high, urgent.
Never mention Acme."""
DEFINITIONS = """
Categories:
- billing: money: charged, payment, refund, invoice, receipt, price, discount, subscription, \
renewal, credit card, tax
- bug: something does not work as it should: error, crash, freeze, broken, wrong, stopped, empty, \
lost, since the update
- how_to: a question how to do something: how do I, where do I find, can I, is it possible, is \
there a way, setting
- account: sign in, login, password, code, two-factor, locked out, profile, delete my account, \
members, roles
- shipping: parcel, package, delivery, courier, tracking, address, arrived, customs, return label, \
missing part
- feedback: thank you, love, great, praise, criticism, wish, idea, suggestion, would be nice, and \
everything else

Priorities:
- urgent: danger, smoke, somebody may be hurt; money or data is being lost right now; today, \
tomorrow, within 24 hours
- high: charged wrongly, refund overdue, cannot use it at all, locked out, data out of reach, this \
week
- normal: an answer or a repair is due, the rest works
- low: praise, wishes, ideas, curiosity, no hurry, a question before buying"""
_APP = """
import sys, promptops
prompt = promptops.load("support-triage", env="prod")
request = prompt.request(ticket="I was charged twice (user u-20417)")
extras = sorted({name.partition(".")[0] for name in sys.modules}\
 & {"numpy", "pandas", "duckdb", "openai", "plotly"})
count = len(request["messages"])
print(f"v{prompt.number} from {prompt.source}, {count} message{'s' * (count != 1)}, extras loaded:\
 {extras or 'none'}")
"""


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def demo(folder: Path | None) -> None:
    """Run the whole story in FOLDER [default: a new promptops-demo]."""
    from ..lab import Dataset, Lab

    began = time.perf_counter()
    home = folder or _fresh(Path("promptops-demo"))
    home.mkdir(parents=True, exist_ok=True)
    (home / "support_tickets.jsonl").write_bytes(tour_files()["data/support_tickets.jsonl"])
    lab = Lab(home)
    v1, v2 = _versions(lab)
    tickets = Dataset.read(home / "support_tickets.jsonl", expected="expected")
    study = _study(lab, v1, v2, tickets)
    _step(
        "4  Promotion, carried by evidence",
        "the first deployment has no incumbent; after that a version must beat what serves.",
    )
    _deploy(lab, study, v1, v2)
    _step(
        "5  The application",
        "a process of its own, standard library only, reads the one registry file.",
    )
    tell(f"   {_application(home)}")
    _step("6  Rollback", "one call, no gate, logged.")
    back = lab.rollback(v2, env="prod", reason="the demo shows how")
    tell(f"   {back!r}\n   {_application(home)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = lab.promote(v2, env="prod", study=study, override="the demo is over")
    tell(f"   {again!r}\n   {_application(home)}")
    report = study.report(home / "report.html")
    _close(home, report, repr(again), time.perf_counter() - began)


def _versions(lab: Lab) -> tuple[SavedVersion, SavedVersion]:
    _step(
        "1  Two versions of one prompt",
        "the text that was in the code, and one that says what it wants. The embedded model"
        " answers: it is not an LLM.",
    )
    triage = lab.prompt(NAME)
    v1 = triage.save(
        "Classify this ticket: {{ticket}}", model="embedded", note="what we had in the code"
    )
    v2 = triage.save(
        _messages(SYSTEM + DEFINITIONS),
        model="embedded",
        note="labels, definitions and JSON",
        temperature=0,
    )
    tell(f"   {v1!r}\n   {v2!r}")
    answer = v2(ticket="I was charged twice for March, please refund one. My id is u-20417.")
    tell(f"   asked once: {answer.text}   [{answer.facts()}]")
    return v1, v2


def _study(lab: Lab, v1: SavedVersion, v2: SavedVersion, tickets: Dataset) -> Study:
    _step(
        "2  A study",
        f"{len(tickets)} tickets, both versions, three scorers; every run is recorded.",
    )
    study = lab.evaluate([v1, v2], tickets, _scorers())
    for row in _arms(study):
        tell(f"   {row}")
    _step("3  What the data say", "paired by example, with an exact test.")
    tell(f"   {study.compare(candidate=v2, baseline=v1).statement()}")
    return study


def _messages(system: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": "{{ticket}}"}]


def _scorers() -> list[Any]:
    from ..scorers import json_equals, json_has, never_mentions

    return [json_equals(), json_has("user_id"), never_mentions("Acme")]


def _arms(study: Study) -> list[str]:
    from ..views.study_view import arm_rows

    return [
        f"{row['label']}  {study.record.scorer_names[0]}: {row['text']}" for row in arm_rows(study)
    ]


def _deploy(lab: Lab, study: Study, v1: object, v2: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said in step 1: the embedded model is no LLM
        tell(f"   {lab.promote(v1, env='prod', study=study)!r}")
        tell(f"   {lab.promote(v2, env='prod', study=study)!r}")
        try:
            lab.promote(v1, env="prod", study=study, override="to show the gate")
        except Refused as error:
            tell(f"   and back again, to a version that is worse? Refused: {error.reasons[0]}")


def _application(home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _APP],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip() or f"failed: {done.stderr.strip()[-300:]}"


def _step(title: str, wording: str) -> None:
    tell(f"\n{click.style(title, bold=True)} {click.style('— ' + wording, dim=True)}")


def _fresh(base: Path) -> Path:
    """A folder that is not there yet."""
    found, number = base, 1
    while found.exists():
        number += 1
        found = base.with_name(f"{base.name}-{number}")
    return found


def _close(home: Path, report: Path, summary: str, seconds: float) -> None:
    tell(f"\n{click.style('Done', bold=True)} in {seconds:.0f} s: {summary.strip('<>')}")
    for what, path in (
        ("registry (commit it)", "promptops.json"),
        ("evidence (commit it)", "promptops.evidence/"),
        ("every run", ".promptops/"),
        ("report for reviewers", report.name),
    ):
        tell(f"   {what:22} {home / path}")
    tell(f"\nNext: open {report} in a browser, or run `promptops lab` for the notebooks.")
