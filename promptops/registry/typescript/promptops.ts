/**
 * promptops for TypeScript: reads the registry file that `promptops promote` writes, and serves what an environment serves now.
 *
 *     import { load } from "./promptops.js";
 *     const prompt = load("support-triage", { env: "prod", key: userId });
 *     const answer = await client.chat.completions.create(prompt.request({ ticket }));
 *
 * - Every `load` compares the file's signature (one stat): a promotion, a rollback or a release is served by the next one.
 * - A version is served only where its content gives its id, a deployment only where its digest holds in its chain.
 * - After its first success a prompt in an environment never throws again: whatever happens to the file, the last known good
 *   version serves, and `Loader.health()` says so.
 *
 * No dependencies; Node 20 or later. Written by `promptops export --typescript DIR`,
 * which fills in `Prompts`; proved by the same cases as the Python loader.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, statSync, type BigIntStats } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

// <prompts>
/** What each prompt takes. `promptops export --typescript DIR` writes the registry's own prompts here. */
export interface Prompts {
  [name: string]: Values;
}
// </prompts>

/** Values of variables by name; `history` splices in a conversation where a version takes one. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- narrowed by the interfaces above
export type Values = { [name: string]: any };
export type Role = "system" | "developer" | "user" | "assistant" | "tool";
export type Message = { role: Role; content: string | Part[] | null; [field: string]: unknown };
export type Part = { type: string; [field: string]: unknown };
/** The arguments of a chat completion. */
export type ChatRequest = { messages: Message[]; model?: string; [setting: string]: unknown };
export type Source = "file" | "last_known_good" | "default";
export type VariableType = "string" | "number" | "boolean" | "object" | "list";
export type Variable = { readonly name: string; readonly type: VariableType; readonly required: boolean; readonly default: unknown };

export type Key = string | number | boolean | bigint | null | undefined;
export type GetOptions = {
  /** The environment; PROMPTOPS_ENV where it is not given. */
  env?: string | undefined;
  /** What makes a canary sticky, such as the user's id. Without one (NaN is none), the stable arm serves. */
  key?: Key;
  /** A text or messages to serve where nothing else can be, with source "default". */
  default?: string | readonly Message[] | undefined;
};
export type LoadOptions = GetOptions & {
  /** The file; PROMPTOPS_REGISTRY, else the first promptops.json upwards from the working directory. */
  registry?: string | undefined;
};

/** The root of every error that is thrown here on purpose. */
export class PromptOpsError extends Error {
  override name: string = "PromptOpsError";
}
/** No registry file where it was looked for. */
export class RegistryNotFound extends PromptOpsError {
  override name = "RegistryNotFound";
}
/** A file that is no registry, or content that is not what its own digests say. */
export class RegistryCorrupt extends PromptOpsError {
  override name = "RegistryCorrupt";
}
/** No prompt of that name. */
export class UnknownPrompt extends PromptOpsError {
  override name = "UnknownPrompt";
}
/** The environment serves no version of this prompt. */
export class NotDeployed extends PromptOpsError {
  override name = "NotDeployed";
}
/** A value is missing, surplus or of another type than its variable. */
export class RenderError extends PromptOpsError {
  override name = "RenderError";
}

// -- canonical JSON (RFC 8785) and the ids made from it

type Obj = { [key: string]: unknown };
const MAX_DEPTH = 200;
const LONE_SURROGATE = /\p{Surrogate}/u;

const isObject = (value: unknown): value is Obj => Object.prototype.toString.call(value) === "[object Object]";
const has = (value: Obj, key: string): boolean => Object.prototype.hasOwnProperty.call(value, key);
const field = (value: Obj, key: string): unknown => (has(value, key) ? value[key] : undefined);
const absent = (value: unknown): value is null | undefined => value === null || value === undefined;
const isFilled = (value: unknown): boolean =>
  Boolean(value) && !(Array.isArray(value) && value.length === 0) && !(isObject(value) && Object.keys(value).length === 0);

/** The RFC 8785 text of a JSON value; a property that is undefined is left out, as JSON does. content: refuse numbers no file keeps. */
export function canonical(value: unknown, where = "$", content = false, depth = 0): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return text(value, where);
  if (typeof value === "number") {
    const tooLarge = content && Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21;
    if (!Number.isFinite(value) || tooLarge) throw new RenderError(`${where} is ${value}, which JSON readers do not keep; pass it as text.`);
    return JSON.stringify(value);
  }
  const list = Array.isArray(value);
  if (!list && !isObject(value)) throw new RenderError(`${where} is a ${typeof value}, which JSON cannot hold; pass text, a number, a list or an object.`);
  if (depth >= MAX_DEPTH) throw new RenderError(`${where.slice(0, 80)}... is nested deeper than ${MAX_DEPTH} levels; flatten it.`);
  if (list) return `[${value.map((item, index) => canonical(item, `${where}[${index}]`, content, depth + 1)).join(",")}]`;
  const keys = Object.keys(value).filter((key) => value[key] !== undefined).sort(); // UTF-16 code units, which is JavaScript's order
  return `{${keys.map((key) => `${text(key, where)}:${canonical(value[key], `${where}.${key}`, content, depth + 1)}`).join(",")}}`;
}

