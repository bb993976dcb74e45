"""The registry file as a value: one JSON document, one canonical text, and a clear refusal of anything else.

The text is that of `json.dumps(document, indent=2, ensure_ascii=False)` with prompts and environments in order of name,
so a promotion is a diff of a few lines. There is no revision, count or digest of the whole file: branches that change
different prompts touch no common line. The fields are closed; an unknown one is refused, never ignored.

    {"promptops": 1, "policy": {...}, "prompts": {name: {
        "policy": {...}, "environments": {env: {"deployments": [...]}}, "versions": [...]}}}
"""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring

from ..canonical import number
from ..errors import RegistryCorrupt, RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Document = dict[str, Any]

__all__ = ["FORM", "check", "checked_name", "empty", "parse", "render"]

FORM = 1
MAX_BYTES = 256 * 2**20  # far past any registry; a reader must not swallow whatever lies in the file's place
NAME = re.compile(r"[a-z0-9][a-z0-9._/-]{0,127}", re.ASCII)
TOP_FIELDS = frozenset({"promptops", "policy", "prompts", "exported"})
PROMPT_FIELDS = frozenset({"policy", "environments", "versions"})
ENVIRONMENT_FIELDS = frozenset({"deployments", "earlier"})


def empty() -> Document:
    """A registry that holds nothing yet."""
    return {"promptops": FORM, "prompts": {}}


