/**
 * Live calls of a TypeScript application, one line of JSON a call: the same rows as `promptops.observe` of Python writes.
 *
 *     const client = observe(new OpenAI());        // PROMPTOPS_RECORD=stdout, or a folder
 *     const answer = await client.chat.completions.create(prompt.request({ ticket }));
 *     feedback(answer.id, { good: false, correction: "billing" });
 *
 * Lines go to the standard output, which the platform's log agent carries, or into a folder, a file per process; `promptops import` takes
 * them in from either. Nothing is written where PROMPTOPS_RECORD names nothing. No values and no outputs are written; users only as keyed hashes; secrets never. Recording never throws
 * into the application. A stream is read as the application reads it, and a body that the application reads itself (`asResponse()`) is left
 * to it: promises, streams and responses stay the provider's own objects, with all their methods.
 */
import { createHmac, randomBytes } from "node:crypto";
import { appendFileSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

type Fields = { [name: string]: any };
export type Options = { sink?: string | ((line: string) => void); service?: string; release?: string };

const IDENTITY = Symbol.for("promptops.identity");
const STARTED = `${Date.now().toString(36)}${randomBytes(3).toString("hex")}`; // a process number comes again after a restart
// what the Python package takes for a secret
const HIDDEN = "[redacted]";
const DOORS = [
  ["chat", "completions"],
  ["beta", "chat", "completions"],
  ["completions"],
  ["responses"],
  ["beta", "responses"],
  ["messages"],
  ["beta", "messages"],
  ["models"],
];
const LENGTH = new Set(["length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"]);
const FILTER = new Set(["content_filter", "safety", "blocklist", "prohibited_content", "spii", "recitation"]);
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/; // what Python takes for space
const STATUS: { [status: number]: string } = { 401: "auth", 403: "permission", 404: "not_found_model", 408: "timeout_read", 409: "server_error", 429: "rate_limit", 503: "overloaded", 529: "overloaded" };
const WORDS: [RegExp, string][] = [
  [/context_length|context window|too many tokens|prompt is too long/i, "context_length"],
  [/content_filter|content_policy|safety|blocked/i, "content_filter_input"],
  [/insufficient_quota|billing|credit balance|quota/i, "quota_exhausted"],
];
const NAMES: [RegExp, string][] = [
  [/AbortError|Cancelled/, "cancelled"],
  [/LengthFinishReason/, "truncated_length"],
  [/ContentFilterFinishReason/, "content_filter_output"],
  [/\bZodError\b|\bValidationError\b/, "schema_mismatch"], // by which `parse` reads the answer
  [/ConnectTimeout|PoolTimeout/, "timeout_connect"],
  [/Timeout/, "timeout_read"],
  [/RateLimit|ResourceExhausted|TooManyRequests/, "rate_limit"],
  [/Authentication|Unauthenticated/, "auth"],
  [/PermissionDenied|Forbidden/, "permission"],
  [/NotFound/, "not_found_model"],
  [/Connection|Connect|Transport|Network|Socket|OSError|Protocol|\bE(?:CONN|PIPE|NOTFOUND|AI_AGAIN)|UND_ERR/, "connection"],
  [/InternalServer|ServerError|ServiceUnavailable|APIStatus/, "server_error"],
  [/BadRequest|InvalidRequest|InvalidArgument|Unprocessable/, "bad_request"],
];

/** `u1-` and 32 hex digits of HMAC-SHA256: the same as in Python. */
export function keyedHash(secret: string, text: string): string {
  return `u1-${createHmac("sha256", secret).update(text, "utf8").digest("hex").slice(0, 32)}`;
}

/** Whether a variable of this name usually holds a secret: one part of the name is enough. */
function namedLikeASecret(name: string): boolean {
  if (ABROAD.test(name)) return true;
  const parts = (name.normalize("NFKD").replace(/[^\x00-\x7f]/g, "").match(PARTS) ?? []).map((part) => part.toUpperCase());
  return parts.length > 0 && !ELSEWHERE.has(parts.at(-1) ?? "") && parts.some((part) => PART.test(part));
}

/** The secrets of an environment, the longest first, each as it is in plain text, in JSON and in an address. */
function secretsOf(environment: { [name: string]: string | undefined }): string[] {
  const found = new Set<string>();
  for (const [name, given] of Object.entries(environment)) {
    const value = (given ?? "").trim();
    if (namedLikeASecret(name) && !(/^(?:OLD)?PWD$/.test(name) && value.startsWith("/"))) found.add(value);
    for (const piece of value.includes("://") ? value.split(/[\s,;]+/) : []) {
      const password = IN_ADDRESS.exec(piece)?.[1];
      if (password !== undefined) found.add(password).add(unquoted(password));
    }
  }
  const known = [...found].filter((value) => value.length >= 8 && !(value.length < 16 && /^(?:\p{L}+|\d+)$/u.test(value)));
  return [...new Set(known.flatMap((value) => [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value.replace(/\p{Surrogate}/gu, "\ufffd"))]))].sort((a, b) => b.length - a.length);
}

