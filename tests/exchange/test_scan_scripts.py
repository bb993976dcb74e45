"""What replaces a call in TypeScript or JavaScript renders the same bytes for the same values: Node
evaluates the call as it stands in the source, and the expressions that the scan names.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from promptops.exchange.scan import scan

NODE = shutil.which("node")
FORMS = [
    "`Say ${a} and ${b}.`",
    "`Say ${a.trim()} of ${n}: {braces} {{two}} {{{three}}}`",
    "'Say ' + a + \" and \" + b",
    "`Line\\n\\tTab \\u00e9 \\x41 \\` \\${not} $5 ${b}`",
    "`${HEAD}\n\n${n} times ${a.toUpperCase()}`",
    '["Say", a, `and ${b}`].join("\\n")',
    "HEAD + `\\n${a}`",
    "`{{${a}}} ${HEAD}`",
    "`Say ${a} of ${b.length} marks, as ${n > 0 ? 'more' : 'less'}`",
]
PROGRAM = """
const HEAD = "You are brief {{x}} and kind.";
export async function ask(client, a, b, n) {
  const prompt = FORM;
  return client.chat.completions.create({ model: "m", messages: [
    { role: "system", content: HEAD }, { role: "user", content: prompt }] });
}
"""
RUN = """
import { ask } from "./app.mjs";
import { readFileSync } from "node:fs";
const { cases, codes } = JSON.parse(readFileSync(0, "utf-8"));
const HEAD = "You are brief {{x}} and kind.";
const client = { chat: { completions: { create: (request) => request.messages } } };
const named = Object.entries(codes).map(([name, code]) =>
  [name, new Function("a", "b", "n", "HEAD", `return (${code});`)]);
const out = [];
for (const [a, b, n] of cases) {
  const values = Object.fromEntries(named.map(([name, of]) => [name, of(a, b, n, HEAD)]));
  out.push([await ask(client, a, b, n), values]);
}
process.stdout.write(JSON.stringify(out));
"""


def cases(seed: str, count: int = 60) -> list[list[Any]]:
    """Values of a, b and n with what templates, quotes and encodings stumble on."""
    rng = random.Random(seed)
    marks = ["{{", "}}", "${", "`", "\\", "\n", "\r\n", "'", '"', "é", "日本", "🎉", " ", "$&", "x"]
    texts = ["", *("".join(rng.choices(marks, k=rng.randint(1, 9))) for _ in range(2 * count))]
    return [[rng.choice(texts), rng.choice(texts), rng.randint(-9, 9)] for _ in range(count)]


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
@pytest.mark.parametrize("form", FORMS)
def test_a_replaced_call_renders_the_same_bytes(form: str, tmp_path: Path) -> None:
    source = PROGRAM.replace("FORM", form)
    (tmp_path / "app.mjs").write_text(source, encoding="utf-8")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.ts").write_text(source, encoding="utf-8")
    (found,) = scan([tmp_path / "src"])
    version = found.version()
    (tmp_path / "run.mjs").write_text(RUN, encoding="utf-8")
    done = subprocess.run(
        [str(NODE), "run.mjs"],
        cwd=tmp_path,
        input=json.dumps({"cases": cases(form), "codes": found.variables}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    answers = json.loads(done.stdout)
    assert len(answers) == 60
    for there, values in answers:
        assert version.render(values) == there
