/**
 * Live calls of a TypeScript application, one line of JSON a call: the same rows as `promptops.observe` of Python writes.
 *
 *     const client = observe(new OpenAI());        // PROMPTOPS_RECORD=stdout
 *     const answer = await client.chat.completions.create(prompt.request({ ticket }));
 *     feedback(answer.id, { good: false, correction: "billing" });
 *
 * Lines go to the standard output, which the platform's log agent carries, and the lab takes them in from there. Nothing is written where
 * PROMPTOPS_RECORD names nothing. No values and no outputs are written; users only as keyed hashes; secrets never. Recording never throws
 * into the application.
 */
import { createHmac, randomBytes } from "node:crypto";
import { writeSync } from "node:fs";

type Fields = { [name: string]: any };
export type Options = { sink?: "stdout" | ((line: string) => void); service?: string; release?: string };

const IDENTITY = Symbol.for("promptops.identity");
const SHAPES =
  /\b(?:sk|rk|pk|ak|gsk|xai|hf)[-_](?=[A-Za-z0-9_-]{0,80}[0-9])[A-Za-z0-9_-]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAIza[A-Za-z0-9_-]{20,}|\bA[KS]IA[0-9A-Z]{12,}/g;
const NAMED = /(?:^|[_-])(?:API[_-]?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|AUTHORIZATION|COOKIE)S?(?:$|[_-])/i;
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
const LENGTH = new Set(["length", "max_tokens", "max_output_tokens"]);
const FILTER = new Set(["content_filter", "safety", "blocklist", "prohibited_content", "spii", "recitation"]);
const STATUS: { [status: number]: string } = { 401: "auth", 403: "permission", 404: "not_found_model", 408: "timeout_read", 409: "server_error", 429: "rate_limit", 503: "overloaded", 529: "overloaded" };

/** `u1-` and 32 hex digits of HMAC-SHA256: the same as in Python. */
export function keyedHash(secret: string, text: string): string {
  return `u1-${createHmac("sha256", secret).update(text, "utf8").digest("hex").slice(0, 32)}`;
}

/** The text without the secrets of the environment and whatever has the shape of a key. */
export function redacted(text: string, environment: { [name: string]: string | undefined } = process.env): string {
  const known = Object.entries(environment)
    .filter(([name, value]) => NAMED.test(name) && value !== undefined && value.length >= 8 && !(value.length < 16 && /^(?:\p{L}+|\d+)$/u.test(value)))
    .map(([, value]) => value as string)
    .sort((a, b) => b.length - a.length);
  for (const secret of known) text = text.split(secret).join("[redacted]");
  return text.replace(SHAPES, "[redacted]");
}

/** What an answer of chat completions, the Responses API, Anthropic or Gemini says of itself, as columns of the row. */
export function reading(answer: any): Fields {
  const count = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
  const low = (value: unknown): string | undefined => (typeof value === "string" ? value.toLowerCase() : undefined);
  const row: Fields = { response_id: answer?.id ?? answer?.responseId, model_returned: answer?.model ?? answer?.modelVersion };
  const usage = answer?.usage ?? answer?.usageMetadata ?? {};
  let text: string | undefined;
  let tools = false;
  if (Array.isArray(answer?.choices)) {
    const choice = answer.choices[0];
    row["finish_reason"] = low(choice?.finish_reason);
    row["system_fingerprint"] = answer.system_fingerprint;
    text = choice?.message?.content ?? "";
    tools = Boolean(choice?.message?.tool_calls?.length);
    if (choice?.message?.refusal) [row["failure"], text] = ["refusal", choice.message.refusal];
  } else if (Array.isArray(answer?.candidates)) {
    const first = answer.candidates[0];
    const parts: any[] = first?.content?.parts ?? [];
    row["finish_reason"] = low(first?.finishReason);
    text = parts.map((part) => (part.thought ? "" : (part.text ?? ""))).join("");
    tools = parts.some((part) => part.functionCall);
  } else if (Array.isArray(answer?.content)) {
    row["finish_reason"] = low(answer.stop_reason);
    text = answer.content.map((block: any) => block.text ?? "").join("");
    tools = answer.content.some((block: any) => block.type === "tool_use");
  } else if (Array.isArray(answer?.output)) {
    row["finish_reason"] = low(answer.incomplete_details?.reason ?? answer.status);
    const contents: any[] = answer.output.flatMap((item: any) => (item.type === "message" ? (item.content ?? []) : []));
    text = contents.map((content) => content.text ?? content.refusal ?? "").join("");
    tools = answer.output.some((item: any) => item.type === "function_call");
    if (contents.some((content) => content.type === "refusal")) row["failure"] = "refusal";
  }
  const read = count(usage.cache_read_input_tokens);
  row["tokens_in"] = count(usage.prompt_tokens ?? usage.input_tokens ?? usage.promptTokenCount);
  if (row["tokens_in"] !== undefined && read !== undefined) row["tokens_in"] += read + (count(usage.cache_creation_input_tokens) ?? 0);
  row["tokens_out"] = count(usage.completion_tokens ?? usage.output_tokens ?? usage.candidatesTokenCount);
  if (row["tokens_out"] !== undefined) row["tokens_out"] += count(usage.thoughtsTokenCount) ?? 0;
  row["tokens_cached"] = count(read ?? usage.prompt_tokens_details?.cached_tokens ?? usage.input_tokens_details?.cached_tokens ?? usage.cachedContentTokenCount);
  if (text !== undefined) row["chars_out"] = [...text].length;
  const finish = row["finish_reason"];
  if (LENGTH.has(finish)) row["failure"] ??= "truncated_length";
  else if (FILTER.has(finish)) row["failure"] ??= "content_filter_output";
  else if (text !== undefined && !text.trim() && !tools) row["failure"] ??= "empty_output";
  return row;
}

