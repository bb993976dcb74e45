"""The renderer is strict, has one pass and no language: `{{name}}`, and nothing else."""

from __future__ import annotations

import enum
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.canonical import canonical
from promptops.errors import RenderError, TemplateError, VersionError
from promptops.version import PromptVersion
from promptops.version.renderer import MAX_TEXT, TYPES, fill, kind_of, literal, names, to_text
from tests.quick import quick

law = settings(deadline=None, max_examples=100)

TEXT = st.text(st.sampled_from("{}} ab_0\t\n\\%$é😀") | st.characters(exclude_categories=["Cs"]))
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("api", "fresh", "self")
)


class Word(str, enum.Enum):  # noqa: UP042 - the older spelling formats differently, which is the point
    RED = "red"


@law
@given(
    st.dictionaries(NAME, TEXT, max_size=5),
    st.lists(TEXT.map(lambda text: text.replace("{", "(")), min_size=6, max_size=6),
)
def test_a_filled_value_is_never_scanned(values: dict[str, str], between: list[str]) -> None:
    """Whatever a value holds (marks, braces, other names), the result is the texts and the values
    joined, once.
    """
    parts = list(zip(between, values.items(), strict=False))
    text = "".join(f"{said}{{{{{name}}}}}" for said, (name, _) in parts)
    assert names(text) == tuple(values)
    assert fill(text, values) == "".join(f"{said}{value}" for said, (_, value) in parts)


@law
@given(TEXT)
def test_a_literal_renders_to_itself(text: str) -> None:
    """`literal` makes any text a template without variables that renders to exactly it."""
    assert names(literal(text)) == ()
    assert fill(literal(text), {}) == text