function text(value: string, where: string): string {
  if (LONE_SURROGATE.test(value)) throw new RenderError(`${where} holds a lone surrogate, which UTF-8 cannot carry; clean the text first.`);
  return JSON.stringify(value);
}

const sha256 = (value: string): Buffer => createHash("sha256").update(value, "utf8").digest();
const tagged = (tag: string, value: unknown): string => `${tag}-${sha256(canonical(value)).toString("hex").slice(0, 32)}`;

function copied<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copied) as T;
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copied(item)])) as T;
  return value;
}

// -- a version: what may be in it, and how it is filled

const ENTRY_FIELDS = ["number", "id", "note", "author", "created", "model", "settings", "variables", "tools", "response_format", "messages"];
const MESSAGE_FIELDS = ["role", "content", "name", "tool_calls", "tool_call_id"];
const VARIABLE_FIELDS = ["type", "default", "required", "description", "example"];
const ROLES = ["system", "developer", "user", "assistant", "tool"];
const TYPES = ["string", "number", "boolean", "object", "list"];
const RESERVED = ["api", "fresh", "self"];
const NO_SETTINGS = ["model", "messages", "tools", "response_format", "stream", "stream_options", "n"];
const SECRETS = [
  ...["baseurl", "apibase", "apikey", "headers", "endpoint", "secret", "password", "passwd", "authorization", "bearer"],
  ...["httpclient", "proxy", "credential", "accesstoken", "authtoken", "privatekey", "cookie"],
];
const MAX_TEXT = 2_000_000;
const MAX_TEXTS = 8_000_000;
const MAX_MESSAGES = 10_000;
const MAX_VARIABLES = 1_000;
const MARK = /\{\{\{\{|\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}|\{\{/g;

type Stored = { role: string; [field: string]: unknown };
type Version = {
  readonly id: string;
  readonly model: string | null;
  readonly messages: readonly Stored[];
  readonly variables: readonly Variable[];
  readonly settings: Obj;
  readonly tools: readonly Obj[];
  readonly responseFormat: Obj | null;
  readonly takesHistory: boolean;
};

/** The version of a registry entry. Throws RegistryCorrupt where it is not what its id says; `where` names it. */
export function toVersion(entry: unknown, where: string): Version {
  const fault = entryFault(entry);
  if (fault) throw new RegistryCorrupt(`${where} ${fault}; restore it from git.`);
  const given = entry as Obj;
  let version: Version;
  try {
    version = made({ ...given, messages: (given["messages"] as unknown[]).map(fromLines) });
  } catch (error) {
    throw new RegistryCorrupt(`${where} does not hold a version (${said(error)}); restore it from git.`);
  }
  if (version.id !== given["id"]) {
    throw new RegistryCorrupt(`${where} was edited: its content is ${version.id.slice(0, 11)}, its id says ${String(given["id"]).slice(0, 11)}; restore it from git.`);
  }
  return version;
}

function entryFault(entry: unknown): string | null {
  if (!isObject(entry)) return "is not an object";
  const unknown = Object.keys(entry).filter((key) => !ENTRY_FIELDS.includes(key)).sort()[0];
  if (unknown !== undefined) return `has the unknown field '${unknown}', which no version may carry`;
  const number = entry["number"];
  if (!Number.isSafeInteger(number) || (number as number) < 1 || typeof entry["id"] !== "string") return "lacks its number or id";
  return Array.isArray(entry["messages"]) ? null : "lacks its messages";
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((line) => typeof line === "string");

function fromLines(message: unknown): unknown {
  if (!isObject(message)) throw new RenderError("a message is not an object");
  const content = field(message, "content");
  if (absent(content)) return message;
  if (!Array.isArray(content)) throw new RenderError("a message's content is not an array of lines");
  if (isTexts(content)) return { ...message, content: content.join("\n") };
  return { ...message, content: content.map(partFromLines) };
}

function partFromLines(part: unknown): Obj {
  if (!isObject(part)) throw new RenderError("a part of a message is not an object");
  const lines = field(part, "text");
  if (!Array.isArray(lines)) return part;
  if (!isTexts(lines)) throw new RenderError("a part's text is not an array of lines");
  return { ...part, text: lines.join("\n") };
}

/** The checked version of content whose texts are whole. */
function made(content: Obj): Version {
  const given = content["messages"];
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_MESSAGES) throw new RenderError(`a version needs 1 to ${MAX_MESSAGES} messages`);
  const messages = given.map((message, index) => checkedMessage(message, `message ${index}`));
  const model = (content["model"] ?? null) as string | null;
  if (model !== null && (typeof model !== "string" || !model.trim())) throw new RenderError("model is not a name");
  const used = names(messages);
  const takesHistory = messages.some((message) => message.role === "history");
  if (takesHistory && used.includes("history")) throw new RenderError("the variable {{history}} and a history message share a name");
  const variables = collected(used, checkedMap(content["variables"], "variables"));
  const settings = checkedMap(content["settings"], "settings");
  const forbidden = Object.keys(settings).find((name) => NO_SETTINGS.includes(name));
  if (forbidden !== undefined) throw new RenderError(`setting '${forbidden}' is an argument of its own, or how a call is sent`);
  refuseSecrets(settings, "", 0);
  const tools = checkedTools(content["tools"]);
  const format = checkedMap(content["response_format"], "response_format");
  const responseFormat = Object.keys(format).length ? format : null;
  const hashed = {
    messages,
    model,
    response_format: responseFormat,
    settings,
    tools,
    variables: Object.fromEntries(variables.map((v) => [v.name, { type: v.type, required: v.required, ...(v.required ? {} : { default: v.default }) }])),
  };
  canonical(hashed, "$", true);
  return Object.freeze({ id: tagged("p1", hashed), model, messages, variables, settings, tools, responseFormat, takesHistory });
}

function checkedMessage(message: unknown, where: string): Stored {
  if (!isObject(message)) throw new RenderError(`${where} is not an object with a role and content`);
  const role = field(message, "role");
  const keys = Object.keys(message);
  if (role === "history" && keys.length === 1) return { role: "history" };
  if (typeof role !== "string" || !ROLES.includes(role)) throw new RenderError(`${where} has the role '${String(role)}'; the roles are ${ROLES.join(", ")}`);
  const unknown = keys.filter((key) => !MESSAGE_FIELDS.includes(key)).sort()[0];
  if (unknown !== undefined) throw new RenderError(`${where} has the unknown field '${unknown}'`);
  const content = field(message, "content");
  const parts = Array.isArray(content) && content.length > 0 && content.every(isPart);
  if (!(typeof content === "string" || parts || (absent(content) && isFilled(field(message, "tool_calls"))))) {
    throw new RenderError(`${where} has no content; expected text, or a list of typed parts`);
  }
  return { ...copied(message), role, content: absent(content) ? null : copied(content) };
}

const isPart = (part: unknown): boolean =>
  isObject(part) && typeof field(part, "type") === "string" && (part["type"] !== "text" || typeof field(part, "text") === "string");

function checkedMap(value: unknown, what: string): Obj {
  if (absent(value)) return {};
  if (!isObject(value)) throw new RenderError(`${what} is not a map from names to values`);
  return value;
}

function checkedTools(value: unknown): Obj[] {
  if (!isFilled(value)) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw new RenderError("tools is not a list of tools");
  for (const tool of value) Object.keys(tool).forEach((name) => refuseSecret(name, name));
  return value;
}

function refuseSecrets(value: unknown, path: string, depth: number): void {
  if (Array.isArray(value)) value.forEach((item) => refuseSecrets(item, path, depth + 1));
  if (depth > MAX_DEPTH) throw new RenderError(`settings are nested deeper than ${MAX_DEPTH} levels`);
  if (!isObject(value)) return;
  for (const [name, item] of Object.entries(value)) {
    const here = path ? `${path}.${name}` : name;
    if (depth < 2 || typeof item === "string") refuseSecret(name, here);
    refuseSecrets(item, here, depth + 1);
  }
}

function refuseSecret(name: string, shown: string): void {
  const bare = name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  if (SECRETS.some((word) => bare.includes(word))) throw new RenderError(`'${shown}' names an endpoint or a secret, which no version may carry`);
}

function collected(used: readonly string[], declared: Obj): Variable[] {
  if (used.length > MAX_VARIABLES) throw new RenderError(`a version of ${used.length} variables is past the ${MAX_VARIABLES} that one may have`);
  const reserved = used.find((name) => RESERVED.includes(name));
  if (reserved !== undefined) throw new RenderError(`variable '${reserved}' has a reserved name`);
  const idle = Object.keys(declared).filter((name) => !used.includes(name)).sort()[0];
  if (idle !== undefined) throw new RenderError(`variable '${idle}' is declared, but no message uses it`);
  return used.map((name) => checkedVariable(name, has(declared, name) ? declared[name] : "string"));
}

function checkedVariable(name: string, spec: unknown): Variable {
  const fields = typeof spec === "string" ? { type: spec } : spec;
  if (!isObject(fields) || Object.keys(fields).some((key) => !VARIABLE_FIELDS.includes(key))) throw new RenderError(`variable '${name}' is described wrongly`);
  const type = has(fields, "type") ? fields["type"] : "string";
  if (typeof type !== "string" || !TYPES.includes(type)) throw new RenderError(`variable '${name}' has no type of ${TYPES.join(", ")}`);
  const fallback = absent(field(fields, "default")) ? null : fields["default"];
  const required = has(fields, "required") ? fields["required"] : fallback === null;
  if (required !== (fallback === null)) throw new RenderError(`variable '${name}' is required and has a default, or optional without one`);
  if (fallback !== null) toText(name, type as VariableType, fallback);
  if (!absent(field(fields, "example"))) canonical(fields["example"], `the example of ${name}`, true);
  return Object.freeze({ name, type: type as VariableType, required: fallback === null, default: fallback });
}

/** The variables of all messages in order of first use. Throws where a mark is not a variable. */
function names(messages: readonly Stored[]): string[] {
  const texts = messages.flatMap((message) => slots(message).map((slot) => slot.text));
  if (texts.reduce((sum, one) => sum + one.length, 0) > MAX_TEXTS && texts.reduce((sum, one) => sum + points(one), 0) > MAX_TEXTS) {
    throw new RenderError(`messages of more than ${MAX_TEXTS} characters together are past what a version may hold`);
  }
  const found = new Set<string>();
  for (const one of texts) {
    if (one.length > MAX_TEXT && points(one) > MAX_TEXT) throw new RenderError(`a text of more than ${MAX_TEXT} characters is past what a version may hold`);
    for (const match of one.matchAll(MARK)) {
      if (match[1] !== undefined) found.add(match[1]);
      else if (match[0] === "{{") throw new RenderError(`'${one.slice(match.index, match.index + 40)}' is not a variable`);
    }
  }
  return [...found];
}

function points(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

/** The templated texts of a message (content, text parts, image addresses), and how to put each one back. */
function slots(message: Stored): { text: string; put: (filled: string) => void }[] {
  const content = message["content"];
  if (typeof content === "string") return [{ text: content, put: (filled) => void (message["content"] = filled) }];
  return (Array.isArray(content) ? (content as Obj[]) : []).flatMap((part) => {
    const image = part["type"] === "image_url" ? field(part, "image_url") : undefined;
    if (part["type"] === "text") return [{ text: part["text"] as string, put: (filled: string) => void (part["text"] = filled) }];
    if (isObject(image) && typeof field(image, "url") === "string") {
      return [{ text: image["url"] as string, put: (filled: string) => void (image["url"] = filled) }];
    }
    return [];
  });
}

const CHECKS: { readonly [type in VariableType]: (value: unknown) => boolean } = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  boolean: (value) => typeof value === "boolean",
  object: isObject,
  list: Array.isArray,
};

function toText(name: string, type: VariableType, value: unknown): string {
  if (!CHECKS[type](value)) throw new RenderError(`variable '${name}' is a ${type}, got ${value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`}.`);
  if (type !== "string") return canonical(value, name);
  text(value as string, `variable '${name}'`);
  return value as string;
}

/** The messages with every variable filled, in sending order. Throws RenderError, naming what is missing, surplus or mistyped. */
export function render(version: Version, values: Values): Message[] {
  const given = new Map(Object.entries(values).filter(([, value]) => value !== undefined));
  const history = version.takesHistory ? checkedHistory(given.get("history") ?? []) : [];
  if (version.takesHistory) given.delete("history");
  const known = new Set(version.variables.map((variable) => variable.name));
  const missing = version.variables.filter((variable) => variable.required && !given.has(variable.name)).map((variable) => variable.name);
  const surplus = [...given.keys()].filter((name) => !known.has(name)).sort();
  if (missing.length || surplus.length) {
    const parts = [missing.length ? `is missing ${missing.join(", ")}` : "", surplus.length ? `does not know ${surplus.join(", ")}` : ""];
    const takes = version.variables.map((v) => `${v.name}: ${v.type}${v.required ? "" : ` = ${JSON.stringify(v.default)}`}`).join(", ");
    throw new RenderError(`${version.id.slice(0, 11)} ${parts.filter(Boolean).join(" and ")}; it takes ${takes || "no variables"}.`);
  }
  const texts = new Map(version.variables.map((v) => [v.name, toText(v.name, v.type, given.has(v.name) ? given.get(v.name) : v.default)]));
  return version.messages.flatMap((message) => {
    if (message.role === "history") return history;
    const out = copied(message);
    for (const slot of slots(out)) slot.put(slot.text.replace(MARK, (_, name?: string) => (name === undefined ? "{{" : (texts.get(name) as string))));
    return [out as Message];
  });
}

function checkedHistory(history: unknown): Message[] {
  if (!Array.isArray(history)) throw new RenderError("history is not a list of messages.");
  return history.map((message, index) => {
    const checked = checkedMessage(message, `history[${index}]`);
    if (checked.role === "history") throw new RenderError(`history[${index}] is a placeholder of its own; pass the messages that were said.`);
    canonical(checked, `history[${index}]`);
    return checked as Message;
  });
}

// -- an environment's chain, of which the last deployment serves

type Link = { version: string; digest: string; kind: string; canary: { version: string; percent: number } | null };
const LINK_FIELDS = ["version", "canary", "kind", "at", "author", "reason", "evidence", "forced", "unmet", "again", "undoes", "digest"];
const KINDS = ["promote", "canary", "rollback"];

/** The digest of a deployment in its place. */
export function seal(prompt: string, environment: string, previous: string | null, deployment: { readonly [field: string]: unknown }): string {
  const { digest: _, ...fields } = deployment;
  return tagged("d1", { prompt, environment, previous, deployment: fields });
}

function checkedLink(prompt: string, env: string, previous: string | null, link: Obj): Link {
  const canary = absent(field(link, "canary")) ? null : link["canary"];
  const unknown = Object.keys(link).find((key) => !LINK_FIELDS.includes(key));
  let fault: string | null = null;
  if (unknown !== undefined) fault = `has the unknown field '${unknown}'`;
  else if (!KINDS.includes(link["kind"] as string) || typeof link["version"] !== "string") fault = `has a kind that is not one of ${KINDS.join(", ")}`;
  else if (canary !== null && !isCanary(canary)) fault = "has a canary without its version and a percentage between 0 and 100";
  else if (safely(() => seal(prompt, env, previous, link)) !== link["digest"]) fault = "was edited, moved, or put on another chain: its digest does not hold";
  if (fault) throw new RegistryCorrupt(`the last deployment of ${prompt} in ${env} ${fault}; restore it from git.`);
  return { ...link, canary } as Link;
}

function isCanary(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).sort().join() !== "percent,version" || typeof value["version"] !== "string") return false;
  const percent = value["percent"];
  return typeof percent === "number" && percent > 0 && percent < 100;
}

/** Whether a key falls into the canary's share: the same key always does, in every language, and stays in as the share widens. */
export function inCanary(prompt: string, version: string, percent: number, key: Key): boolean {
  if (absent(key) || (typeof key === "number" && !Number.isFinite(key))) return false;
  const bucket = Math.floor((sha256(`${prompt}\n${version}\n${key}`).readUInt32BE(0) * 10_000) / 2 ** 32);
  return bucket < roundedHalfEven(percent * 100);
}

function roundedHalfEven(value: number): number {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

// -- the file: read whole, split into the ends of its chains

const FORM = 1;
const MAX_BYTES = 256 * 2 ** 20;
const NAME = /^[a-z0-9][a-z0-9._/-]{0,127}$/;
const isName = (name: string): boolean => NAME.test(name) && !name.includes("..");

type Tail = { readonly previous: string | null; readonly last: Obj; readonly entries: ReadonlyMap<string, unknown> };

function parsed(data: Uint8Array, path: string): Obj {
  const fault = (why: string): RegistryCorrupt => new RegistryCorrupt(`${path} ${why}; restore it from git, or run \`promptops registry check\`.`);
  let json = "";
  let document: unknown;
  try {
    json = new TextDecoder("utf-8", { fatal: true }).decode(data); // which drops a byte order mark
    document = JSON.parse(json);
  } catch (error) {
    throw fault(data.length === 0 ? "is empty" : `is not JSON (${said(error)})`);
  }
  const twice = keyTwice(json);
  if (twice !== null) throw fault(`holds the key '${twice.slice(0, 60)}' twice in one object`);
  if (!isObject(document) || !Number.isSafeInteger(field(document, "promptops"))) throw fault('is not a registry: a JSON object with "promptops": 1 was expected');
  if (!isObject(field(document, "prompts"))) throw fault('lacks its "prompts" object');
  if ((document["promptops"] as number) <= FORM) {
    const unknown = Object.keys(document).find((key) => !["promptops", "policy", "prompts", "exported"].includes(key));
    if (unknown !== undefined) throw fault(`has the unknown field '${unknown}'`);
  }
  return document;
}

/** A key that one object of a JSON text holds twice, where `JSON.parse` lets the later one win in silence; null where there is
 * none. The fields inside a version are left to its id, which says what it holds. */
function keyTwice(json: string): string | null {
  const open: { keys: Set<string> | null; at: string }[] = []; // what is open: the keys of an object so far, and the last one
  const inVersions = (): boolean => open.length >= 3 && open[0]?.at === "prompts" && open[2]?.at === "versions" && open[1]?.keys != null;
  for (let at = 0; at < json.length; at += 1) {
    const mark = json[at];
    if (mark === "{" || mark === "[") open.push({ keys: mark === "{" && !inVersions() ? new Set() : null, at: "" });
    else if (mark === "}" || mark === "]") open.pop();
    if (mark !== '"') continue;
    const start = at;
    do at = json.indexOf('"', at + 1);
    while (isEscaped(json, at));
    const holder = open[open.length - 1];
    COLON.lastIndex = at + 1;
    if (!holder?.keys || !COLON.test(json)) continue;
    const key = JSON.parse(json.slice(start, at + 1)) as string;
    if (holder.keys.has(key)) return key;
    holder.keys.add(key);
    holder.at = key;
  }
  return null;
}

const COLON = /[ \t\r\n]*:/y;

function isEscaped(json: string, at: number): boolean {
  let slashes = 0;
  while (json[at - 1 - slashes] === "\\") slashes += 1;
  return slashes % 2 === 1;
}

/** The ends of one prompt's chains, by environment. Throws RegistryCorrupt where its shape is wrong. */
function tails(name: string, prompt: unknown, closed: boolean): Map<string, Tail> {
  const fault = (why: string): RegistryCorrupt => new RegistryCorrupt(`prompt '${name.slice(0, 60)}' ${why}; restore it from git.`);
  if (!isName(name)) throw fault("has a name that is not allowed");
  if (!isObject(prompt)) throw fault("is not an object");
  const versions = field(prompt, "versions");
  const environments = has(prompt, "environments") ? prompt["environments"] : {};
  if (!Array.isArray(versions) || !isObject(environments)) throw fault("lacks its list of versions or its map of environments");
  if (closed && Object.keys(prompt).some((key) => !["policy", "environments", "versions"].includes(key))) throw fault("has an unknown field");
  if (!versions.every((entry) => isObject(entry) && isKey(entry, "id"))) throw fault("holds a version without its id");
  const out = new Map<string, Tail>();
  for (const [env, environment] of Object.entries(environments)) {
    const links = isObject(environment) ? field(environment, "deployments") : undefined;
    if (!isName(env) || !isObject(environment) || !Array.isArray(links) || !links.length) throw fault(`lacks the deployments of '${env.slice(0, 60)}'`);
    if (closed && Object.keys(environment).some((key) => !["deployments", "earlier"].includes(key))) throw fault(`has an unknown field in '${env}'`);
    const tail = end(environment, links, versions as Obj[]);
    if (tail === null) throw fault(`is malformed in '${env}'`);
    out.set(env, tail);
  }
  return out;
}

/** The last deployment of a chain, what seals it, and the entries that it cites; null where their shape is wrong. */
function end(environment: Obj, links: readonly unknown[], versions: readonly Obj[]): Tail | null {
  const last = links[links.length - 1];
  const earlier = has(environment, "earlier") ? environment["earlier"] : {};
  const before = links.length > 1 ? links[links.length - 2] : earlier;
  if (!isObject(last) || !isKey(last, "version") || !has(last, "digest") || !isObject(earlier) || !isObject(before)) return null;
  if (has(earlier, "count") && !isCount(earlier["count"])) return null;
  if (links.length > 1 && !has(before, "digest")) return null;
  const canary = field(last, "canary");
  if (isFilled(canary) && !(isObject(canary) && isKey(canary, "version"))) return null;
  const cited = [last["version"], isObject(canary) ? field(canary, "version") : undefined];
  const entries = new Map(versions.filter((entry) => cited.includes(entry["id"])).map((entry) => [entry["id"] as string, entry]));
  return { previous: (field(before, "digest") as string | undefined) ?? null, last, entries };
}

const isKey = (value: Obj, name: string): boolean => has(value, name) && (value[name] === null || typeof value[name] !== "object");
const isCount = (value: unknown): boolean => typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value));

type Built = { readonly stable: Served; readonly canary: Served | null; readonly percent: number };

class View {
  readonly prompts = new Map<string, Map<string, Tail>>();
  readonly faults = new Map<string, string>();
  readonly built = new Map<string, Built>();
  readonly refused = new Map<string, string>();
  readonly missed = new Map<string, string>();
  signature: string | null;
  fault: PromptOpsError | null = null;
  since: number | null = null;
  recheck: number | null = null;
  bytes: string | null = null;

  constructor(signature: string | null) {
    this.signature = signature;
  }

  static of(signature: string, data: Uint8Array, path: string): View {
    const document = parsed(data, path);
    const view = new View(signature);
    for (const [name, prompt] of Object.entries(document["prompts"] as Obj)) {
      try {
        view.prompts.set(name, tails(name, prompt, (document["promptops"] as number) <= FORM));
      } catch (error) {
        view.faults.set(name, said(error));
      }
    }
    return view;
  }

  build(name: string, env: string, known: Map<string, { entry: string; version: Version }>): Built {
    const fault = this.faults.get(name);
    if (fault !== undefined) throw new RegistryCorrupt(fault);
    const environments = this.prompts.get(name);
    if (!environments) throw new UnknownPrompt(`no prompt '${name.slice(0, 128)}' in the registry; it holds ${firstOf(this.prompts.keys(), 3).join(", ") || "none"}.`);
    const tail = environments.get(env);
    if (!tail) throw new NotDeployed(`${name} is not deployed in '${env.slice(0, 128)}'; it serves ${[...environments.keys()].join(", ") || "nowhere yet"}: promote a version there first.`);
    const link = checkedLink(name, env, tail.previous, tail.last);
    const stable = serve(name, env, link.version, tail, known);
    if (link.canary === null) return { stable, canary: null, percent: 0 };
    try {
      const canary = serve(name, env, link.canary.version, tail, known);
      return { stable: stable.with({ arm: "stable" }), canary: canary.with({ arm: "canary" }), percent: link.canary.percent };
    } catch (error) {
      this.refused.set(pair(name, env), said(error)); // the canary's version is bad: everyone gets the stable one
      return { stable, canary: null, percent: 0 };
    }
  }
}

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const out: T[] = [];
  for (const item of items) {
    if (out.length === count) break;
    out.push(item);
  }
  return out;
}

function serve(name: string, env: string, id: string, tail: Tail, known: Map<string, { entry: string; version: Version }>): Served {
  const entry = tail.entries.get(id);
  if (entry === undefined) throw new RegistryCorrupt(`${name} in ${env} serves ${id.slice(0, 11)}, which is not among its versions; restore the file from git.`);
  const number = isObject(entry) && typeof entry["number"] === "number" ? entry["number"] : null;
  const raw = JSON.stringify(entry);
  const before = known.get(id);
  const version = before?.entry === raw ? before.version : toVersion(entry, `${name} v${number}`);
  known.set(id, { entry: raw, version });
  return new Served({ name, env, number, version, source: "file", reason: "", arm: null, since: null });
}

// -- what an application gets

type ServedFields = {
  name: string;
  env: string | null;
  number: number | null;
  version: Version;
  source: Source;
  reason: string;
  arm: "stable" | "canary" | null;
  since: number | null;
};

/** A version, and why it is this one. Immutable, and safe to keep. */
export class Served<V = Values> {
  readonly name: string;
  readonly env: string | null;
  /** The display number; null for a default. */
  readonly number: number | null;
  /** "file" (checked at this load), "last_known_good" (the file is missing, torn or corrupt) or "default" (from the code). */
  readonly source: Source;
  /** Why it is not the file's; empty where it is. */
  readonly reason: string;
  /** The arm of a running canary, else null. */
  readonly arm: "stable" | "canary" | null;
  readonly #fields: ServedFields;

  constructor(fields: ServedFields) {
    this.#fields = fields;
    this.name = fields.name;
    this.env = fields.env;
    this.number = fields.number;
    this.source = fields.source;
    this.reason = fields.reason;
    this.arm = fields.arm;
    Object.freeze(this);
  }

  /** The content id: stamp it on your logs. */
  get id(): string {
    return this.#fields.version.id;
  }
  get model(): string | null {
    return this.#fields.version.model;
  }
  /** The model settings; a copy. */
  get settings(): { [name: string]: unknown } {
    return copied(this.#fields.version.settings);
  }
  get variables(): readonly Variable[] {
    return this.#fields.version.variables;
  }
  /** Seconds since this was last what the file said; 0 from the file itself. */
  get ageSeconds(): number {
    return this.#fields.since === null ? 0 : Math.max(performance.now() - this.#fields.since, 0) / 1000;
  }

  /** The rendered messages. Throws RenderError, naming what is missing, surplus or mistyped. */
  messages(values: V): Message[] {
    return render(this.#fields.version, values as Values);
  }

  /** The arguments of a chat completion; name your client's own type for it: `prompt.request<OpenAI.ChatCompletionCreateParamsNonStreaming>(...)`. */
  request<T = ChatRequest>(values: V): T {
    const { model, tools, responseFormat, settings } = this.#fields.version;
    const body: ChatRequest = { ...copied(settings), messages: this.messages(values) };
    if (model !== null) body.model = model;
    if (tools.length) body["tools"] = copied(tools);
    if (responseFormat !== null) body["response_format"] = copied(responseFormat);
    return body as T;
  }

  /** The same with other fields; what the loader stamps arms and reasons with. */
  with(changed: Partial<ServedFields>): Served<V> {
    return new Served<V>({ ...this.#fields, ...changed });
  }

  /** The same as last known good. since: performance.now() when it was last what the file said. */
  held(reason: string, since: number): Served<V> {
    return this.source === "last_known_good" && this.reason === reason ? this : this.with({ source: "last_known_good", reason, since: this.#fields.since ?? since });
  }
}

const hold = (built: Built, reason: string, since: number): Built => ({
  stable: built.stable.held(reason, since),
  canary: built.canary && built.canary.held(reason, since),
  percent: built.percent,
});

export type Health = {
  ok: boolean;
  path: string;
  source: "file" | "last_known_good" | "none";
  fault: string | null;
  ageSeconds: number;
  prompts: number;
  /** "prompt in env" (or a prompt) -> why it was refused. */
  refused: { [what: string]: string };
  /** "prompt in env" -> why, of the first few that were asked for and that the file does not have. */
  missed: { [what: string]: string };
  onChange: string | null;
};

const SETTLE_MS = 50; // a file rewritten in place within one tick of the clock keeps its signature: look once more after this
const MISSES = 16; // names asked for in vain that one reading of the file remembers
const pair = (name: string, env: string): string => `${name} in ${env}`;

/** One registry file, read. `new Loader(path).get("support-triage", { env: "prod" })`. */
export class Loader {
  readonly path: string;
  #view = new View("");
  readonly #good = new Map<string, Built>();
  #known = new Map<string, { entry: string; version: Version }>();
  readonly #onChange: ((before: Served, now: Served) => unknown) | undefined;
  #callbackFault: string | null = null;

  constructor(path?: string, options: { onChange?: (before: Served, now: Served) => unknown } = {}) {
    this.path = path === undefined ? find() : resolve(path);
    this.#onChange = options.onChange;
    this.#view.since = performance.now();
  }

  /** What `env` serves of a prompt. Throws RegistryNotFound, RegistryCorrupt, UnknownPrompt or NotDeployed, but never once this pair has succeeded. */
  get<N extends keyof Prompts & string>(name: N, options: GetOptions = {}): Served<Prompts[N]> {
    const env = options.env ?? process.env["PROMPTOPS_ENV"];
    if (!env) return orDefault(name, null, options.default, new NotDeployed(`load('${name}') does not know its environment; pass { env: "prod" }, or set PROMPTOPS_ENV.`));
    const view = this.#fresh();
    let built = view.built.get(pair(name, env));
    if (built === undefined) {
      try {
        built = this.#first(view, name, env);
      } catch (error) {
        return orDefault(name, env, options.default, error as Error);
      }
    }
    const { stable, canary, percent } = built;
    return (canary !== null && inCanary(name, canary.id, percent, options.key) ? canary : stable) as Served<Prompts[N]>;
  }

  /** What a health check wants to know; looks at the file first. */
  health(): Health {
    const view = this.#fresh();
    const refused = Object.fromEntries([...view.refused, ...view.faults].sort());
    return {
      ok: view.fault === null && Object.keys(refused).length === 0 && this.#callbackFault === null,
      path: this.path,
      source: view.fault === null ? "file" : view.prompts.size ? "last_known_good" : "none",
      fault: view.fault === null ? null : view.fault.message,
      ageSeconds: view.since === null ? 0 : (performance.now() - view.since) / 1000,
      prompts: view.prompts.size,
      refused,
      missed: Object.fromEntries([...view.missed].sort()),
      onChange: this.#callbackFault,
    };
  }

  #fresh(): View {
    const signature = safely(() => signed(statSync(this.path, { bigint: true }))) ?? null;
    const view = this.#view;
    if (signature !== view.signature || (view.recheck !== null && performance.now() >= view.recheck)) this.#view = this.#read(view);
    return this.#view;
  }

  #read(before: View): View {
    let signature: string | null = null;
    let stamp: string | null = null;
    let view: View;
    try {
      const found = contents(this.path);
      signature = found.signature;
      stamp = createHash("sha256").update(found.data).digest("hex");
      if (stamp === before.bytes) {
        before.recheck = signature !== before.signature ? performance.now() + SETTLE_MS : null; // touched or looked at again, not changed
        before.signature = signature;
        return before;
      }
      view = View.of(signature, found.data, this.path);
      const cited = new Set([...view.prompts.values()].flatMap((environments) => [...environments.values()].flatMap((tail) => [...tail.entries.keys()])));
      this.#known = new Map([...this.#known].filter(([id]) => cited.has(id)));
    } catch (error) {
      view = new View(signature);
      before.prompts.forEach((tail, name) => view.prompts.set(name, tail));
      before.faults.forEach((fault, name) => view.faults.set(name, fault));
      view.fault = fileFault(error, this.path);
      view.since = before.since ?? performance.now();
    }
    view.bytes = stamp;
    view.recheck = stamp === null ? null : performance.now() + SETTLE_MS;
    return view;
  }

  #first(view: View, name: string, env: string): Built {
    const key = pair(name, env);
    const before = this.#good.get(key);
    view.refused.delete(key);
    let built: Built;
    try {
      built = view.build(name, env, this.#known);
      if (view.fault !== null) built = hold(built, view.fault.message, view.since ?? performance.now());
    } catch (error) {
      const absentHere = error instanceof UnknownPrompt || error instanceof NotDeployed;
      if (before !== undefined || view.prompts.get(name)?.has(env)) view.refused.set(key, said(error)); // else there may be any number
      else if (absentHere && view.fault === null && view.missed.size < MISSES) view.missed.set(pair(name.slice(0, 128), env.slice(0, 128)), said(error));
      if (before === undefined) throw absentHere && view.fault !== null ? view.fault : error;
      built = hold(before, said(error), view.since ?? performance.now());
    }
    this.#good.set(key, built);
    view.built.set(key, built);
    if (before !== undefined) this.#tell(before.stable, built.stable);
    return built;
  }

  #tell(before: Served, now: Served): void {
    if (this.#onChange === undefined || before.id === now.id) return;
    try {
      this.#onChange(before, now);
    } catch (error) {
      this.#callbackFault = `onChange threw ${said(error)}`; // a callback's fault is not the request's
    }
  }
}

const LOADERS = new Map<string, Loader>(); // the process's loaders by what named them

/** The version of a prompt that an environment serves now. Throws as `Loader.get` does, never once it has succeeded. */
export function load<N extends keyof Prompts & string>(name: N, options: LoadOptions = {}): Served<Prompts[N]> {
  const named = options.registry ?? process.env["PROMPTOPS_REGISTRY"] ?? "";
  let loader = LOADERS.get(named);
  if (loader === undefined) {
    try {
      loader = new Loader(options.registry);
    } catch (error) {
      return orDefault(name, options.env ?? null, options.default, error as Error);
    }
    LOADERS.set(named, loader);
  }
  return loader.get(name, options);
}

function orDefault<V>(name: string, env: string | null, fallback: GetOptions["default"], error: Error): Served<V> {
  if (fallback === undefined) throw error;
  const version = made({ messages: typeof fallback === "string" ? [{ role: "user", content: fallback }] : [...fallback] });
  return new Served<V>({ name, env, number: null, version, source: "default", reason: error.message, arm: null, since: null });
}

function find(): string {
  const named = process.env["PROMPTOPS_REGISTRY"];
  if (named) return resolve(named.replace(/^~(?=$|\/)/, () => homedir()));
  const start = process.cwd();
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, "promptops.json");
    if (safely(() => statSync(path).isFile())) return path;
    if (dirname(folder) === folder) throw new RegistryNotFound(`no promptops.json in ${start} or any folder above it; pass { registry }, or set PROMPTOPS_REGISTRY.`);
  }
}

const signed = (found: BigIntStats): string => `${found.mtimeNs}.${found.ctimeNs}.${found.size}.${found.ino}`;

function contents(path: string): { signature: string; data: Uint8Array } {
  for (let attempt = 1; ; attempt += 1) {
    if (!statSync(path).isFile()) throw new RegistryCorrupt(`${path} is not a file; put the registry there, or set PROMPTOPS_REGISTRY.`);
    const handle = openSync(path, "r");
    try {
      const before = fstatSync(handle, { bigint: true });
      if (before.size > MAX_BYTES) throw new RegistryCorrupt(`${path} is ${before.size} bytes, past the ${MAX_BYTES} that a registry may have.`);
      const data = readFileSync(handle);
      const after = fstatSync(handle, { bigint: true });
      if (signed(before) === signed(after) || attempt === 3) return { signature: signed(after), data }; // else it was written to meanwhile
    } finally {
      closeSync(handle);
    }
  }
}

function fileFault(error: unknown, path: string): PromptOpsError {
  if (error instanceof PromptOpsError) return error;
  if ((error as { code?: unknown }).code === "ENOENT") return new RegistryNotFound(`no registry file at ${path}; restore it from git, or set PROMPTOPS_REGISTRY.`);
  return new RegistryCorrupt(`${path} cannot be read (${said(error)}); check its permissions, or restore it from git.`);
}

function safely<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
