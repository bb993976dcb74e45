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
/** A file that is not a registry, or content that is not what its own digests say. */
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

const ENTRY_FIELDS = ["number", "id", "note", "author", "created", "model", "settings", "variables", "tools", "response_format", "api", "messages"];
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
  readonly api: string;
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
  const api = (content["api"] ?? "chat") as string;
  if (!APIS.includes(api)) throw new RenderError(`api is '${String(api)}'; the forms are ${APIS.join(", ")}`);
  const whole: Obj = api === "chat" ? hashed : { ...hashed, api };
  canonical(whole, "$", true);
  const version = Object.freeze({ id: tagged("p1", whole), model, messages, variables, settings, tools, responseFormat, takesHistory, api });
  if (api !== "chat") requestOf(version, copied(messages.filter((message) => message.role !== "history")));
  return version;
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

/** The request around rendered messages, in the version's own form. Throws RenderError for what that form has no place for. */
function requestOf(version: Version, messages: readonly Obj[]): Obj {
  const body: Obj = { messages, ...copied(version.settings) };
  if (version.model !== null) body["model"] = version.model;
  if (version.tools.length) body["tools"] = copied(version.tools);
  if (version.responseFormat !== null) body["response_format"] = copied(version.responseFormat);
  return toForm(version.api, body);
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
  if (used.length > MAX_VARIABLES) throw new RenderError(`a version of ${used.length} variables exceeds the limit of ${MAX_VARIABLES}`);
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
const LINK_FIELDS = ["version", "canary", "kind", "at", "author", "reason", "evidence", "forced", "unmet", "override", "again", "undoes", "digest"];
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

/** What of a key is hashed; null for a missing one, as NaN is. */
const keyText = (key: Key): string | null => (absent(key) || (typeof key === "number" && !Number.isFinite(key)) ? null : `${key}`);

/** Whether a key falls into the canary's share: the same key always does, in every language, and stays in as the share widens. */
export function inCanary(prompt: string, version: string, percent: number, key: Key): boolean {
  const shown = keyText(key);
  if (shown === null) return false;
  const bucket = Math.floor((sha256(`${prompt}\n${version}\n${shown}`).readUInt32BE(0) * 10_000) / 2 ** 32);
  return bucket < roundedHalfEven(percent * 100);
}

function roundedHalfEven(value: number): number {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

// -- the file: read whole, split into the ends of its chains

const FORM = 2; // form 1 differs in names of a policy's fields, which no reader needs
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
  if (!isObject(document) || !Number.isSafeInteger(field(document, "promptops"))) throw fault('is not a registry: a JSON object with "promptops": 2 was expected');
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
  return new Served({ name, env, number, version, source: "file", reason: "", arm: null, since: null, key: null });
}

// -- the request forms: pure functions of the arguments of a chat completion, the same as Python's

const APIS = ["chat", "responses", "anthropic", "gemini"];
const API_NAMES: { [api: string]: string } = { responses: "the responses API", anthropic: "Anthropic's messages", gemini: "Gemini's generateContent" };

const noPlace = (what: string, api: string, instead: string): RenderError => new RenderError(`${what} has no place in ${API_NAMES[api]}; ${instead}.`);
const partsOf = (content: unknown): Obj[] => (absent(content) ? [] : typeof content === "string" ? [{ type: "text", text: content }] : (content as Obj[]));
const listed = (value: unknown): Obj[] => (Array.isArray(value) ? (value as Obj[]) : []);

function toForm(api: string, body: Obj): Obj {
  if (api === "responses") return toResponses(body);
  if (api === "anthropic") return toAnthropic(body);
  return api === "gemini" ? toGemini(body) : body;
}

function dataOf(url: string): [string, string] | null {
  const comma = url.indexOf(",");
  const head = url.slice(0, Math.max(comma, 0));
  return comma > 0 && head.startsWith("data:") && head.endsWith(";base64") ? [head.slice(5, -7), url.slice(comma + 1)] : null;
}

function argumentsOf(call: Obj, api: string): [unknown, string, Obj] {
  const called = call["function"];
  if (!isObject(called)) throw noPlace(`a tool call of the type '${String(call["type"])}'`, api, "only function calls have one");
  const given = called["arguments"] || "{}";
  const value = typeof given === "string" ? safely(() => JSON.parse(given) as unknown) : given;
  if (!isObject(value)) throw noPlace(`a call of '${String(called["name"])}' whose arguments are not a JSON object`, api, "write them as an object");
  return [call["id"] ?? null, String(called["name"]), value];
}

function functionOf(tool: Obj, index: number, api: string): Obj | null {
  if (tool["type"] === "custom") throw noPlace(`tool ${index} of the type 'custom'`, api, "describe it as a function");
  if (tool["type"] !== "function") return null;
  if (!isObject(tool["function"])) throw noPlace(`tool ${index} without a function`, api, "describe its function");
  return tool["function"];
}

/** The JSON Schema of a response format; null for plain text, true for any JSON. */
function schemaOf(value: Obj, api: string): unknown {
  const inner = value["json_schema"];
  if (value["type"] === "json_schema" && isObject(inner) && has(inner, "schema")) return inner["schema"];
  if (value["type"] === "json_object") return true;
  if (value["type"] === "text") return null;
  throw noPlace(`a response_format of the type '${String(value["type"])}'`, api, "give a json_schema");
}

function nameless(message: Obj, api: string): void {
  if (has(message, "name")) throw noPlace(`the name '${String(message["name"])}' of a ${String(message["role"])} message`, api, "say it in the text");
}

// OpenAI's Responses API

const RESPONSES_RENAMED: { [name: string]: string } = { max_tokens: "max_output_tokens", max_completion_tokens: "max_output_tokens", reasoning_effort: "reasoning" };
const RESPONSES_ABSENT = [
  ...["stop", "seed", "logit_bias", "frequency_penalty", "presence_penalty", "logprobs", "modalities", "audio", "prediction"],
  ...["functions", "function_call", "web_search_options"],
];

function toResponses(body: Obj): Obj {
  const out: Obj = { input: listed(body["messages"]).flatMap(responsesItems) };
  const text: Obj = {};
  const twice = (name: string, field: string): RenderError => new RenderError(`setting '${name}' and another both become '${field}' in the responses API; keep one of them.`);
  for (const [name, value] of Object.entries(body)) {
    const renamed = RESPONSES_RENAMED[name] ?? name;
    if (name === "messages") continue;
    if (RESPONSES_ABSENT.includes(name)) throw noPlace(`setting '${name}'`, "responses", "leave it out of the version, or call chat completions");
    if (name === "tools") out["tools"] = listed(value).map(responsesTool);
    else if (name === "tool_choice") out["tool_choice"] = responsesChoice(value);
    else if (name === "response_format") text["format"] = flat(value as Obj);
    else if (name === "verbosity") text["verbosity"] = value;
    else if (name === "reasoning_effort" && !has(out, "reasoning")) out["reasoning"] = { effort: value };
    else if (has(out, renamed)) throw twice(name, renamed);
    else out[renamed] = value;
  }
  if (Object.keys(text).length === 0) return out;
  if (has(out, "text")) throw twice("text", "text");
  return { ...out, text };
}

function flat(value: Obj): Obj {
  const kind = value["type"];
  const inner = typeof kind === "string" ? field(value, kind) : null;
  return isObject(inner) ? { type: kind, ...inner } : value;
}

function responsesTool(tool: Obj): Obj {
  const plain = flat(tool);
  if (plain["type"] === "function") return { parameters: { type: "object", properties: {} }, strict: false, ...plain };
  return plain["type"] === "custom" && isObject(plain["format"]) ? { ...plain, format: flat(plain["format"]) } : plain;
}

function responsesChoice(value: unknown): unknown {
  if (!isObject(value)) return value;
  const plain = flat(value);
  return Array.isArray(plain["tools"]) ? { ...plain, tools: listed(plain["tools"]).map(flat) } : plain;
}

function responsesItems(message: Obj): Obj[] {
  nameless(message, "responses");
  const role = message["role"] as string;
  const given = message["content"];
  const content = Array.isArray(given) ? (given as Obj[]).map((part) => responsesPart(part, role)) : given;
  if (role === "tool") return [{ type: "function_call_output", call_id: message["tool_call_id"] ?? null, output: content }];
  const calls = listed(message["tool_calls"]).map((call) => {
    const called = call["function"];
    if (!isObject(called)) throw noPlace(`a tool call of the type '${String(call["type"])}'`, "responses", "only function calls have");
    return { type: "function_call", call_id: call["id"] ?? null, name: called["name"] ?? null, arguments: called["arguments"] ?? null };
  });
  return absent(content) ? calls : [{ role, content }, ...calls];
}

function responsesPart(part: Obj, role: string): Obj {
  if (part["type"] === "text") return { type: role === "assistant" ? "output_text" : "input_text", text: part["text"] };
  if (part["type"] === "image_url") {
    const image = part["image_url"] as Obj;
    return { type: "input_image", image_url: image["url"], ...(has(image, "detail") ? { detail: image["detail"] } : {}) };
  }
  return part["type"] === "file" ? { ...flat(part), type: "input_file" } : part;
}

// Anthropic

const ANTHROPIC_ABSENT = [
  ...["seed", "logit_bias", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "modalities", "audio"],
  ...["prediction", "functions", "function_call", "web_search_options", "verbosity", "store", "user"],
];
const ANTHROPIC_EFFORTS = ["low", "medium", "high", "xhigh", "max"];
const ANTHROPIC_CHOICES: { [name: string]: string } = { auto: "auto", none: "none", required: "any" };

function toAnthropic(body: Obj): Obj {
  const { system, messages } = anthropicMessages(listed(body["messages"]));
  const out: Obj = isFilled(system) ? { system, messages } : { messages };
  for (const [name, value] of Object.entries(body)) {
    if (name === "messages" || name === "parallel_tool_calls") continue;
    if (ANTHROPIC_ABSENT.includes(name)) throw noPlace(`setting '${name}'`, "anthropic", "leave it out of the version");
    setAnthropic(out, name, value);
  }
  if (body["parallel_tool_calls"] === false) out["tool_choice"] = { ...((out["tool_choice"] as Obj | undefined) ?? { type: "auto" }), disable_parallel_tool_use: true };
  if (!has(out, "max_tokens")) throw noPlace("a request without max_tokens", "anthropic", "give one, as in max_tokens=1024");
  return out;
}

function setAnthropic(out: Obj, name: string, value: unknown): void {
  const configured = (out["output_config"] as Obj | undefined) ?? {};
  if (name === "max_tokens" || name === "max_completion_tokens") {
    if (has(out, "max_tokens")) throw noPlace("max_completion_tokens beside max_tokens", "anthropic", "keep one of them");
    out["max_tokens"] = value;
  } else if (name === "stop") out["stop_sequences"] = typeof value === "string" ? [value] : value;
  else if (name === "tools") out["tools"] = listed(value).map(anthropicTool);
  else if (name === "tool_choice") out["tool_choice"] = anthropicChoice(value);
  else if (name === "response_format") {
    const schema = schemaOf(value as Obj, "anthropic");
    if (schema === true) throw noPlace("a response_format of the type 'json_object'", "anthropic", "give a schema");
    if (schema !== null) out["output_config"] = { ...configured, format: { type: "json_schema", schema } };
  } else if (name === "reasoning_effort") {
    if (!ANTHROPIC_EFFORTS.includes(value as string)) throw noPlace(`reasoning_effort=${JSON.stringify(value)}`, "anthropic", `it has ${ANTHROPIC_EFFORTS.join(", ")}`);
    out["output_config"] = { ...configured, effort: value };
  } else if (name === "service_tier" && value !== "auto" && value !== "standard_only") {
    throw noPlace(`service_tier=${JSON.stringify(value)}`, "anthropic", "it has auto and standard_only");
  } else if (name === "output_config") out["output_config"] = { ...(value as Obj), ...configured };
  else out[name] = value;
}

function anthropicMessages(messages: Obj[]): { system: unknown; messages: Obj[] } {
  const system: Obj[] = [];
  const plain: unknown[] = [];
  const out: Obj[] = [];
  for (const message of messages) {
    nameless(message, "anthropic");
    const role = message["role"] as string;
    if (role === "system" || role === "developer") {
      if (out.length) throw noPlace(`a ${role} message after the conversation has begun`, "anthropic", "move it to the top");
      plain.push(message["content"]);
      system.push(...partsOf(message["content"]).map(anthropicSystemPart));
    } else if (role === "tool") {
      const block = { type: "tool_result", tool_use_id: message["tool_call_id"] ?? null, content: anthropicContent(message["content"]) };
      const last = out[out.length - 1];
      const results = last !== undefined && last["role"] === "user" && Array.isArray(last["content"]) && listed(last["content"]).every((part) => part["type"] === "tool_result");
      if (results) listed(last["content"]).push(block);
      else out.push({ role: "user", content: [block] });
    } else out.push({ role, content: anthropicTurn(message) });
  }
  return { system: plain.length === 1 && typeof plain[0] === "string" ? plain[0] : system, messages: out };
}

function anthropicSystemPart(part: Obj): Obj {
  if (part["type"] !== "text") throw noPlace(`a part of the type '${String(part["type"])}' in a system message`, "anthropic", "write text");
  return part;
}

function anthropicTurn(message: Obj): unknown {
  const calls = listed(message["tool_calls"]);
  const content = anthropicContent(message["content"]);
  if (!calls.length) return content;
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : listed(content);
  const used = calls.map((call) => {
    const [id, name, input] = argumentsOf(call, "anthropic");
    return { type: "tool_use", id, name, input };
  });
  return [...blocks, ...used];
}

const anthropicContent = (content: unknown): unknown => (Array.isArray(content) ? listed(content).map(anthropicPart) : content);

function anthropicPart(part: Obj): Obj {
  const cached = has(part, "cache_control") ? { cache_control: part["cache_control"] } : {};
  if (part["type"] === "image_url") {
    const image = part["image_url"] as Obj;
    if ((image["detail"] ?? "auto") !== "auto") throw noPlace(`an image's detail='${String(image["detail"])}'`, "anthropic", "leave it out");
    return { type: "image", source: anthropicSource(image["url"] as string), ...cached };
  }
  if (part["type"] === "file") return { type: "document", ...anthropicDocument((part["file"] as Obj | undefined) ?? {}), ...cached };
  if (part["type"] === "input_audio" || part["type"] === "refusal") throw noPlace(`a part of the type '${part["type"]}'`, "anthropic", "write it as text");
  return part;
}

function anthropicSource(url: string): Obj {
  const data = dataOf(url);
  return data === null ? { type: "url", url } : { type: "base64", media_type: data[0], data: data[1] };
}

function anthropicDocument(file: Obj): Obj {
  if (isFilled(file["file_id"])) return { source: { type: "file", file_id: file["file_id"] } };
  const data = file["file_data"];
  if (typeof data !== "string" || !data) throw noPlace("a file part without file_data or file_id", "anthropic", "give one of them");
  return { source: anthropicSource(data), ...(isFilled(file["filename"]) ? { title: file["filename"] } : {}) };
}

function anthropicTool(tool: Obj, index: number): Obj {
  const described = functionOf(tool, index, "anthropic");
  if (described === null) return tool;
  const out: Obj = { name: described["name"] ?? null, input_schema: isFilled(described["parameters"]) ? described["parameters"] : { type: "object", properties: {} } };
  for (const name of ["description", "strict"]) if (isFilled(described[name])) out[name] = described[name];
  if (has(tool, "cache_control")) out["cache_control"] = tool["cache_control"];
  return out;
}

function anthropicChoice(value: unknown): Obj {
  if (typeof value === "string" && has(ANTHROPIC_CHOICES, value)) return { type: ANTHROPIC_CHOICES[value] };
  if (isObject(value) && isObject(value["function"])) return { type: "tool", name: value["function"]["name"] ?? null };
  if (isObject(value) && ["auto", "any", "tool", "none"].includes(value["type"] as string)) return { ...value };
  throw noPlace(`tool_choice=${JSON.stringify(value)}`, "anthropic", "name a function, or auto, none, required");
}

// Gemini

const GEMINI_ABSENT = [
  ...["logit_bias", "parallel_tool_calls", "audio", "prediction", "functions", "function_call", "web_search_options", "verbosity"],
  ...["store", "user", "metadata", "logprobs", "top_logprobs", "modalities"],
];
const GEMINI_RENAMED: { [name: string]: string } = { max_tokens: "maxOutputTokens", max_completion_tokens: "maxOutputTokens" };
const GEMINI_MODES: { [name: string]: string } = { auto: "AUTO", none: "NONE", required: "ANY" };
const GEMINI_TIERS = ["flex", "priority", "standard"];
const GEMINI_LEVELS = ["minimal", "low", "medium", "high"];
const GEMINI_AUDIO: { [format: string]: string } = { wav: "audio/wav", mp3: "audio/mp3" };

function toGemini(body: Obj): Obj {
  const { system, contents } = geminiContents(listed(body["messages"]));
  const config: Obj = system === null ? {} : { systemInstruction: system };
  for (const [name, value] of Object.entries(body)) {
    if (name === "messages" || name === "model") continue;
    if (GEMINI_ABSENT.includes(name)) throw noPlace(`setting '${name}'`, "gemini", "leave it out of the version");
    for (const [key, item] of Object.entries(geminiSetting(name, value))) {
      if (has(config, key)) throw noPlace(`setting '${name}' beside another ${key}`, "gemini", "keep one of them");
      config[key] = item;
    }
  }
  return { contents, ...(has(body, "model") ? { model: body["model"] } : {}), ...(Object.keys(config).length ? { config } : {}) };
}

function geminiSetting(name: string, value: unknown): Obj {
  if (name === "stop") return { stopSequences: typeof value === "string" ? [value] : value };
  if (name === "tools") return { tools: geminiTools(listed(value)) };
  if (name === "tool_choice") return { toolConfig: { functionCallingConfig: geminiChoice(value) } };
  if (name === "response_format") {
    const schema = schemaOf(value as Obj, "gemini");
    if (schema === null) return {};
    return { responseMimeType: "application/json", ...(schema === true ? {} : { responseJsonSchema: schema }) };
  }
  if (name === "reasoning_effort") {
    if (!GEMINI_LEVELS.includes(value as string)) throw noPlace(`reasoning_effort=${JSON.stringify(value)}`, "gemini", `it has ${GEMINI_LEVELS.join(", ")}`);
    return { thinkingConfig: { thinkingLevel: (value as string).toUpperCase() } };
  }
  if (name === "service_tier" && !GEMINI_TIERS.includes(value as string)) throw noPlace(`service_tier=${JSON.stringify(value)}`, "gemini", `it has ${GEMINI_TIERS.join(", ")}`);
  return { [GEMINI_RENAMED[name] ?? name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())]: value };
}

