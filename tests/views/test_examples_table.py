"""The table of a study's examples."""

from __future__ import annotations

from collections.abc import Callable

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.views.examples_view import ExamplesView


def test_a_failure_is_named_once(make_lab: Callable[..., Lab]) -> None:
    """A call without an answer has its failure in the place of its score, and no text beside."""

    def broken(_request: object) -> str:
        raise RuntimeError("no such server")

    lab = make_lab(models={"a": ScriptedModel(broken), "b": ScriptedModel(["yes"] * 3)})
    versions = [lab.prompt("p").save("{{q}}", model=name) for name in ("a", "b")]
    rows = [{"id": f"e{i}", "q": str(i), "expected": "yes"} for i in range(3)]
    study = lab.evaluate(versions, Dataset.read(rows), [equals()]).wait()
    table = ExamplesView(study).static().partition("<tbody>")[2].partition("</tbody>")[0]
    assert table.count(">internal<") == 3
    assert table.count("internal") == 3


def test_many_versions_leave_room_for_texts(make_lab: Callable[..., Lab]) -> None:
    """Up to six versions have a column each; of more, only the baseline and the candidate."""
    lab = make_lab(models={"m": ScriptedModel(["yes"] * 30)})
    versions = [lab.prompt("p").save(f"{n} {{{{q}}}}", model="m") for n in range(8)]
    data = Dataset.read([{"id": "long " * 30, "q": "1", "expected": "yes"}])
    for count, heads in ((6, 6), (8, 2)):
        study = lab.evaluate(versions[:count], data, [equals()], name=f"of {count}").wait()
        shown = ExamplesView(study).static()
        assert shown.count("class='po-cut po-arms'>v") == heads
        assert (f"v1 and v{count} of {count} versions" in shown) is (count == 8)
        assert ("long " * 30).strip() not in shown.partition("<tbody>")[2].partition("</tbody>")[0]
