// The page of somebody who is signed in: header, notices, what waits, conversations, and what is open.

import { approvalCard } from "./approval.js";
import { h, keyed, reveal } from "./dom.js";
import { inboxView } from "./inbox.js";
import { operationView } from "./operation.js";
import { settingsView } from "./settings.js";
import { conversationList } from "./state.js";
import { talkView } from "./talk.js";
import { words } from "./words.js";

export function homeView(actions) {
  const status = h("p", { class: "status", role: "status" });
  const who = h("span", { class: "quiet" });
  const offline = h("p", { class: "notice", role: "note" }, words.offlineModel);
  const problem = h("p", { class: "warning", role: "alert" });
  const offer = h("div", { class: "notice", role: "status", hidden: true });
  const list = h("ul", { class: "conversations" });
  const nothing = h("p", { class: "quiet center" }, words.nothingOpen);
  const main = h("main", {}, nothing);
  const card = h("div", { class: "rows" });
  const alone = h("section", { class: "log alone", "aria-label": words.approval }, h("button", { type: "button", class: "link", onclick: actions.close }, `‹ ${words.back}`), card);
  const talk = talkView(actions), inbox = inboxView(actions), operation = operationView(actions), settings = settingsView(actions);
  const element = h("div", { class: "home" },
    h("header", {}, h("h1", { class: "brand" }, words.product), status, operation.control, who,
      h("button", { type: "button", onclick: settings.open }, words.settings), h("button", { type: "button", onclick: actions.security }, words.security), h("button", { type: "button", onclick: actions.signOut }, words.signOut)),
    h("div", { class: "notices" }, operation.banner, offline, problem, offer),
    h("aside", {},
      inbox.element,
      h("nav", { "aria-label": words.conversations }, h("h2", {}, words.conversations), h("button", { type: "button", class: "primary", onclick: actions.begin }, words.newConversation), list)),
    main);

  function update(state) {
    element.dataset.view = state.open || state.alone ? "talk" : "list";
    status.textContent = words.connection[state.connection];
    status.dataset.connection = state.connection;
    who.textContent = state.me ? `${reveal(state.me.name)} (${state.me.role})` : "";
    offline.hidden = !state.offlineModel;
    operation.update(state);
    settings.update(state);
    inbox.update(state);
    keyed(list, conversationList(state).map((one) => ({ key: one.id, parts: [one, state.open?.id === one.id], build: () => listRow(one, state.open?.id === one.id) })));
    if (state.open && talk.element.parentNode !== main) main.replaceChildren(talk.element);
    const instead = state.alone ? alone : nothing;
    if (!state.open && instead.parentNode !== main) main.replaceChildren(instead);
    const held = card.contains(document.activeElement);
    if (state.alone) keyed(card, [{ key: state.alone, parts: [state.approvals[state.alone], state.me, state.mine], build: (previous) => approvalCard(state.approvals[state.alone], state, actions, { previous }) }]);
    if (held && !card.contains(document.activeElement)) card.firstChild.focus();
    if (state.open) talk.update(state);
  }

  function listRow(conversation, isOpen) {
    return h("li", {}, h("button", { type: "button", class: "row", "aria-current": isOpen ? "true" : null, onclick: () => actions.open(conversation.id) }, reveal(conversation.title || words.untitled)));
  }

  return {
    element,
    update,
    focus: talk.focus,
    reveal: talk.reveal,
    complain: (text) => (problem.textContent = text),
    offer: (text, button, work) => {
      offer.hidden = false;
      offer.replaceChildren(text, " ", h("button", { type: "button", onclick: () => ((offer.hidden = true), work()) }, button));
    },
  };
}