function geminiContents(messages: Obj[]): { system: Obj | null; contents: Obj[] } {
  let system: Obj | null = null;
  const out: { role: string; parts: Obj[] }[] = [];
  const called = new Map<unknown, string>();
  for (const message of messages) {
    nameless(message, "gemini");
    const role = message["role"] as string;
    if (role === "system" || role === "developer") {
      if (out.length || system !== null) throw noPlace("a system message that is not the first message", "gemini", "join them into one");
      system = { parts: textsOf(message["content"], role, "gemini").map((line) => ({ text: line })) };
    } else if (role === "tool") {
      const part = geminiResponse(message, called);
      const last = out[out.length - 1];
      if (last !== undefined && has(last.parts[last.parts.length - 1] ?? {}, "functionResponse")) last.parts.push(part);
      else out.push({ role: "user", parts: [part] });
    } else {
      const parts = partsOf(message["content"]).map(geminiPart);
      for (const call of listed(message["tool_calls"])) {
        const [id, name, args] = argumentsOf(call, "gemini");
        called.set(id, name);
        parts.push({ functionCall: { id, name, args } });
      }
      out.push({ role: role === "assistant" ? "model" : "user", parts });
    }
  }
  return { system, contents: out };
}

function textsOf(content: unknown, role: string, api: string): string[] {
  return partsOf(content).map((part) => {
    if (part["type"] !== "text") throw noPlace(`a part of the type '${String(part["type"])}' in a ${role} message`, api, "write text");
    return part["text"] as string;
  });
}

