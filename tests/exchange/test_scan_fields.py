"""Prompts that are fields: of classes, enums and objects, in TypeScript and in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptops.exchange.scan import scan
from promptops.exchange.scan.found_prompt import FoundPrompt, plain_text

REVIEW = "Review the change below and name each fault that you see."
TASK = "Sum up the notes in three short points for a busy reader."


def found_in(folder: Path, source: str, name: str = "app.ts") -> list[FoundPrompt]:
    """What scan finds in one file."""
    (folder / name).write_text(source, encoding="utf-8")
    return list(scan([folder]))


def texts(found: list[FoundPrompt]) -> list[list[str]]:
    """The texts of each prompt, as shown."""
    return [[plain_text(text) for _, text in each.messages] for each in found]


FIELD_FORMS = [
    "class Prompts {{ review = `{0}`; }}",
    "class Prompts {{ static review = '{0}'; }}",
    "class Prompts {{ private readonly review: string = '{0}'; }}",
    "export class Prompts {{ public static readonly review = `{0}`; }}",
    "class Prompts {{ get review(): string {{ return `{0}`; }} }}",
    "enum Prompts {{ Review = '{0}' }}",
    "class Tool {{ prompts = {{ review: '{0}' }}; }}",
    "export const PROMPTS = {{ review: '{0}' }} as const;",
]


@pytest.mark.parametrize("form", FIELD_FORMS)
def test_a_field_of_a_class_named_after_prompts_is_found(form: str, tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, "// a\n" + form.format(TASK + " Respond in English."))
    assert (found.line, found.name) == (2, "review")
    assert texts([found]) == [[TASK + " Respond in English."]]


def test_fields_of_javascript_are_found(tmp_path: Path) -> None:
    source = f"class Prompts {{ review = '{TASK} Respond in English.'; }}"
    assert [each.name for each in found_in(tmp_path, source, "app.js")] == ["review"]


@pytest.mark.parametrize(
    ("declared", "used"),
    [
        ("class A {{ review = '{0}'; {1} }}", "this.review"),
        ("class A {{ private readonly review = '{0}'; {1} }}", "this.review"),
        ("class A {{ get review() {{ return '{0}'; }} {1} }}", "this.review"),
        ("class A {{ prompts = {{ review: '{0}' }}; {1} }}", "this.prompts.review"),
        ("class P {{ static review = '{0}'; }} class A {{ {1} }}", "P.review"),
        ("class P {{ review = '{0}'; }} const p = new P(); class A {{ {1} }}", "p.review"),
        ("enum P {{ Review = '{0}' }} class A {{ {1} }}", "P.Review"),
        ("const P = {{ review: '{0}' }} as const; class A {{ {1} }}", "P.review"),
        ("const P = Object.freeze({{ review: '{0}' }}); class A {{ {1} }}", "P.review"),
    ],
)
def test_a_call_that_sends_a_field_has_its_text(declared: str, used: str, tmp_path: Path) -> None:
    """And the field is not found a second time."""
    ask = (
        'ask(t) { return client.chat.completions.create({ model: "m", messages: ['
        f'{{ role: "system", content: {used} }}, {{ role: "user", content: t }}] }}); }}'
    )
    found = found_in(tmp_path, declared.format("You are a reviewer. " + REVIEW, ask))
    assert texts(found) == [["You are a reviewer. " + REVIEW, "{…}"]]
    assert found[0].name == "ask"


def test_a_field_that_is_assigned_or_overridden_is_not_certain(tmp_path: Path) -> None:
    """A call keeps it as a variable, since another text may be sent."""
    call = (
        'ask(t) { return client.chat.completions.create({ model: "m", messages: ['
        '{ role: "system", content: "Be brief." }, { role: "user", content: this.review }] }); }'
    )
    for rest in ("set(t) { this.review = t; } }", "} class B extends A { review = 'No.'; }"):
        found = found_in(tmp_path, f"class A {{ review = 'Say it.'; {call} {rest}")
        assert texts(found) == [["Be brief.", "{…}"]]


def test_a_field_that_is_only_a_piece_is_left_out_and_one_sent_whole_is_not(tmp_path: Path) -> None:
    source = f"""class Prompts {{
      head = `Here is what you are given. {TASK}`;
      short = `{REVIEW} Respond in English.`;
      more = `{TASK} Respond briefly.`;
      one(inputs) {{ const prompt = this.head + this.short; return inputs.render(prompt); }}
      two(inputs) {{ return inputs.render(this.short); }}
      three(inputs) {{ let prompt = this.short; prompt += this.more; return prompt; }}
    }}"""
    assert [(each.line, each.name) for each in found_in(tmp_path, source)] == [
        (3, "short"),
        (5, "one"),
    ]


def test_a_constant_sent_whole_and_as_a_piece_is_found_twice(tmp_path: Path) -> None:
    source = f"""const BASE_PROMPT = "{REVIEW}";
const LONG_PROMPT = BASE_PROMPT + " {TASK}";
const brief = (chat) => chat.run(BASE_PROMPT);
"""
    assert [each.name for each in found_in(tmp_path, source)] == ["base", "long"]
    alone = source.replace("chat.run(BASE_PROMPT)", "chat.run()")
    assert [each.name for each in found_in(tmp_path, alone)] == ["long"]


@pytest.mark.parametrize("opening", ["Could not", "Couldn't", "Failed to", "Unable to", "Cannot"])
def test_a_text_that_says_what_failed_is_not_a_prompt(opening: str, tmp_path: Path) -> None:
    told = f"{opening} reply to the comment due to the following fault, so extract it again"
    assert not found_in(tmp_path, f'post({{ body: "{told}" }});')
    (tmp_path / "app.ts").unlink()
    assert not found_in(tmp_path, f'BODY = "{told}"\nsend("{told}")\n', "app.py")


@pytest.mark.parametrize("used", ["self.review", "cls.review", "Desk.review"])
def test_an_attribute_of_a_python_class_is_read_in_its_methods(used: str, tmp_path: Path) -> None:
    source = f"""class Desk:
    review: str = "You are a reviewer. {REVIEW}"
    def ask({used[:4].rstrip(".")}, t):
        return client.chat.completions.create(model="m", messages=[
            {{"role": "system", "content": {used}}}, {{"role": "user", "content": t}}])
"""
    found = found_in(tmp_path, source, "app.py")
    assert texts(found) == [[f"You are a reviewer. {REVIEW}", "{…}"]]
    found = found_in(
        tmp_path, source + "    def set(self, t):\n        self.review = t\n", "app.py"
    )
    assert texts(found) != [[f"You are a reviewer. {REVIEW}", "{…}"]]


@pytest.mark.parametrize(
    "head", ["class Prompts", "@dataclass\nclass Prompts", "class Prompts(Enum)"]
)
def test_attributes_of_a_python_class_of_prompts_are_found(head: str, tmp_path: Path) -> None:
    source = f'{head}:\n    review: str = "{TASK} Respond in English."\n'
    assert [each.name for each in found_in(tmp_path, source, "app.py")] == ["review"]