/** Observe each door of a client of OpenAI, Azure, Anthropic or Gemini in place; the same client comes back. */
export function observe<C extends object>(client: C, options: Options = {}): C {
  const write = sinkOf(options);
  if (write === null) return client;
  for (const path of DOORS) {
    const resource = path.reduce((at: any, name) => at?.[name], client as any);
    for (const name of ["create", "generateContent", "generateContentStream"]) {
      const original = resource?.[name];
      if (typeof original !== "function" || original.promptopsObserved) continue;
      const ask = function (this: unknown, ...given: any[]): any {
        const began = performance.now();
        const started = Date.now();
        const row = begun(given[0], started, options);
        const done = (found: Fields): void => {
          try {
            row["latency_ms"] = Math.round((performance.now() - began) * 1000) / 1000;
            write(line("live", { ...row, ...found }));
          } catch {} // recording is never the application's fault
        };
        let answer: any;
        try {
          answer = original.apply(resource, given);
        } catch (error) {
          done(failed(error));
          throw error;
        }
        if (typeof answer?.then !== "function") return answer;
        // The provider's own promise goes on to the application: it has methods of its own (asResponse, withResponse).
        answer.then(
          (found: any) => {
            try {
              done(typeof found?.[Symbol.asyncIterator] === "function" ? { streamed: true } : reading(found));
            } catch {}
          },
          (error: unknown) => done(failed(error)),
        );
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

/** Record what somebody said of an answer. Whether it was taken. */
export function feedback(run: string, said: { good?: boolean; score?: number; correction?: string; note?: string; by?: string }, options: Options = {}): boolean {
  const write = sinkOf(options);
  if (write === null || typeof run !== "string") return false;
  const kind = said.good !== undefined ? "good" : said.score !== undefined ? "score" : said.correction !== undefined ? "correction" : said.note !== undefined ? "note" : null;
  if (kind === null) return false;
  const value = kind === "good" ? (said.good ? 1 : 0) : said.score;
  try {
    write(line("feedback", { id: freshId("f"), run, kind, value, correction: said.correction, note: said.note, by: hashed(said.by), at: utc(Date.now()) }));
  } catch {
    return false;
  }
  return true;
}

function sinkOf(options: Options): ((line: string) => void) | null {
  const named = options.sink ?? process.env["PROMPTOPS_RECORD"];
  if (typeof named === "function") return named;
  return named === "stdout" ? (text) => void writeSync(1, `${text}\n`) : null;
}

function begun(request: any, started: number, options: Options): Fields {
  const messages = request?.messages ?? request?.input ?? request?.contents;
  const known = messages?.[IDENTITY] ?? null;
  return {
    id: freshId("l"),
    attribution: known === null ? "unknown" : "carried",
    started_at: utc(started),
    model: request?.model,
    streamed: Boolean(request?.stream),
    service: options.service ?? process.env["OTEL_SERVICE_NAME"],
    release: options.release ?? process.env["PROMPTOPS_RELEASE"],
    ...(known === null ? {} : { ...known, key_hash: hashed(known.key_hash) }),
  };
}

function failed(error: any): Fields {
  const status: unknown = error?.status;
  const name = String(error?.name ?? "Error");
  const timeout = /timeout/i.test(name) ? "timeout_read" : /abort/i.test(name) ? "cancelled" : /connection|fetch|socket/i.test(name) ? "connection" : "internal";
  const failure = typeof status !== "number" ? timeout : (STATUS[status] ?? (status >= 500 ? "server_error" : "bad_request"));
  return { failure, failure_detail: [typeof status === "number" ? status : "", typeof error?.code === "string" ? error.code : "", name].filter(Boolean).join(" ") };
}

const line = (table: string, row: Fields): string => {
  const cleaned = Object.entries(row).filter(([, value]) => value !== undefined && value !== null);
  return JSON.stringify(Object.fromEntries([["promptops", table], ...cleaned.map(([name, value]) => [name, typeof value === "string" ? redacted(value) : value])]));
};
const hashed = (text: unknown): string | undefined => (typeof text === "string" && process.env["PROMPTOPS_HASH_KEY"] ? keyedHash(process.env["PROMPTOPS_HASH_KEY"], text) : undefined);
const utc = (milliseconds: number): string => new Date(milliseconds).toISOString().replace("Z", "000");
const freshId = (tag: string): string => `${tag}-${(BigInt(Date.now()) * 1_000_000n).toString(16).padStart(16, "0")}${randomBytes(8).toString("hex")}`;
