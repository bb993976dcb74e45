"""Prompts in files of their own: Prompty 1 and 2, dotprompt, DSPy's saved programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..dataset.example import Example
from ..errors import DatasetError, TemplateError, VersionError
from ..version import PromptVersion
from ..version.renderer import literal, names
from .chat_text import model_of, settings_of, slug
from .foreign_template import from_jinja, logic_in
from .imported import Imported, ImportedVersion
from .scored import FileImport
from .yaml_lines import Lined, read_yaml

__all__ = ["is_dspy", "parts_of", "read_dotprompt", "read_dspy", "read_prompty"]

_ROLE = re.compile(
    r"(?im)^[ \t]{0,20}#?[ \t]{0,20}(system|developer|user|assistant)[ \t]{0,20}:[ \t]{0,20}$"
)
_HELPER = re.compile(r"\{\{\s*role\s+[\"'](\w+)[\"']\s*\}\}")
_FIELD = re.compile(r"\$\{(\w+)\}")
_TYPES = {
    **dict.fromkeys(("string", "str", "text"), "string"),
    **dict.fromkeys(("number", "integer", "int", "float"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("array", "list"), "list"),
    **dict.fromkeys(("object", "dict", "any"), "object"),
}
_ROLES = {"model": "assistant"}


def parts_of(text: str, name: str) -> tuple[Lined, str, int] | None:
    """(front matter, body, line on which the body begins) of a text that opens with `---`.

    Raises DatasetError for front matter that is not YAML.
    """
    if not text.startswith("---"):
        return None
    lines = text.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        return None
    front = read_yaml("\n" + "".join(lines[1:end]), name)
    return front, "".join(lines[end + 1 :]), end + 2


def read_prompty(front: Lined, body: str, begins: int, path: Path) -> Imported:
    """One version of a `.prompty` file, with its typed inputs; a sample becomes an example.

    Jinja's logic is not brought over, and its line is named.
    """
    gathered = FileImport(path.name)
    facts = _map(front.value)
    name = slug(str(facts.get("name") or ""), slug(path.stem, "prompt"))
    model, settings = _model(facts, gathered, front)
    form = settings.pop("response_format", None)
    inputs = _inputs(facts, gathered)
    if facts.get("outputs"):
        gathered.leave(
            "outputs", "a version has no typed outputs", "response_format=", front.line("outputs")
        )
    versions = _version(
        gathered,
        (body, begins),
        name,
        model,
        settings,
        form if isinstance(form, Mapping) else None,
        inputs,
    )
    sample = {key: spec["example"] for key, spec in inputs.items() if spec.get("example")}
    sample = {**sample, **_map(facts.get("sample"))}
    examples = (Example("sample", sample),) if sample else ()
    return Imported("Prompty", name, versions, examples, (), tuple(gathered.left))


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _model(
    facts: Mapping[str, object], gathered: FileImport, front: Lined
) -> tuple[str | None, dict[str, object]]:
    given = facts.get("model")
    if isinstance(given, str):
        return model_of(given), {}
    model = _map(given)
    configuration = _map(model.get("configuration"))
    name = model.get("id") or configuration.get("azure_deployment") or configuration.get("name")
    options = model.get("options") or model.get("parameters")
    settings, dropped = settings_of(_map(options))
    for key in ("connection", "configuration"):
        if model.get(key):
            why = "it says how the provider is reached, and may be secret"
            gathered.leave(f"model.{key}", why, "Lab(models={...})", front.line("model", key))
    for key in dropped:
        gathered.leave(f"option {key}", "it says how the provider is reached", "Lab(models=...)")
    return (str(name) if name else None), settings


def _inputs(facts: Mapping[str, object], gathered: FileImport) -> dict[str, dict[str, object]]:
    """Variable -> its declaration, of Prompty 2's list and Prompty 1's map."""
    given = facts.get("inputs")
    pairs: list[tuple[str, object]] = []
    if isinstance(given, dict):
        pairs = list(given.items())
    elif isinstance(given, list):
        pairs = [(str(item.get("name")), item) for item in given if isinstance(item, dict)]
    out: dict[str, dict[str, Any]] = {}
    for name, item in pairs:
        spec = _map(item)
        kind = _TYPES.get(str(spec.get("kind") or spec.get("type") or "string"))
        if kind is None:
            gathered.leave(f"the type of input {name!r}", "there is no such type here", "string")
        found: dict[str, Any] = {"type": kind or "string"}
        for key in ("default", "description", "example"):
            if spec.get(key) is not None:
                found[key] = spec[key]
        if "sample" in spec:
            found["example"] = spec["sample"]
        out[name] = found
    return out


def _version(
    gathered: FileImport,
    source: tuple[str, int],
    name: str,
    model: str | None,
    settings: Mapping[str, object],
    form: Mapping[str, object] | None,
    inputs: Mapping[str, object],
) -> tuple[ImportedVersion, ...]:
    """One version; none if the body has logic. source: the body, and the line of its begin."""
    body, begins = source
    found = logic_in(body)
    if found is not None:
        line, piece = found
        gathered.leave(
            f"the prompt {name!r} with {piece!r}",
            "it is logic of another template language",
            "a version for each case, or a variable that is computed before",
            begins + line - 1,
        )
        return ()
    try:
        messages = _messages(body)
        used = {
            used
            for message in messages
            for used in names(message.get("content", "") if isinstance(message, dict) else "")
        }
        for idle in sorted(set(inputs) - used):
            gathered.leave(f"the input {idle!r}", "no message uses it")
        version = PromptVersion(
            messages,
            model=model,
            settings=settings,
            response_format=form,
            variables={key: spec for key, spec in inputs.items() if key in used},
        )
    except (TemplateError, VersionError) as error:
        gathered.leave(f"the prompt {name!r}", str(error).rstrip("."), "", begins)
        return ()
    return (ImportedVersion(name, "v1", version),)


def _messages(body: str) -> list[dict[str, Any]]:
    """Messages under their `role:` lines; a body without one is a user message."""
    pieces = _ROLE.split(body)
    out: list[dict[str, Any]] = []
    if pieces[0].strip():
        out.append({"role": "user", "content": from_jinja(pieces[0].strip())})
    for role, text in zip(pieces[1::2], pieces[2::2], strict=True):
        out.append({"role": role.lower(), "content": from_jinja(text.strip())})
    return out


def read_dotprompt(front: Lined, body: str, begins: int, path: Path) -> Imported:
    """One version of a `.prompt` file; its picoschema gives the variables, Handlebars' logic is not
    brought over.
    """
    gathered = FileImport(path.name)
    facts = _map(front.value)
    given = _map(facts.get("input"))
    defaults = _map(given.get("default"))
    inputs: dict[str, dict[str, object]] = {}
    for key, kind in _map(given.get("schema")).items():
        name, plain = key.rstrip("?"), str(kind).partition(",")[0].strip()
        inputs[name] = {"type": _TYPES.get(plain, "string")}
        if defaults.get(name) is not None:
            inputs[name]["default"] = defaults[name]
        elif key.endswith("?"):
            gathered.leave(f"the optional input {name!r}", "it has no default", 'default=""')
    output = _map(facts.get("output"))
    if output.get("schema"):
        line = front.line("output", "schema")
        gathered.leave("output.schema", "it is picoschema", "response_format=", line)
    form = {"type": "json_object"} if output.get("format") == "json" else None
    settings, _ = settings_of(_map(facts.get("config")))
    model = str(facts["model"]).rpartition("/")[2] if facts.get("model") else None
    text = _HELPER.sub(lambda match: f"\n{_ROLES.get(match[1], match[1])}:\n", body)
    plain_body = _HELPER.sub("", body)
    found = logic_in(plain_body)
    name = slug(path.name.split(".")[0], "prompt")
    if found is not None:
        versions = _version(gathered, (plain_body, begins), name, model, settings, form, inputs)
    else:
        versions = _version(gathered, (text, begins), name, model, settings, form, inputs)
    return Imported("dotprompt", name, versions, (), (), tuple(gathered.left))


def is_dspy(value: object) -> bool:
    """Whether a JSON value is the saved state of a DSPy program."""
    return isinstance(value, dict) and any(
        isinstance(item, dict) and isinstance(item.get("signature"), dict) and "demos" in item
        for item in value.values()
    )


def read_dspy(value: Mapping[str, object], path: Path) -> Imported:
    """A version for each predictor: its instructions, its demos as messages, its input fields as
    variables. DSPy's own adapter writes other bytes, which is noted.
    """
    gathered = FileImport(path.name)
    versions = []
    for name, item in value.items():
        if not isinstance(item, dict) or not isinstance(item.get("signature"), dict):
            continue
        signature = item["signature"]
        demos = [demo for demo in item.get("demos") or [] if isinstance(demo, dict)]
        fields = [_field(field) for field in signature.get("fields") or []]
        asked, wording = _sides(fields, demos)
        messages = _dspy_messages(signature, demos, asked, wording)
        model = _map(item.get("lm")).get("model")
        prompt = slug(path.stem if name == "predict" else f"{path.stem}-{name}", "program")
        try:
            version = PromptVersion(messages, model=model_of(model) if model else None)
        except (TemplateError, VersionError) as error:
            gathered.leave(f"predictor {name!r}", str(error).rstrip("."))
            continue
        versions.append(ImportedVersion(prompt, "v1", version, note="DSPy program"))
        if len(demos) < len(item.get("demos") or []):
            gathered.leave(f"demos of {name!r}", "they are not maps of fields")
    if not versions and not gathered.left:
        raise DatasetError(
            f"{path.name} is a DSPy state without a predictor; save it again with"
            " program.save(path)."
        )
    note = (
        "DSPy's adapter frames these fields in words of its own: the version asks the same in plain"
        " chat messages, and is to be evaluated as a new version."
    )
    name = slug(path.stem, "program")
    return Imported("DSPy program", name, tuple(versions), (), (), tuple(gathered.left), (note,))


def _field(field: Mapping[str, object]) -> tuple[str, str, str]:
    """(name, prefix, description) of a field of a signature."""
    prefix = str(field.get("prefix") or "").rstrip(":").strip()
    description = str(field.get("description") or "")
    name = re.sub(r"\W+", "_", prefix.lower()).strip("_")
    placeholder = _FIELD.fullmatch(description)
    return (placeholder[1] if placeholder else name), prefix, description


def _sides(
    fields: list[tuple[str, str, str]], demos: list[dict[str, object]]
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """The fields asked and the fields answered. The state does not say which is which: the fields
    before "reasoning", else all but the last.
    """
    place = next((i for i, field in enumerate(fields) if field[0] == "reasoning"), None)
    cut = place if place else max(1, len(fields) - 1)
    return fields[:cut], fields[cut:]


def _dspy_messages(
    signature: Mapping[str, object],
    demos: list[dict[str, object]],
    asked: list[tuple[str, str, str]],
    wording: list[tuple[str, str, str]],
) -> list[dict[str, object]]:
    described = [
        f"{prefix}: {literal(text)}"
        for _, prefix, text in [*asked, *wording]
        if text and not _FIELD.fullmatch(text)
    ]
    head = literal(str(signature.get("instructions") or ""))
    system = "\n\n".join(part for part in (head, "\n".join(described)) if part)
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for demo in demos:
        for role, side in (("user", asked), ("assistant", wording)):
            lines = [f"{prefix}: {demo[name]}" for name, prefix, _ in side if name in demo]
            messages.append({"role": role, "content": literal("\n".join(lines))})
    question = "\n".join(f"{prefix}: {{{{{name}}}}}" for name, prefix, _ in asked)
    return [*messages, {"role": "user", "content": question}]