function unquoted(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const SHAPES = KEY_SHAPES.map(([source, flags, rule]) => [new RegExp(source, `g${flags}`), rule] as const);
const DATA_FROM = 400; // characters: in a base64 text as long, the beginnings of keys are chance

/** The text without the secrets of the environment and whatever has the shape of a key. */
export function redacted(text: string, environment: { [name: string]: string | undefined } = process.env): string {
  return without(text, secretsOf(environment));
}

function without(text: string, secrets: string[]): string {
  for (const secret of secrets) text = text.split(secret).join(HIDDEN);
  for (const [pattern, rule] of SHAPES) {
    text = text.replace(pattern, (found: string, ...rest: any[]) => {
      const groups = typeof rest.at(-1) === "object" ? rest.pop() : {};
      const [whole, at] = [rest.pop() as string, rest.pop() as number];
      if (rule === "data") return shaped(found, whole, at);
      const kept = groups["kept"] ?? "";
      return rule === "place" && found.length - kept.length < 12 ? found : kept + HIDDEN;
    });
  }
  return text;
}

/** What stands in place of what looks like a key: nothing is hidden in a long base64 text, and the letter of an escape stays. */
function shaped(found: string, whole: string, at: number): string {
  const before = /[A-Za-z0-9+/]*$/.exec(whole.slice(Math.max(0, at - DATA_FROM), at))?.[0].length ?? 0;
  const after = /^[A-Za-z0-9+/]*/.exec(whole.slice(at + found.length, at + found.length + DATA_FROM))?.[0].length ?? 0;
  if (/^[A-Za-z0-9+/]*$/.test(found) && before + after + found.length >= DATA_FROM) return found;
  const escaped = whole[at - 1] === "\\" ? /^(?:[nrtbf]|u[0-9a-fA-F]{4})/.exec(found)?.[0] : "";
  return (escaped ?? "") + HIDDEN;
}

type Reading = { columns: Fields; text: string | undefined; tools: boolean };
const texted = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const whole = (value: unknown): number | undefined => (Number.isInteger(value) ? (value as number) : undefined);
const listed = (value: unknown): any[] => (Array.isArray(value) ? value : []);
const word = (value: unknown): string | undefined => (typeof value === "string" ? value.slice(value.lastIndexOf(".") + 1).toLowerCase() || undefined : undefined);
const present = (row: Fields): Fields => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined && value !== null));

/** What an answer of chat completions, the Responses API, Anthropic or Gemini says of itself, as columns of the row. */
export function reading(answer: any): Fields {
  return judged(read(answer));
}

/** The columns, with the model's own failure that the end of its answer shows, as `outcome` of Python judges it. */
function judged({ columns, text, tools }: Reading): Fields {
  const finish = columns["finish_reason"];
  const shown = LENGTH.has(finish) ? "truncated_length" : FILTER.has(finish) ? "content_filter_output" : finish === "refusal" ? "refusal" : undefined;
  const failure = columns["failure"] ?? shown ?? (text !== undefined && BLANK.test(text) && !tools ? "empty_output" : undefined);
  return { ...columns, failure, chars_out: text === undefined ? undefined : [...text].length };
}

function read(answer: any): Reading {
  if (typeof answer === "string") return { columns: {}, text: answer, tools: false };
  const columns: Fields = { response_id: texted(answer?.id ?? answer?.responseId), model_returned: texted(answer?.model ?? answer?.modelVersion) };
  const found: Reading = { columns, text: undefined, tools: false };
  if (answer?.choices != null) readChat(answer, found);
  else if (answer?.candidates != null || answer?.usageMetadata != null) readGemini(answer, found);
  else if (answer?.stop_reason != null || answer?.type === "message") {
    columns["finish_reason"] = word(answer.stop_reason);
    const blocks = listed(answer.content);
    found.text = blocks.map((block) => (block?.type === "text" ? (texted(block.text) ?? "") : "")).join("");
    found.tools = blocks.some((block) => block?.type === "tool_use");
  } else if (answer?.output != null) readResponses(answer, found);
  else return found;
  Object.assign(columns, usageOf(answer.usage ?? answer.usageMetadata));
  return found;
}

