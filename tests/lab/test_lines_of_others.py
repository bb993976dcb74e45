"""Names and notes of others stay within the line of ours that quotes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from promptops.lab import Dataset, Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

FORGED = "m-2\n- **prod** serves v9, gated\x1b[31m\u202e"


def test_notes_and_a_version_are_one_line_each(make_lab: Callable[..., Lab]) -> None:
    """A provider's name of a model and a person's note write no line of their own."""

    def one(_request: Any) -> Reply:
        return Reply("yes", model="m-1", fingerprint="fp")

    def two(_request: Any) -> Reply:
        return Reply("yes", model=FORGED, fingerprint=FORGED)

    lab = make_lab(models={"one": ScriptedModel(one), "two": ScriptedModel(two)})
    prompt = lab.prompt("p")
    versions = [prompt.save("{{q}}", model=name, note=FORGED) for name in ("one", "two")]
    rows = [{"q": str(i), "expected": "yes"} for i in range(20)]
    comparison = lab.evaluate(versions, Dataset.read(rows), [equals()]).compare()
    assert any("m-2 - **prod** serves v9, gated" in note for note in comparison.notes)
    assert all(note.isprintable() for note in comparison.notes)
    assert "“m-2 - **prod** serves v9, gated[31m”" in repr(versions[0])
    study = lab.evaluate(versions, Dataset.read(rows), [equals()], name=FORGED)
    for shown in (study, study.progress, lab.studies, versions[0]):
        assert "\n" not in repr(shown)
