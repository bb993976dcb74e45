"""The registry file as a value: one JSON document, one canonical text, and a clear refusal of
anything else.

The text is that of `json.dumps(document, indent=2, ensure_ascii=False)` with prompts and
environments in order of name, so a promotion is a diff of a few lines. There is no revision, count
or digest of the whole file: branches that change different prompts touch no common line. The fields
are closed; an unknown one is refused, never ignored.

    {"promptops": 2, "policy": {...}, "prompts": {name: {
        "policy": {...}, "environments": {env: {"deployments": [...]}}, "versions": [...]}}}

Form 1 has former names of a policy's fields. It is read for good, by `parse`, which gives the
document of form 2; whatever is written is of form 2. Chains and versions are the same in both, so
that every digest stays.
"""

from __future__ import annotations

from ..canonical import encode_basestring, number
from ..errors import RegistryCorrupt, RegistryError, VersionError
from ..late_pattern import late_pattern
from .json_walk import no_constant, no_duplicates, walked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Document = dict[str, Any]

__all__ = ["FORM", "Rendered", "check", "checked_name", "empty", "parse", "render"]

FORM = 2
MAX_BYTES = (
    256 * 2**20
)  # far past any registry; a reader must not swallow whatever is in the file's place
NAME = late_pattern(r"[a-z0-9][a-z0-9._/-]{0,127}", ascii_only=True)
TOP_FIELDS = frozenset({"promptops", "policy", "prompts", "exported"})
PROMPT_FIELDS = frozenset({"policy", "environments", "versions", "last"})
ENVIRONMENT_FIELDS = frozenset({"deployments", "earlier"})


def empty() -> Document:
    """A registry that holds nothing yet."""
    return {"promptops": FORM, "prompts": {}}


