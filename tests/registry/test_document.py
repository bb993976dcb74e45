"""Law: the registry is one closed, canonical, diff-friendly JSON document, and nothing else is
taken for one (S1-S3, S6, S7, S20, G9).
"""

from __future__ import annotations

import importlib.resources
import json
import random
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops import PromptVersion, RegistryCorrupt, RegistryError, TemplateError, VersionError
from promptops.policy import Guardrail, Policy
from promptops.registry import chain, document
from promptops.registry.editor import Editor
from promptops.registry.entry import to_entry, to_version
from tests.quick import quick

V1 = PromptVersion("Classify: {{ticket}}", model="small")
RICH = PromptVersion(
    [
        {"role": "system", "content": "Be brief.\n\nAnswer as JSON,\tno prose.\r\n\u2028é 😀\n"},
        {"role": "history"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "{{ticket}}\nand\n"},
                {"type": "image_url", "image_url": {"url": "{{image}}"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": ""},
    ],
    model="large",
    variables={
        "ticket": {"type": "string", "description": "what the customer wrote", "example": "hello"},
        "image": {"type": "string", "default": "x"},
    },
    settings={"temperature": 0.2, "stop": ["\n\n"], "seed": 7, "top_p": 1.0},
    tools=[
        {
            "type": "function",
            "function": {
                "name": "f",
                "parameters": {"type": "object", "properties": {"z": {}, "a": {}}},
            },
        }
    ],
    response_format={"type": "json_object"},
)


def filled(path: Path) -> Editor:
    editor = Editor(path, clock=lambda: 1_800_000_000)
    editor.save("support-triage", V1, note="as in the code", author="ann")
    editor.save("support-triage", RICH, author="bob")
    editor.save("a/b.c_d", V1)
    editor.set_policy(Policy(min_n=30, guardrails=(Guardrail("cost", 0.1),), stages=("staging",)))
    editor.set_policy(Policy(), "a/b.c_d")
    editor.promote("support-triage", 1, "dev", author="ann")
    editor.promote("support-triage", 2, "dev", author="bob", percent=12.5)
    editor.promote("support-triage", 1, "prod", author="ann", force=True, reason="no time")
    editor.rollback("support-triage", "dev", author="eve", reason="odd answers")
    return editor


def test_text_is_what_json_dumps_would_write(tmp_path: Path) -> None:
    """One canonical text: json.dumps(indent=2), prompts in order of name; rendering what was parsed
    gives the same bytes.
    """
    filled(tmp_path / "r.json")
    data = (tmp_path / "r.json").read_bytes()
    parsed = json.loads(data)
    assert data.decode() == json.dumps(parsed, indent=2, ensure_ascii=False) + "\n"
    assert list(parsed["prompts"]) == sorted(parsed["prompts"])
    assert document.render(document.parse(data, "r")).encode() == data


def test_written_files_are_valid_against_the_published_schema(tmp_path: Path) -> None:
    """The JSON Schema in the package accepts what is written, and refuses an unknown field
    anywhere.
    """
    schema = json.loads(
        (importlib.resources.files("promptops.registry") / "schema.json").read_text(
            encoding="utf-8"
        )
    )
    valid = jsonschema_rs.validator_for(schema)
    filled(tmp_path / "r.json")
    good = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert [error.message for error in valid.iter_errors(good)] == []
    for path in (
        (),
        ("prompts", "support-triage"),
        ("prompts", "support-triage", "versions", 0),
        ("prompts", "support-triage", "environments", "dev"),
        ("prompts", "support-triage", "environments", "dev", "deployments", 0),
        ("policy",),
    ):
        bad = json.loads(json.dumps(good))
        place: Any = bad
        for step in path:
            place = place[step]
        place["base_url"] = "x"
        assert not valid.is_valid(bad), path


def test_a_version_survives_its_entry() -> None:
    """Content to entry and back is the same version, the variables' descriptions included, through
    real JSON.
    """
    for version in (V1, RICH):
        entry = json.loads(json.dumps(to_entry(version, 3, note="n")))
        again = to_version(entry, "x v3")
        assert again.id == version.id
        assert again.document() == version.document()
        assert again.render({"ticket": "t"}) == version.render({"ticket": "t"})


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=80),
    st.text(st.sampled_from('\n\r {}"\\é\u2028ab'), max_size=40),
)
def test_any_text_survives_its_lines(first: str, second: str) -> None:
    """Whatever text a version holds comes back from the array of lines, character for character."""
    version = PromptVersion(
        [
            {"role": "system", "content": first.replace("{{", "")},
            {"role": "user", "content": second.replace("{{", "")},
        ]
    )
    text = document.render({"promptops": 1, "prompts": {"x": {"versions": [to_entry(version, 1)]}}})
    entry = document.parse(text.encode(), "x")["prompts"]["x"]["versions"][0]
    assert to_version(entry, "x").id == version.id


