// One message: who said what, its versions, and the ways to say or answer it otherwise.

import { newId } from "./app.js";
import { clock, h, reveal } from "./dom.js";
import { words } from "./words.js";

export function messageRow(message, versions, me, actions) {
  const isReply = message.role === "assistant", isMine = message.author_id !== null && message.author_id === me?.id;
  const who = isReply ? words.assistant : isMine ? words.you : reveal(message.role);
  const text = h("p", { class: "text", dir: "auto" }, message.text);
  const row = h("article", { class: `message ${isReply ? "assistant" : "person"}`, "aria-label": who },
    h("p", { class: "who" }, who, h("time", { datetime: message.created_at }, clock(message.created_at))), text,
    message.forgotten_at && h("p", { class: "quiet note" }, words.forgotten));
  const edit = isMine && !isReply && h("button", { type: "button", class: "link", onclick: () => editing(row, edit, message, actions) }, words.edit);
  const again = isReply && h("button", { type: "button", class: "link", onclick: () => once(again, () => actions.regenerate(message.turn_id)) }, words.regenerate);
  if (edit || again || versions) row.append(h("div", { class: "tools" }, versions && switcher(versions, actions), edit, again));
  return row;
}

// A second press before the answer would be a second version. A disabled button would lose the focus.
async function once(button, work) {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  await work();
  button.ariaDisabled = "false";
}

function switcher(versions, actions) {
  const at = versions.findIndex((one) => one.active), point = versions[0].turn_id;
  const step = (to, name, sign) => h("button", { type: "button", class: "link", "aria-label": name, title: name, "data-point": point, "data-step": to - at,
    disabled: !versions[to], onclick: () => actions.show(versions[to].branch_id) }, sign);
  return h("span", { class: "versions", role: "group", "aria-label": words.versions },
    step(at - 1, words.previous, "‹"), h("span", {}, words.version(at + 1, versions.length)), step(at + 1, words.next, "›"));
}

// The answer to a lost request is asked for again under the same id: one edit stays one.
function editing(row, button, message, actions) {
  if (row.querySelector("form")) return;
  const clientId = newId();
  const text = h("textarea", { id: `edit-${message.id}`, rows: 3, maxlength: 32768, required: true, value: message.text, onkeydown: (event) => {
    if (event.key === "Escape") done();
  } });
  const save = h("button", { type: "submit", class: "primary" }, words.saveEdit);
  const problem = h("p", { class: "warning", role: "alert" });
  const done = () => (form.remove(), button.focus());
  const form = h("form", { class: "editing", onsubmit: async (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    save.disabled = true;
    problem.textContent = "";
    try {
      await actions.edit(message.id, text.value, clientId);
      done();
    } catch (error) {
      problem.textContent = error.message;
      save.disabled = false;
    }
  } }, h("label", { for: text.id }, words.editing), text, problem,
  h("div", { class: "buttons" }, save, h("button", { type: "button", onclick: done }, words.cancel)));
  row.append(form);
  text.focus();
}

export const suggestionsRow = (suggestions, actions) =>
  h("div", { class: "suggestions", role: "group", "aria-label": words.suggestions },
    suggestions.map((text) => h("button", { type: "button", dir: "auto", onclick: () => actions.suggest(text) }, reveal(text))));
