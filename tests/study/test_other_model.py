"""Another model behind the same address is said where its answers stand beside older ones."""

from __future__ import annotations

import warnings
from pathlib import Path

from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel
from promptops.scorers import equals
from promptops.study.other_model import other_models
from tests.faults.server import FaultServer, Say, completion

ROWS = [{"q": f"q{number}", "expected": "ok"} for number in range(6)]


def notes_of(lab: Lab, server: FaultServer, rows: int, *, fresh: bool = False) -> list[str]:
    """What is warned of when the first rows are evaluated."""
    version = lab.prompt("p").save("{{q}}", model="m")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        study = lab.evaluate([version], ROWS[:rows], [equals()], fresh=fresh)
        study.wait()
    found = [str(warning.message) for warning in said if "more than one" in str(warning.message)]
    assert found == other_models(lab.project.store, study.record.id)
    return found


def test_a_swap_of_the_model_is_said_and_fresh_mends_it(tmp_path: Path) -> None:
    """Old answers beside new ones of another name: the sentence has both, and `fresh=`; with it,
    nothing is left to say.
    """
    serves = ["llama-3"]

    def say(seen: object) -> Say:
        return Say(body=completion("ok", model=serves[-1]))

    with FaultServer(say) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        assert notes_of(lab, server, 3) == []
        serves.append("qwen-3")
        [said] = notes_of(lab, server, 6)
        assert said == (
            "answers of v1 are of more than one model behind 'm': llama-3 (3), qwen-3 (3);"
            " evaluate(..., fresh=True) asks all of them again."
        )
        assert notes_of(lab, server, 6, fresh=True) == []


def test_fingerprints_that_follow_each_other_are_said_and_mixed_ones_are_not(
    tmp_path: Path,
) -> None:
    """A provider that answers with several fingerprints at a time has not changed."""
    marks = iter("abababcccddd")

    def say(seen: object) -> Say:
        return Say(body=completion("ok", model="m", system_fingerprint=next(marks)))

    with FaultServer(say) as server:
        lab = Lab(tmp_path, models={"m": EndpointModel(base_url=server.url)})
        version = lab.prompt("p").save("{{q}}", model="m")
        study = lab.evaluate([version], ROWS, [equals()], concurrency=1)
        study.wait()
        assert other_models(lab.project.store, study.record.id) == []
        other = lab.prompt("o").save("o {{q}}", model="m")
        later = lab.evaluate([other], ROWS, [equals()], concurrency=1)
        later.wait()
        [said] = other_models(lab.project.store, later.record.id)
    assert "fingerprint c (3), then fingerprint d (3)" in said