def checked_name(name: object, what: str = "prompt") -> str:
    """The name itself. Raises RegistryError where it is not lower-case ASCII letters, digits and `._/-` of at most 128."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name:
        raise RegistryError(
            f"{what} name {str(name)[:60]!r} is not valid; use 1 to 128 of a-z, 0-9, '.', '_', '/' and '-', "
            "beginning with a letter or digit, without '..', such as support-triage."
        )
    return name


def parse(data: bytes, where: str) -> Document:
    """The document of a file's bytes; `where` names it in errors.

    Checks the frame (form, fields of the top, prompts are objects); prompts, chains and versions are checked where they
    are used, so that one bad entry does not take the others down. Raises RegistryCorrupt, also where an object holds a key
    twice: two branches that add the same prompt or environment in two places merge cleanly, and one of the two would win
    in silence.
    """
    if len(data) > MAX_BYTES:
        raise RegistryCorrupt(f"{where} is {len(data):,} bytes, past the {MAX_BYTES:,} that a registry may have; check what wrote it.")
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except RegistryCorrupt as error:
        raise RegistryCorrupt(f"{where} {error}") from None
    except (ValueError, RecursionError) as error:
        fault = "is empty" if not data.strip() else f"is not JSON ({_conflict(data) or error})"
        raise RegistryCorrupt(f"{where} {fault}; restore it from git, or run `promptops registry check`.") from None
    wrong = _frame(document)
    if wrong:
        raise RegistryCorrupt(f"{where} {wrong}; restore it from git, or run `promptops registry check`.")
    return document  # type: ignore[no-any-return]


def render(document: Document) -> str:
    """The canonical text of a document, which ends with a line feed."""
    out: list[str] = []
    _write(_ordered(document), "\n", out)
    out.append("\n")
    return "".join(out)


def check(document: Document) -> Iterator[tuple[str, str]]:
    """Every fault of a document as (prompt, sentence): fields, numbers, content ids, chains. Empty means sound."""
    from . import chain, entry

    yield from (("", fault) for fault in _policy_faults("the registry", document))
    for name, prompt in document["prompts"].items():
        fault = prompt_fault(name, prompt, closed=document["promptops"] <= FORM)
        if fault:
            yield name, fault
            continue
        yield from ((name, fault) for fault in _policy_faults(name, prompt))
        yield from ((name, fault) for fault in entry.faults(name, prompt["versions"]))
        known = {version["id"] for version in prompt["versions"] if hasattr(version, "keys") and isinstance(version.get("id"), str)}
        for env, environment in prompt.get("environments", {}).items():
            yield from ((name, fault) for fault in chain.faults(name, env, environment, known))


def prompt_fault(name: str, prompt: object, *, closed: bool = True) -> str | None:
    """What is wrong with the shape of one prompt, or None. closed: refuse fields that this release does not know."""
    if not NAME.fullmatch(name) or ".." in name:
        return f"prompt {name[:60]!r} has a name that is not allowed"
    if not isinstance(prompt, dict):
        return f"prompt {name!r} is not an object"
    versions, environments = prompt.get("versions"), prompt.get("environments", {})
    if not isinstance(versions, list) or not isinstance(environments, dict):
        return f"prompt {name!r} lacks its list of versions or its map of environments"
    unknown = sorted(prompt.keys() - PROMPT_FIELDS) if closed else []
    if unknown:
        return f"prompt {name!r} has the unknown field {unknown[0]!r}"
    for env, environment in environments.items():
        if not NAME.fullmatch(env) or ".." in env:
            return f"environment {env[:60]!r} of {name!r} has a name that is not allowed"
        if not isinstance(environment, dict) or not isinstance(environment.get("deployments"), list) or not environment["deployments"]:
            return f"environment {env!r} of {name!r} lacks its list of deployments"
        if closed and environment.keys() - ENVIRONMENT_FIELDS:
            return f"environment {env!r} of {name!r} has the unknown field {sorted(environment.keys() - ENVIRONMENT_FIELDS)[0]!r}"
    return None


def _policy_faults(whose: str, holder: Document) -> Iterator[str]:
    from ..policy import Policy  # costs more than a reader may pay

    try:
        Policy.from_document(holder.get("policy", {}))
    except (TypeError, ValueError, AttributeError) as error:
        yield f"the policy of {whose} cannot be read ({error})"


def _frame(document: object) -> str | None:
    if not isinstance(document, dict) or not isinstance(document.get("promptops"), int) or isinstance(document["promptops"], bool):
        return 'is not a registry: a JSON object with "promptops": 1 was expected'
    if not isinstance(document.get("prompts"), dict):
        return 'lacks its "prompts" object'
    unknown = sorted(document.keys() - TOP_FIELDS) if document["promptops"] <= FORM else []
    return f"has the unknown field {unknown[0]!r}" if unknown else None


def _conflict(data: bytes) -> str:
    return "it holds git's conflict marks: run `promptops registry merge`" if b"\n<<<<<<< " in b"\n" + data else ""


def _no_constant(text: str) -> None:
    raise RegistryCorrupt(f"holds {text}, which is not JSON; restore it from git.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) == len(pairs):
        return out
    keys = [key for key, _ in pairs]
    for key in out:
        keys.remove(key)
    twice = keys[0]
    raise RegistryCorrupt(
        f"holds the key {twice[:60]!r} twice in one object; keep one of them, or merge again with `promptops registry merge`."
    )


def _ordered(document: Document) -> Document:
    """The same document with its fields, prompts and environments in canonical order."""
    prompts = {name: _in_order(prompt) for name, prompt in sorted(document["prompts"].items())}
    head: Document = {key: document[key] for key in ("promptops", "exported", "policy") if key in document}
    return {**head, "prompts": prompts}


def _in_order(prompt: Document) -> Document:
    out: Document = {"policy": prompt["policy"]} if "policy" in prompt else {}
    if prompt.get("environments"):
        out["environments"] = dict(sorted(prompt["environments"].items()))
    return {**out, "versions": prompt["versions"]}


def _write(value: Any, line: str, out: list[str]) -> None:
    """Append the text of `value`; `line` is a line feed and the indentation of the line that it stands on."""
    if isinstance(value, str):
        out.append(encode_basestring(value))
    elif isinstance(value, dict) and value:
        inner, mark = line + "  ", "{"
        for key, item in value.items():
            out.append(f"{mark}{inner}{encode_basestring(key)}: ")
            _write(item, inner, out)
            mark = ","
        out.append(line + "}")
    elif isinstance(value, (list, tuple)) and value:
        inner, mark = line + "  ", "["
        for item in value:
            out.append(mark + inner)
            _write(item, inner, out)
            mark = ","
        out.append(line + "]")
    elif value is None or value is True or value is False:
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, (int, float)):
        out.append(number(value))
    else:
        out.append("{}" if isinstance(value, dict) else "[]")
