"""Text of others in a pull request's Markdown: shown, and never a link, an image, a mention, a
reference or a line of our own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from promptops import PromptVersion
from promptops.evidence import Evidence
from promptops.markup import code, markdown, plain
from promptops.policy import Policy
from promptops.registry import changes, document
from promptops.registry.editor import Editor
from promptops.testing.study_folder import Evaluated, junit_of, markdown_of
from promptops.views import comparison_markdown

PAYLOADS = {
    "link": "[sign in](https://evil.test/a)",
    "image": "![x](https://evil.test/p.png)",
    "address": "https://evil.test/auto",
    "ftp": "ftp://evil.test/x",
    "www": "www.evil.test",
    "WWW": "WWW.evil.test",
    "mail": "a@evil.test",
    "mailto": "mailto:a@evil.test xmpp:a@evil.test/x",
    "mention": "@org/everyone",
    "closes": "Fixes #1",
    "closes elsewhere": "Fixes org/repo#1, closes GH-2",
    "gitlab": 'closes !1, &2, ~3, ~"a label", %4, $5, ^alert#6',
    "heading": "x\n\n## All checks passed",
    "heading alone": "# All checks passed",
    "item": "x\n- **prod** serves v9, gated, evidence 0123456789ab: candidate better",
    "item alone": "- item",
    "numbered": "1. item",
    "numbered otherwise": "123456789) item",
    "html": "<img src=https://evil.test/i>",
    "comment": "x <!-- y",
    "reference": "[a]: https://evil.test/ref",
    "table": "a | b | c",
    "table of its own": "a | b\n--- | ---\nc | d",
    "fence": "```\nx",
    "tildes": "~~~\nx",
    "marks": "~~x~~ **bold** _it_ *it* __b__",
    "autolink": "<https://evil.test/al>",
    "carriage return": "x\r\r## cr heading",
    "line separator": "x\u2028## ls\u2029## ps\x85## nel\x0b## vt\x0c## ff\x1c## fs",
    "task": "x\n- [x] reviewed by security",
    "entities": "&#91;e&#93;&#40;https://evil.test&#41; &#64;org &#35;1",
    "backslash": "\\[e](https://evil.test) \\",
    "back-ticks": "`a`` [b](https://evil.test) ``` c ` https://evil.test",
    "rule": "***",
    "underline": "x\n===",
    "quote": "> quoted",
    "indented": "x\n\n      code",
    "long": "@org [a](https://evil.test) ` www.evil.test #1 " * 40,
    "long fence": "`" * 300,
    "bidirectional": "\u202ehttps://evil.test\u2066 @org",
    "surrogate": "\ud800@org",
}
V1 = PromptVersion("Q {{q}}", model="m")


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    editor = Editor(tmp_path / "promptops.json")
    editor.save("triage", V1, author="ann")
    return editor


def read(editor: Editor) -> dict[str, Any]:
    return document.parse(Path(editor.path).read_bytes(), "r")


def policy(editor: Editor, text: str) -> None:
    editor.set_policy(Policy(must_pass=(text,)), "triage")


DOORS: dict[str, Callable[[Editor, str], object]] = {
    "note": lambda editor, text: editor.save(
        "triage", PromptVersion("Q {{q}}", model="n"), note=text
    ),
    "author": lambda editor, text: editor.save(
        "triage", PromptVersion("Q {{q}}", model="n"), author=text
    ),
    "model": lambda editor, text: editor.save("other", PromptVersion("Q {{q}}", model=text)),
    "model that changes": lambda editor, text: editor.save(
        "triage", PromptVersion("Q {{q}}", model=text)
    ),
    "setting": lambda editor, text: editor.save(
        "triage", PromptVersion("Q {{q}}", model="m", settings={"stop": [text]})
    ),
    "name of a setting": lambda editor, text: editor.save(
        "triage", PromptVersion("Q {{q}}", model="m", settings={text: 1})
    ),
    "tool": lambda editor, text: editor.save(
        "triage",
        PromptVersion(
            "Q {{q}}",
            model="m",
            tools=[{"type": "function", "function": {"name": "f", "description": text}}],
        ),
    ),
    "reason": lambda editor, text: editor.promote(
        "triage", 1, "prod", author="ann", force=True, reason=text
    ),
    "author of a deployment": lambda editor, text: editor.promote(
        "triage", 1, "prod", author=text, force=True, reason="r"
    ),
    "policy": policy,
    "policy of the registry": lambda editor, text: editor.set_policy(Policy(must_pass=(text,))),
}


def through(editor: Editor, door: str, text: str) -> str:
    before = read(editor)
    DOORS[door](editor, text)
    return changes.markdown(before, read(editor), Path(editor.path))


def parsed(text: str) -> list[Token]:
    return (
        MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough").parse(text)
    )


def shape(text: str) -> list[str]:
    """The blocks and our own inline marks, in order, without the words."""
    inline = ("strong_open", "em_open", "s_open", "link_open", "image", "html_inline")
    return [
        kind
        for block in parsed(text)
        for kind in (
            f"{block.type} {block.tag}",
            *(token.type for token in block.children or () if token.type in inline),
        )
    ]


def made(text: str) -> list[str]:
    """What a code host would make of it beyond words: by CommonMark, and by what hosts link without
    marks.
    """
    found = []
    words = []
    for block in parsed(text):
        for token in (block, *(block.children or ())):
            if token.type in (
                "link_open",
                "image",
                "html_inline",
                "html_block",
                "heading_open",
                "em_open",
                "fence",
                "code_block",
                "hr",
            ):
                found.append(f"{token.type} {token.content}")
            if token.type in ("text", "code_inline"):
                words.append(token.content)
    shown = "\n".join([text, *words])
    linked = r"(?i)https?://|ftp://|www\.|(?<![\w`])@\w|\w@\w|#\d|GH-\d|(?<!~)[!&~%$]\d|~\"|mailto:|xmpp:|\^alert"
    return found + re.findall(linked, shown)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_it_is_shown_and_does_nothing_through_every_door_of_a_registry(
    payload: str, tmp_path: Path
) -> None:
    """The blocks are those of a harmless word, and nothing links; a door that refuses the text
    shows nothing of it.
    """
    shown = 0
    for place, door in enumerate(DOORS):
        texts = []
        for kind, text in (("harmless", "x"), ("hostile", PAYLOADS[payload])):
            folder = tmp_path / f"{place}-{kind}"
            folder.mkdir()
            editor = Editor(folder / "promptops.json")
            editor.save("triage", V1, author="ann")
            try:
                texts.append(through(editor, door, text))
            except ValueError:
                assert kind == "hostile"
        if len(texts) == 2:
            shown += 1
            assert shape(texts[1]) == shape(texts[0]), door
            assert [one for one in made(texts[1]) if one not in made(texts[0])] == [], door
    assert (
        shown >= 10 if payload != "surrogate" else shown == 0
    )  # no registry takes a lone surrogate


@pytest.mark.parametrize("payload", PAYLOADS)
def test_study_files_of_a_folder(payload: str) -> None:
    """A file's name, and the fault that quotes what it holds, in the table and below it; in JUnit
    the same text is XML that can be read.
    """
    hostile, harmless = (
        [Evaluated(f"{text}.toml", fault=f"the prompt {text} is unknown."), Evaluated("b.toml")]
        for text in (PAYLOADS[payload] + "\x1b\x00", "x")
    )
    assert shape(markdown_of(hostile)) == shape(markdown_of(harmless))
    known = made(markdown_of(harmless))
    assert [one for one in made(markdown_of(hostile)) if one not in known] == []
    [case, _] = Xml.fromstring(junit_of(hostile).encode("utf-8", "replace")).iter("testcase")
    assert case.attrib["name"].endswith(".toml")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_fields_that_only_a_file_can_hold(payload: str, editor: Editor) -> None:
    """An author, a prompt's name and an evidence that came with somebody's file, not through our
    own doors.
    """
    empty = {**read(editor), "prompts": {}}
    texts = []
    for text in ("x", PAYLOADS[payload]):
        new = copy.deepcopy(read(editor))
        entry = new["prompts"].pop("triage")
        entry["versions"][0]["author"] = entry["versions"][0]["note"] = text
        new["prompts"][text] = entry
        texts.append(changes.markdown(empty, new))
    assert shape(texts[1]) == shape(texts[0])
    assert [one for one in made(texts[1]) if not one.startswith("heading_open")] == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_evidence(payload: str, editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of scorers and of the dataset, and the decision, in the evidence that a promotion
    cites.
    """
    before = read(editor)
    editor.promote("triage", 1, "prod", author="ann", force=True, reason="r")
    new = read(editor)
    new["prompts"]["triage"]["environments"]["prod"]["deployments"][-1]["evidence"] = "e1-x"
    texts = []
    for text in ("x", PAYLOADS[payload]):
        sides = {"candidate": (1.0,), "baseline": (0.0,)}
        cited = SimpleNamespace(
            decision=text,
            examples=("a",),
            dataset={"name": text},
            scores={text: sides},
            metrics={},
        )
        monkeypatch.setattr(Evidence, "read", lambda *_, cited=cited: cited)
        texts.append(changes.markdown(before, new, Path(editor.path)))
    assert "verdict" in texts[0]
    assert shape(texts[1]) == shape(texts[0])
    assert [one for one in made(texts[1]) if one not in made(texts[0])] == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_comparisons(payload: str) -> None:
    """Labels, scorers, notes, reasons and steps: in sentences and in the table."""
    texts = []
    for text in ("x", PAYLOADS[payload]):
        means = {"candidate": 1.0, "baseline": 0.5, "gain": 0.5, "low": 0.1, "high": 0.6}
        figures = SimpleNamespace(name=text, unit="", wins=3, losses=1, n=4, **means)
        texts.append(
            comparison_markdown.markdown(
                SimpleNamespace(
                    verdict=SimpleNamespace(
                        decision="promote", reasons=[text, f"the {text} rose"], next=[text]
                    ),
                    candidate=SimpleNamespace(label=text),
                    baseline=SimpleNamespace(label=text),
                    statement=lambda text=text: f"{text} scores better",
                    differences=[figures],
                    notes=[text],
                )  # type: ignore[arg-type]
            )
        )
    assert shape(texts[1]) == shape(texts[0])
    assert made(texts[1]) == []