def checked_name(name: object, what: str = "prompt") -> str:
    """The name itself.

    Raises RegistryError if it is not lower-case ASCII letters, digits and `._/-` of at most 128.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name:
        raise RegistryError(
            f"{what} name {str(name)[:60]!r} is not valid; use 1 to 128 of a-z, 0-9, '.', '_', '/'"
            " and '-', beginning with a letter or digit, without '..', such as support-triage."
        )
    return name


def parse(data: bytes, where: str, keep: Callable[[str, object], object] | None = None) -> Document:
    """The document of a file's bytes; `where` names it in errors.

    Checks the frame (form, fields of the top, prompts are objects); prompts, chains and versions
    are checked when they are used, so that one bad entry does not take the others down. Raises
    RegistryCorrupt, also if an object holds a key
    twice: two branches that add the same prompt or environment in two places merge cleanly, and one
    of the two would win in silence. keep(name, prompt): what is in a prompt's place, asked as
    soon as it is read, for a reader that needs little of each; the fields inside a version are then
    left to its id, which says what it holds.
    """
    if len(data) > MAX_BYTES:
        raise RegistryCorrupt(
            f"{where} is {len(data):,} bytes, more than the limit of {MAX_BYTES:,};"
            " check what wrote it."
        )
    import json  # with `re`: a third of what importing promptops would take

    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
        document = (
            walked(text, keep)
            if keep
            else json.loads(text, parse_constant=no_constant, object_pairs_hook=no_duplicates)
        )
    except RegistryCorrupt as error:
        raise RegistryCorrupt(f"{where} {error}") from None
    except (ValueError, RecursionError) as error:
        fault = "is empty" if not data.strip() else f"is not JSON ({_conflict(data) or error})"
        raise RegistryCorrupt(
            f"{where} {fault}; restore it from git, or run `promptops registry check`."
        ) from None
    wrong = _frame(document)
    if wrong:
        raise RegistryCorrupt(
            f"{where} {wrong}; restore it from git, or run `promptops registry check`."
        )
    return document if keep or document["promptops"] >= FORM else _of_form_2(document)


def _of_form_2(document: Document) -> Document:
    """A document of form 1 by the names of form 2. What is malformed stays so, for `check`."""
    from ..policy import renamed  # costs more than a reader may pay

    def holder(value: object) -> Any:
        if not isinstance(value, dict) or "policy" not in value:
            return value
        try:
            return {**value, "policy": renamed(value["policy"])}
        except VersionError:
            return value

    prompts = {name: holder(prompt) for name, prompt in document["prompts"].items()}
    return {**holder(document), "promptops": FORM, "prompts": prompts}


class Rendered:
    """The texts of prompts and version entries that were rendered, so that saving one more renders
    one more: neither is ever changed, and each is known by its identity.
    """

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Document, str]] = {}
        self._prompts: dict[str, tuple[Document, bytes]] = {}

    def render(self, document: Document) -> bytes:
        """What `render` gives, encoded."""
        empty = render({**document, "prompts": {}}).encode()
        if not document["prompts"]:
            return empty
        pieces, mark = [empty.removesuffix(b"}\n}\n")], ""
        for name, prompt in sorted(document["prompts"].items()):
            pieces += f"{mark}{_PROMPT}{encode_basestring(name)}: ".encode(), self._of(name, prompt)
            mark = ","
        return b"".join((*pieces, b"\n  }\n}\n"))

    def _of(self, name: str, prompt: Document) -> bytes:
        found = self._prompts.get(name)
        if found is None or found[0] is not prompt:
            out: list[str] = []
            ordered = _in_order(prompt)
            ordered["versions"] = [_Done(self.text(entry)) for entry in prompt["versions"]]
            _write(ordered, _PROMPT, out)
            found = self._prompts[name] = prompt, "".join(out).encode()
        return found[1]

    def text(self, entry: Document) -> str:
        """The entry as it is in a file."""
        found = self._texts.get(id(entry))
        if found is None:
            out: list[str] = []
            _write(entry, _ENTRY, out)
            found = self._texts[id(entry)] = entry, "".join(out)
        return found[1]

    def as_read(self, document: Document, before: Document) -> Document:
        """What `parse` would give of the document's text, where it gave `before`: what the two
        share is taken as it is.
        """
        known, prompts = before["prompts"], {}
        for name, prompt in sorted(document["prompts"].items()):
            prompts[name] = prompt
            if known.get(name) is not prompt:
                prompts[name] = self._read(prompt, known.get(name, {}))
                self._prompts[name] = prompts[name], self._of(name, prompt)
        head = {key: value for key, value in document.items() if key != "prompts"}
        return {**_reread(head), "prompts": prompts}

    def _read(self, prompt: Document, before: Document) -> Document:
        import json

        known = {id(entry) for entry in before.get("versions", [])}
        versions = []
        for entry in prompt["versions"]:
            if id(entry) not in known:
                text = self.text(entry)
                del self._texts[id(entry)]
                entry = json.loads(text)
                self._texts[id(entry)] = entry, text
            versions.append(entry)
        rest = {key: value for key, value in _in_order(prompt).items() if key != "versions"}
        return {**_reread(rest), "versions": versions}


class _Done:
    """An entry that is rendered already."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


_PROMPT = "\n" + 4 * " "
_ENTRY = "\n" + 8 * " "  # the path of an entry of a prompt's versions


def _reread(value: Document) -> Document:
    out: list[str] = []
    _write(value, "\n", out)
    import json

    found: Document = json.loads("".join(out))
    return found


def render(document: Document) -> str:
    """The canonical text of a document, which ends with a line feed."""
    out: list[str] = []
    _write(_ordered(document), "\n", out)
    out.append("\n")
    return "".join(out)


