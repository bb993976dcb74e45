// Live calls through the TypeScript recorder, by the cases that Python passes too: run by tests/conformance/test_observe_node.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { feedback, keyedHash, observe, reading, redacted } = await import(pathToFileURL(process.env.PROMPTOPS_READER).href);
const cases = JSON.parse(readFileSync(process.env.PROMPTOPS_CASES, "utf8"));
const present = (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined && value !== null));

for (const one of cases.hashes) test(`hash ${one.text}`, () => assert.equal(keyedHash(one.secret, one.text), one.hash));
for (const one of cases.redacted) test(`redacted ${one.text}`, () => assert.equal(redacted(one.text, one.environment), one.shown));
for (const one of cases.answers) test(`answer ${one.case}`, () => assert.deepEqual(present(reading(one.answer)), one.row));

const messages = Object.defineProperty([{ role: "user", content: "x" }], Symbol.for("promptops.identity"), {
  value: { prompt: "p", version_id: "p1-x", number: 2, env: "prod", arm: null, served_from: "file" },
});
const client = (create) => ({ chat: { completions: { create } } });

test("a call is one line, and the provider's own promise comes back", async () => {
  const lines = [];
  const promise = Promise.resolve(cases.answers[0].answer);
  const observed = observe(observe(client(() => promise), { sink: (text) => lines.push(text) }), { sink: (text) => lines.push(text) });
  assert.equal(observed.chat.completions.create({ model: "m", messages }), promise);
  await promise;
  await null;
  const [row] = lines.map((text) => JSON.parse(text));
  assert.equal(lines.length, 1);
  assert.equal(row.promptops, "live");
  assert.deepEqual([row.prompt, row.version_id, row.env, row.attribution], ["p", "p1-x", "prod", "carried"]);
  assert.ok(!JSON.stringify(row).includes("content"));
});

test("a failure is one line without its text, and is the application's to catch", async () => {
  const lines = [];
  const error = Object.assign(new Error("sk-secret-0123456789abcdef"), { status: 429, name: "RateLimitError" });
  const observed = observe(client(() => Promise.reject(error)), { sink: (text) => lines.push(text) });
  await assert.rejects(observed.chat.completions.create({ model: "m", messages: [...messages] }), error);
  const row = JSON.parse(lines[0]);
  assert.deepEqual([row.failure, row.failure_detail, row.attribution], ["rate_limit", "429 RateLimitError", "unknown"]);
});

test("a sink that throws costs the application nothing", async () => {
  const observed = observe(client(async () => 1), { sink: () => { throw new Error("full"); } });
  assert.equal(await observed.chat.completions.create({ messages }), 1);
  assert.equal(feedback("c-1", { good: true }, { sink: () => { throw new Error("full"); } }), false);
});

test("every door, and the doors of a copy, are one line each", async () => {
  const lines = [];
  const paths = [["chat", "completions"], ["beta", "chat", "completions"], ["completions"], ["responses"], ["beta", "responses"], ["messages"], ["beta", "messages"]];
  const made = () => {
    const one = { models: { generateContent: async () => ({}), generateContentStream: async () => (async function* () {})() } };
    for (const path of paths) path.slice(0, -1).reduce((at, name) => (at[name] ??= {}), one)[path.at(-1)] = { create: async () => ({}) };
    one.withOptions = made;
    return one;
  };
  const client = observe(made(), { sink: (text) => lines.push(JSON.parse(text)) });
  for (const each of [client, client.withOptions(), client.withOptions().withOptions()]) {
    const before = lines.length;
    for (const path of paths) await path.reduce((at, name) => at[name], each).create({ model: "m", messages });
    for (const name of ["generateContent", "generateContentStream"]) await each.models[name]({ model: "m", contents: messages });
    await null;
    assert.equal(lines.length - before, paths.length + 2);
    assert.ok(lines.at(-1).streamed && lines.slice(before).every((row) => row.prompt === "p"));
  }
});

test("nothing is observed where no sink is named", () => {
  const create = () => 1;
  delete process.env.PROMPTOPS_RECORD;
  assert.equal(observe(client(create)).chat.completions.create, create);
  assert.equal(feedback("c-1", { good: true }), false);
});
