// What a request is about: what would change, every argument, what in it deceives.

import { h, mixedWords, reveal } from "./dom.js";
import { isQuestion } from "./question.js";
import { words } from "./words.js";

const SHORT = 12, MOST = 1200, LINES = 20;

export function warnings(approval) {
  const said = [approval.title, approval.action, approval.arguments, approval.preview, approval.reason];
  const mixed = [...new Set(mixedWords(JSON.stringify(said).replace(/\\[nt]/g, " ")))];
  return [
    ...approval.preview.warnings.map((text) => h("p", { class: "warning" }, `${words.warning}: ${reveal(text)}`)),
    ...(textsOf(said).some((text) => reveal(text) !== text) ? [h("p", { class: "warning" }, words.hidden)] : []),
    ...(mixed.length ? [h("p", { class: "warning" }, words.mixed(mixed.slice(0, 5).map(reveal)))] : []),
  ];
}

function textsOf(value) {
  if (typeof value === "string") return [value];
  if (value && typeof value === "object") return Object.entries(value).flatMap(([name, one]) => [name, ...textsOf(one)]);
  return [];
}

export function facts(approval, me, gate) {
  const { preview } = approval;
  if (isQuestion(approval) && headlineIs(approval.arguments.question, approval)) return h("dl", {}, ...sources(approval, me));
  return h("dl", {},
    fact(words.effect, reveal(approval.title), h("span", { class: "quiet" }, ` (${preview.reversible ? words.reversible : words.irreversible})`)),
    preview.changes.length > 0 && fact(words.changes, h("ul", { class: "changes" }, preview.changes.map(change))),
    preview.cost && fact(words.cost, reveal(preview.cost)),
    fact(words.action, h("code", {}, reveal(approval.action))),
    fact(words.arguments, argumentsList(approval.arguments, gate), approval.arguments_cut && h("span", { class: "warning" }, words.cut)),
    ...sources(approval, me),
  );
}

const sources = (approval, me) => [
  fact(words.requester, approval.requester_id === me?.id ? words.you.toLowerCase() : reveal(approval.requester_name || words.somebody)),
  fact(words.digest, h("code", { title: approval.digest }, approval.digest.slice(0, SHORT))),
];
// A question stands in the headline, whole, unless somebody wrote another one there.
const headlineIs = (question, { preview, title }) => question === (preview.summary || title);

const fact = (name, ...values) => [h("dt", {}, name), h("dd", {}, ...values)];
const change = ({ label, before, after }) =>
  h("li", {}, `${reveal(label)}: `, h("del", {}, reveal(before ?? words.nothing)), " → ", h("ins", {}, reveal(after ?? words.nothing)));

// Long values are folded; `gate` counts those that nobody opened yet.
export function argumentsList(values, gate = { closed: 0, changed: () => undefined }) {
  const entries = Object.entries(values);
  if (!entries.length) return words.noArguments;
  return h("ul", { class: "arguments" }, entries.map(([name, value]) => h("li", {}, h("b", {}, reveal(name)), ": ", folded(value, gate))));
}

function folded(value, gate) {
  const whole = reveal(typeof value === "string" ? value : JSON.stringify(value, null, 2));
  const start = whole.slice(0, MOST).split("\n").slice(0, LINES).join("\n");
  const shown = h("span", { class: "value", tabindex: "-1" }, start);
  if (start.length === whole.length) return shown;
  gate.closed += 1;
  const more = h("button", { type: "button", class: "link", onclick: () => {
    shown.textContent = whole;
    shown.focus();
    more.remove();
    gate.closed -= 1;
    gate.changed();
  } }, words.more(whole.length - start.length));
  return [shown, "… ", more];
}
