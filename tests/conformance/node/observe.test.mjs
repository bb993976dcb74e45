// Live calls through the TypeScript recorder, by the cases that Python passes too: run by tests/conformance/test_observe_node.py.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const { feedback, keyedHash, observe, reading, redacted } = await import(pathToFileURL(process.env.PROMPTOPS_READER).href);
const cases = JSON.parse(readFileSync(process.env.PROMPTOPS_CASES, "utf8"));
const present = (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined && value !== null));

for (const one of cases.hashes) test(`hash ${one.text}`, () => assert.equal(keyedHash(one.secret, one.text), one.hash));
for (const one of cases.redacted) test(`redacted ${one.text}`, () => assert.equal(redacted(one.text, one.environment), one.shown));
for (const one of cases.answers) test(`answer ${one.case}`, () => assert.deepEqual(present(reading(one.answer)), one.row));

const doors = {
  chat: (create) => [{ chat: { completions: { create } } }, (one, request) => one.chat.completions.create(request)],
  responses: (create) => [{ responses: { create } }, (one, request) => one.responses.create(request)],
  anthropic: (create) => [{ messages: { create } }, (one, request) => one.messages.create(request)],
  gemini: (create) => [{ models: { generateContentStream: create } }, (one, request) => one.models.generateContentStream(request)],
};
const overloaded = Object.assign(new (class Overloaded extends Error {})("x"), { status: 529 });
/** The rows of a call that is answered with the case's chunks, as the client's stream has them, and ends as the case does. */
async function played(one, shaped) {
  const lines = [];
  async function* chunks() {
    yield* one.chunks;
    if (one.end === "error") throw overloaded;
  }
  const [client, ask] = doors[one.door](async () => shaped(chunks));
  const stream = await ask(observe(client, { sink: (text) => lines.push(JSON.parse(text)) }), cases.request);
  const seen = [];
  try {
    if (one.end === "unread") stream.return();
    else for await (const chunk of stream) if (seen.push(chunk) === one.chunks.length && one.end === "left") break;
  } catch (error) {
    assert.equal(error, overloaded);
  }
  if (one.end !== "unread") assert.deepEqual(seen, one.chunks);
  return lines;
}
/** As the streams of OpenAI's and Anthropic's clients are: each iterator is made by `iterator`, for `tee()` and `toReadableStream()` too. */
class Stream {
  #own = "the real object's";
  constructor(iterator) {
    [this.iterator, this.controller] = [iterator, new AbortController()];
  }
  get own() {
    return this.#own;
  }
  [Symbol.asyncIterator]() {
    return this.iterator();
  }
  tee() {
    const [iterator, queues] = [this.iterator(), [[], []]];
    const side = (mine) => () => ({
      next: () => {
        if (mine.length === 0) {
          const result = iterator.next();
          queues.forEach((queue) => queue.push(result));
        }
        return mine.shift();
      },
    });
    return queues.map((mine) => new Stream(side(mine)));
  }
  toReadableStream() {
    const iterator = this[Symbol.asyncIterator]();
    return new ReadableStream({
      pull: async (controller) => {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => iterator.return?.(),
    });
  }
}
for (const one of cases.streams) {
  test(`stream ${one.case}`, async () => {
    const shapes = one.end === "unread" ? [(chunks) => chunks()] : [(chunks) => chunks(), (chunks) => new Stream(chunks), (chunks) => ({ [Symbol.asyncIterator]: chunks })];
    for (const shaped of shapes) {
      const [row, ...further] = await played(one, shaped);
      assert.deepEqual(further, []);
      assert.equal("first_token_ms" in row, one.first_token);
      for (const name of ["promptops", ...cases.measured]) delete row[name];
      assert.deepEqual(row, one.row);
    }
  });
}
for (const one of cases.errors) {
  test(`error ${one.case}`, async () => {
    const kind = one.names.reduceRight((base, name) => ({ [name]: class extends base {} })[name], Error);
    const error = Object.assign(new kind(one.message), { ...(one.status && { status: one.status }), ...(one.code && { code: one.code }) });
    const lines = [];
    const observed = observe(client(() => Promise.reject(error)), { sink: (text) => lines.push(JSON.parse(text)) });
    await assert.rejects(observed.chat.completions.create(cases.request), error);
    assert.deepEqual(lines.map((row) => [row.failure, row.failure_detail]), [[one.failure, one.detail]]);
  });
}

const messages = Object.defineProperty([{ role: "user", content: "x" }], Symbol.for("promptops.identity"), {
  value: { prompt: "p", version_id: "p1-x", version: 2, env: "prod", arm: null, served_from: "file" },
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
  assert.deepEqual([row.prompt, row.version_id, row.version, row.env, row.attribution], ["p", "p1-x", 2, "prod", "carried"]);
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

test("a class that is patched after observe is called as patched", async () => {
  class Completions {
    async create() {
      return { id: "real", choices: [] };
    }
  }
  const [lines, completions] = [[], new Completions()];
  const client = observe({ chat: { completions } }, { sink: (text) => lines.push(JSON.parse(text)) });
  const real = Completions.prototype.create;
  Completions.prototype.create = async () => ({ id: "patched", choices: [] });
  assert.equal((await client.chat.completions.create({ messages: [] })).id, "patched");
  Completions.prototype.create = real;
  assert.equal((await client.chat.completions.create({ messages: [] })).id, "real");
  assert.deepEqual(lines.map((each) => each.response_id), ["patched", "real"]);
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
    await each.models.generateContent({ model: "m", contents: messages });
    for await (const _ of await each.models.generateContentStream({ model: "m", contents: messages }));
    await null;
    assert.equal(lines.length - before, paths.length + 2);
    assert.ok(lines.at(-1).streamed && lines.slice(before).every((row) => row.prompt === "p"));
  }
});

test("a folder has one file per process, of the lines that stdout has, and is made again", async () => {
  const home = mkdtempSync(join(tmpdir(), "promptops-"));
  const folder = join(home, "live", "rows");
  const observed = observe(client(async () => cases.answers[0].answer), { sink: folder });
  const read = () => readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8").trim().split("\n"));
  for (const count of [1, 2]) {
    await observed.chat.completions.create({ model: "m", messages });
    await null;
    assert.deepEqual(read().map((lines) => lines.length), [count]);
  }
  assert.ok(feedback("c-1", { good: true }, { sink: folder }));
  const rows = read()[0].map((text) => JSON.parse(text));
  assert.deepEqual(rows.map((row) => [row.promptops, row.prompt]), [["live", "p"], ["live", "p"], ["feedback", undefined]]);
  assert.equal(statSync(join(folder, readdirSync(folder)[0])).mode & 0o77, 0);
  rmSync(folder, { recursive: true });
  assert.ok(feedback("c-2", { good: true }, { sink: folder }));
  assert.equal(read()[0].length, 1);
  writeFileSync(join(home, "file"), "");
  const blocked = observe(client(async () => 1), { sink: join(home, "file", "below") });
  assert.equal(await blocked.chat.completions.create({ messages }), 1);
  assert.equal(feedback("c-3", { good: true }, { sink: join(home, "file", "below") }), false);
  rmSync(home, { recursive: true });
});

test("nothing is observed where no sink is named, or one that only Python has", () => {
  const create = () => 1;
  delete process.env.PROMPTOPS_RECORD;
  assert.equal(observe(client(create)).chat.completions.create, create);
  assert.equal(feedback("c-1", { good: true }), false);
  for (const sink of ["otlp", "https://collector.example/v1/logs"]) assert.equal(observe(client(create), { sink }).chat.completions.create, create);
});

/** As the promises of OpenAI's and Anthropic's clients are: the body is read once, and only when the promise is awaited. */
class APIPromise extends Promise {
  constructor(responsePromise, parseResponse) {
    super((resolve) => resolve(null));
    [this.responsePromise, this.parseResponse] = [responsePromise, parseResponse];
  }
  static get [Symbol.species]() {
    return Promise;
  }
  _thenUnwrap(transform) {
    return new APIPromise(this.responsePromise, async (own, props) => transform(await this.parseResponse(own, props)));
  }
  asResponse() {
    return this.responsePromise.then((props) => props.response);
  }
  async withResponse() {
    const [data, response] = await Promise.all([this.parse(), this.asResponse()]);
    return { data, response };
  }
  parse() {
    return (this.parsed ??= this.responsePromise.then((props) => this.parseResponse("client", props)));
  }
  then(...given) {
    return this.parse().then(...given);
  }
}
const whole = cases.streams[0];
const events = whole.chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("") + "data: [DONE]\n\n";
/** A client whose answers come over the wire, and its rows. */
function wired() {
  const lines = [];
  const create = (request) => {
    const response = new Response(request.stream ? events : JSON.stringify(cases.answers[0].answer, null, 2));
    const parsed = async (own, props) => {
      assert.equal(own, "client");
      if (!request.stream) return props.response.json();
      return new Stream(async function* () {
        for (const each of (await props.response.text()).split("\n\n").slice(0, -2)) yield JSON.parse(each.slice(5));
      });
    };
    return new APIPromise(Promise.resolve({ response }), parsed);
  };
  return [observe(client(create), { sink: (text) => lines.push(JSON.parse(text)) }).chat.completions, lines];
}
async function drained(stream) {
  const seen = [];
  for await (const each of stream) seen.push(each);
  return seen;
}
/** One row, with the tokens; of a stream with the time to its first token too. */
function assertWhole(lines, streamed) {
  assert.equal(lines.length, 1);
  const row = streamed ? whole.row : cases.answers[0].row;
  assert.deepEqual(Object.fromEntries(Object.keys(row).map((name) => [name, lines[0][name]])), row);
  assert.equal("first_token_ms" in lines[0], streamed);
}

test("a raw response is the application's to read, and one row with its tokens", async () => {
  const ways = {
    "withResponse": async (promise) => (await promise.withResponse()).data.id,
    "asResponse and json": async (promise) => (await (await promise.asResponse()).json()).id,
    "asResponse and text": async (promise) => JSON.parse(await (await promise.asResponse()).text()).id,
    "asResponse and bytes": async (promise) => JSON.parse(Buffer.from(await (await promise.asResponse()).arrayBuffer())).id,
    "asResponse and body": async (promise) => JSON.parse(Buffer.concat(await drained((await promise.asResponse()).body))).id,
    "asResponse and a new response": async (promise) => (await new Response((await promise.asResponse()).body).json()).id,
    "asResponse, then the answer": async (promise) => ((await promise.asResponse()).status === 200 ? (await promise).id : null),
    "what parse makes of it": async (promise) => promise._thenUnwrap((found) => found.id),
    "what parse would make of it, raw": async (promise) => (await (await promise._thenUnwrap(() => null).asResponse()).json()).id,
    "never looked at twice": async (promise) => ((await promise).id === (await promise).id ? (await promise).id : null),
  };
  for (const [name, way] of Object.entries(ways)) {
    const [completions, lines] = wired();
    const promise = completions.create({ model: "m", messages });
    assert.ok(promise instanceof APIPromise);
    assert.equal(await way(promise), "chatcmpl-1", name);
    assertWhole(lines, false);
  }
});

test("a stream keeps its methods, and is one row however it is read", async () => {
  const text = (parts) => new TextDecoder().decode(Buffer.concat(parts));
  const ways = {
    "for await": async (promise) => drained(await promise),
    "withResponse": async (promise) => drained((await promise.withResponse()).data),
    "tee": async (promise) => {
      const [left, right] = (await promise).tee();
      const seen = await drained(left);
      assert.deepEqual(await drained(right), seen);
      return seen;
    },
    "toReadableStream": async (promise) => drained((await promise).toReadableStream()),
    "asResponse and body": async (promise) => text(await drained((await promise.asResponse()).body)),
    "asResponse and text": async (promise) => (await promise.asResponse()).text(),
    "asResponse, passed on": async (promise) => new Response((await promise.asResponse()).body).text(),
    "its own fields": async (promise) => {
      const stream = await promise;
      assert.deepEqual([stream.constructor, stream.own, stream.controller.signal.aborted], [Stream, "the real object's", false]);
      return drained(stream);
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    const [completions, lines] = wired();
    const seen = await way(completions.create({ model: "m", messages: cases.request.messages, stream: true }));
    assert.deepEqual(seen, typeof seen === "string" ? events : whole.chunks, name);
    assertWhole(lines, true);
  }
});

test("a helper that reads a stream by events is one row", async () => {
  const [completions, lines] = wired();
  const helper = new EventTarget();
  const final = (async () => {
    const { data } = await completions.create({ model: "m", messages: cases.request.messages, stream: true }).withResponse();
    let said = "";
    for await (const chunk of data) {
      said += chunk.choices[0]?.delta?.content ?? "";
      helper.dispatchEvent(new Event("chunk"));
    }
    return said;
  })();
  let count = 0;
  helper.addEventListener("chunk", () => (count += 1));
  assert.equal((await final).slice(0, 7), "billing");
  assert.equal(count, whole.chunks.length);
  assertWhole(lines, true);
});

test("what is closed early is one row that says so", async () => {
  const ways = {
    "a cancelled readable stream": async (promise) => {
      const reader = (await promise).toReadableStream().getReader();
      await reader.read();
      await reader.cancel();
    },
    "a cancelled body": async (promise) => (await promise.asResponse()).body.cancel(),
    "an aborted stream": async (promise) => {
      const stream = await promise;
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      stream.controller.abort();
      await iterator.return();
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    const [completions, lines] = wired();
    await way(completions.create({ model: "m", messages, stream: true }));
    assert.equal(lines.length, 1, name);
    assert.deepEqual([lines[0].failure, lines[0].prompt], name === "a cancelled body" ? [undefined, "p"] : ["cancelled", "p"], name);
  }
});

test("what is still being read is not let go of", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const ways = {
    "a raw body": async (asked) => (await asked().asResponse()).body,
    "a stream": async (asked) => asked(),
    "a side of a tee": async (asked) => (await asked()).tee()[0],
    "a readable stream": async (asked) => (await asked()).toReadableStream(),
  };
  for (const [name, way] of Object.entries(ways)) {
    const lines = [];
    const pieces = events.split(/(?<=\n\n)/).map((piece) => new TextEncoder().encode(piece));
    const pull = (controller) => (pieces.length > 0 ? controller.enqueue(pieces.shift()) : controller.close());
    const create = () => new APIPromise(Promise.resolve({ response: new Response(new ReadableStream({ pull })) }), async () => new Stream(async function* () { yield* whole.chunks; }));
    const { completions } = observe(client(create), { sink: (text) => lines.push(JSON.parse(text)) }).chat;
    for await (const _ of await way(() => completions.create(cases.request))) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(lines.map((row) => row.finish_reason), ["stop"], name);
    assertWhole(lines, true);
  }
});

test("whatever nobody reads is a row when the process ends", () => {
  const script = `
    const { observe } = await import(${JSON.stringify(pathToFileURL(process.env.PROMPTOPS_READER).href)});
    const create = async () => (async function* () { yield { choices: [{ delta: { content: "x" } }] }; })();
    const client = observe({ chat: { completions: { create } } }, { sink: "stdout" });
    const unread = await client.chat.completions.create({ model: "a" });
    const half = await client.chat.completions.create({ model: "b" });
    await half.next();
    globalThis.kept = [unread, half];`;
  const done = spawnSync(process.execPath, ["--input-type=module", "--no-warnings", ...process.execArgv.filter((each) => /strip/.test(each)), "-e", script], { encoding: "utf8" });
  const rows = done.stdout.trim().split("\n").map((text) => JSON.parse(text));
  assert.deepEqual(rows.map((row) => [row.model, row.failure, row.chars_out]), [["a", "cancelled", undefined], ["b", "cancelled", 1]], done.stderr);
});

test("a cut connection is named by its cause, and the address by its host", async () => {
  const lines = [];
  const error = Object.assign(new TypeError("terminated"), { cause: Object.assign(new Error("other side closed"), { name: "SocketError", code: "UND_ERR_SOCKET" }) });
  const observed = observe({ baseURL: "https://key:secret@api.example.org:8443/v1?x", ...client(() => Promise.reject(error)) }, { sink: (text) => lines.push(JSON.parse(text)) });
  await assert.rejects(observed.chat.completions.create(cases.request), error);
  assert.deepEqual([lines[0].failure, lines[0].endpoint, lines.length], ["connection", "api.example.org", 1]);
});