function geminiResponse(message: Obj, called: Map<unknown, string>): Obj {
  const id = message["tool_call_id"] ?? null;
  const name = called.get(id);
  if (name === undefined) throw noPlace(`the result of the call '${String(id)}', which no message before it makes`, "gemini", "put the assistant's tool call before it");
  const whole = textsOf(message["content"], "tool", "gemini").join("");
  const value = safely(() => JSON.parse(whole) as unknown);
  return { functionResponse: { id, name, response: isObject(value) ? value : { result: whole } } };
}

function geminiPart(part: Obj): Obj {
  if (part["type"] === "text") {
    if (has(part, "cache_control")) throw noPlace("cache_control", "gemini", "use cachedContent");
    return { text: part["text"] };
  }
  if (part["type"] === "image_url") {
    const image = part["image_url"] as Obj;
    if ((image["detail"] ?? "auto") !== "auto") throw noPlace(`an image's detail='${String(image["detail"])}'`, "gemini", "leave it out");
    return geminiMedia(image["url"] as string);
  }
  if (part["type"] === "input_audio") {
    const audio = part["input_audio"] as Obj;
    const mimeType = field(GEMINI_AUDIO, String(audio["format"]));
    if (mimeType === undefined) throw noPlace(`audio of the format '${String(audio["format"])}'`, "gemini", "use wav or mp3");
    return { inlineData: { mimeType, data: audio["data"] } };
  }
  if (part["type"] === "file") {
    const file = (part["file"] as Obj | undefined) ?? {};
    const where = file["file_data"] || file["file_id"];
    if (typeof where !== "string") throw noPlace("a file part without file_data or file_id", "gemini", "give one of them");
    return geminiMedia(where);
  }
  throw noPlace(`a part of the type '${String(part["type"])}'`, "gemini", "write it as text, image_url or file");
}

