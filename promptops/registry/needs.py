"""What an application supplies and reads: a promotion, and a get, refuse the version that would
break it.

Statements lie beside the registry as `promptops.consumers/*.json`, one file an application, written
by its own CI with `promptops require --write FILE`. Every gate reads all of them.
"""

from __future__ import annotations

import json
import os

from ..errors import Refused, RegistryCorrupt, RegistryError
from ..plain_file import read_plain
from .document import checked_name
from .served_version import Served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ..version import PromptVersion
    from .view import CanarySplit

__all__ = ["FOLDER", "Need", "broken_by", "fits", "read", "write"]

FORM = "r1"
FOLDER = "promptops.consumers"  # beside the registry file
_DEPTH = 100  # of an output's schema


class Need:
    """One application's statement about one prompt.

    variables: name -> type that it passes, None if it did not say; output: a JSON Schema of what
        it reads, or None.
    """

    __slots__ = ("consumer", "output", "prompt", "variables")

    def __init__(
        self,
        prompt: str,
        variables: Mapping[str, str | None],
        output: Mapping[str, object] | None = None,
        consumer: str = "",
    ) -> None:
        self.prompt, self.consumer = checked_name(prompt), consumer
        self.variables = _typed(variables)
        self.output = _schema(dict(output)) if output is not None else None

    @classmethod
    def of(
        cls,
        prompt: str,
        variables: Any,
        output: Mapping[str, Any] | None = None,
        consumer: str = "",
    ) -> Need:
        """variables: a map of name -> type, or names alone."""
        named = (
            dict(variables)
            if hasattr(variables, "keys")
            else dict.fromkeys([variables] if isinstance(variables, str) else variables)
        )
        return cls(prompt, named, output, consumer)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "variables": dict(sorted(self.variables.items())),
            **({"output": self.output} if self.output is not None else {}),
        }

    def unmet(self, version: PromptVersion) -> list[str]:
        """Why the version would break this application, one sentence each; empty if it would
        not.
        """
        who = self.consumer or "this application"
        out = []
        known = {variable.name: variable for variable in version.variables}
        for name, variable in known.items():
            passed = self.variables.get(name)
            if name not in self.variables:
                if variable.required:
                    out.append(f"it needs {{{{{name}}}}}, which {who} does not supply")
            elif passed is not None and passed != variable.type:
                out.append(f"it takes {name} as {variable.type}, {who} passes a {passed}")
        surplus = sorted(
            self.variables.keys() - known.keys() - ({"history"} if version.takes_history else set())
        )
        out += [
            f"it does not know {name!r}, which {who} passes and strict rendering refuses"
            for name in surplus
        ]
        if self.output is not None:
            promised = _promised(version)
            if promised is not None:
                out += [
                    f"its answers {fault}, which {who} reads"
                    for fault in _lacks(self.output, promised, "")
                ]
        return out


def fits(need: Need, built: Served | CanarySplit, env: str) -> None:
    """Raises Refused if what an environment serves would break the application, on either
    arm.
    """
    sides = [built] if isinstance(built, Served) else [built.stable, built.canary]
    for side in sides:
        unmet = need.unmet(side.version)
        if unmet:
            raise Refused(
                f"v{side.number} of {need.prompt} in {env} does not fit: {'; '.join(unmet)}.", unmet
            )


def read(registry: str) -> list[Need]:
    """Every statement beside the registry. Raises RegistryCorrupt naming a file that is not one."""
    folder = os.path.join(os.path.dirname(registry), FOLDER)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [need for name in names for need in _read_one(os.path.join(folder, name))]


def broken_by(registry: str, prompt: str, version: PromptVersion) -> str:
    """Which stated needs a version of a prompt does not meet, in one sentence; "" if it meets all.
    Statements that do not read hinder nobody here: the sentence says so.
    """
    try:
        stated = [need for need in read(registry) if need.prompt == prompt]
    except RegistryCorrupt as error:
        return f"whether it breaks a registered consumer is not known: {error}"
    faults = [fault for need in stated for fault in need.unmet(version)]
    return f"it breaks a registered consumer: {'; '.join(faults)}." if faults else ""


def write(path: str, consumer: str, needs: Iterable[Need]) -> bool:
    """Write one application's statement. Returns whether the file changed."""
    from .write_lock import replace

    if not consumer.strip():
        raise RegistryError(
            "a statement needs the application's name; pass consumer=..., such as checkout-service."
        )
    stated = {need.prompt: need.document() for need in sorted(needs, key=lambda need: need.prompt)}
    text = (
        json.dumps(
            {"form": FORM, "consumer": consumer, "needs": stated}, indent=2, ensure_ascii=False
        )
        + "\n"
    )
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    return replace(path, text.encode())


