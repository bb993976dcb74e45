"""Each part of a registry is found on the line on which it begins."""

from __future__ import annotations

import json
from pathlib import Path

from promptops import PromptVersion
from promptops.registry.editor import Editor
from promptops.registry.line_index import LineIndex


def test_prompts_versions_and_deployments_are_found(tmp_path: Path) -> None:
    """Texts that look like structure do not move them."""
    editor = Editor(tmp_path / "promptops.json")
    odd = PromptVersion('A "list": [1, {"id": 2}],\n{"prompts": {"b": 1}} \\" {{x}}', model="m")
    for name in ("a", "b"):
        editor.save(name, odd, note='note, "versions": [')
        editor.save(name, odd.but(model="n"))
        for env in ("dev", "prod"):
            editor.promote(name, 1, env, author="ann", force=True, reason="first")
        editor.promote(name, 2, "prod", author="ann", force=True, reason="second")
    text = Path(editor.path).read_text(encoding="utf-8")
    lines, document = text.splitlines(), json.loads(text)
    index = LineIndex(text, document)
    for name in ("a", "b"):
        assert lines[index.prompt(name) - 1].strip() == f'"{name}": {{'
        for version in document["prompts"][name]["versions"]:
            at = index.version(name, version["id"])
            assert lines[at - 1].strip() == "{"
            assert f'"number": {version["number"]}' in lines[at]
            assert index.mentioned(name, f"v{version['number']} of {name} is odd") == at
        assert index.version("a", "p1-x") < index.version("b", "p1-x")
        for env, environment in document["prompts"][name]["environments"].items():
            assert lines[index.mentioned(name, f"{env} of {name}") - 1].strip() == f'"{env}": {{'
            for link in environment["deployments"]:
                at = index.deployment(name, env, link["digest"])
                whole = "\n".join(lines[at - 1 : at + 12])
                assert whole.index(link["digest"]) < whole.index("}")
    assert index.prompt("missing") == 3  # where the prompts begin
    assert LineIndex("", {}).prompt("a") == 1
    assert LineIndex('{"prompts": {"a": [{"x"', {}).prompt("a") == 1