function readChat(answer: any, found: Reading): void {
  const choice = listed(answer.choices)[0];
  const message = choice?.message;
  found.columns["finish_reason"] = word(choice?.finish_reason);
  found.columns["system_fingerprint"] = texted(answer.system_fingerprint);
  found.text = texted(message == null ? choice?.text : message.content) || (choice == null ? undefined : "");
  found.tools = listed(message?.tool_calls).length > 0;
  if (message?.refusal) [found.columns["failure"], found.text] = ["refusal", texted(message.refusal)];
}

function readGemini(answer: any, found: Reading): void {
  const first = listed(answer.candidates)[0];
  const parts = listed(first?.content?.parts);
  found.columns["finish_reason"] = word(first?.finishReason);
  if (first != null) found.text = parts.map((part) => (part?.functionCall || part?.thought ? "" : (texted(part?.text) ?? ""))).join("");
  found.tools = parts.some((part) => part?.functionCall);
  if (answer.promptFeedback?.blockReason != null) found.columns["failure"] = "content_filter_input";
}

function readResponses(answer: any, found: Reading): void {
  const items = listed(answer.output);
  const contents = items.flatMap((item) => (item?.type === "message" ? listed(item.content) : []));
  const status = word(answer.status);
  found.columns["finish_reason"] = word(answer.incomplete_details?.reason) ?? status;
  if (status === undefined || ["completed", "incomplete", "failed"].includes(status)) {
    found.text = contents.map((content) => texted(content?.text) || texted(content?.refusal) || "").join("");
  }
  found.tools = items.some((item) => item?.type === "function_call" || item?.type === "custom_tool_call");
  if (contents.some((content) => content?.type === "refusal")) found.columns["failure"] = "refusal";
  else if (status === "failed") found.columns["failure"] = failureOf(answer.error?.code);
}

const failureOf = (code: unknown): string => ((texted(code) ?? "").includes("rate_limit") ? "rate_limit" : "server_error");

/** Tokens in, out and cached, of any of the usage objects; what is not there is unknown. */
function usageOf(usage: any): Fields {
  if (usage?.prompt_tokens != null) {
    const [given, cached] = [whole(usage.prompt_tokens), whole(usage.prompt_tokens_details?.cached_tokens ?? usage.prompt_cache_hit_tokens)];
    return { tokens_in: given, tokens_out: answerTokens(usage, "completion_tokens", given, cached), tokens_cached: cached };
  }
  if (usage?.promptTokenCount != null) {
    const [out, thought] = [whole(usage.candidatesTokenCount), whole(usage.thoughtsTokenCount)];
    const [asked, read] = [whole(usage.promptTokenCount), whole(usage.toolUsePromptTokenCount) ?? 0]; // what its own tools read counts too
    return { tokens_in: asked === undefined ? undefined : asked + read, tokens_out: thought === undefined ? out : (out ?? 0) + thought, tokens_cached: whole(usage.cachedContentTokenCount) };
  }
  let given = whole(usage?.input_tokens);
  const cached = whole(usage?.cache_read_input_tokens ?? usage?.input_tokens_details?.cached_tokens);
  // Anthropic counts the cached ones apart
  if (given !== undefined) given += (whole(usage.cache_read_input_tokens) ?? 0) + (whole(usage.cache_creation_input_tokens) ?? 0);
  return { tokens_in: given, tokens_out: answerTokens(usage, "output_tokens", given, cached), tokens_cached: cached };
}

/** All tokens that a model wrote, by the rules of Python's `answer_tokens`: xAI counts reasoning beside the answer, Gemini's OpenAI form in the total alone. */
function answerTokens(usage: any, name: string, given?: number, cached?: number): number | undefined {
  const [out, total] = [whole(usage?.[name]), whole(usage?.total_tokens)];
  const reasoning = whole(usage?.[`${name}_details`]?.reasoning_tokens);
  if (out === undefined || (cached ?? 0) > (given ?? 0)) return out;
  if (given === undefined || total === undefined) return reasoning !== undefined && reasoning > out ? out + reasoning : out;
  const beside = total - given - out;
  return beside > 0 && (!reasoning || beside === reasoning || reasoning > out) ? out + (reasoning || beside) : out;
}

