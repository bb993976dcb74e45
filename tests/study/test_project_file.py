"""`promptops.toml` is read by every door alike; an error names the key and its line."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptops.cli.__main__ import main
from promptops.errors import SetupError
from promptops.lab import Lab
from promptops.monitor.watch import thresholds
from promptops.pytest_plugin import lab as lab_fixture
from promptops.scorers import equals
from promptops.study.project import Location, Project
from promptops.study.project_file import ProjectFile
from tests.faults.server import FaultServer, Say, completion

GUIDE = Path(__file__).resolve().parents[2] / "promptops" / "guide" / "pipelines.md"
WRONG = [
    ('stroe = "x"\n', 1, "stroe is not a key of promptops.toml; did you mean 'store'?"),
    ("\n# a note\nbudget_usd = '5'\n", 3, "budget_usd is '5'; expected a number"),
    ("budget_usd = -1", 1, "budget_usd is -1; expected a number, 0 or more"),
    ("budget_tokens = 1.5", 1, "budget_tokens is 1.5; expected a whole number"),
    ("store = 3", 1, "store is 3; expected the path of a folder"),
    ("false_alarms_per_year = 0", 1, "false_alarms_per_year is 0; expected a number above 0"),
    ("false_alarms_per_year = true", 1, "false_alarms_per_year is True; expected a number"),
    ("store = 's'\nprices = 3", 2, "prices is 3; expected a table, as in [prices]"),
    ('[prices]\na = [1, 2]\n"b-2.5" = [1]\n', 3, "prices.b-2.5 is [1]; expected [input, output]"),
    ("[prices]\na = { input = 1 }", 2, "prices.a is {'input': 1}; expected [input, output]"),
    ("[models]\nm = 3\n", 2, "models.m is not a table"),
    ("[models.m]\n\nbase_ulr = 'x'\n", 3, "models.m.base_ulr is not a key"),
    ("[models.m]\napi = 'soap'\n", 2, "models.m.api is 'soap'; expected one of chat"),
    ("[models]\nm = { api = 'soap' }\n", 2, "models.m.api is 'soap'"),
    ("[models.m]\napi = 3\n", 2, "models.m.api is 3; expected text"),
    ("[models.m]\nbase_url = 'ftp://x'\n", 2, "models.m.base_url is not an address"),
    ("[models.m]\nbase_url = 'https://h/v1'\n", 2, "models.m.base_url needs api_key_env beside it"),
    (
        "[models.m]\napi_key_env = 'sk-proj-abcdefghijklmnopqrstuvwxyz0123456789'",
        2,
        "models.m.api_key_env is not the name of an environment variable; a key itself never",
    ),
    ("[[models]]\nm = 1", 1, "models is [{'m': 1}]; expected a table"),
]


@pytest.mark.parametrize(("text", "line", "fault"), WRONG)
def test_an_error_names_key_and_line(tmp_path: Path, text: str, line: int, fault: str) -> None:
    """Of every kind of fault, and never with the value of what looks like a key."""
    (tmp_path / "promptops.toml").write_text(text)
    with pytest.raises(SetupError) as raised:
        ProjectFile.read(tmp_path)
    assert f"promptops.toml, line {line}: {fault}" in str(raised.value)
    assert "sk-proj" not in str(raised.value)


def test_what_is_not_toml_or_text_is_named(tmp_path: Path) -> None:
    """TOML's own error has the line."""
    (tmp_path / "promptops.toml").write_text("store = 's'\nbudget_usd == 3\n")
    with pytest.raises(SetupError, match=r"promptops.toml is not TOML: .*line 2"):
        ProjectFile.read(tmp_path)
    (tmp_path / "promptops.toml").write_bytes(b"store = '\xff'")
    with pytest.raises(SetupError, match="cannot be read as text"):
        ProjectFile.read(tmp_path)


def test_without_a_file_nothing_changes(tmp_path: Path) -> None:
    """It is optional."""
    assert ProjectFile.read(tmp_path) == ProjectFile()
    assert Location.find(tmp_path).store == tmp_path / ".promptops"


def test_the_guides_example_is_read(tmp_path: Path) -> None:
    """As it is printed."""
    (found,) = re.findall(r"```toml\n(# promptops.toml.*?)```", GUIDE.read_text(), re.DOTALL)
    (tmp_path / "promptops.toml").write_text(found)
    file = ProjectFile.read(tmp_path)
    assert all((file.models, file.prices, file.budget_usd, file.store))


def test_every_door_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lab, the command line and pytest: store, models, prices and budget."""
    with FaultServer(lambda seen: Say(200, completion("A"))) as server:
        (tmp_path / "promptops.toml").write_text(
            f"""store = "kept/runs"
            budget_usd = 0.000001
            [models."our-mini"]
            base_url = "{server.url}"
            api_key_env = "OUR_KEY"
            [prices]
            "our-mini" = [1000.0, 1000.0]
            """
        )
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        lab = Lab()
        assert lab.project.root == tmp_path
        assert lab.store.folder == tmp_path / "kept" / "runs"
        version = lab.prompt("p").save("Say A: {{x}}", model="our-mini")
        with pytest.raises(SetupError, match="key from OUR_KEY"):
            lab.evaluate([version], [{"x": "1", "expected": "A"}], [equals()])
        monkeypatch.setenv("OUR_KEY", "not-a-key-of-anyone")
        assert version(x="a").text == "A"
        assert server.seen[-1].headers["authorization"] == "Bearer not-a-key-of-anyone"
        rows = [{"x": str(n), "expected": "A"} for n in range(30)]
        with pytest.warns(UserWarning, match="budget is used up"):
            lab.evaluate([version], rows, [equals()], concurrency=1)
        assert len(server.seen) == 1
        lab.evaluate([version], rows, [equals()], budget_usd=100)
        assert len(server.seen) == 31
        lab.project.close()

    with pytest.raises(SystemExit) as ended:
        main(["prices", "our-mini", "--json"])
    assert ended.value.code == 0
    assert '"promptops.toml"' in capsys.readouterr().out

    request = SimpleNamespace(config=SimpleNamespace(rootpath=tmp_path))
    of_pytest: Any = lab_fixture.__wrapped__(request)
    assert of_pytest.store.folder == tmp_path / "kept" / "runs"
    assert of_pytest.project.models.names == ("our-mini",)


def test_what_is_passed_wins(tmp_path: Path) -> None:
    """Over the file's models, prices and budgets, one by one."""
    (tmp_path / "promptops.toml").write_text(
        "budget_tokens = 10\n[models.m]\n[models.n]\n[prices]\nm = [1, 2]\nn = [3, 4]\n"
    )
    lab = Lab(tmp_path, models={"m": lambda x: "mine"}, prices={"m": (5, 6)})
    assert lab.project.prices == {"m": (5, 6), "n": (3, 4)}
    assert set(lab.project.models.names) == {"m", "n"}
    assert not lab.project.model("m").remote
    assert lab.project.limits().budget_tokens == 10
    chosen = lab.project.limits(budget_usd=2)
    assert (chosen.budget_usd, chosen.budget_tokens) == (2, None)
    lab.project.close()


def test_the_rate_of_false_alarms_sets_the_bar(tmp_path: Path) -> None:
    """Four per year: a quarter of the evidence."""
    (tmp_path / "promptops.toml").write_text("false_alarms_per_year = 4\n")
    assert thresholds(Project.open(tmp_path)) == 365 / 4