def test_a_stored_version_edited_by_hand_is_refused() -> None:
    """G9: one changed character, setting or type and the entry is no longer what its id says."""
    good = to_entry(RICH, 2)

    def edited(change: Any) -> Any:
        entry = json.loads(json.dumps(good))
        change(entry)
        return entry

    for change in (
        lambda e: e["messages"][0]["content"].__setitem__(0, "Be brief!"),
        lambda e: e["messages"][0]["content"].append(""),
        lambda e: e["settings"].__setitem__("temperature", 0.3),
        lambda e: e.__setitem__("model", "other"),
        lambda e: e["variables"]["image"].__setitem__("default", "y"),
        lambda e: e["tools"][0]["function"].__setitem__("name", "g"),
        lambda e: e.pop("response_format"),
    ):
        with pytest.raises(RegistryCorrupt, match="was edited"):
            to_version(edited(change), "support-triage v2")
    reworded = edited(
        lambda e: (
            e.__setitem__("note", "other"),
            e["variables"]["ticket"].__setitem__("description", "other"),
        )
    )
    assert to_version(reworded, "x").id == RICH.id  # what is beside the content may be reworded


@pytest.mark.parametrize("field", ["base_url", "headers", "api_key_env", "code", "template"])
def test_a_version_carries_no_endpoint(field: str) -> None:
    """S6: unknown fields are refused in an entry, and endpoints or secrets in its settings."""
    with pytest.raises(RegistryCorrupt, match=f"unknown field '{field}'"):
        to_version({**to_entry(V1, 1), field: "http://evil"}, "x v1")
    if field != "template":
        entry = to_entry(V1, 1)
        with pytest.raises(RegistryCorrupt):
            to_version({**entry, "settings": {field: "http://evil"}}, "x v1")


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "a/../b",
        "CON",
        "a\0b",
        "x" * 129,
        "suppоrt",
        "",
        "-a",
        "/etc/passwd",
        "A",
        "a b",
        ".",
        "..",
        "a\n",
        "prompt$",
        7,
        None,
    ],
)
def test_names_are_plain(name: Any, tmp_path: Path) -> None:
    """S7: a name is lower-case ASCII of at most 128, without `..`; nothing is written for another
    one.
    """
    editor = Editor(tmp_path / "r.json")
    with pytest.raises(RegistryError, match="not valid"):
        editor.save(name, V1)
    editor.save("ok", V1)
    if isinstance(name, str):
        with pytest.raises(RegistryError):
            editor.promote("ok", 1, name, author="a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.json"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"null", "not a registry"),
        (b"[]", "not a registry"),
        (b"7", "not a registry"),
        (b'{"promptops": true, "prompts": {}}', "not a registry"),
        (b'{"promptops": 1}', "lacks its"),
        (b'{"promptops": 1, "prompts": []}', "lacks its"),
        (b'{"promptops": 1, "prompts": {}, "base_url": "x"}', "unknown field 'base_url'"),
        (b'{"promptops": 1, "prompts": {}, "policy": NaN}', "NaN"),
        (b'{"promptops": 1, "prompts": {}, "policy": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"promptops": 1, "prompts": ' + b"[" * 100_000, "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b'{"promptops": 1, "prompts": {}, "prompts": {}}', "twice"),
        (b"<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs\n", "conflict marks"),
        (b'{"promptops": 1,\n=======\n"prompts": {}}', "conflict marks"),  # one that was left
        (b'{"promptops": 1,\r\n>>>>>>> theirs\r\n"prompts": {}}', "conflict marks"),
        (b'{"promptops": 1,\n||||||| base\n"prompts": {}}', "conflict marks"),
    ],
)
def test_what_is_no_registry_is_said_in_one_sentence(data: bytes, said: str) -> None:
    """Hostile or torn files end in RegistryCorrupt, which names the file, the fault and the next
    step, within a second.
    """
    with quick(1):
        with pytest.raises(RegistryCorrupt, match=said) as caught:
            document.parse(data, "the-file.json")
        assert "the-file.json" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_read_over() -> None:
    """A good file that an editor saved with a BOM is the same registry."""
    assert document.parse(b'\xef\xbb\xbf{"promptops": 2, "prompts": {}}', "x") == {
        "promptops": 2,
        "prompts": {},
    }


