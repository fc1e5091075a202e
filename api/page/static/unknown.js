// A call of which nobody knows whether it took effect: a person looks, and says.

import { busy, h, reveal } from "./dom.js";
import { argumentsList } from "./facts.js";
import { words } from "./words.js";

let cards = 0;

export function unknownCard(call, actions, { withLink = false } = {}) {
  const detail = h("input", { id: `found-${++cards}`, type: "text", maxlength: 2000, autocomplete: "off" });
  const note = h("p", { class: "quiet", role: "status" });
  const buttons = [["done", words.happened], ["not_done", words.notHappened]].map(([outcome, label]) => h("button", { type: "button", onclick: () => say(outcome) }, label));
  const title = words.unknownTitle(reveal(call.action));
  const card = h("section", { class: "card unknown", "aria-label": title, "data-unknown": call.id, tabindex: "-1" }, h("h3", {}, title), h("p", { class: "quiet" }, words.unknownHelp),
    call.detail && h("p", {}, reveal(call.detail)), argumentsList(call.arguments),
    h("label", { for: detail.id }, words.whatYouFound), detail, h("div", { class: "buttons" }, buttons), note);
  if (withLink && call.conversation_id) card.append(h("button", { type: "button", class: "link", onclick: () => actions.open(call.conversation_id) }, words.openConversation));
  return card;

  async function say(outcome) {
    const release = busy(note, buttons, words.deciding);
    try {
      await actions.settle(call, outcome, detail.value.trim() || null);
    } catch (problem) {
      release();
      note.textContent = problem.message;
    }
  }
}