def _read_one(path: str) -> list[Need]:
    try:
        document = json.loads(read_plain(path))
        if document["form"] != FORM:
            raise ValueError(f"its form is {_shown(document['form'])}")
        if not isinstance(document["consumer"], str):
            raise ValueError("its consumer is not a text")
        return [
            Need(prompt, need["variables"], need.get("output"), document["consumer"])
            for prompt, need in document["needs"].items()
        ]
    except RecursionError:
        why = "it is nested too deeply"
    except KeyError as error:
        why = f"it has no {error.args[0]!r}"
    except (ValueError, TypeError, AttributeError, OSError, RegistryError) as error:
        why = str(error).rstrip(".")
    raise RegistryCorrupt(
        f"{path} is not a consumer's statement ({why}); write it again with `promptops require"
        " --write`."
    )


def _typed(variables: object) -> dict[str, str | None]:
    """Variables as a map of name -> type. Raises RegistryError if they are something else."""
    if not isinstance(variables, dict) or not all(
        isinstance(name, str) and (kind is None or isinstance(kind, str))
        for name, kind in variables.items()
    ):
        raise RegistryError(
            f"variables are a map of name -> type or None, not {_shown(variables)}; such as"
            ' {"ticket": "text"}.'
        )
    return dict(variables)


def _schema(output: dict[str, object]) -> dict[str, object]:
    """A schema that `_lacks` can read to its end. Raises RegistryError if it cannot."""
    level: list[Any] = [output]
    for _ in range(_DEPTH):
        inner: list[object] = []
        for schema in level:
            if not isinstance(schema, dict):
                raise RegistryError(
                    f"an output is a JSON Schema (an object), not {_shown(schema)}; such as"
                    ' {"type": "object", "required": ["label"]}.'
                )
            properties, items = schema.get("properties") or {}, schema.get("items")
            if not (
                isinstance(properties, dict)
                and _texts(schema.get("required") or [])
                and _texts(schema.get("type") or [])
            ):
                raise RegistryError(
                    "in an output's schema `properties` is an object, `required` a list of names"
                    f" and `type` a name or a list of names; not {_shown(schema)}."
                )
            inner += [value for value in properties.values() if isinstance(value, dict)]
            inner += [items] if isinstance(items, dict) else []
        if not inner:
            return output
        level = inner
    raise RegistryError(
        f"an output's schema is nested more than {_DEPTH} deep; state a shallower one."
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _texts(value: object) -> bool:
    """Whether a value is a text, or a list of texts."""
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def _promised(version: PromptVersion) -> Mapping[str, object] | None:
    """The schema that a version makes the model follow; None if it promises none, which evidence
    must then judge.
    """
    form: Mapping[str, Any] = version.response_format or {}
    schema = (
        (form.get("json_schema") or {}).get("schema") if form.get("type") == "json_schema" else None
    )
    return schema if isinstance(schema, dict) else None


def _lacks(wanted: Mapping[str, Any], promised: Mapping[str, Any], where: str) -> list[str]:
    """What a reader of `wanted` misses in answers that follow `promised`: required properties,
    their types, down the tree. An odd keyword of `promised` promises nothing.
    """
    out = []
    types = [
        set(kind if isinstance(kind, list) else [kind])
        for kind in (wanted.get("type"), promised.get("type"))
        if kind is not None and _texts(kind)
    ]
    if len(types) == 2 and not types[1] <= (
        types[0] | ({"integer"} if "number" in types[0] else set())
    ):
        return [
            f"hold {where or 'a value'} as {'/'.join(sorted(types[1]))} in place of"
            f" {'/'.join(sorted(types[0]))}"
        ]
    have, required = promised.get("properties"), promised.get("required")
    have = have if isinstance(have, dict) else {}
    sure = set(required) if isinstance(required, list) and _texts(required) else set()
    for name in wanted.get("required") or ():
        path = f"{where}.{name}" if where else str(name)
        if name not in have or name not in sure:
            out.append(f"{'may leave out' if name in have else 'lack'} {path}")
    for name, inner in (wanted.get("properties") or {}).items():
        if name in have and isinstance(inner, dict) and isinstance(have[name], dict):
            out += _lacks(inner, have[name], f"{where}.{name}" if where else str(name))
    if isinstance(wanted.get("items"), dict) and isinstance(promised.get("items"), dict):
        out += _lacks(wanted["items"], promised["items"], f"{where}[]")
    return out