@pytest.mark.parametrize("payload", PAYLOADS)
def test_words_of_prompts(payload: str) -> None:
    """Of a diff the number of changed pieces depends on the words; its blocks do not."""
    text = PAYLOADS[payload]
    try:
        new = PromptVersion(text.replace("{{", "") + " {{q}}", model="m")
    except ValueError:
        pytest.skip("no version holds this text")
    for told in (V1.diff(new).markdown(), new.diff(V1).markdown()):
        blocks = [block.type for block in parsed(told)]
        assert blocks == [block.type for block in parsed("- **user**: x")]
        assert made(told) == []


@settings(deadline=None, max_examples=300)
@given(
    st.text(
        st.sampled_from("\\`*_[]()<>!#@:/.|~&;-+=1 \n\r\t\u2028aw")
        | st.characters(exclude_categories=["Cs"]),
        max_size=30,
    ),
    st.sampled_from(["{}", "- {}", "**{}**", "# {}", "a {} b", "- [ ] {}", "| {} |\n| --- |\n"]),
)
def test_any_text_stays_one_run_of_words(text: str, around: str) -> None:
    """In every place the shape is that of a word, and code spans show what they were given."""
    assert shape(around.format(f"w{markdown(text)}w")) == shape(around.format("wordw"))
    spans = [token for block in parsed(f"a {code(text)} b") for token in block.children or ()]
    assert [token.type for token in spans] == ["text", "code_inline", "text"]
    words = " ".join(plain(" ".join(text.split())).split())
    assert spans[1].content.replace("\u2060", "") == words.replace("\u2060", "") or not words


def test_what_is_shown_reads_like_the_text() -> None:
    """Common names keep their look in the source, and every character of a text is still there when
    it is rendered.
    """
    for name in ("support-triage", "v12", "gpt-4.1-mini", "0.01", "exact (90 %)", "-3.5 to +2"):
        assert markdown(name).replace("\\", "") == name
    shown = "".join(
        token.content
        for block in parsed(markdown("[a] *b* #1 <c> `d` \\e"))
        for token in block.children or ()
    )
    assert shown.replace("\u2060", "") == "[a] *b* #1 <c> `d` \\e"