@pytest.mark.parametrize(
    "cell",
    [
        "{{ system_prompt }}",
        "{{b}}",
        "{{{{",
        "{{a}}{{b}}",
        "}} {{",
        "\\1",
        "\\g<0>",
        "$a",
        "{% raw %}",
        "{0}",
        "%s",
    ],
)
def test_second_order_rendering(cell: str) -> None:
    """S2: a dataset cell that looks like a mark, a group reference or a format field is inserted
    verbatim.
    """
    version = PromptVersion(
        [
            {"role": "system", "content": "S {{b}}"},
            {"role": "user", "content": "<{{a}}|{{ b }}|{{a}}>"},
        ]
    )
    system, user = version.messages(a=cell, b="B")
    assert system["content"] == "S B"
    assert user["content"] == f"<{cell}|B|{cell}>"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{{{", "{{"),
        ("{{{{x}}", "{{x}}"),
        ("{{{{ x }}", "{{ x }}"),
        ("{{{{{{x}}", "{{1"),
        ("{{x}}{{{{", "1{{"),
        ("{{{{{{{{", "{{{{"),
        ("{{x}}}}", "1}}"),
        ('{"a": {{x}}}', '{"a": 1}'),
        ("{{\tx }}", "1"),
        ("{x} }} { }", "{x} }} { }"),
        ("{ {x}}", "{ {x}}"),
    ],
)
def test_literal_braces(text: str, rendered: str) -> None:
    """`{{{{` writes `{{`; single braces and closing ones are text."""
    assert fill(text, dict.fromkeys(names(text), "1")) == rendered


@pytest.mark.parametrize(
    "mark",
    [
        "{{ x.__class__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ x | upper }}",
        "{{ x() }}",
        "{{ x[0] }}",
        "{{ 7*7 }}",
        "{{7}}",
        "{{}}",
        "{{ }}",
        "{{ x y }}",
        "{{#if x}}",
        "{{/if}}",
        "{{> partial}}",
        "{{!comment}}",
        "{{x!r}}",
        "{{x:>10}}",
        "{{-x-}}",
        "{{{x}}}",
        "{{ x }",
        "{{x",
        "{{\nx}}",
        "{{имя}}",
        "{{ x\u00a0}}",
        "{{ｘ}}",
        "{{$x}}",
        "{{'{{x}}'}}",
    ],
)
def test_template_injection(mark: str) -> None:
    """S1: anything between double braces but a plain ASCII name is an error at save, which shows it
    and names the message.
    """
    with pytest.raises(TemplateError, match=r"message 1: .* is not a variable") as caught:
        PromptVersion(
            [{"role": "system", "content": "fine"}, {"role": "user", "content": f"Dear {mark} end"}]
        )
    assert repr(mark.split("\n")[0])[1:-1] in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["{% for x in y %}", "${x}", "<%= x %>", "{x.__class__}", "#{x}", "%(x)s", "{0.__init__}"],
)
def test_other_languages_are_text(text: str) -> None:
    """S1: marks of other template languages and f-string fields are plain text: sent as they are,
    never run.
    """
    assert PromptVersion(text).messages() == [{"role": "user", "content": text}]


BOMBS: dict[str, Any] = {
    "10 MB": "x" * 10_000_000,
    "one text past the cap": "x" * (MAX_TEXT + 1),
    "many texts past the cap": [{"role": "user", "content": "{{a}}" * 399_000}] * 5,
    "loops of loops": "{{#a}}" * 300_000,
    "only braces": "{" * 1_999_999,
    "open marks": "{{ " * 600_000,
    "blanks in a mark": "{{" + " \t" * 900_000,
    "a long name": "{{" + "a" * 1_900_000,
    "200,000 variables": "".join(f"{{{{a{i}}}}}" for i in range(150_000)),
    "a million messages": [{"role": "user", "content": "a"}] * 1_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_template_bombs(name: str) -> None:
    """S3: a template bomb ends within a second in an error of one short sentence."""
    with quick(1), pytest.raises(VersionError) as caught:
        PromptVersion(BOMBS[name])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("string", "a\nb", "a\nb"),
        ("string", "", ""),
        ("string", Word.RED, "red"),
        ("number", 3, "3"),
        ("number", 3.0, "3"),
        ("number", -0.0, "0"),
        ("number", 1e21, "1e+21"),
        ("number", 0.1, "0.1"),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("object", {"b": 1.0, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ("list", ["é", 1], '["é",1]'),
        ("list", (), "[]"),
    ],
)
def test_typed_values(kind: str, value: object, text: str) -> None:
    """A typed value renders as text or as canonical JSON: the same bytes in every language."""
    assert to_text("x", kind, value) == text
    assert PromptVersion("{{x}}", variables={"x": kind}).messages(x=value)[0]["content"] == text


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", ["text", 1, 1.5, True, {"a": 1}, [1], None, b"x", {1}])
def test_mistyped(kind: str, value: object) -> None:
    """A value renders only as its own type: booleans are not numbers, numbers no text; the error
    names the variable and both types.
    """
    version = PromptVersion("{{field}}", variables={"field": kind})
    if kind == kind_of(value) and not isinstance(value, (bytes, set, type(None))):
        assert version.messages(field=value)
        return
    with pytest.raises(
        RenderError, match=rf"variable 'field' is a {kind}, got {type(value).__name__}"
    ):
        version.messages(field=value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", math.nan),
        ("number", math.inf),
        ("number", 2**53),
        pytest.param("number", 10**5000, id="5,001 digits"),
        ("object", {"a": {1}}),
        ("object", {1: 2}),
        ("list", [math.nan]),
        ("list", ["\ud800"]),
        ("string", "\udc80"),
    ],
)
def test_values_that_no_text_can_carry(kind: str, value: object) -> None:
    """NaN, huge integers, sets and lone surrogates are refused as RenderError, naming the
    variable.
    """
    with pytest.raises(RenderError, match="variable 'field'"):
        PromptVersion("{{field}}", variables={"field": kind}).messages(field=value)


@law
@given(
    st.dictionaries(NAME, TEXT, min_size=1, max_size=4),
    st.dictionaries(NAME, TEXT, max_size=3),
    st.data(),
)
def test_missing_and_extra_are_named(
    values: dict[str, str], more: dict[str, str], data: st.DataObject
) -> None:
    """Values match the variables exactly, or the error names every missing and every extra one."""
    version = PromptVersion(" ".join(f"{{{{{name}}}}}" for name in values))
    left_out = data.draw(st.sets(st.sampled_from(sorted(values))))
    extra = more.keys() - values.keys()
    passed = {name: value for name, value in {**more, **values}.items() if name not in left_out}
    if not left_out and not extra:
        assert version.render(passed)[0]["content"] == " ".join(values.values())
        return
    with pytest.raises(RenderError) as caught:
        version.render(passed)
    said = str(caught.value)
    assert ("is missing" in said) is bool(left_out)
    assert ("does not know" in said) is bool(extra)
    assert all(name in said for name in left_out | extra)
    # only `api`, which a name here never is, gets the sentence on request forms
    assert "request form" not in said


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("string", None, 'pass "" if there is none, or declare it with a default'),
        ("number", None, "pass a number, or declare it with a default"),
        ("string", {1}, r"pass text, as in str\(value\)\.$"),
        ("string", 3, r'declare it with variables=\{"field": "number"\} or pass text'),
        ("number", "3", "; pass a number"),
    ],
)
def test_a_mistyped_value_is_told_what_to_do(kind: str, value: object, says: str) -> None:
    """The next step fits the value: nothing if nothing was meant, a type that it has, never one
    that would refuse it again.
    """
    with pytest.raises(RenderError, match=says):
        PromptVersion("{{field}}", variables={"field": kind}).messages(field=value)


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("value", [pytest.param(10**5000, id="5,001 digits"), Silent()])
def test_values_that_show_nothing(value: object) -> None:
    """A mistyped value whose own repr fails is refused as any other, naming variable and type."""
    with pytest.raises(
        RenderError, match=rf"variable 'field' is a string, got {type(value).__name__}"
    ):
        PromptVersion("{{field}}").messages(field=value)


@law
@given(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.lists(st.integers(0, 9))
    | st.dictionaries(st.text("ab"), st.integers(0, 9))
)
def test_the_type_of_a_value(value: object) -> None:
    """`kind_of` names a type under which the value renders; what has none counts as text."""
    kind = kind_of(value)
    if value is None:
        assert kind == "string"
    else:
        assert to_text("x", kind, value) == canonical(value)


def test_the_longest_text_is_allowed() -> None:
    """2,000,000 characters are a version, one more is refused; the cap is written in a registry's
    promise, so that it does not move.
    """
    assert MAX_TEXT == 2_000_000
    assert names("x" * (MAX_TEXT - 5) + "{{a}}") == ("a",)
    with pytest.raises(TemplateError, match="2,000,001 characters"):
        names("x" * (MAX_TEXT - 4) + "{{a}}")


def test_a_long_mark_is_shown_short() -> None:
    """40 characters of it, on one line."""
    with pytest.raises(TemplateError) as caught:
        names("{{" + "?" * 100)
    assert repr("{{" + "?" * 38) in str(caught.value)
    with pytest.raises(TemplateError) as caught:
        names("{{?\nsecond line")
    assert "second line" not in str(caught.value)