def test_template_injection_is_an_error_at_save_and_data_at_render() -> None:
    """S1, S2: only plain variables are between double braces; a filled value is never scanned
    again.
    """
    for bad in (
        "{{ x.__class__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{x|upper}}",
        "{{7*7}}",
        "{{ x",
        "{% for %}{{ y() }}",
    ):
        with pytest.raises(TemplateError):
            PromptVersion(bad)
    assert (
        PromptVersion("f-string {x.__class__} {0}").render({})[0]["content"]
        == "f-string {x.__class__} {0}"
    )
    version = PromptVersion("{{cell}} / {{system_prompt}}")
    assert (
        version.render({"cell": "{{ system_prompt }}", "system_prompt": "secret"})[0]["content"]
        == "{{ system_prompt }} / secret"
    )


def test_template_bombs_end_at_once() -> None:
    """S3: 10 MB of template, or nesting without end, is a clear error within a second."""
    with quick(1):
        with pytest.raises(TemplateError, match="exceed what a version may hold"):
            PromptVersion("{{a}}" * 2_000_000)
        deep: Any = "x"
        for _ in range(5_000):
            deep = [deep]
        with pytest.raises(VersionError, match="deep"):
            PromptVersion("x", settings={"stop": deep})
        entry = {**to_entry(V1, 1), "settings": {"stop": deep}}
        with pytest.raises(RegistryCorrupt):
            to_version(entry, "x v1")


def test_tampering_is_found(tmp_path: Path) -> None:
    """S20: an edited text, swapped versions, an edited, dropped, moved or transplanted deployment:
    each is a named fault.
    """
    filled(tmp_path / "r.json")
    good = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert list(document.check(good)) == []

    def faults(change: Any) -> list[str]:
        bad = json.loads(json.dumps(good))
        change(bad["prompts"])
        return [fault for _, fault in document.check(bad)]

    def swap_contents(prompts: Any) -> None:
        one, two = prompts["support-triage"]["versions"]
        one["messages"], two["messages"] = two["messages"], one["messages"]

    def deployments(prompts: Any, env: str = "dev") -> Any:
        return prompts["support-triage"]["environments"][env]["deployments"]

    assert "edited" in faults(swap_contents)[0]
    assert "comes after" in faults(lambda p: p["support-triage"]["versions"].reverse())[0]
    assert "edited" in faults(lambda p: deployments(p)[0].__setitem__("author", "mallory"))[0]
    assert "edited" in faults(lambda p: deployments(p)[-1].__setitem__("version", RICH.id))[0]
    assert "edited" in faults(lambda p: deployments(p).pop(1))[0]
    assert "edited" in faults(lambda p: deployments(p).append(deployments(p, "prod")[0]))[0]
    assert "edited" in faults(lambda p: deployments(p, "prod")[0].pop("forced"))[0]
    assert "unknown field" in faults(lambda p: deployments(p)[0].__setitem__("url", "x"))[0]
    assert "not among" in faults(lambda p: p["support-triage"]["versions"].pop(1))[0]
    assert "malformed" in faults(lambda p: deployments(p).__setitem__(0, 7))[0]
    assert (
        "policy of support-triage"
        in faults(lambda p: p["support-triage"].__setitem__("policy", {"novel": 1}))[0]
    )
    assert "not allowed" in faults(lambda p: p.__setitem__("../x", p["a/b.c_d"]))[0]
    assert (
        "not allowed"
        in faults(
            lambda p: p["support-triage"]["environments"].__setitem__(
                "../x", {"deployments": deployments(p)}
            )
        )[0]
    )
    assert "not an object" in faults(lambda p: p.__setitem__("x", []))[0]
    assert (
        faults(lambda p: deployments(p).pop()) == []
    )  # a chain cut short is `git revert`: the file is the truth


def test_the_chain_form_is_pinned() -> None:
    """Golden digest: another release, or another language, seals a deployment to the same 32 hex
    digits.
    """
    link = {
        "version": "p1-" + "0" * 32,
        "kind": "promote",
        "at": "2026-01-01T00:00:00Z",
        "author": "ann",
        "canary": {"version": "p1-" + "1" * 32, "percent": 12.5},
    }
    assert chain.seal("support-triage", "prod", None, link) == "d1-3598c0e7ca605d095ee74d2cd7e5b15a"
    assert (
        chain.seal("support-triage", "prod", "d1-" + "2" * 32, link)
        == "d1-bd542d7559f9528c939f2d9a96aee1be"
    )


