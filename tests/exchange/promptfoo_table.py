"""How many assertions of promptfoo configurations an import translates, by type, and whether what
they became judges as promptfoo judges: `python tests/exchange/promptfoo_table.py FOLDER`.

FOLDER holds public configurations (promptfoo's own examples, say). A type that runs code of the
configuration, asks a model or compares embeddings is not deterministic; a type that promptfoo does
not have is counted apart. Each translated assertion is held against `holds`, a second reading of
promptfoo's documentation, on answers made from its own value. CI has no network: it is a command,
and the counts of its last run are in the guide and in promptfoo_counts.json (`--keep`).
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from promptops.errors import PromptOpsError
from promptops.exchange import read_export
from promptops.exchange.promptfoo_checks import translated
from promptops.exchange.yaml_lines import read_yaml
from promptops.scorers import checks, try_out

COUNTS = Path(__file__).with_name("promptfoo_counts.json")
# "Deterministic eval metrics" of promptfoo's documentation, without those that run code or call a
# service of the user's: javascript, python, ruby, webhook
DETERMINISTIC = frozenset(
    (
        *("equals", "contains", "icontains", "contains-any", "contains-all", "icontains-any"),
        *("icontains-all", "starts-with", "ends-with", "regex", "is-json", "contains-json"),
        *("is-html", "contains-html", "is-sql", "contains-sql", "is-xml", "contains-xml"),
        *("is-refusal", "rouge-n", "bleu", "gleu", "meteor", "levenshtein", "latency", "cost"),
        *("perplexity", "perplexity-score", "finish-reason", "word-count", "tool-call-f1"),
        *("is-valid-function-call", "is-valid-openai-function-call"),
        *("is-valid-openai-tools-call", "trace-span-count", "trace-span-duration"),
        "trace-error-spans",
    )
)
OTHERS = frozenset(
    (
        *("javascript", "python", "ruby", "webhook", "llm-rubric", "g-eval", "factuality"),
        *("model-graded-closedqa", "model-graded-factuality", "answer-relevance", "moderation"),
        *("context-relevance", "context-faithfulness", "context-recall", "select-best"),
        *("conversation-relevance", "max-score", "classifier", "similar", "guardrails", "pi"),
    )
)


def holds(kind: str, value: Any, answer: str) -> bool | None:
    """promptfoo's verdict of an assertion on an answer; None for a type that needs more."""
    plain = kind.removeprefix("not-")
    texts = [str(item) for item in value] if isinstance(value, list) else []
    if isinstance(value, str):
        texts = [part.strip() for part in value.split(",")]
    low = answer.lower()
    verdicts = {
        "equals": lambda: _parsed(answer) == value if _data(value) else answer == str(value),
        "contains": lambda: str(value) in answer,
        "icontains": lambda: str(value).lower() in low,
        "contains-any": lambda: any(text in answer for text in texts),
        "contains-all": lambda: all(text in answer for text in texts),
        "icontains-any": lambda: any(text.lower() in low for text in texts),
        "icontains-all": lambda: all(text.lower() in low for text in texts),
        "starts-with": lambda: answer.startswith(str(value)),
        "ends-with": lambda: answer.endswith(str(value)),
        "regex": lambda: re.search(str(value), answer) is not None,
        "is-json": lambda: None if value else _parsed(answer) is not None,
    }
    found = verdicts[plain]() if plain in verdicts else None
    return None if found is None else found != kind.startswith("not-")


def _data(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def answers(value: Any) -> list[str]:
    """Answers near a value: it, in other cases, with white space, as a part, without its end."""
    texts = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    if isinstance(value, str):
        texts += [part.strip() for part in value.split(",")]
    near = ["", " ", "{}", '{"a": 1}', "42", "yes", *texts, " ".join(texts), ",".join(texts)]
    for text in texts:
        near += [text.lower(), text.upper(), f" {text}", f"{text}\n", f"x{text}x", text[:-1]]
        near += [text.swapcase(), f"So, {text}, it is."]
    if _data(value):
        near += [json.dumps(value), json.dumps(value, indent=1)]
    return list(dict.fromkeys(near))


def _assertions(value: Any) -> Iterator[tuple[dict[str, Any], list[str], str]]:
    """(assertion, variables, transform) of every test in a value, those of its parts included."""
    if isinstance(value, list):
        for item in value:
            yield from _assertions(item)
    if not isinstance(value, dict):
        return
    options, given = value.get("options"), value.get("vars")
    wide = str(options.get("transform") or "") if isinstance(options, dict) else ""
    names = list(given) if isinstance(given, dict) else []
    for item in value.get("assert") or [] if isinstance(value.get("assert"), list) else []:
        for part in item.get("assert") or [item] if isinstance(item, dict) else []:
            if isinstance(part, dict):
                yield part, names, str(part.get("transform") or wide)
    for name, item in value.items():
        if name != "assert":
            yield from _assertions(item)


def wrong(path: Path) -> tuple[int, list[str]]:
    """How many verdicts were compared, and those that differ."""
    compared, out = 0, []
    for assertion, names, transform in _assertions(read_yaml(path.read_text(), path.name).value):
        done = translated(assertion, names, transform)
        kind, value = str(assertion.get("type")), assertion.get("value")
        if not done.checks or "{{" in str(value):
            continue
        for answer in answers(value):
            seen = answer.strip() if "trim()" in transform else answer
            wanted = holds(kind, value, seen)
            if wanted is None:
                continue
            compared += 1
            if try_out(checks(), answer, checks=list(done.checks)).passed is not wanted:
                out.append(f"{path.name}: {kind} {value!r} on {answer!r}: there {wanted}")
    return compared, out


def main(folder: Path, keep: bool = False) -> None:
    """The table, and what judges otherwise."""
    done, left = Counter[str](), Counter[str]()
    configs = compared = 0
    differ: list[str] = []
    for path in sorted(folder.rglob("*config*.y*ml")):
        try:
            found = read_export(path).assertions
        except PromptOpsError:
            continue
        if not found:
            continue
        configs += 1
        for kind, good, bad in found:
            done[kind] += good
            left[kind] += bad
        more, other = wrong(path)
        compared, differ = compared + more, differ + other
    kinds = sorted({*done, *left}, key=lambda kind: (-done[kind] - left[kind], kind))
    print(f"{'assertion':32} {'translated':>10} {'left':>6}")
    for kind in kinds:
        plain = kind.removeprefix("not-")
        mark = (
            ""
            if plain in DETERMINISTIC
            else " a judge or code"
            if plain in OTHERS
            else " not promptfoo's"
        )
        print(f"{kind:32} {done[kind]:10} {left[kind]:6}{mark}")
    sure = [kind for kind in kinds if kind.removeprefix("not-") in DETERMINISTIC]
    good, all_ = sum(done[k] for k in sure), sum(done[k] + left[k] for k in sure)
    share = good / max(all_, 1)
    print(f"{configs} configurations: {good} of {all_} deterministic translated ({share:.0%})")
    print(f"{len(differ)} of {compared} verdicts differ from promptfoo's")
    print("".join(f"  {line}\n" for line in differ), end="")
    if keep:
        rows = {kind: [done[kind], left[kind]] for kind in kinds}
        said = {"configs": configs, "compared": compared, "wrong": len(differ), "types": rows}
        COUNTS.write_text(json.dumps(said) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--keep" in sys.argv)
