// Damaged registries: the answers that the Python loader gave, asked again. Run by tests/conformance/test_node.py.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { Loader, PromptOpsError } = await import(pathToFileURL(process.env.PROMPTOPS_READER).href);
const asked = JSON.parse(readFileSync(process.env.PROMPTOPS_DAMAGED, "utf8"));

function answer(loader, { name, env, key, values }) {
  try {
    const served = loader.get(name, { env, key });
    const said = { number: served.number, id: served.id, arm: served.arm };
    try {
      return { ...said, messages: served.messages(values) };
    } catch (error) {
      return { ...said, refused: error.name };
    }
  } catch (error) {
    if (!(error instanceof PromptOpsError)) throw error;
    return { refused: error.name };
  }
}

test("every damaged registry is answered as in Python", () => {
  const folder = mkdtempSync(join(tmpdir(), "promptops-"));
  try {
    for (const { text, questions } of asked) {
      const path = join(folder, "promptops.json");
      writeFileSync(path, text);
      const loader = new Loader(path);
      for (const { expected, ...question } of questions) assert.deepEqual(answer(loader, question), expected, `${JSON.stringify(question)}\n${text}`);
    }
    assert.ok(asked.length > 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
