"""R8 at the lab: the store's folder is removed, or a file put in its place, at any moment of a
study; the study goes on, with a warning, and what it came to can be read.
"""

from __future__ import annotations

import shutil
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Dataset, Lab, Study
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.store.access import Access
from promptops.store.recorder import Spool
from promptops.store.store import Store

EXAMPLES = 6


def removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def replaced(folder: Path) -> None:
    """What nobody can write to, root included."""
    removed(folder)
    folder.write_text("a file is here now")


def study_in(root: Path, examples: int = EXAMPLES) -> tuple[Lab, Callable[[], Study]]:
    lab = Lab(root, models={"m": ScriptedModel(lambda request: "ok", remote=True)})

    def run() -> Study:
        prompt = lab.prompt("p")
        versions = [prompt.save(f"{name}: {{{{x}}}}", model="m") for name in ("first", "second")]
        data = Dataset.read(
            [{"id": str(n), "x": f"question {n}", "expected": "ok"} for n in range(examples)]
        )
        return lab.evaluate(versions, data, [equals()], concurrency=2, name="s")

    return lab, run


def at(monkeypatch: pytest.MonkeyPatch, moment: int, happens: Callable[[], None]) -> list[str]:
    """Let it happen before the store's `moment`-th write or read; what they were."""
    met: list[str] = []

    def watched(cls: type, name: str) -> None:
        real = getattr(cls, name)

        def call(self: Any, *given: Any, **named: Any) -> Any:
            met.append(name)
            if len(met) == moment:
                happens()
            return real(self, *given, **named)

        monkeypatch.setattr(cls, name, call)

    watched(Spool, "append")
    watched(Access, "reading")
    watched(Store, "has")
    return met


def moments(root: Path) -> list[str]:
    """The writes and reads of an undisturbed study."""
    with pytest.MonkeyPatch.context() as patch:
        met = at(patch, 0, lambda: None)
        lab, run = study_in(root)
        run()
        lab.store.close()
    return met


def lived(root: Path, moment: int, fault: Callable[[Path], None]) -> tuple[Lab, Study, list[str]]:
    """The study, during which it happened, and what was said."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lab, run = study_in(root)
        at(patch, moment, lambda: fault(lab.store.folder))
        study = run()
    return lab, study, [str(each.message) for each in said]


# The moments are many: a check takes every fourth of each fault, the night the others as well.
STEP = 4
AT_EACH_CHECK = {(removed, 1), (replaced, 3)}
parts = pytest.mark.parametrize(
    ("fault", "first"),
    [
        pytest.param(
            fault,
            first,
            marks=() if (fault, first) in AT_EACH_CHECK else pytest.mark.soak,
            id=f"{fault.__name__}-{first}",
        )
        for fault in (removed, replaced)
        for first in range(1, STEP + 1)
    ],
)


@parts
def test_a_study_outlives_its_folder(
    tmp_path: Path, fault: Callable[[Path], None], first: int
) -> None:
    """At each of its moments: no exception, all of it answered and scored, every figure there, and
    a warning where rows wait.
    """
    total = len(moments(tmp_path / "undisturbed"))
    assert total > 20
    for moment in range(first, total + 1, STEP):
        lab, study, said = lived(tmp_path / str(moment), moment, fault)
        assert study.status == "finished", moment
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert len(study.runs()) == 2 * EXAMPLES, moment
            assert study.scores()["passed"].sum() == 2 * EXAMPLES, moment
            assert study.compare().primary.n == EXAMPLES, moment
            assert lab.study("s").id == study.id
        if fault is replaced:
            assert any("kept in memory" in text for text in said), (moment, said)
        lab.store.close()


@parts
def test_a_later_session_outlives_its_folder(
    tmp_path: Path, fault: Callable[[Path], None], first: int
) -> None:
    """The same where an earlier session answered a part: what was recorded then is gone with the
    folder, what is asked now is not.
    """

    def earlier(root: Path) -> Path:
        lab, run = study_in(root, EXAMPLES // 2)
        run()
        lab.store.close()
        return root

    met = moments(earlier(tmp_path / "undisturbed"))
    assert met.count("reading") > 4
    for moment in range(first, len(met) + 1, STEP):
        lab, study, _ = lived(earlier(tmp_path / str(moment)), moment, fault)
        assert study.status == "finished", moment
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert len(study.runs()) >= EXAMPLES, moment
            assert study.scores()["passed"].all(), moment
        lab.store.close()


def test_a_lost_folder_is_written_again(tmp_path: Path) -> None:
    """What one session recorded comes back with its next write or look, so that the next session
    finds all of it.
    """
    lab, study, _ = lived(tmp_path, 10**9, removed)
    removed(lab.store.folder)
    with pytest.warns(RuntimeWarning, match="removed while it was recorded"):
        assert len(study.runs()) == 2 * EXAMPLES
    lab.store.close()
    again, run = study_in(tmp_path)
    assert run().progress.reused == 2 * EXAMPLES
    assert again.study("s").record.document() == study.record.document()


def test_a_recorder_that_raises_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof of the test above: a spool that says what the disk says ends the study."""

    def fails(self: Spool, error: OSError) -> None:
        if threading.current_thread() is threading.main_thread():  # not in the one that syncs
            raise error

    lab, run = study_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "_fails", fails)
        at(patch, 3, lambda: replaced(lab.store.folder))
        with pytest.raises(OSError, match=r"Not a directory|File exists"):
            run()
    lab.store.folder.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab.store.flush()  # so that nothing is left to say in later tests
