"""A live call that fails is in the dashboard by itself and becomes an example in three clicks; a
new version is evaluated on it and promoted, and the tab shows the difference by version.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops.observe.open_queues import open_queue

sys.path.insert(0, str(Path(__file__).parent))
from harness import idle, jupyterlab, notebook, open_notebook

pytestmark = pytest.mark.browser

NAME = "support-triage"
SETUP = """
import os
os.environ["PROMPTOPS_RECORD"] = {spool!r}
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
def answer(request):
    text = request["messages"][-1]["content"]
    knows = "one word" in text or (text[-1].isdigit() and int(text[-1]) % 3)
    return "billing" if knows else " "
lab = Lab("project", models={{"m": ScriptedModel(answer)}})
v1 = lab.prompt("support-triage").save("Classify: {{{{ticket}}}}", model="m")
lab.promote(v1, env="prod", force=True, reason="what the code had")
"""
IMPROVE = """
found = Dataset.read("project/data/from_live.jsonl")
rows = [{"id": e.id, "ticket": e.inputs["ticket"], "expected": e.expected} for e in found]
more = [{"id": f"r{n}", "ticket": f"invoice {n}", "expected": "billing"} for n in range(90)]
v2 = lab.prompt("support-triage").save("In one word, classify: {{ticket}}", model="m")
study = lab.evaluate([v1, v2], Dataset.read([*more, *rows]), [equals()]).wait()
lab.promote(v2, env="prod", study=study)
"""
WITHIN_S = 5.0  # on a quiet machine; where it is busy, so much longer than a look takes


def run(page: Any, cell: int) -> None:
    """Run one cell and wait for it."""
    page.evaluate(
        "async (n) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = n; await"
        " window.jupyterapp.commands.execute('notebook:run-cell'); }",
        cell,
    )
    idle(page)


def serve(registry: Path, ticket: str, text: str) -> None:
    """One call of the application, whose answer a person may correct."""
    prompt = promptops.load(NAME, registry=str(registry), env="prod")
    with promptops.call(prompt, ticket=ticket) as call:
        call.answer = text
    if not text.strip():
        assert promptops.feedback(str(call.id), good=False, correction="billing", by="agent 7")
    assert promptops.observe.flush(30)


def row_of(page: Any, version: str) -> str:
    """A version's row in the table of the tab."""
    cells = page.locator(f"tr:has(td:text-is('{version}'))").filter(has_text="%").first
    cells.wait_for(state="attached", timeout=60_000)
    return str(cells.text_content())


def test_from_a_failure_to_the_difference_by_version(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application records; the tab shows it without a click; the tab, the call and the button
    make it an example; the new version that is promoted on it fails less, with its interval.
    """
    spool, work = tmp_path / "spool", tmp_path / "work"
    monkeypatch.setenv("PROMPTOPS_RECORD", str(spool))
    monkeypatch.setenv("PROMPTOPS_CONTENT", "1")
    work.mkdir()
    cells = [SETUP.format(spool=str(spool)), "lab.dashboard()", IMPROVE]
    (work / "live.ipynb").write_text(notebook(cells))
    registry = work / "project" / "promptops.json"
    with jupyterlab(work, tmp_path / "jupyter") as url:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        open_notebook(page, url, "live.ipynb")
        run(page, 0)
        run(page, 1)
        page.locator(".lm-TabBar-tab:has-text('Live')").last.click(timeout=60_000)  # the first
        page.get_by_text("No live calls are recorded here yet").first.wait_for(timeout=30_000)
        serve(registry, "empty-answer", " ")
        began = time.monotonic()
        page.get_by_text(f"{NAME} in prod").first.wait_for(state="attached", timeout=60_000)
        shown = time.monotonic() - began
        serve(registry, "another-one", " ")
        choice = page.locator("select").filter(has_text="empty-answer")
        page.wait_for_function(
            "[...document.querySelectorAll('select option')]"
            ".some((one) => one.textContent.includes('another-one'))",
            timeout=60_000,
        )
        choice.select_option(index=1)  # the second
        page.locator("pre:has-text('ticket: empty-answer')").first.wait_for(timeout=30_000)
        page.locator("button:has-text('Add as example')").click()  # the third
        page.get_by_text("It is a new example of data/from_live.jsonl").wait_for(timeout=30_000)
        run(page, 2)
        assert promptops.load(NAME, registry=str(registry), env="prod").number == 2
        for number in range(30):
            serve(registry, f"invoice {number}", "billing")
        assert "0.0 % (0.0 to" in row_of(page, "v2")
        assert "100.0 % (34.2 to 100.0)" in row_of(page, "v1")
        page.screenshot(path=str(tmp_path / "live.png"))
        page.close()
    open_queue(str(spool)).close()
    print(f"shown {shown:.1f} s after it was recorded (promised: {WITHIN_S:g} s)")
    [line] = (work / "project" / "data" / "from_live.jsonl").read_text().splitlines()
    assert "empty-answer" in line
    assert "billing" in json.dumps(json.loads(line))
