// An approval as a card: drawn from the typed request alone, risk first, every argument, the model's word apart.

import { h, left, mixedWords, reveal } from "./dom.js";
import { mayDecide } from "./state.js";
import { words } from "./words.js";

const SHORT = 12, MOST = 1200, LINES = 20;

export function approvalCard(approval, me, actions, { withLink = false } = {}) {
  const isOpen = approval.state === "pending", isMine = mayDecide(approval, me);
  const card = h("section", { class: `card approval ${isOpen ? `risk-${known(approval.risk)}` : "settled"}`, "aria-label": headline(approval), "data-approval": approval.id });
  const gate = { closed: 0, changed: () => undefined };
  card.append(
    h("p", { class: "risk" }, `${words.risk}: ${reveal(approval.risk)}`),
    h("h3", {}, headline(approval)),
    ...warnings(approval),
    facts(approval, me, gate),
    ...(approval.reason ? [h("p", { class: "model" }, h("span", { class: "label" }, `${words.modelSays}: `), reveal(approval.reason))] : []),
  );
  if (!isOpen) card.append(h("p", { class: "outcome" }, outcome(approval)));
  else if (isMine) card.append(decision(approval, actions, gate));
  else card.append(h("p", { class: "quiet" }, words.notYours));
  if (withLink) card.append(h("button", { type: "button", class: "link", onclick: () => actions.open(approval.conversation_id) }, words.openConversation));
  return card;
}

export function outcome(approval) {
  const who = approval.decided_by_name ? words.by(reveal(approval.decided_by_name)) : "";
  const through = approval.decided_door ? words.through(words.door[approval.decided_door] ?? reveal(approval.decided_door)) : "";
  return `${words.approvalState[approval.state] ?? reveal(approval.state)}${who}${through}${approval.comment ? `: ${reveal(approval.comment)}` : ""}`;
}

// What would happen, in the connector's words for exactly these arguments; else the action's name.
export const headline = (approval) => reveal(approval.preview.summary || approval.title);

const known = (risk) => (["read", "write", "external_comms", "money", "destructive", "admin"].includes(risk) ? risk : "other");

function warnings(approval) {
  const all = JSON.stringify([approval.title, approval.action, approval.arguments, approval.preview, approval.reason]);
  const texts = textsOf([approval.title, approval.action, approval.arguments, approval.preview, approval.reason]);
  const mixed = [...new Set(mixedWords(all.replace(/\\[nt]/g, " ")))];
  return [
    ...approval.preview.warnings.map((text) => h("p", { class: "warning" }, `${words.warning}: ${reveal(text)}`)),
    ...(texts.some((text) => reveal(text) !== text) ? [h("p", { class: "warning" }, words.hidden)] : []),
    ...(mixed.length ? [h("p", { class: "warning" }, words.mixed(mixed.slice(0, 5).map(reveal)))] : []),
  ];
}

function textsOf(value) {
  if (typeof value === "string") return [value];
  if (value && typeof value === "object") return Object.entries(value).flatMap(([name, one]) => [name, ...textsOf(one)]);
  return [];
}

function facts(approval, me, gate) {
  const { preview } = approval;
  return h("dl", {},
    fact(words.effect, reveal(approval.title), h("span", { class: "quiet" }, ` (${preview.reversible ? words.reversible : words.irreversible})`)),
    preview.changes.length > 0 && fact(words.changes, h("ul", { class: "changes" }, preview.changes.map(change))),
    fact(words.action, h("code", {}, reveal(approval.action))),
    fact(words.arguments, argumentsList(approval.arguments, gate), approval.arguments_cut && h("span", { class: "warning" }, words.cut)),
    fact(words.requester, approval.requester_id === me?.id ? words.you.toLowerCase() : reveal(approval.requester_name || words.somebody)),
    fact(words.deciders, approval.deciders.map(deciderName).join(", ")),
    approval.state === "pending" && fact(words.expires, h("time", { datetime: approval.expires_at, "data-until": approval.expires_at }, left(approval.expires_at))),
    fact(words.digest, h("code", { title: approval.digest }, approval.digest.slice(0, SHORT))),
  );
}

// "Ben for Ana", who is away.
const deciderName = (one) => (one.in_place_of ? words.inPlaceOf(reveal(one.name), reveal(one.in_place_of)) : reveal(one.name));

const fact = (name, ...values) => [h("dt", {}, name), h("dd", {}, ...values)];
const change = ({ label, before, after }) =>
  h("li", {}, `${reveal(label)}: `, h("del", {}, reveal(before ?? words.nothing)), " → ", h("ins", {}, reveal(after ?? words.nothing)));

// Long values are folded, and the approving button stays disabled until all of them were opened.
export function argumentsList(values, gate = { closed: 0, changed: () => undefined }) {
  const entries = Object.entries(values);
  if (!entries.length) return words.noArguments;
  return h("ul", { class: "arguments" }, entries.map(([name, value]) => h("li", {}, h("b", {}, reveal(name)), ": ", folded(value, gate))));
}

function folded(value, gate) {
  const whole = reveal(typeof value === "string" ? value : JSON.stringify(value, null, 2));
  const start = whole.slice(0, MOST).split("\n").slice(0, LINES).join("\n");
  const shown = h("span", { class: "value" }, start);
  if (start.length === whole.length) return shown;
  gate.closed += 1;
  const more = h("button", { type: "button", class: "link", onclick: () => {
    shown.textContent = whole;
    more.remove();
    gate.closed -= 1;
    gate.changed();
  } }, words.more(whole.length - start.length));
  return [shown, "… ", more];
}

function decision(approval, actions, gate) {
  const reason = h("input", { id: `reason-${approval.id}`, type: "text", maxlength: 2000, autocomplete: "off" });
  const note = h("p", { class: "quiet", role: "status" });
    const yes = h("button", { type: "submit", class: known(approval.risk) === "destructive" ? "danger" : "primary" }, headline(approval));
  const no = h("button", { type: "button", onclick: () => decide("reject") }, words.reject);
  const form = h("form", { class: "decision", onsubmit: (event) => (event.preventDefault(), decide("approve")) },
    h("label", { for: reason.id }, words.reason), reason, h("div", { class: "buttons" }, yes, no), note);
  gate.changed = () => {
    yes.disabled = gate.closed > 0 || approval.arguments_cut;
    note.textContent = approval.arguments_cut ? words.cut : gate.closed ? words.openFirst : "";
  };
  gate.changed();

  async function decide(verdict) {
    yes.disabled = no.disabled = true;
    note.textContent = words.deciding;
    try {
      const answer = await actions.decide(approval, verdict, reason.value.trim() || null);
      note.textContent = answer.approval.state === "pending" ? words.kept : "";
    } catch (problem) {
      note.textContent = problem.message;
      no.disabled = false;
      yes.disabled = gate.closed > 0 || approval.arguments_cut;
    }
  }
  return form;
}
