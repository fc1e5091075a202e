// The end of a card that waits for this person: approve, change and approve, always allow, answer, reject.

import { busy, h, reveal } from "./dom.js";
import { argumentsForm } from "./form.js";
import { mayRemember } from "./progress.js";
import { answerForm, isQuestion } from "./question.js";
import { rememberForm } from "./remember.js";
import { words } from "./words.js";

const LONG = 120;
let cards = 0;

// gate: {closed: how many values nobody opened yet, changed(): called when one was}
export function decision(approval, actions, gate, { isPart }) {
  const needsComment = !!approval.plan?.comment_required;
  const reason = h("input", { id: `reason-${++cards}`, type: "text", maxlength: 2000, autocomplete: "off" });
  const note = h("p", { class: "quiet", role: "status" });
  const panel = h("div", { class: "panel", hidden: true });
  const form = h("form", { class: "decision", onsubmit: (event) => (event.preventDefault(), approve()) });
  const question = isQuestion(approval) && answerForm(approval);
  const yes = h("button", { type: "submit", class: approval.risk === "destructive" ? "danger" : "primary" }, question || isAsked(approval) ? words.sendAnswer : consent(approval));
  const no = h("button", { type: "button", onclick: () => decide("reject") }, question || isAsked(approval) ? words.noAnswer : words.reject);
  const edit = question ? null : h("button", { type: "button", "aria-expanded": "false", onclick: () => toggle(edit, editing) }, words.change);
  const remember = question || !mayRemember(approval) ? null : h("button", { type: "button", "aria-expanded": "false", onclick: () => toggle(remember, remembering) }, words.always);
  const buttons = [yes, no, edit, remember].filter(Boolean);
  form.append(...[question?.element, h("label", { for: reason.id }, needsComment ? words.reasonNeeded : approval.origin === "service" ? words.reasonAsker : words.reason), reason,
    h("div", { class: "buttons" }, ...buttons), panel, note].filter(Boolean));
  gate.watch = () => {
    const isShut = gate.closed > 0 || approval.arguments_cut;
    for (const one of [yes, edit, remember]) if (one) one.disabled = isShut;
    note.textContent = approval.arguments_cut ? words.cut : gate.closed ? words.openFirst : "";
  };
  gate.changed = () => (gate.watch(), gate.opened?.());
  gate.watch();
  if (isPart) form.classList.add("part");
  return form;

  function approve() {
    if (isAsked(approval) && isBlank(approval)) return toggle(edit, editing); // its form has to be filled in first
    if (!question) return decide("approve");
    const answer = question.read();
    return answer === null ? undefined : decide("approve", { arguments: { ...approval.arguments, answer } }, question);
  }

  // `more`: changed arguments, or what to always allow; `place` shows what is wrong with them.
  async function decide(verdict, more = {}, place = null) {
    const comment = reason.value.trim() || null;
    if (needsComment && !comment) return (note.textContent = words.commentNeeded), reason.focus();
    const release = busy(note, form.querySelectorAll("button"), words.deciding);
    try {
      const answer = await actions.decide(approval, verdict, comment, more);
      if (answer.state === "received") note.textContent = words.kept; // else the card is drawn anew
    } catch (problem) {
      release();
      gate.watch();
      note.textContent = place && problem.status === 422 ? words.notTaken : problem.message;
      if (place && problem.status === 422) place.fail(problem.message);
    }
  }

  async function toggle(button, make) {
    const isShown = button.getAttribute("aria-expanded") === "true";
    close();
    if (isShown) return;
    try {
      const { element, focus } = await make();
      for (const one of [edit, remember]) one?.setAttribute("aria-expanded", String(one === button));
      panel.replaceChildren(element, h("button", { type: "button", onclick: () => (close(), button.focus()) }, words.cancel));
      panel.hidden = false;
      focus();
    } catch (problem) {
      note.textContent = problem.message;
    }
  }

  function close() {
    panel.hidden = true;
    panel.replaceChildren();
    for (const one of [edit, remember]) one?.setAttribute("aria-expanded", "false");
  }

  async function editing() {
    const fields = argumentsForm(await actions.schemaOf(approval), approval.arguments);
    const submit = () => {
      const changed = fields.read();
      if (!changed) return;
      if (JSON.stringify(changed) === JSON.stringify(approval.arguments)) return (note.textContent = words.unchanged);
      decide("approve", { arguments: changed }, fields);
    };
    const element = h("div", { role: "group", "aria-label": words.changeTitle, onkeydown: (event) => {
      if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
      event.preventDefault(); // it would approve what was asked, not what is written here
      submit();
    } }, h("p", { class: "quiet" }, words.changeHelp), fields.element, h("button", { type: "button", class: "primary", onclick: submit }, words.changeSubmit));
    return { element, focus: fields.focus };
  }

  async function remembering() {
    const suggestion = await actions.suggestion(approval);
    return rememberForm(approval, suggestion, (wish, place) => decide("approve", { remember: wish }, place));
  }
}

// What a service asks in the middle of a call, and whether its form still lacks what it needs.
const isAsked = ({ origin }) => origin === "question";
const isBlank = ({ arguments: given, arguments_schema: schema }) => (schema?.required ?? []).some((name) => !(name in given));

// What the button says is what happens; of what a program asks, its own words are only a name.
function consent(approval) {
  const text = reveal(approval.preview.summary || approval.title);
  const short = text.length > LONG ? `${text.slice(0, LONG)}…` : text;
  return approval.origin === "service" ? words.approveThis(short) : short;
}