FORM_1 = Path(__file__).parents[1] / "golden" / "format1" / "promptops.json"


def test_a_registry_of_form_1_is_written_as_form_2_with_every_digest(tmp_path: Path) -> None:
    """One deployment more: today's names, form 2, and each chain and version as it was."""
    path = tmp_path / "promptops.json"
    path.write_bytes(FORM_1.read_bytes())
    before = json.loads(path.read_text(encoding="utf-8"))
    editor = Editor(path)
    policy = editor.policy("answers")
    editor.promote("answers", 1, "dev", author="ann", force=True, reason="to go on")
    after = json.loads(path.read_text(encoding="utf-8"))
    assert (before["promptops"], after["promptops"]) == (1, 2)
    assert list(document.check(after)) == []
    assert Editor(path).policy("answers") == policy
    text = path.read_text(encoding="utf-8")
    assert not any(f'"{name}"' in text for name in ("judge_alone", "path", "ungated", "measure"))
    for name, prompt in before["prompts"].items():
        assert after["prompts"][name]["versions"] == prompt["versions"]
        for env, chain_before in prompt.get("environments", {}).items():
            links = after["prompts"][name]["environments"][env]["deployments"]
            assert links[: len(chain_before["deployments"])] == chain_before["deployments"]


def test_reading_form_1_writes_nothing(tmp_path: Path) -> None:
    """What serves and what is checked is read; the file keeps its bytes and its form."""
    path = tmp_path / "promptops.json"
    path.write_bytes(FORM_1.read_bytes())
    assert Editor(path).policy(None).ungated_environments == ("dev", "sandbox")
    assert path.read_bytes() == FORM_1.read_bytes()


def test_a_newer_form_is_read_and_never_written(tmp_path: Path) -> None:
    """R11: a file of a later release is served where its parts verify, and refused by the
    editor.
    """
    from promptops import Loader

    path = tmp_path / "r.json"
    filled(path)
    newer = {**json.loads(path.read_text(encoding="utf-8")), "promptops": 3, "novelty": {}}
    path.write_text(json.dumps(newer), encoding="utf-8")
    assert Loader(path, saved_copy=False).get("support-triage", "prod").number == 1
    before = path.read_bytes()
    with pytest.raises(RegistryError, match="newer promptops-toolkit"):
        Editor(path).save("support-triage", PromptVersion("new"))
    assert path.read_bytes() == before


def test_what_json_reads_is_read_and_what_it_refuses_is_refused() -> None:
    """The walk over the frame knows JSON as `json` does: every cut of a file, white space
    everywhere, one character changed.
    """
    dice = random.Random(11)
    good = json.dumps(
        {
            "promptops": 2,
            "policy": {},
            "prompts": {"a": {"versions": [1, "x"]}, 'b"\\': {}, "": [], "c": None},
        }
    )
    texts = [good[:cut] for cut in range(len(good))]
    texts += [
        "".join(
            char + " \t\r\n"[dice.randrange(4)] * (char in '{}[]:,"')
            for char in good.replace('"', '" ')
        )
        for _ in range(20)
    ]
    texts += [
        json.dumps(json.loads(good), indent=indent, separators=(" ,", " : ")) + end
        for indent in (None, 0, 3)
        for end in ("", "\n ", "x", "{}")
    ]
    for _ in range(3_000):
        at = dice.randrange(len(good))
        texts.append(good[:at] + dice.choice('{}[]:," \\\n\x0b0a') + good[at + dice.randrange(2) :])
    read = 0
    for text in texts:
        try:
            expected = json.loads(
                text,
                object_pairs_hook=lambda pairs: (
                    dict(pairs) if len(dict(pairs)) == len(pairs) else 1 / 0
                ),
            )
            sound = (
                isinstance(expected, dict)
                and type(expected.get("promptops")) is int
                and isinstance(expected.get("prompts"), dict)
            )
            sound = sound and (expected["promptops"] > 2 or expected.keys() <= document.TOP_FIELDS)
        except (ValueError, ZeroDivisionError):
            sound = False
        if sound:
            current = {**expected, "promptops": max(expected["promptops"], document.FORM)}
            assert document.parse(text.encode(), "x") == current
            assert list(
                document.parse(text.encode(), "x", lambda name, prompt: name)["prompts"].values()
            ) == list(expected["prompts"])
            read += 1
        else:
            for keep in (None, lambda name, prompt: name):
                with pytest.raises(RegistryCorrupt, match="^x "):
                    document.parse(text.encode(), "x", keep)
    assert read > 100
