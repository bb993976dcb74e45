"""A study file with any value at any key is a declaration or one StudyError that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptops.errors import StudyError
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.testing.search_file import DeclaredSearch
from promptops.testing.study_file import Declared

SOUND = {
    "prompt": '"a"',
    "candidate": '"v2"',
    "baseline": '"v1"',
    "dataset": '"rows.csv"',
    "scorers": '["equals"]',
    "optimize": "{budget_calls = 3}",
}
# each with the kind that it is
ODD = {
    "5": int,
    "1.5": float,
    "nan": float,
    "true": bool,
    '"."': str,
    "[[]]": list,
    '[{a = "x"}]': list,
    "{a = {b = 1}}": dict,
    "2026-01-01T00:00:00Z": None,
    "07:32:00": None,
}
TAKES = {
    **dict.fromkeys(("prompt", "name", "split"), (str,)),
    **dict.fromkeys(("candidate", "baseline"), (str, int)),
    **dict.fromkeys(("columns", "policy", "options", "optimize"), (dict,)),
    "dataset": (str, dict),
    "scorers": (list,),
    "repeats": (int,),
}


@pytest.mark.parametrize("key", TAKES)
def test_each_key_takes_its_own_kind(key: str, tmp_path: Path) -> None:
    """Any other is refused by a sentence with the file and the key, by both readers of the file."""
    path = tmp_path / "study.toml"
    for value, kind in ODD.items():
        lines = {**SOUND, key: value}
        path.write_text("".join(f"{name} = {said}\n" for name, said in lines.items()))
        for reader in (Declared, DeclaredSearch):
            if kind is dict and dict in TAKES[key]:
                continue  # a table has keys of its own, which its readers check
            if kind in TAKES[key]:
                reader.read(path)
            else:
                with pytest.raises(StudyError, match=f"study.toml: {key} is "):
                    reader.read(path)


def test_a_studys_name_is_a_text(tmp_path: Path) -> None:
    """In code, too: nothing was asked."""
    lab = Lab(tmp_path, models={"m": ScriptedModel(lambda request: "ok")})
    version = lab.prompt("a").save("{{x}}", model="m")
    data = Dataset.read([{"x": "1", "expected": "ok"}])
    for name in (5, ["x"], {"a": 1}, b"x"):
        with pytest.raises(StudyError, match="name is"):
            lab.evaluate(version, data, [equals()], name=name)  # type: ignore[arg-type]
    assert lab.store.rows("select count(*) from runs") == [(0,)]
