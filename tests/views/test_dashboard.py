"""The dashboard without a browser: every button and key does what it says, read-only has none that
writes, and bad data stay data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, similar_to
from promptops.views.dashboard import TABS, Dashboard

HOSTILE = (
    "<script>window.hit=1</script><img src=x"
    " onerror='window.hit=1'>$\\href{javascript:alert(1)}{x}$<a"
    " href='javascript:window.hit=1'>x</a>"
)
TICKETS = [
    {
        "id": f"t{i:02}",
        "ticket": f"ticket number {i}",
        "expected": "yes" if i % 4 else "no",
        "tags": ["even"] if i % 2 == 0 else [],
    }
    for i in range(40)
]


def first(request: dict[str, Any]) -> str:
    """Wrong on every "no", in two ways, so that it does not give one answer to everything."""
    number = int(request["messages"][-1]["content"].split()[-1])
    return "yes" if number % 16 else "maybe"


def clever(request: dict[str, Any]) -> str:
    """Right but for three tickets, where it is hostile."""
    number = int(request["messages"][-1]["content"].split()[-1])
    return HOSTILE if number in (1, 2, 3) else "yes" if number % 4 else "no"


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    models = {
        "yes": ScriptedModel(first, label="yes"),
        "clever": ScriptedModel(clever, label="clever"),
    }
    made = make_lab(models=models)
    prompt = made.prompt("triage")
    versions = [
        prompt.save("Judge: {{ticket}}", model="yes", note="first"),
        prompt.save("Judge well: {{ticket}}", model="clever"),
    ]
    path = made.project.root / "tickets.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in TICKETS))
    study = made.evaluate(
        versions,
        Dataset.read(path, tags="tags"),
        [equals(), similar_to()],
        name="first look",
    )
    made.promote(versions[0], env="prod", study=study)
    return made


def texts(widget: Any) -> str:
    """All markup below a widget."""
    own = [
        value for name in ("html", "value") if isinstance(value := getattr(widget, name, None), str)
    ]
    return "\n".join([*own, *(texts(child) for child in getattr(widget, "children", ()))])


def test_every_tab_opens_and_holds_no_markup_of_the_data(lab: Lab) -> None:
    """Model output is shown as text in every view: no tag, no mathematics, no address of its
    own.
    """
    board: Dashboard = lab.dashboard()
    for name in TABS:
        view = board.open(name)
        if name == "Watch":
            assert "Nothing is watched yet" in texts(view.box)
        else:
            assert type(view).__name__ != "_Empty", name
        if name == "Examples":
            view.pane.press("l")
            assert "&lt;script&gt;window.hit=1" in view.pane.html
        shown = texts(view.box) + board.static()
        for bad in ("<script", "<img", "<a ", "onerror='", "$"):
            assert bad not in shown.replace("<textarea", ""), (name, bad)


def test_examples_are_filtered_paged_and_chosen_by_keys(lab: Lab) -> None:
    """l shows the lost ones, j and k move, digits choose, n turns the page; search, tag and scorer
    narrow it down.
    """
    view = lab.dashboard().open("Examples")
    assert (view.page.total, view.page.all, len(view.rows)) == (40, 40, 12)
    view.pane.press("n")
    assert view.first == 12
    view.pane.press("l")
    assert [row.example_id for row in view.rows] == ["t01", "t02", "t03"]
    view.pane.press("j")
    view.pane.press("j")
    view.pane.press("j")  # at the end it stays
    assert view.chosen == "t03"
    view.pane.press("k")
    assert view.chosen == "t02"
    view.pane.press("1")
    assert view.chosen == "t01"
    view.pane.press("w")
    assert view.page.total == 10
    view.pane.press("a")
    view.text.value = "number 17"
    assert [row.example_id for row in view.rows] == ["t17"]
    view.text.value = ""
    view.tag.value = "even"
    assert view.page.total == 20
    view.pane.press("?")
    assert "next and previous" in view.pane.html
    view.text.value = "x'; drop table runs; --"
    assert view.page.total == 0
    assert "choose other filters" in view.pane.html
    assert lab.store.rows("select count(*) from runs")[0][0] == 80


def test_a_failure_becomes_a_test_in_one_click(lab: Lab) -> None:
    """Pinned, it stands in the prompt's policy; a corrected golden answer stands in its line of the
    file, and no other line changes.
    """
    view = lab.dashboard().open("Examples")
    view.pane.press("l")
    view.pin.click()
    assert lab.project.registry.policy("triage").must_pass == ("t01",)
    assert "must-pass" in view.pane.html
    view.pin.click()
    assert lab.project.registry.policy("triage").must_pass == ()
    before = (lab.project.root / "tickets.jsonl").read_text().splitlines()
    view.golden.value = "maybe"
    view.save.click()
    after = (lab.project.root / "tickets.jsonl").read_text().splitlines()
    assert [
        place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new
    ] == [1]
    assert Dataset.read(lab.project.root / "tickets.jsonl").get("t01").expected == "maybe"


def test_labels_are_blind_rows_and_agree(lab: Lab) -> None:
    """What is shown names no version; what is stored names the run; a key labels, b takes it back,
    two raters are compared.
    """
    view = lab.dashboard().open("Label")
    study = lab.study("first look")
    shown = re.sub(r"<style>.*?</style>", "", view.pane.html, flags=re.S)
    assert not re.search(r"\bv[12]\b|p1-|r-[0-9a-f]{32}", shown)
    for rater in ("ana", "bo"):
        view.rater.value = rater
        for _ in range(13):
            task = view.task
            side = next(
                (
                    place
                    for place, output in enumerate(task.outputs)
                    if output == ("yes" if int(task.example_id[1:]) % 4 else "no")
                ),
                None,
            )
            view.pane.press("2" if side is None else "13"[side])
    assert view.task is None
    frame = study.review.labels()
    assert (len(frame), set(frame["rater"]), set(frame["label"])) == (
        26,
        {"ana", "bo"},
        {"first", "second"},
    )
    assert frame.groupby("example_id")["value"].nunique().max() == 1  # whichever side it stood on
    among = study.review.agreement()
    assert (among.items, among.equal, among.alpha.alpha) == (13, 1.0, 1.0)
    assert "ana, bo" in view.among.value
    view.pane.press("b")
    assert view.task is not None
    view.kind.value = "rubric"
    assert view.labelling.total == 80


def test_promotion_shows_the_gate_first_asks_once_and_is_undone(lab: Lab) -> None:
    """The gate's answer stands there before the click; the first click asks, the second acts; so
    does the way back.
    """
    board = lab.dashboard()
    view = board.open("Registry")
    assert "the gate would refuse" in view.gate.value or "lets it through" in view.gate.value
    assert view.version.value == 2
    view.promote.click()
    assert lab.project.registry.environments("triage") == {"prod": 1}
    assert "Yes: v2 to prod" in view.promote.description
    view.cancel.click()
    assert view.promote.description == "Promote"
    view.promote.click()
    view.promote.click()
    refused = "the gate would refuse" in view.gate.value
    assert lab.project.registry.environments("triage") == {"prod": 1 if refused else 2}
    view.env.value = "dev"  # ungated
    view.promote.click()
    view.promote.click()
    assert lab.project.registry.environments("triage")["dev"] == 2
    assert "dev: v2" in board.head.value  # at once, as the tab itself
    view.version.value = 1
    view.reason.value = "compare by hand"
    view.promote.click()
    view.promote.click()
    view.rollback.click()
    assert lab.project.registry.environments("triage")["dev"] == 1
    view.rollback.click()
    assert lab.project.registry.environments("triage")["dev"] == 2
    assert "went back to v2" in view.message


def test_the_header_follows_a_deployment_by_code(lab: Lab) -> None:
    """The header tells the same as the tab that is opened, whatever was deployed meanwhile."""
    board = lab.dashboard()
    assert "prod: v1" in board.head.value
    lab.promote(lab.prompt("triage")[2], env="prod", force=True, reason="by hand")
    view = board.open("Registry")
    assert "v2 serves now" in view.view.value
    assert "prod: v2" in board.head.value


def test_a_version_is_edited_rendered_and_saved_with_a_note(lab: Lab) -> None:
    """The render follows the text as it is typed; a fault is said, not raised; saving the same
    again is nothing new.
    """
    view = lab.dashboard().open("Prompts")
    assert "Judge well: ticket number" in view.rendered.value
    box = view.texts.children[0]
    box.value = "Judge kindly: {{ticket"
    assert "role='alert'" in view.rendered.value
    view.save.click()
    assert len(lab.prompt("triage")) == 2
    box.value = "Judge kindly: {{ticket}}"
    assert "Judge kindly: ticket number" in view.rendered.value
    view.note.value = "kinder"
    view.save.click()
    assert (
        len(lab.prompt("triage")),
        lab.prompt("triage")[3].note,
        lab.prompt("triage")[3].model,
    ) == (3, "kinder", "clever")
    assert "v3" in view.table.value
    view.save.click()
    assert len(lab.prompt("triage")) == 3
    assert "saved already" in view.status.value


def test_read_only_writes_nothing_whatever_is_pressed(lab: Lab) -> None:
    """No button that writes is shown, and a message that a browser made up does nothing either."""
    board = Dashboard(lab, writes=False)
    before = (
        lab.project.location.registry.read_bytes(),
        (lab.project.root / "tickets.jsonl").read_bytes(),
        lab.store.rows("select count(*) from labels"),
    )
    views = {name: board.open(name) for name in TABS}
    shown = [widget for view in views.values() for widget in descendants(view.box)]
    for button in (
        views["Examples"].pin,
        views["Examples"].save,
        views["Registry"].promote,
        views["Registry"].rollback,
        views["Prompts"].save,
    ):
        assert button not in shown
        button.click()
        button.click()
    for key in "123sb":
        views["Label"].pane.press(key)
    views["Examples"].pane._heard(None, {"press": {"a": 1}}, [])
    after = (
        lab.project.location.registry.read_bytes(),
        (lab.project.root / "tickets.jsonl").read_bytes(),
        lab.store.rows("select count(*) from labels"),
    )
    assert after == before


def descendants(widget: Any) -> list[Any]:
    return [
        widget,
        *(below for child in getattr(widget, "children", ()) for below in descendants(child)),
    ]


def test_an_empty_lab_says_what_to_do(make_lab: Callable[..., Lab]) -> None:
    """Before the first version and study every tab opens and says what makes something appear."""
    board = make_lab("empty").dashboard()
    for name in TABS:
        assert re.search("yet|No prompt", texts(board.open(name).box)), name


def test_what_a_displayed_dashboard_costs_a_notebook(lab: Lab) -> None:
    """Its two outputs, the page that is kept and the widget, are at most 100 kB; the page holds no
    script, and only the widget's needs a kernel.
    """
    shown = lab.dashboard().shown()
    assert len(json.dumps([shown.still(), shown.live()])) < 100_000
    assert set(shown.live()) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert set(shown.still()) == {"text/html", "text/plain"}
    assert "<script" not in shown.still()["text/html"]
    name = re.search(r"po-still-([0-9a-f]{8})", shown.still()["text/html"])
    assert name is not None
    assert (
        f"po-live-{name[1]}" in shown.box._dom_classes
    )  # by which the page's style knows that the widget is drawn


def test_labels_travel_as_a_file(lab: Lab, tmp_path: Path) -> None:
    """What a report lets a reviewer download is read once, refused whole where a line is wrong, and
    changes nothing the second time.
    """
    study = lab.study("first look")
    new, old = study.record.arms[1].version, study.record.arms[0].version
    line = {
        "form": "l1",
        "kind": "pairwise",
        "study": study.id,
        "example_id": "t04",
        "first": new,
        "second": old,
        "label": "first",
        "rater": "cleo",
        "labelled_at": "2026-01-01T00:00:00.000",
    }
    path = tmp_path / "labels.jsonl"
    path.write_text(
        json.dumps(line) + "\n" + json.dumps({**line, "example_id": "t08", "label": "tie"}) + "\n"
    )
    assert (study.review.import_labels(path), study.review.import_labels(path)) == (2, 0)
    assert sorted(study.review.labels()["value"]) == [0.5, 1.0]
    for wrong in (
        {**line, "study": "s1-other"},
        {**line, "example_id": "nowhere"},
        {**line, "label": "<b>"},
        {"form": "l1"},
    ):
        path.write_text(json.dumps({**line, "rater": "dan"}) + "\n" + json.dumps(wrong) + "\n")
        with pytest.raises(ValueError, match="labels.jsonl, line 2"):
            study.review.import_labels(path)
    assert len(study.review.labels()) == 2
