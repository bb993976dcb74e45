"""A study in its cell: the widget follows it a few times a second, its button stops it, and it
becomes the results.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.views import live

ROWS = [{"id": f"q{i}", "question": f"is {i} so", "expected": "yes"} for i in range(200)]


def until(holds: Callable[[], object]) -> None:
    """Wait, for as long as a busy machine may need."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def running(make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A slow study that runs on as in a notebook; it is not through before a test has seen it."""
    asked = itertools.count()

    def answer(request: dict[str, Any]) -> str:
        time.sleep(0.02 if next(asked) < 150 else 0.2)
        return "yes"

    monkeypatch.setattr("promptops.lab.ask_models.in_kernel", lambda: True)
    lab = make_lab(models={"slow": ScriptedModel(answer, label="slow")})
    prompt = lab.prompt("ask")
    versions = [
        prompt.save("{{question}}", model="slow"),
        prompt.save("Well: {{question}}", model="slow"),
    ]
    study = lab.evaluate(versions, Dataset.read(ROWS), [equals()], concurrency=2)
    yield study
    study.progress.stop()
    study.wait()


def test_it_shows_progress_a_few_times_a_second_in_place(running: Any) -> None:
    """The same widget changes; at most five times a second; counts only grow."""
    widget = live.LiveStudy(running)
    seen: list[tuple[float, str]] = []
    widget.view.observe(
        lambda change: seen.append((time.monotonic(), change["new"])), names="value"
    )
    began = time.monotonic()
    widget.display()
    until(lambda: seen and time.monotonic() > began + 1.6)
    taken = time.monotonic() - began
    assert running.status == "running"
    assert 1 <= len(seen) <= 5 * taken + 1
    assert "of 400 calls" in seen[-1][1]
    assert widget.box.children == (widget.view, widget.stop)


def test_a_notebook_saved_while_it_runs_says_how_far_it_was(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kept page follows the widget, more slowly, and says that the study ran."""
    monkeypatch.setattr(live, "_KEEP_S", 0.3)
    kept: list[str] = []
    monkeypatch.setattr(live.Shown, "keep", lambda self, html, text: kept.append(html))
    began = time.monotonic()
    live.LiveStudy(running).display()
    until(lambda: kept and time.monotonic() > began + 1.6)
    taken = time.monotonic() - began
    assert running.status == "running"
    assert 1 <= len(kept) <= taken / 0.3
    assert "was running when this was kept" in kept[-1]
    assert "of 400 calls" in kept[-1]


def test_its_button_stops_it_and_it_becomes_the_results(running: Any) -> None:
    """Within a second nothing more is asked; the widget shows results without a button; what was
    answered is kept.
    """
    widget = live.LiveStudy(running)
    widget.display()
    until(lambda: running.progress.calls.done)
    began = time.monotonic()
    widget.stop.click()
    running.wait(10)
    assert time.monotonic() - began < 8  # one second, and a machine that does other things
    assert widget.stop.disabled
    until(lambda: widget.stop not in widget.box.children)
    assert widget.box.children == (widget.view, widget.more)
    assert "stopped" in widget.view.value
    assert "stopped" in widget.shown().still()["text/html"]
    widget.more.click()  # the way down to the examples, read when it is asked for
    assert "biggest loss first" in widget.box.children[1].children[2].html
    done = running.recorded.project.store.rows("select count(*) from runs where failure is null")[
        0
    ][0]
    assert 0 < done < 400


def test_losses_can_be_read_while_it_runs(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest examples on which the last arm is worse than the first stand in the widget before
    the study is done; text stays text.
    """
    monkeypatch.setattr("promptops.lab.ask_models.in_kernel", lambda: True)

    looked = threading.Event()

    async def answer(request: dict[str, Any]) -> str:
        while len(model.calls) > 200 and not looked.is_set():
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.005)
        text = request["messages"][-1]["content"]
        return "<b>no</b>" if text.startswith("Well") and int(text.split()[-2]) % 3 == 0 else "yes"

    model = ScriptedModel(answer, label="slow")
    lab = make_lab(models={"slow": model})
    prompt = lab.prompt("ask")
    versions = [
        prompt.save("{{question}}", model="slow"),
        prompt.save("Well: {{question}}", model="slow"),
    ]
    study = lab.evaluate(versions, Dataset.read(ROWS), [equals()], concurrency=2)
    until(lambda: study.progress.losses.count >= 5)
    shown = live.snapshot(study)
    assert study.status == "running"
    looked.set()
    assert "v2 has lost" in shown
    assert "&lt;b&gt;no&lt;/b&gt;" in shown
    assert "<b>no</b>" not in shown
    study.wait()
    lost = study.compare(candidate="v2", baseline="v1").flips()
    assert study.progress.losses.count == len(lost) == 67
    assert {loss.example_id for loss in study.progress.losses.newest} <= set(lost["example_id"])


def test_two_arms_side_by_side_show_themselves(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`study.review.examples()` as the last line of a cell is the examples' view, of the arms
    that were named.
    """
    from promptops.views.examples_view import ExamplesView

    shown: list[ExamplesView] = []
    monkeypatch.setattr(ExamplesView, "_ipython_display_", lambda view: shown.append(view))
    found = running.review.examples()
    found._ipython_display_()
    assert shown[0].examples is found