function geminiMedia(url: string): Obj {
  const data = dataOf(url);
  return data === null ? { fileData: { fileUri: url } } : { inlineData: { mimeType: data[0], data: data[1] } };
}

function geminiTools(tools: Obj[]): Obj[] {
  const declared: Obj[] = [];
  const own: Obj[] = [];
  tools.forEach((tool, index) => {
    const described = functionOf(tool, index, "gemini");
    if (described === null) {
      own.push(tool);
      return;
    }
    if (described["strict"]) throw noPlace(`strict of tool ${index}`, "gemini", "leave it out of the tool");
    const one: Obj = { name: described["name"] ?? null };
    if (isFilled(described["description"])) one["description"] = described["description"];
    if (isFilled(described["parameters"])) one["parametersJsonSchema"] = described["parameters"];
    declared.push(one);
  });
  return [...(declared.length ? [{ functionDeclarations: declared }] : []), ...own];
}

function geminiChoice(value: unknown): Obj {
  if (typeof value === "string" && has(GEMINI_MODES, value)) return { mode: GEMINI_MODES[value] };
  if (isObject(value) && isObject(value["function"])) return { mode: "ANY", allowedFunctionNames: [value["function"]["name"] ?? null] };
  throw noPlace(`tool_choice=${JSON.stringify(value)}`, "gemini", "name a function, or auto, none, required");
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
  key: string | null;
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
  /** The form of its requests: "chat", "responses", "anthropic" or "gemini". */
  get api(): string {
    return this.#fields.version.api;
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
    return this.#carried(render(this.#fields.version, values as Values));
  }

  /** The messages, carrying whose they are for `observe`; unseen by JSON. */
  #carried<T>(messages: T): T {
    const identity = { prompt: this.name, version_id: this.id, version: this.number, env: this.env, arm: this.arm, served_from: this.source, key_hash: this.#fields.key };
    return Object.defineProperty(messages, Symbol.for("promptops.identity"), { value: identity });
  }

  /**
   * The arguments for the client of the version's own form (chat completions where it names none); name that client's own type for it:
   * `prompt.request<OpenAI.ChatCompletionCreateParamsNonStreaming>(...)`.
   */
  request<T = ChatRequest>(values: V): T {
    const body: any = requestOf(this.#fields.version, this.messages(values));
    const messages = body.messages ?? body.input ?? body.contents;
    if (!(Symbol.for("promptops.identity") in messages)) this.#carried(messages);
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
  /** "prompt in env" (or a prompt) -> why it was refused; a hundred, and the number of the others. */
  refused: { [what: string]: string };
  /** "prompt in env" -> why, of the first few that were asked for and that the file does not have. */
  missed: { [what: string]: string };
  onChange: string | null;
};

/** A file rewritten in place within one tick of the file system's clock keeps its signature: look once more after this. Some tick in seconds. */
const settled = (signature: string): number => performance.now() + (/^\d*0{9}\.\d*0{9}\./.test(signature) ? 2100 : 50);
const MISSES = 16; // names asked for in vain that one reading of the file remembers
const LISTED = 100; // entries of one list in `health`, which something asks for every few seconds
const pair = (name: string, env: string): string => `${name} in ${env}`;
const firstHundred = (texts: [string, string][]): { [what: string]: string } => {
  const shown = texts.slice(0, LISTED);
  const beyond = texts.length - shown.length;
  if (beyond > 0) shown.push([`and ${beyond.toLocaleString("en-US")} more`, "`python -m promptops.registry check` lists every fault"]);
  return Object.fromEntries(shown);
};

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
    const served = canary !== null && inCanary(name, canary.id, percent, options.key) ? canary : stable;
    const key = keyText(options.key); // for the record of the call that follows
    return (key === null ? served : served.with({ key })) as Served<Prompts[N]>;
  }

  /** What a health check wants to know; looks at the file first. */
  health(): Health {
    const view = this.#fresh();
    const refused = firstHundred([...new Map([...view.refused, ...view.faults])].sort());
    return {
      ok: view.fault === null && Object.keys(refused).length === 0 && this.#callbackFault === null,
      path: this.path,
      source: view.fault === null ? "file" : view.prompts.size ? "last_known_good" : "none",
      fault: view.fault === null ? null : view.fault.message,
      ageSeconds: view.since === null ? 0 : (performance.now() - view.since) / 1000,
      prompts: view.prompts.size,
      refused,
      missed: firstHundred([...view.missed].sort()),
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
        before.recheck = signature !== before.signature ? settled(signature) : null; // touched or looked at again, not changed
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
    view.recheck = stamp === null ? null : settled(signature ?? "");
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
  return new Served<V>({ name, env, number: null, version, source: "default", reason: error.message, arm: null, since: null, key: null });
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
      if (before.size > MAX_BYTES) throw new RegistryCorrupt(`${path} is ${before.size} bytes, more than the limit of ${MAX_BYTES}; check what wrote it.`);
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
