// An approval as a card: drawn from the typed request alone, risk first, every argument, others' words apart.

import { hasAnswered, waitsFor } from "./consent-state.js";
import { decision } from "./deciding.js";
import { h, reveal } from "./dom.js";
import { facts, warnings } from "./facts.js";
import { outcome, progress } from "./progress.js";
import { words } from "./words.js";

// state: {me, mine}; previous: the card as it was. While the very same is asked, what a person typed into it stays.
export function approvalCard(approval, state, actions, { withLink = false, isPart = false, previous } = {}) {
  const isMine = waitsFor(approval, state);
  const same = JSON.stringify([approval.id, approval.digest, approval.state, approval.arguments_cut, isMine, withLink, isPart, isMine || hasAnswered(approval, state.me)]);
  if (previous?.same === same && isMine) {
    previous.querySelector(".progress").replaceWith(progress(approval, state.me));
    return previous;
  }
  const card = h("section", { class: `card approval ${approval.state === "pending" ? `risk-${known(approval.risk)}` : "settled"}`, "aria-label": headline(approval), "data-approval": approval.id, tabindex: "-1" });
  const gate = { closed: 0, changed: () => undefined };
  card.same = same;
  card.gate = gate;
  card.append(
    h("p", { class: "risk" }, `${words.risk}: ${words.risks[approval.risk] ?? reveal(approval.risk)}`),
    h("h3", {}, headline(approval)),
    ...warnings(approval),
    facts(approval, state.me, gate),
    ...(approval.reason ? [h("p", { class: "model" }, h("span", { class: "label" }, `${whoseWord(approval)}: `), reveal(approval.reason))] : []),
    progress(approval, state.me),
    ending(approval, state, actions, gate, { isMine, isPart }),
  );
  if (withLink && approval.conversation_id) card.append(h("button", { type: "button", class: "link", onclick: () => actions.open(approval.conversation_id) }, words.openConversation));
  actions.seen?.(card, approval);
  return card;
}

function ending(approval, state, actions, gate, { isMine, isPart }) {
  if (approval.state !== "pending") return h("p", { class: "outcome" }, outcome(approval));
  if (isMine) return decision(approval, actions, gate, { isPart });
  return h("p", { class: "quiet" }, hasAnswered(approval, state.me) ? words.answered : words.notYours);
}

// A reason is the model's, or of the program that asks; never ours.
const whoseWord = (approval) => (approval.origin === "service" ? words.askerSays(reveal(approval.requester_name || words.somebody)) : words.modelSays);

// What would happen, in the connector's words for exactly these arguments; else the action's name.
export const headline = (approval) => reveal(approval.preview.summary || approval.title);

const known = (risk) => (["read", "write", "external_comms", "money", "destructive", "admin"].includes(risk) ? risk : "other");
