"""Running a scorer's cell again, or its kernel, pays for no judgement twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptops.scorers import as_scorer, scorer

AROUND = {
    "a client that counts": """
class Client:
    def __init__(self):
        self.calls, self.usd, self.last, self.model = 0, 0.0, None, "small"
    def ask(self, text):
        self.calls += 1
        self.usd, self.last = self.usd + 0.01, text
        return len(text) < 9
own = Client()
""",
    "a memo": """
seen = {}
class own:
    @staticmethod
    def ask(text):
        if text not in seen:
            seen[text] = len(text) < 9
        return seen[text]
""",
    "costs": """
costs = {"usd": 0.0}
class own:
    model = "small"
    @classmethod
    def ask(cls, text):
        costs["usd"] += 0.01
        return len(text) < 9
""",
}
JUDGE = "def judge(output):\n    return own.ask(output)\n"


def used(kind: str) -> tuple[dict[str, Any], Any]:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(AROUND[kind], space)
    exec(JUDGE, space)
    space["made"] = made = scorer(space["judge"])
    for output in ("yes", "no", "yes"):
        made(output)
    return space, made


@pytest.mark.parametrize("kind", AROUND)
def test_the_scorers_cell_alone_is_run_again(kind: str) -> None:
    space, made = used(kind)
    exec(JUDGE, space)
    again = scorer(space["judge"])
    assert again.version == made.version
    again("maybe")
    assert again.as_it_is().version == made.version


@pytest.mark.parametrize("kind", AROUND)
def test_an_edit_between_is_another_version(kind: str) -> None:
    space, made = used(kind)
    exec(JUDGE.replace("ask(output)", "ask(output.strip())"), space)
    assert scorer(space["judge"]).version != made.version
    exec(JUDGE, space)
    exec(AROUND[kind].replace("< 9", "< 8"), space)
    assert scorer(space["judge"]).version != made.version


def test_a_setting_that_was_edited_between_is_another_version() -> None:
    space, made = used("a client that counts")
    space["own"].model = "large"
    exec(JUDGE, space)
    again = scorer(space["judge"])
    assert again.version not in ("", made.version)
    assert made.as_it_is().version == again.version


def test_two_functions_with_counters_of_their_own_are_not_taken_for_each_other() -> None:
    def make(limit: int) -> Any:
        held = [limit]

        def judge(output: str) -> bool:
            return len(output) < held[0]

        return judge

    one, other = as_scorer(make(3)), as_scorer(make(4))
    assert one.version != other.version


KERNEL = """
import threading
import pydantic
from promptops.lab import Dataset, Lab
from promptops.scorers import scorer
class Verdict(pydantic.BaseModel):
    ok: bool = pydantic.Field(description="whether it is polite")
def asked(name, text):
    with open("calls.txt", "a") as file:
        file.write(name)
    return Verdict(ok=len(text) > 1)
class Client:
    def __init__(self):
        self.lock, self.calls = threading.Lock(), 0
    def ask(self, text):
        with self.lock:
            self.calls += 1
        return asked("j", text).ok
client = Client()
@scorer
def judge(output):
    return client.ask(output)
def app(question):
    return asked("t", question).model_dump_json()
version = Lab().prompt("polite").save("Say {{question}}", model="m")
rows = Dataset.read([{"question": f"question {i}"} for i in range(4)])
Lab().evaluate([version], rows, [judge], target=app)
"""


def test_a_judge_and_a_target_with_structured_output_are_paid_for_once(tmp_path: Path) -> None:
    for _ in range(2):
        asked = [sys.executable, "-c", KERNEL]
        environment = {"PYTHONPATH": ":".join(filter(None, sys.path)), "HOME": str(tmp_path)}
        subprocess.run(asked, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert sorted((tmp_path / "calls.txt").read_text()) == ["j"] * 4 + ["t"] * 4