def check(document: Document) -> Iterator[tuple[str, str]]:
    """Every fault of a document as (prompt, sentence): fields, numbers, content ids, chains.

    Empty means sound.
    """
    from . import chain, entry

    yield from (("", fault) for fault in _policy_faults("the registry", document))
    for name, prompt in document["prompts"].items():
        fault = prompt_fault(name, prompt, closed=document["promptops"] <= FORM)
        if fault:
            yield name, fault
            continue
        yield from ((name, fault) for fault in _policy_faults(name, prompt))
        yield from ((name, fault) for fault in entry.faults(name, prompt["versions"]))
        known = {
            version["id"]
            for version in prompt["versions"]
            if hasattr(version, "keys") and isinstance(version.get("id"), str)
        }
        for env, environment in prompt.get("environments", {}).items():
            yield from ((name, fault) for fault in chain.faults(name, env, environment, known))


def prompt_fault(name: str, prompt: object, *, closed: bool = True) -> str | None:
    """What is wrong with the shape of one prompt, or None. closed: refuse fields that this release
    does not know.
    """
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
    last = prompt.get("last", 1)
    if not isinstance(last, int) or isinstance(last, bool) or last < 1:
        return f"prompt {name!r} has last = {last!r}; expected the highest number given so far"
    for env, environment in environments.items():
        if not NAME.fullmatch(env) or ".." in env:
            return f"environment {env[:60]!r} of {name!r} has a name that is not allowed"
        if (
            not isinstance(environment, dict)
            or not isinstance(environment.get("deployments"), list)
            or not environment["deployments"]
        ):
            return f"environment {env!r} of {name!r} lacks its list of deployments"
        if closed and environment.keys() - ENVIRONMENT_FIELDS:
            return (
                f"environment {env!r} of {name!r} has the unknown field"
                f" {sorted(environment.keys() - ENVIRONMENT_FIELDS)[0]!r}"
            )
    return None


def _policy_faults(whose: str, holder: Document) -> Iterator[str]:
    from ..policy import Policy  # costs more than a reader may pay

    try:
        Policy.from_document(holder.get("policy", {}))
    except (TypeError, ValueError, AttributeError) as error:
        yield f"the policy of {whose} cannot be read ({error})"


def _frame(document: object) -> str | None:
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("promptops"), int)
        or isinstance(document["promptops"], bool)
    ):
        return 'is not a registry: a JSON object with "promptops": 2 was expected'
    if not isinstance(document.get("prompts"), dict):
        return 'lacks its "prompts" object'
    unknown = sorted(document.keys() - TOP_FIELDS) if document["promptops"] <= FORM else []
    return f"has the unknown field {unknown[0]!r}" if unknown else None


def _conflict(data: bytes) -> str:
    """What is wrong where git's marks are in it; one that a hasty hand left is enough. No line of a
    registry begins so.
    """
    lines = b"\n" + data
    if any(b"\n" + mark in lines for mark in (b"<<<<<<< ", b"=======", b">>>>>>> ", b"||||||| ")):
        return "it holds git's conflict marks: run `promptops registry merge`"
    return ""


def _ordered(document: Document) -> Document:
    """The same document with its fields, prompts and environments in canonical order."""
    prompts = {name: _in_order(prompt) for name, prompt in sorted(document["prompts"].items())}
    head: Document = {
        key: document[key] for key in ("promptops", "exported", "policy") if key in document
    }
    return {**head, "prompts": prompts}


def _in_order(prompt: Document) -> Document:
    out: Document = {"policy": prompt["policy"]} if "policy" in prompt else {}
    if prompt.get("environments"):
        out["environments"] = dict(sorted(prompt["environments"].items()))
    if "last" in prompt:
        out["last"] = prompt["last"]
    return {**out, "versions": prompt["versions"]}


def _write(value: object, line: str, out: list[str]) -> None:
    """Append the text of `value`; `line` is a line feed and the indentation of its line."""
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
    elif isinstance(value, _Done):
        out.append(value.text)
    elif value is None or value is True or value is False:
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, (int, float)):
        out.append(number(value))
    else:
        out.append("{}" if isinstance(value, dict) else "[]")
