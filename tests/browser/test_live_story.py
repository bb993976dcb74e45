"""A live call that fails is in the dashboard by itself, and becomes an example in three clicks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import PromptVersion
from promptops.observe.open_queues import open_queue
from promptops.registry.served_version import Served

sys.path.insert(0, str(Path(__file__).parent))
from harness import idle, jupyterlab, notebook, open_notebook

pytestmark = pytest.mark.browser

SERVED = Served("support-triage", "prod", PromptVersion("Classify: {{ticket}}", model="m"), 3)
SETUP = """
import os
os.environ["PROMPTOPS_RECORD"] = {spool!r}
from promptops.lab import Lab
lab = Lab("project")
"""
WITHIN_S = 5.0  # on a quiet machine; where it is busy, so much longer than a look takes


def test_a_failure_is_seen_and_becomes_an_example(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application records; the tab shows it without a click; the tab, the call and the button
    make it an example.
    """
    spool = tmp_path / "spool"
    monkeypatch.setenv("PROMPTOPS_RECORD", str(spool))
    monkeypatch.setenv("PROMPTOPS_CONTENT", "1")
    work = tmp_path / "work"
    work.mkdir()
    cells = [SETUP.format(spool=str(spool)), "lab.dashboard()"]
    (work / "live.ipynb").write_text(notebook(cells))
    with jupyterlab(work, tmp_path / "jupyter") as url:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        open_notebook(page, url, "live.ipynb")
        page.evaluate(
            "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        idle(page)
        page.locator(".lm-TabBar-tab:has-text('Live')").last.click(timeout=60_000)  # the first
        page.get_by_text("No live calls are recorded here yet").first.wait_for(timeout=30_000)
        with promptops.call(SERVED, ticket="empty-answer") as call:
            call.answer = " "
        assert promptops.observe.flush(30)
        began = time.monotonic()
        page.get_by_text("support-triage in prod").first.wait_for(state="attached", timeout=60_000)
        shown = time.monotonic() - began
        with promptops.call(SERVED, ticket="another-one") as call:
            call.answer = " "
        assert promptops.observe.flush(30)
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
        page.screenshot(path=str(tmp_path / "live.png"))
        page.close()
    open_queue(str(spool)).close()
    print(f"shown {shown:.1f} s after it was recorded (promised: {WITHIN_S:g} s)")
    assert "empty-answer" in (work / "project" / "data" / "from_live.jsonl").read_text()
