// A form for an action's arguments, made from its JSON schema. What has no field of its own is JSON, as text.

import { h, reveal } from "./dom.js";
import { words } from "./words.js";

const SHORT = 80;
let forms = 0;

// {element, read() -> the arguments, or null with the mistakes shown; fail(sentence): shows what the server said; focus()}
export function argumentsForm(schema, values) {
  const known = schema?.properties ?? {}, required = new Set(schema?.required ?? []), form = ++forms;
  const names = [...new Set([...Object.keys(known), ...Object.keys(values)])];
  const fields = names.map((name, place) => field(`argument-${form}-${place}`, name, known[name] ?? {}, values[name], required.has(name)));
  const problem = h("p", { class: "warning", role: "alert" });
  const element = h("div", { class: "arguments-form" }, fields.length ? fields.map((one) => one.element) : h("p", { class: "quiet" }, words.noArguments), problem);
  const clear = () => ((problem.textContent = ""), fields.forEach((one) => one.fail("")));
  const reach = () => fields.find((one) => one.failed)?.control.focus();

  function read() {
    clear();
    const found = fields.map((one) => [one.name, one.read()]);
    reach();
    return fields.some((one) => one.failed) ? null : Object.fromEntries(found.filter(([, value]) => value !== undefined));
  }

  function fail(sentence) {
    clear();
    for (const [name, why] of mistakes(sentence)) {
      const at = fields.find((one) => one.name === name);
      if (at) at.fail(why);
      else problem.append(h("span", {}, `${name ? `${reveal(name)} ` : ""}${reveal(why)} `));
    }
    reach();
  }

  return { element, read, fail, focus: () => fields.find((one) => !one.control.disabled)?.control.focus() };
}

// "tasks.add: title must not be empty; days[0] is missing." as [["title", "must not be empty"], ["days", "is missing"]]
export function mistakes(sentence) {
  const [, said] = /^[\w-]+(?:\.[\w-]+)+: (.+?)\.?$/s.exec(sentence) ?? [];
  if (!said) return [["", sentence]];
  return said.split("; ").map((one) => {
    const [, name, why] = /^([^\s.[]+)\S* (.+)$/s.exec(one) ?? [null, "", one];
    return [name, why];
  });
}

// Which control shows a value of this schema; anything that it could not give back unchanged is JSON.
export function kindOf(part, value) {
  const is = (test) => value === undefined || test;
  if ("const" in part) return "fixed";
  if (part["x-secret"] === true) return "secret";
  if (Array.isArray(part.enum)) return part.enum.every((one) => ["string", "number"].includes(typeof one)) && is(part.enum.includes(value)) ? "choice" : "json";
  const type = part.type ?? (typeof value === "string" ? "string" : typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "");
  if (type === "string" && is(typeof value === "string")) return "text";
  if (["integer", "number"].includes(type) && is(typeof value === "number")) return "number";
  if (type === "boolean" && is(typeof value === "boolean")) return "choice";
  const isList = type === "array" && part.items?.type === "string" && !part.items.enum && !part.items["x-secret"];
  return isList && is(Array.isArray(value) && value.every((one) => typeof one === "string" && one && !/[\r\n]/.test(one))) ? "lines" : "json";
}

function field(id, name, part, value, isRequired) {
  const kind = kindOf(part, value), raw = written(kind, part, value);
  const control = controlOf(kind, id, part, value, raw, isRequired);
  const first = control.value; // as the browser keeps it: what is not touched stays what it was
  const why = h("p", { class: "warning", id: `${id}-why` }), hints = hintsOf(kind, part, value);
  const hint = h("p", { class: "quiet note", id: `${id}-hint` }, hints.join(" "));
  control.setAttribute("aria-describedby", `${id}-hint ${id}-why`);
  const one = {
    name, control, failed: false,
    element: h("div", { class: "field" }, h("label", { for: id }, reveal(name), isRequired && h("span", { class: "quiet" }, ` (${words.needed})`)), control, hints.length > 0 && hint, why),
    fail(text) {
      one.failed = !!text;
      why.textContent = text && reveal(text);
      control.setAttribute("aria-invalid", String(one.failed));
    },
    read() {
      if (control.value === first) return value;
      try {
        return parsed(kind, control.value, part, isRequired);
      } catch {
        return one.fail(kind === "json" ? words.notJson : words.notNumber);
      }
    },
  };
  return one;
}

function written(kind, part, value) {
  if (kind === "fixed") return JSON.stringify(value ?? part.const);
  if (value === undefined || kind === "secret") return "";
  return kind === "lines" ? value.join("\n") : kind === "json" ? JSON.stringify(value, null, 2) : String(value);
}

function controlOf(kind, id, part, value, raw, isRequired) {
  if (kind === "choice") {
    const at = optionsOf(part).indexOf(value);
    const none = isRequired && at >= 0 ? [] : [h("option", { value: "" }, words.notSet)];
    return h("select", { id }, none, optionsOf(part).map((one, place) => h("option", { value: String(place), selected: place === at }, said(one))));
  }
  if (kind === "secret") return h("input", { id, type: "password", autocomplete: "off", placeholder: value === undefined ? "" : words.secretKept });
  if (kind === "number") return h("input", { id, type: "text", inputmode: "decimal", autocomplete: "off", value: raw });
  if (kind === "fixed") return h("input", { id, type: "text", value: raw, disabled: true });
  const isLong = kind !== "text" || raw.length > SHORT || /[\r\n]/.test(raw) || (part.maxLength ?? 0) > 1000;
  if (!isLong) return h("input", { id, type: "text", autocomplete: "off", value: raw });
  return h("textarea", { id, rows: Math.min(10, Math.max(2, raw.split("\n").length)), class: kind === "json" ? "code" : null, spellcheck: kind === "json" ? "false" : null, value: raw });
}

const optionsOf = (part) => part.enum ?? [true, false];
const said = (one) => (one === true ? words.yes : one === false ? words.no : one === "" ? words.emptyText : reveal(one));

function hintsOf(kind, part, value) {
  const text = typeof value === "string" && kind !== "secret" ? reveal(value) : value;
  return [
    part.description && reveal(part.description),
    kind === "lines" && words.oneALine, kind === "json" && words.asJson,
    text !== value && words.hiddenIn(text),
  ].filter(Boolean);
}

// Throws where it is no number or no JSON. Left empty, what need not be there is not there.
function parsed(kind, raw, part, isRequired) {
  if (kind === "choice") return raw === "" ? undefined : optionsOf(part)[Number(raw)];
  if (raw === "" && (!isRequired || kind === "number" || kind === "json")) return undefined;
  if (kind === "lines") return raw.split("\n").map((one) => one.trim()).filter(Boolean);
  if (kind === "json") return JSON.parse(raw);
  if (kind !== "number") return raw;
  const number = Number(raw.trim().replace(",", "."));
  if (!Number.isFinite(number)) throw new Error(words.notNumber);
  return number;
}