/** The content of a stream so far, fed chunk by chunk, by the rules of Python's `StreamReading`. Feeding never changes a chunk. */
class StreamReading {
  #began: number;
  #found: Reading = { columns: {}, text: undefined, tools: false };
  #text = "";
  #counted: Fields = {};
  #whole = false; // an event brought the whole answer
  firstTokenMs: number | undefined = undefined;

  constructor(began: number) {
    this.#began = began;
  }

  feed(chunk: any): void {
    if (chunk?.choices != null) this.#chat(chunk);
    else if (chunk?.candidates != null || chunk?.usageMetadata != null) this.#gemini(chunk);
    else if (typeof chunk?.type === "string") this.#event(chunk.type, chunk);
  }

  result(): Fields {
    const first = { first_token_ms: this.firstTokenMs };
    if (this.#whole) return { ...judged(this.#found), ...first };
    const text = this.#text || (this.#found.columns["finish_reason"] === undefined ? undefined : "");
    return { ...judged({ ...this.#found, text }), ...first };
  }

  #said(piece: unknown): void {
    if (typeof piece !== "string" || !piece) return;
    this.firstTokenMs ??= rounded(performance.now() - this.#began);
    this.#text += piece;
  }

  #seen(columns: Fields): void {
    Object.assign(this.#found.columns, present(columns));
  }

  /** Anthropic's counts are cumulative: those that an event lacks stay as they were. */
  #counts(usage: any): void {
    Object.assign(this.#counted, present(usage ?? {}));
    this.#seen(usageOf(this.#counted));
  }

  #chat(chunk: any): void {
    this.#seen({ response_id: texted(chunk.id), model_returned: texted(chunk.model), system_fingerprint: texted(chunk.system_fingerprint) });
    this.#seen(usageOf(chunk.usage));
    for (const choice of listed(chunk.choices)) {
      if (choice?.index) continue; // a further answer: the first is the row's
      this.#said(choice?.delta == null ? choice?.text : choice.delta.content);
      if (texted(choice?.delta?.refusal)) {
        this.#said(choice.delta.refusal);
        this.#seen({ failure: "refusal" });
      }
      if (listed(choice?.delta?.tool_calls).length > 0) this.#found.tools = true;
      this.#seen({ finish_reason: word(choice?.finish_reason) });
    }
  }

  #gemini(chunk: any): void {
    const { columns, text, tools } = read(chunk);
    this.#said(text);
    this.#found.tools ||= tools;
    this.#seen(columns);
  }

  #event(kind: string, event: any): void {
    if (kind === "response.completed" || kind === "response.incomplete" || kind === "response.failed") {
      [this.#found, this.#whole] = [read(event.response), true];
    } else if (kind.startsWith("response.")) {
      if (event.response != null) this.#seen({ response_id: texted(event.response.id), model_returned: texted(event.response.model) });
      else if (kind === "response.output_text.delta" || kind === "response.refusal.delta") this.#said(event.delta);
    } else if (kind === "error") {
      this.#seen({ failure: failureOf(event.code) });
    } else if (kind === "message_start") {
      this.#seen({ response_id: texted(event.message?.id), model_returned: texted(event.message?.model) });
      this.#counts(event.message?.usage);
    } else if (kind === "content_block_start") {
      if (event.content_block?.type === "tool_use") this.#found.tools = true;
    } else if (kind === "content_block_delta") {
      this.#said(event.delta?.text);
      if (event.delta?.partial_json != null) this.#found.tools = true;
    } else if (kind === "message_delta") {
      this.#seen({ finish_reason: word(event.delta?.stop_reason) });
      this.#counts(event.usage);
    }
  }
}

/** One live call: its row is written exactly once, by the first thing that ends it. */
class LiveCall {
  #row: Fields;
  #write: (line: string) => void;
  #began = performance.now();
  #done = false;
  #stream: StreamReading | null = null;
  parsed = false; // the client reads the response's body, not the application

  constructor(row: Fields, write: (line: string) => void) {
    [this.#row, this.#write] = [row, write];
    OPEN.add(this);
  }

  /** The call answers in pieces. */
  streams(): void {
    this.#stream ??= new StreamReading(this.#began);
  }
  feed(chunk: unknown): void {
    try {
      this.#stream?.feed(chunk);
    } catch {} // recording is never the application's fault
  }
  answered(answer: unknown): void {
    this.#finish(() => reading(answer));
  }
  failed(error: unknown): void {
    this.#finish(() => ({ ...this.#stream?.result(), ...failed(error) }));
  }
  /** It is over: by itself, or `early`, since the application closed it or let go of it. */
  ended(early: boolean): void {
    this.#finish(() => {
      const found = this.#stream?.result() ?? {};
      if (!early || this.#stream === null || found["finish_reason"] !== undefined) return found;
      return { ...found, failure: "cancelled", failure_detail: "the application closed the stream" };
    });
  }

  #finish(found: () => Fields): void {
    if (this.#done) return;
    this.#done = true;
    OPEN.delete(this);
    try {
      LET_GO.unregister(this);
      const latency_ms = rounded(performance.now() - this.#began);
      this.#write(line("live", { ...this.#row, streamed: this.#stream !== null, latency_ms, ...found() }));
    } catch {} // recording is never the application's fault
  }
}

// Whatever was never read, or let go of half read, is a row too: once it is collected, at the latest when the process exits.
const OPEN = new Set<LiveCall>();
const LET_GO = new FinalizationRegistry<LiveCall>((call) => call.ended(true));
let exiting = false;
function endAtExit(): void {
  if (exiting) return;
  exiting = true;
  process.once("exit", () => OPEN.forEach((call) => call.ended(true)));
}

/** Observe each door of a client of OpenAI, Azure, Anthropic or Gemini in place; the same client comes back. */
export function observe<C extends object>(client: C, options: Options = {}): C {
  const write = sinkOf(options);
  if (write === null) return client;
  endAtExit();
  const endpoint = hostOf(client);
  for (const path of DOORS) {
    const resource = path.reduce((at: any, name) => at?.[name], client as any);
    for (const name of ["create", "generateContent", "generateContentStream"]) {
      const original = resource?.[name];
      if (typeof original !== "function" || original.promptopsObserved) continue;
      const own = Object.prototype.hasOwnProperty.call(resource, name); // else a tracer or a test may patch the class later
      const ask = function (this: unknown, ...given: any[]): any {
        const call = new LiveCall(begun(given[0], endpoint, options), write);
        let answer: any;
        try {
          answer = (own ? original : (Object.getPrototypeOf(resource)[name] ?? original)).apply(resource, given);
        } catch (error) {
          call.failed(error);
          throw error;
        }
        try {
          promised(answer, call);
        } catch {} // recording is never the application's fault
        return answer;
      };
      resource[name] = Object.assign(ask, { promptopsObserved: true });
    }
  }
  const owner = client as any;
  const copying = owner.withOptions;
  if (typeof copying === "function" && !copying.promptopsObserved) {
    const copy = (...given: any[]): any => observe(copying.apply(owner, given), options);
    owner.withOptions = Object.assign(copy, { promptopsObserved: true });
  }
  return client;
}

/**
 * Follow what a door gave back. The promise of OpenAI's and Anthropic's clients reads the response's body only once it is awaited, and leaves
 * it to the application after `asResponse()`: so the reading is looked at where it happens (`parseResponse`), and never brought about.
 */
function promised(answer: any, call: LiveCall): void {
  if (typeof answer?.then !== "function") return answered(answer, call);
  const refused = (error: unknown): void => call.failed(error);
  const parse = answer.parseResponse;
  if (typeof parse !== "function" || typeof answer.responsePromise?.then !== "function") {
    answer.then((found: unknown) => answered(found, call), refused);
    return;
  }
  answer.responsePromise.then((props: any) => {
    if (typeof props?.response === "object" && props.response !== null) LET_GO.register(props.response, call, call);
  }, refused);
  answer.parseResponse = async function (this: unknown, ...given: any[]): Promise<any> {
    call.parsed = true;
    let found: any;
    try {
      found = await parse.apply(this, given);
    } catch (error) {
      call.failed(error);
      throw error;
    }
    answered(found, call);
    return found;
  };
  rawViewed(answer, call);
}

function answered(found: any, call: LiveCall): void {
  try {
    if (!streamed(found, call)) call.answered(found);
  } catch {} // recording is never the application's fault
}

/** Look at a stream in place. Whether it is one. */
function streamed(stream: any, call: LiveCall): boolean {
  if (typeof stream?.[Symbol.asyncIterator] !== "function") return false;
  call.streams();
  LET_GO.unregister(call); // what was parsed ends the call, and may outlive the response
  LET_GO.register(stream, call, call);
  if (typeof stream.next === "function") {
    iterated(stream, stream, call);
    return true;
  }
  // `iterator` makes the iterators of OpenAI's and Anthropic's streams: those of `tee()` and `toReadableStream()` too
  const name = typeof stream.iterator === "function" ? "iterator" : Symbol.asyncIterator;
  const original = stream[name];
  let first = true; // a further iterator finds nothing, or an error, of a stream that was read
  stream[name] = function (...given: any[]): any {
    const iterator = original.apply(stream, given);
    if (first) iterated(iterator, stream, call);
    first = false;
    return iterator;
  };
  return true;
}

/** Look at what this iterator gives. It holds on to its stream: while one is read, the other is not let go of. */
function iterated(iterator: any, stream: any, call: LiveCall): void {
  const { next, return: leave, throw: raise } = iterator;
  iterator.next = (...given: any[]): any =>
    next.apply(iterator, given).then(
      (result: any) => {
        if (result?.done) call.ended(Boolean(stream.controller?.signal?.aborted));
        else call.feed(result?.value);
        return result;
      },
      (error: unknown) => {
        call.failed(error);
        throw error;
      },
    );
  if (typeof leave === "function") {
    iterator.return = (...given: any[]): any => {
      call.ended(true);
      return leave.apply(iterator, given);
    };
  }
  if (typeof raise === "function") {
    iterator.throw = (...given: any[]): any => {
      call.failed(given[0]);
      return raise.apply(iterator, given);
    };
  }
}

/** The response that `asResponse()` gives: the application reads its body, and the call ends with that. */
function rawViewed(promise: any, call: LiveCall): void {
  const { asResponse, _thenUnwrap: unwrapping } = promise;
  if (typeof asResponse === "function") {
    promise.asResponse = async (...given: any[]): Promise<any> => {
      const response = await asResponse.apply(promise, given);
      try {
        if (!call.parsed) rawRead(response, call);
      } catch {} // recording is never the application's fault
      return response;
    };
  }
  if (typeof unwrapping === "function") {
    promise._thenUnwrap = (...given: any[]): any => {
      const unwrapped = unwrapping.apply(promise, given);
      rawViewed(unwrapped, call);
      return unwrapped;
    };
  }
}

function rawRead(response: any, call: LiveCall): void {
  for (const name of ["json", "text", "arrayBuffer", "blob", "bytes"]) {
    const original = response[name];
    if (typeof original !== "function") continue;
    response[name] = async (...given: any[]): Promise<any> => {
      let found: any;
      try {
        found = await original.apply(response, given);
      } catch (error) {
        if (!call.parsed) call.failed(error);
        throw error;
      }
      if (!call.parsed) bodyRead(name, found, call);
      return found;
    };
  }
  const own = response.body;
  if (typeof own?.getReader !== "function") return;
  let seen: any = null;
  const body = (): any => (call.parsed ? own : (seen ??= passedOn(own, call)));
  Object.defineProperty(response, "body", { get: body, configurable: true });
}

function bodyRead(name: string, found: any, call: LiveCall): void {
  try {
    if (name === "json") return call.answered(found);
    const body = new BodyReading(call);
    if (typeof found === "string") body.take(found);
    else if (name !== "blob") body.take(new TextDecoder().decode(found));
    body.end();
  } catch {
    call.ended(false);
  }
}

/** A body in text: events of a stream, else one answer in JSON. */
class BodyReading {
  #call: LiveCall;
  #rest = "";
  #plain = "";
  #events = false;

  constructor(call: LiveCall) {
    this.#call = call;
  }
  take(piece: string): void {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const each of lines) {
      if (each.startsWith("data:")) this.#event(each.slice(5));
      else if (!this.#events) this.#plain += `${each}\n`;
    }
  }
  #event(data: string): void {
    if (!this.#events) this.#call.streams();
    [this.#events, this.#plain] = [true, ""];
    try {
      this.#call.feed(JSON.parse(data));
    } catch {} // "[DONE]"
  }
  end(): void {
    this.take("\n");
    if (this.#events) return this.#call.ended(false);
    try {
      this.#call.answered(JSON.parse(this.#plain));
    } catch {
      this.#call.ended(false);
    }
  }
}

/** The bytes as they come, read no earlier than the application asks for them. */
function passedOn(own: any, call: LiveCall): ReadableStream<Uint8Array> {
  const [body, decoder] = [new BodyReading(call), new TextDecoder()];
  let reader: any = null; // taken late: a body that is only looked at stays unlocked
  const seen = (step: () => void): void => {
    try {
      step();
    } catch {} // recording is never the application's fault
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= own.getReader();
        let found: any;
        try {
          do found = await reader.read();
          while (!found.done && found.value.length === 0);
        } catch (error) {
          call.failed(error);
          throw error;
        }
        if (found.done) {
          seen(() => body.end());
          return controller.close();
        }
        seen(() => body.take(decoder.decode(found.value, { stream: true })));
        controller.enqueue(found.value);
      },
      cancel(reason) {
        call.ended(true);
        return reader === null ? own.cancel(reason) : reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  LET_GO.unregister(call); // the body may outlive its response
  LET_GO.register(stream, call, call);
  return stream;
}

/** Record what somebody said of an answer. Whether it was taken. */
export function feedback(run: string, said: { good?: boolean; score?: number; label?: string; correction?: string; note?: string; by?: string }, options: Options = {}): boolean {
  const write = sinkOf(options);
  if (write === null || typeof run !== "string") return false;
  const rows: Fields[] = [];
  if (said.good != null) rows.push({ kind: "good", value: said.good ? 1 : 0 });
  if (Number.isFinite(said.score)) rows.push({ kind: "score", value: said.score });
  if (said.label != null) rows.push({ kind: "label", label: said.label });
  if (rows.length === 0 && (said.correction ?? said.note) != null) rows.push({ kind: said.correction != null ? "correction" : "note" });
  try {
    rows.forEach((row, place) => {
      const beside = place === 0 ? { correction: said.correction, note: said.note } : {}; // once, beside the first
      write(line("feedback", { id: freshId("f"), run, ...row, ...beside, by: hashed(said.by, options), at: utc(Date.now()) }));
    });
  } catch {
    return false;
  }
  return rows.length > 0;
}

function sinkOf(options: Options): ((line: string) => void) | null {
  const named = options.sink ?? process.env["PROMPTOPS_RECORD"];
  if (typeof named === "function") return named;
  if (named === "stdout") return (text) => written(`${text}\n`);
  if (!named || named === "otlp" || /^[a-z][a-z0-9+.-]*:\/\//i.test(named)) return null; // sinks of the Python package
  return (text) => appended(named, `${text}\n`);
}

let torn = false; // the last line was not written whole
/** Write a line to the standard output, which may take a part of it, or nothing for a moment. Throws where it takes no more. */
function written(text: string): void {
  let data: Uint8Array = Buffer.from(torn ? `\n${text}` : text);
  const until = performance.now() + 50;
  torn = true;
  while (data.length > 0) {
    try {
      data = data.subarray(writeSync(1, data));
    } catch (error: any) {
      if (error?.code !== "EAGAIN" || performance.now() > until) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  torn = false;
}

/** Add a line to this process's file of a folder, which is made if it is missing. Throws what the disk says; callers drop the row. */
function appended(folder: string, text: string): void {
  const path = join(folder, `live-${process.pid}-${STARTED}.jsonl`);
  try {
    appendFileSync(path, text, { mode: 0o600 });
  } catch (error: any) {
    if (error?.code !== "ENOENT") throw error;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    appendFileSync(path, text, { mode: 0o600 });
  }
}

function begun(request: any, endpoint: string | undefined, options: Options): Fields {
  const messages = request?.messages ?? request?.input ?? request?.contents;
  const known = messages?.[IDENTITY] ?? null;
  return {
    id: freshId("l"),
    attribution: known === null ? "unknown" : "carried",
    started_at: utc(Date.now()),
    model: texted(request?.model),
    endpoint,
    chars_in: charsOf(messages),
    service: options.service ?? process.env["OTEL_SERVICE_NAME"],
    release: options.release ?? process.env["PROMPTOPS_RELEASE"],
    ...(known === null ? {} : { ...known, key_hash: hashed(known.key_hash, options) }),
  };
}

/** Characters of the messages' texts, as far as they are text. */
function charsOf(messages: unknown): number | undefined {
  if (typeof messages === "string") return [...messages].length;
  if (!Array.isArray(messages)) return undefined;
  return messages.reduce((count, message) => count + [...(texted(message?.content) ?? "")].length, 0);
}

/** Host of the client's address; never its path or query, which may hold credentials. */
function hostOf(client: any): string | undefined {
  try {
    return new URL(client.baseURL).hostname || undefined;
  } catch {
    return undefined;
  }
}

/** Of the error and of the classes that it is made of, most special first; what lies beneath a `TypeError: fetch failed` is in its cause. */
function namesOf(error: any): string[] {
  const names: string[] = [];
  for (let kind = error; kind && kind !== Error.prototype && kind !== Object.prototype; kind = Object.getPrototypeOf(kind)) {
    names.push(String(kind.name ?? ""), String(kind.constructor?.name ?? ""));
  }
  return names;
}

function failed(error: any): Fields {
  const names = namesOf(error);
  const own = names.find((name) => name && name !== "Error") ?? "Error";
  const code = texted(error?.code);
  const status = [error?.status, error?.code].find((value) => Number.isInteger(value) && value >= 100 && value < 600);
  const words = `${code ?? ""} ${JSON.stringify(error?.error) ?? ""} ${error?.message ?? error}`.slice(0, 4000);
  return { failure: classOf(status, words, [...names, ...namesOf(error?.cause), error?.cause?.code].join(" ")), failure_detail: [status, code, own].filter(Boolean).join(" ").slice(0, 200) };
}

/** The class of a failure, as `error_class` of Python finds it: by the status, else by the names. */
function classOf(status: number | undefined, words: string, names: string): string {
  if (status === 429) return words.includes("insufficient_quota") ? "quota_exhausted" : "rate_limit";
  if (status !== undefined && STATUS[status] !== undefined) return STATUS[status];
  if (status !== undefined && status >= 500) return "server_error";
  const [among, other]: [[RegExp, string][], string] = status !== undefined && status >= 400 ? [WORDS, "bad_request"] : [NAMES, "internal"];
  return among.find(([pattern]) => pattern.test(among === WORDS ? words : names))?.[1] ?? other;
}

const rounded = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000;
const line = (table: string, row: Fields): string => {
  const [cleaned, secrets] = [Object.entries(present(row)), secretsOf(process.env)];
  return JSON.stringify(Object.fromEntries([["promptops", table], ...cleaned.map(([name, value]) => [name, typeof value === "string" ? without(value, secrets) : value])]));
};
/** The keyed hash of a user; undefined where there is nothing to hash with. */
function hashed(text: unknown, options: Options): string | undefined {
  const secret = typeof text === "string" ? process.env["PROMPTOPS_HASH_KEY"] || folderKey(options) : undefined;
  return secret ? keyedHash(secret, text as string) : undefined;
}

const FOLDER_KEYS = new Map<string, string>();
/** The folder's own key, shared by all that write there, in Python too; made by the first, whole or not at all. */
function folderKey(options: Options): string | undefined {
  const folder = options.sink ?? process.env["PROMPTOPS_RECORD"];
  if (typeof folder !== "string" || folder === "stdout" || sinkOf(options) === null) return undefined;
  const path = join(folder, "hash.key");
  for (let attempt = 0; attempt < 2 && !FOLDER_KEYS.has(folder); attempt += 1) {
    const draft = join(folder, `.hash.key.${process.pid}.${randomBytes(4).toString("hex")}`);
    try {
      const found = readFileSync(path, "utf8");
      if (found) FOLDER_KEYS.set(folder, found);
    } catch {
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        writeFileSync(draft, randomBytes(16).toString("hex"), { flag: "wx", mode: 0o600 });
        linkSync(draft, path);
      } catch {} // another process made it, or the folder cannot hold one
      try {
        unlinkSync(draft);
      } catch {}
    }
  }
  return FOLDER_KEYS.get(folder);
}
const utc = (milliseconds: number): string => new Date(milliseconds).toISOString().replace("Z", "000");
const freshId = (tag: string): string => `${tag}-${(BigInt(Date.now()) * 1_000_000n).toString(16).padStart(16, "0")}${randomBytes(8).toString("hex")}`;
