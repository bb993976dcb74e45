// The conformance cases through the TypeScript reader: `PROMPTOPS_READER=reader.js node --test`. Run by tests/conformance/test_node.py.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const reader = await import(pathToFileURL(process.env.PROMPTOPS_READER).href);
const cases = JSON.parse(readFileSync(process.env.PROMPTOPS_CASES, "utf8"));
const { Loader, RegistryCorrupt, RegistryNotFound, RenderError, canonical, inCanary, load, render, seal, toVersion } = reader;

const folder = mkdtempSync(join(tmpdir(), "promptops-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = (text) => {
  const path = join(folder, `${(files += 1)}.json`);
  if (text !== undefined) writeFileSync(path, text);
  return path;
};
const registry = (name) => JSON.stringify(cases.registries[name]);
const settled = () => new Promise((done) => setTimeout(done, 60));
const run = { ids: 0, refused_entries: 0, render: 0, request: 0, canary: 0, digests: 0, load: 0, refused_files: 0 };
const each = (kind, check) =>
  cases[kind].forEach((one, index) =>
    test(`${kind}: ${one.case ?? `${one.registry ?? ""} ${one.name ?? one.key ?? index}`}`, async () => {
      await check(one);
      run[kind] += 1;
    }),
  );

each("ids", (one) => assert.equal(toVersion(one.entry, one.case).id, one.id));
each("refused_entries", (one) => assert.throws(() => toVersion(one.entry, one.case), RegistryCorrupt));
each("render", (one) => {
  const version = toVersion(one.entry, one.case);
  if (one.refused) assert.throws(() => render(version, one.values), RenderError);
  else assert.deepEqual(render(version, one.values), one.messages);
});
each("request", (one) => {
  const { entry, values, request } = one;
  // a registry of this entry alone, so that the public door is the one that is tried
  const link = { version: entry.id, kind: "promote", at: "2027-01-01T00:00:00Z", author: "a" };
  const deployments = [{ ...link, digest: seal("p", "prod", null, link) }];
  const path = fresh(JSON.stringify({ promptops: 1, prompts: { p: { environments: { prod: { deployments } }, versions: [entry] } } }));
  assert.deepEqual(new Loader(path).get("p", { env: "prod" }).request(values), request);
});
each("canary", (one) => {
  assert.equal(inCanary(one.prompt, one.version, one.percent, one.key), one.canary);
  if (one.text !== undefined) assert.equal(String(one.key), one.text);
});
each("digests", (one) => assert.equal(seal(one.prompt, one.environment, one.previous, one.deployment), one.digest));
each("load", (one) => {
  const loader = new Loader(fresh(registry(one.registry)));
  const get = () => loader.get(one.name, { env: one.env, key: one.key });
  if (one.refused) return assert.throws(get, (error) => error instanceof reader[one.refused] && error.name === one.refused);
  const served = get();
  assert.deepEqual({ number: served.number, id: served.id, arm: served.arm }, one.answer);
  assert.equal(served.source, "file");
});
each("refused_files", (one) => {
  const path = fresh(registry("good"));
  const warm = new Loader(path);
  const before = warm.get("support-triage", { env: "dev" });
  writeFileSync(path, one.text);
  const cold = () => new Loader(path).get("support-triage", { env: "dev" });
  assert.throws(cold, (error) => error instanceof RegistryCorrupt && error.message.includes(one.names === undefined ? "" : `'${one.names}' twice`));
  const served = warm.get("support-triage", { env: "dev" });
  assert.deepEqual([served.id, served.source], [before.id, "last_known_good"]);
  assert.equal(warm.health().ok, false);
});
test("every case of the file was run", () => {
  for (const [kind, count] of Object.entries(run)) assert.equal(count, cases[kind].length, kind);
  assert.deepEqual(Object.keys(run).sort(), Object.keys(cases).filter((kind) => kind !== "registries").sort());
});

// -- what a file of cases cannot say: time

const at = (path, env = "dev") => load("support-triage", { registry: path, env });

test("a change is served by the next get: replaced, rewritten in place, by a symlink swap", async () => {
  const path = fresh(registry("good"));
  assert.equal(at(path).number, 1);
  writeFileSync(`${path}.new`, registry("history cut short"));
  renameSync(`${path}.new`, path);
  assert.equal(at(path).number, 3);
  await settled();
  writeFileSync(path, registry("good"));
  assert.equal(at(path).number, 1);
  const link = fresh();
  symlinkSync(path, link);
  assert.equal(at(link).number, 1);
  const other = fresh(registry("history cut short"));
  unlinkSync(link);
  symlinkSync(other, link);
  assert.equal(at(link).number, 3);
});

test("a file gone, restored, gone again never throws after the first success, and says so", () => {
  const path = fresh(registry("good"));
  const loader = new Loader(path);
  const get = () => loader.get("support-triage", { env: "dev" });
  assert.throws(() => new Loader(`${path}.none`).get("support-triage", { env: "dev" }), RegistryNotFound);
  const good = get();
  unlinkSync(path);
  const held = get();
  assert.deepEqual([held.id, held.source], [good.id, "last_known_good"]);
  assert.match(held.reason, /no registry file/);
  assert.equal(loader.health().source, "last_known_good");
  assert.ok(held.ageSeconds >= 0 && Number.isFinite(held.ageSeconds));
  writeFileSync(path, registry("good"));
  assert.equal(get().source, "file");
  assert.equal(loader.health().ok, true);
  assert.equal(get().ageSeconds, 0);
});

test("a prompt that turns bad is held, its neighbours go on from the file", () => {
  const path = fresh(registry("good"));
  const loader = new Loader(path);
  const before = loader.get("support-triage", { env: "dev" });
  writeFileSync(path, registry("a prompt that is no object"));
  const held = loader.get("support-triage", { env: "dev" });
  assert.deepEqual([held.id, held.source], [before.id, "last_known_good"]);
  assert.equal(loader.get("other/prompt_2.x", { env: "prod" }).source, "file");
  assert.ok(loader.health().refused["support-triage in dev"]);
});

test("a key of 64 bits is its digits, one that is not a number is none", () => {
  const arm = (key) => inCanary("p", "v", 50, key);
  for (let at = 2n ** 63n; at < 2n ** 63n + 40n; at += 1n) assert.equal(arm(at), arm(String(at)));
  for (const key of [NaN, Infinity, -Infinity]) assert.equal(inCanary("p", "v", 99.99, key), false);
});

test("any number of misses keeps a few, and is not red; what is there and bad is", () => {
  const loader = new Loader(fresh(registry("good")));
  for (let index = 0; index < 5_000; index += 1) {
    assert.equal(loader.get(`user-${index}${"x".repeat(200)}`, { env: "prod", default: "x" }).source, "default");
    assert.equal(loader.get("support-triage", { env: `branch-${index}`, default: "x" }).source, "default");
  }
  assert.equal(loader.health().ok, true);
  assert.equal(Object.keys(loader.health().missed).length, 16);
  assert.ok(JSON.stringify(loader.health()).length < 10_000);
  const bad = new Loader(fresh(registry("edited text")));
  assert.equal(bad.get("support-triage", { env: "prod", default: "x" }).source, "default");
  assert.equal(bad.health().ok, false);
});

test("a field twice inside a version is left to its id, as in Python", () => {
  const text = registry("good");
  const at = text.indexOf('"created"');
  assert.ok(at > text.indexOf('"versions"'));
  const loader = new Loader(fresh(`${text.slice(0, at)}"created": "2001-01-01T00:00:00Z", ${text.slice(at)}`));
  assert.equal(loader.get("support-triage", { env: "dev" }).source, "file");
  assert.equal(loader.get("other/prompt_2.x", { env: "prod" }).source, "file");
});

test("onChange hears of another version once; what it throws is not the request's", () => {
  const path = fresh(registry("good"));
  const heard = [];
  const loader = new Loader(path, {
    onChange: (before, now) => {
      heard.push([before.number, now.number]);
      throw new Error("boom");
    },
  });
  loader.get("support-triage", { env: "dev" });
  writeFileSync(path, registry("history cut short"));
  loader.get("support-triage", { env: "dev" });
  loader.get("support-triage", { env: "dev" });
  assert.deepEqual(heard, [[1, 3]]);
  assert.match(loader.health().onChange, /boom/);
});

test("a default serves where nothing else can be, and only there", () => {
  const served = load("support-triage", { registry: fresh(), env: "prod", default: "Classify: {{ticket}}" });
  assert.deepEqual(served.messages({ ticket: "x" }), [{ role: "user", content: "Classify: x" }]);
  assert.deepEqual([served.source, served.number], ["default", null]);
  const path = fresh(registry("good"));
  assert.equal(load("support-triage", { registry: path, env: "dev", default: "x" }).source, "file");
});

test("PROMPTOPS_ENV and PROMPTOPS_REGISTRY are read where nothing is passed", () => {
  process.env.PROMPTOPS_REGISTRY = fresh(registry("good"));
  process.env.PROMPTOPS_ENV = "dev";
  try {
    assert.equal(load("support-triage").number, 1);
  } finally {
    delete process.env.PROMPTOPS_REGISTRY;
    delete process.env.PROMPTOPS_ENV;
  }
  assert.throws(() => load("support-triage", { registry: fresh(registry("good")) }), reader.NotDeployed);
});

test("what was served cannot be changed by its caller, nor by another prompt's name", () => {
  const path = fresh(registry("good"));
  const served = at(path);
  const request = served.request({ ticket: "x" });
  const carried = request.messages[Symbol.for("promptops.identity")]; // by the names of a live row's columns
  assert.deepEqual([carried.prompt, carried.version, carried.version_id], ["support-triage", served.number, served.id]);
  request.messages[0].content = "gone";
  request.messages.length = 0;
  assert.equal(at(path).request({ ticket: "x" }).messages.length > 0, true);
  assert.throws(() => {
    "use strict";
    served.number = 9;
  }, TypeError);
  for (const name of ["__proto__", "constructor", "toString"]) assert.throws(() => load(name, { registry: path, env: "dev" }), reader.UnknownPrompt);
});

test("values that JSON cannot hold are refused, an undefined one counts as not given", () => {
  const typed = toVersion(cases.ids.find((one) => one.case === "typed variables").entry, "typed");
  const good = { s: "a", n: 1, b: true, o: {}, l: [] };
  const bad = { n: [NaN, Infinity, 1n, undefined], o: [new Map(), new Date(0), null, () => 1], l: [[undefined], [1n], "x"], s: ["\ud800", 1] };
  for (const [name, values] of Object.entries(bad)) for (const value of values) assert.throws(() => render(typed, { ...good, [name]: value }), RenderError);
  assert.throws(() => render(typed, { ...good, extra: 1 }), RenderError);
  assert.equal(render(typed, { ...good, extra: undefined }).length, 1);
  let deep = [];
  for (let i = 0; i < 300; i += 1) deep = [deep];
  assert.throws(() => render(typed, { ...good, l: deep }), RenderError);
  assert.equal(canonical({ b: -0, a: "\u2028\u0007" }), '{"a":"\u2028\\u0007","b":0}');
});
