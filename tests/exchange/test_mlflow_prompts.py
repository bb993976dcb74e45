"""A prompt of MLflow's registry is brought over by its address. The stand-in answers as MLflow 3.17
did when it was asked for these prompts.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from promptops.errors import DatasetError, MissingExtra
from promptops.exchange import read_export
from promptops.lab import Lab

TEXT = {
    "name": "triage",
    "version": 1,
    "template": "Classify {{ ticket }} please",
    "commit_message": "first",
    "response_format": None,
    "model_config": {"model_name": "gpt-x", "temperature": 0.0, "top_p": None},
    "aliases": ["production"],
}
CHAT = {
    "name": "triage",
    "version": 2,
    "template": [
        {"role": "system", "content": "Be {{style}}"},
        {"role": "user", "content": "{{ticket}}"},
    ],
    "commit_message": "chat",
    "response_format": {"type": "object", "properties": {"category": {"type": "string"}}},
    "model_config": None,
    "aliases": [],
}
LOGIC = {**TEXT, "version": 3, "template": "{% if ticket %}{{ ticket }}{% endif %}", "aliases": []}
HELD: dict[str, dict[str, Any]] = {
    "prompts:/triage/1": TEXT,
    "prompts:/triage@production": TEXT,
    "prompts:/triage/2": CHAT,
    "prompts:/triage/3": LOGIC,
}


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_prompt(address: str) -> SimpleNamespace:
        if address not in HELD:
            raise RuntimeError(f"Prompt version '{address}' not found")
        return SimpleNamespace(**HELD[address])

    genai = ModuleType("mlflow.genai")
    genai.load_prompt = load_prompt  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.genai", genai)


@pytest.mark.usefixtures("mlflow")
@pytest.mark.parametrize("address", ["prompts:/triage/1", "prompts:/triage@production"])
def test_a_text_comes_with_its_model_and_alias(address: str) -> None:
    (found,) = read_export(address).versions
    assert (found.prompt, found.label, found.note) == ("triage", "v1", "first")
    assert found.environments == ("production",)
    assert (found.version.model, dict(found.version.settings)) == ("gpt-x", {"temperature": 0.0})
    assert found.version.render({"ticket": "T"})[0]["content"] == "Classify T please"


@pytest.mark.usefixtures("mlflow")
def test_messages_and_a_schema_come_over() -> None:
    (found,) = read_export("prompts:/triage/2").versions
    assert found.version.render({"style": "brief", "ticket": "T"}) == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "T"},
    ]
    assert found.version.response_format is not None
    assert found.version.response_format["json_schema"]["schema"] == CHAT["response_format"]


@pytest.mark.usefixtures("mlflow")
def test_logic_is_left_with_its_reason() -> None:
    found = read_export("prompts:/triage/3")
    assert found.versions == ()
    assert "logic of another template language" in str(found.left[0])


@pytest.mark.usefixtures("mlflow")
def test_an_address_without_a_prompt_is_a_sentence() -> None:
    with pytest.raises(DatasetError, match="could not be loaded .* check the address"):
        read_export("prompts:/nothing/1")


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.genai", None)
    with pytest.raises(MissingExtra, match=r"promptops-toolkit\[mlflow\]"):
        read_export("prompts:/triage/1")


@pytest.mark.usefixtures("mlflow")
def test_a_lab_saves_it_once(tmp_path: Any) -> None:
    lab = Lab(tmp_path)
    for _ in range(2):
        assert lab.import_from("prompts:/triage/1").versions[0].number == 1
    assert len(lab.prompt("triage").versions) == 1
