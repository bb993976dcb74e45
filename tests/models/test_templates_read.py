"""The templates that jinja2 reads from files count with the function that renders them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest

from promptops.models.function_identity import identify
from promptops.models.protocol import Call
from promptops.study.resolve_model import as_target

ANSWER = "\ndef answer(q):\n    return env.get_template('kind.txt').render(q=q)"
KNOWN = {
    "a folder": "env = Environment(loader=FileSystemLoader('prompts'))" + ANSWER,
    "with escapes": "env = Environment(\n    loader=FileSystemLoader('prompts'),"
    " autoescape=jinja2.select_autoescape())" + ANSWER,
    "of several": "env = Environment(loader=jinja2.ChoiceLoader(\n"
    "    [jinja2.DictLoader({'a': 'x'}), FileSystemLoader('prompts')]))" + ANSWER,
    "below a prefix": "env = Environment(\n"
    "    loader=jinja2.PrefixLoader({'p': FileSystemLoader('prompts')}))"
    + ANSWER.replace("kind", "p/kind"),
    "of a package": "env = Environment(loader=jinja2.PackageLoader('a_package'))" + ANSWER,
    "of an object": "class Renderer:\n    def __init__(self):\n"
    "        self.env = Environment(loader=FileSystemLoader('prompts'))\n"
    "    def render(self, q):\n"
    "        return self.env.get_template('kind.txt').render(q=q)\n"
    "renderer = Renderer()\ndef answer(q):\n    return renderer.render(q)",
    "made within": "def answer(q):\n    env = Environment(loader=FileSystemLoader('prompts'))\n"
    "    return env.get_template('kind.txt').render(q=q)",
}
TOLD_BY_THE_RUN = {
    "the working folder": "env = Environment(loader=FileSystemLoader('.'))"
    + ANSWER.replace("kind", "prompts/kind"),
    "a folder that is put together": "here = Path('.')\ndef answer(q):\n"
    "    env = Environment(loader=FileSystemLoader(here / 'prompts'))\n"
    "    return env.get_template('kind.txt').render(q=q)",
}


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A part that the template includes, beside a file that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "a_package", raising=False)
    folder = tmp_path / "a_package/templates"
    folder.mkdir(parents=True)
    (tmp_path / "a_package/__init__.py").touch()
    (tmp_path / "prompts").symlink_to(folder)
    (folder / "image.png").write_bytes(b"\xff\xfe\0")
    (folder / "kind.txt").write_text("{% include 'part.txt' ignore missing %}{{ q }}")
    (folder / "part.txt").write_text("kind ")
    return folder / "kind.txt"


def kernel(cell: str) -> dict[str, Any]:
    space = {"__name__": "a_notebook", "jinja2": jinja2, "Path": Path}
    space |= {"Environment": jinja2.Environment, "FileSystemLoader": jinja2.FileSystemLoader}
    exec(cell, space)
    return space


def asked(space: dict[str, Any]) -> tuple[str, str]:
    """What the target answers, and whose answer it is."""
    target = as_target(space["answer"])
    call = Call(request={}, values={"q": "q"}, timeout_s=9.0)

    async def ask() -> str:
        return [(await target.complete(call)).text or "" for _ in range(3)][-1]

    return asyncio.run(ask()), target.label


@pytest.mark.parametrize("tried", [False, True], ids=["", "tried by hand"])
@pytest.mark.parametrize("kind", KNOWN)
def test_an_edited_template_is_another_target(kind: str, tried: bool, part: Path) -> None:
    """The answers of the template before had been reused, also in the next kernel."""
    space = kernel(KNOWN[kind])
    if tried:
        space["answer"]("q")
    assert identify(space["answer"]).opaque == ()
    first = asked(space)
    assert asked(space) == first
    assert asked(kernel(KNOWN[kind])) == first
    part.write_text("rude {{ q }}")
    second = asked(space)
    assert (first[0][-1:], second[0]) == ("q", "rude q")
    assert second[1] != first[1]
    assert asked(kernel(KNOWN[kind])) == second


@pytest.mark.parametrize("kind", TOLD_BY_THE_RUN)
def test_templates_that_only_the_run_tells_are_named(kind: str, part: Path) -> None:
    space = kernel(TOLD_BY_THE_RUN[kind])
    assert identify(space["answer"]).opaque
    first = asked(space)
    assert asked(space) == first
    part.write_text("rude {{ q }}")
    assert asked(space)[1] != first[1]


def test_an_environment_without_files_is_as_it_was() -> None:
    space = kernel("env = Environment()\ndef answer(q):\n    return env.from_string('a').render()")
    assert identify(space["answer"]).opaque == ()
