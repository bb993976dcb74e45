"""What the package says in English, and the habits that a native reader stumbles on in it.

`python -m tests.structure.prose` prints every place; `test_english.py` holds the number of them.
Prose is docstrings, comments, texts of more than one word in code, and Markdown.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

_THINGS = (
    "answer|arm|array|batch|call|case|cell|chip|cluster|column|commit|connection|count|dict|digest"
    "|environment|error|example|field|figure|file|finding|folder|group|human|label|line|list|machine"
    "|mean|metric|model|noun|number|object|observation|option|pack|page|pair|part|process"
    "|prompt|question|record|repeat|round|row|run|sample|scorer|score|segment|sentence|sheet|slice"
    "|source|study|table|tag|test|text|thread|token|transaction|try|value|verdict|version|view|word"
    "|writer"
)
# what is counted per thing; names, tries, calls and questions are verbs as often
_COUNTED = (
    "array|column|dict|figure|file|folder|label|line|list|number|object|pair|row|segment|token|value"
    "|writer"
)
HABITS: dict[str, str] = {
    "noun a noun (write: per)": rf"\b(?:{_COUNTED})s? an? (?:{_THINGS})\b(?! of)",
    "one a noun (write: one per)": rf"\b(?:one|once) an? (?:{_THINGS})\b(?! (?:has|is|was))",
    "say name= (write: pass)": r"\bsay [a-z_]+=",
    "is no ... (write: is not a ...)": (
        r"(?<!there )\b(?:is|are|was|were) (?-i:no|none)\b"
        r"(?! (?:longer|more|less|fewer|later|earlier|better|worse|larger|smaller|one\b|bias))"
        r"|\bis nobody's\b"
    ),
    "said, told, held, stands, lies (write: what is meant)": (
        r"\b(?:said|told|is held|are held|held against|stands?(?!-)|lies)\b"
    ),
    "anew, of ours, for who, whoever, for ever, per cent": (
        r"\b(?:anew|of ours|for who|whoever|for ever|in per cent|per cent)\b"
    ),
    "None where, raises X where (write: if)": (
        r"(?:\b(?:None|NaN)|\"\"|\braises?:?(?: (?-i:[A-Z])\w+,?(?: or)?)+) where\b"
    ),
}
# words of a language and texts for models, not sentences of ours
_DATA = [
    ROOT / "promptops" / name
    for name in (
        "embedded/word_forms.py",
        "scorers/language.py",
        "scorers/ifeval_kinds.py",
        "scorers/pairs.py",
        "cli/demo.py",
    )
]
_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in HABITS.items()}


class Place(NamedTuple):
    """One text of a file: where it begins, what sort it is, and what it says."""

    path: Path
    line: int
    sort: str  # "docstring", "comment", "text" or "markdown"
    text: str


def texts(path: Path) -> Iterator[Place]:
    """The prose of one file."""
    if path.suffix == ".py":
        yield from _of_python(path)
    elif path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "markdown":
                yield Place(path, number, "markdown", "".join(cell["source"]))
    else:
        text = re.sub(r"```.*?```|`[^`\n]*`", " ", path.read_text(encoding="utf-8"), flags=re.S)
        for number, line in enumerate(text.splitlines(), 1):
            yield Place(path, number, "markdown", line)


def _of_python(path: Path) -> Iterator[Place]:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Place(path, node.lineno, "docstring" if id(node) in docs else "text", node.value)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Place(path, token.start[0], "comment", token.string)


def files() -> list[Path]:
    """Everything that says something to a reader; other tools' words and data are left out."""
    package = ROOT / "promptops"
    found = [path for path in sorted(package.rglob("*.py")) if path not in _DATA]
    guide = [path for path in sorted((package / "guide").rglob("*.md")) if path.stem != "api"]
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    pages = [ROOT / "README.md", ROOT / "notebooks" / "README.md", ROOT / "data" / "README.md"]
    return [*found, *notebooks, *guide, *pages]


def modules() -> list[Path]:
    """Every Python file of the package."""
    return sorted((ROOT / "promptops").rglob("*.py"))


def classes(path: Path) -> list[str]:
    """The classes that a module defines, those inside others and inside functions included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def habits(place: Place) -> Iterator[tuple[str, str]]:
    """(habit, the words) of each place where the text has one."""
    plain = re.sub(r"``?[^`\n]+``?", "`", place.text) if place.sort != "text" else place.text
    plain = re.sub(r"\s+", " ", plain)
    for name, pattern in _PATTERNS.items():
        for match in pattern.finditer(plain):
            yield name, plain[max(0, match.start() - 40) : match.end() + 40]


def main() -> None:
    """Print every place, and how many there are of each habit and sort."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in files():
        for place in texts(path):
            for name, words in habits(place):
                counts[name, place.sort] += 1
                print(f"{path.relative_to(ROOT)}:{place.line}: [{place.sort}] {words}")
    for (name, sort), count in sorted(counts.items()):
        print(f"{count:5} {sort:10} {name}")


if __name__ == "__main__":
    main()
