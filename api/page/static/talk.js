// The open conversation: what was said, what was done, what waits, and the field to go on.

import { approvalCard } from "./approval.js";
import { batchCard } from "./batch.js";
import { grouped, pendingApprovals } from "./consent-state.js";
import { argumentsList } from "./facts.js";
import { h, keyed, reveal } from "./dom.js";
import { messageRow, suggestionsRow } from "./message.js";
import { recallRow } from "./recall.js";
import { ENDED, timeline } from "./timeline.js";
import { unknownCard } from "./unknown.js";
import { words } from "./words.js";

export function talkView(actions) {
  const title = h("h2", { tabindex: "-1" });
  const log = h("div", { class: "log", role: "log", "aria-label": words.messages, "aria-live": "polite", tabindex: "0" });
  const more = h("button", { type: "button", class: "link", onclick: actions.earlier }, words.earlier);
  const empty = h("p", { class: "quiet center" }, words.empty);
  const typing = h("p", { class: "quiet typing", role: "status" });
  const stop = h("button", { type: "button", class: "danger", onclick: () => actions.stop() }, words.stop);
  const { form, text, say } = composer(actions, stop);
  const all = { ...actions, suggest: say };
  const mode = h("select", { id: "mode", onchange: () => actions.setMode(mode.value) });
  const heading = h("div", { class: "heading" },
    h("button", { type: "button", class: "link back", onclick: actions.close }, `‹ ${words.back}`), title,
    h("span", { class: "mode" }, h("label", { for: "mode", class: "quiet" }, words.mode), mode),
    h("button", { type: "button", onclick: () => renaming(heading, title, actions) }, words.rename),
    h("button", { type: "button", onclick: actions.remove }, words.remove));
  const rows = h("div", { class: "rows" });
  log.append(more, empty, rows);
  const element = h("section", { class: "talk", "aria-label": words.conversation }, heading, log, typing, form);
  let asked;
  return { element, focus: () => text.focus(), reveal: reach, update: (state) => update(state) };

  // Shows a request for consent that somebody came for.
  function reach(approvalId) {
    const card = rows.querySelector(`[data-approval="${CSS.escape(approvalId)}"]`);
    if (!card) return;
    asked = approvalId;
    card.closest("details")?.setAttribute("open", "");
    card.scrollIntoView({ block: "start" });
    card.focus({ preventScroll: true });
  }

  // Who steps through versions stays at the buttons, though the message is another one now; others stay in the log.
  function refocus({ dataset: { point, step } }, decided) {
    const card = decided && rows.querySelector(`[data-approval="${CSS.escape(decided)}"]`);
    if (card) return card.focus({ preventScroll: true });
    const steps = point ? [...rows.querySelectorAll(`[data-point="${CSS.escape(point)}"]:enabled`)] : [];
    (steps.find((one) => one.dataset.step === step) ?? steps[0] ?? log).focus({ preventScroll: true });
  }

  function drawMode({ modes, conversations, open }) {
    const { mode: chosen = "" } = conversations[open.id] ?? {};
    const known = modes.some((one) => one.name === chosen) ? modes : [...modes, { name: chosen, title: chosen }];
    if (mode.drawn !== modes || !mode.querySelector(`[value="${CSS.escape(chosen)}"]`))
      mode.replaceChildren(...known.map((one) => h("option", { value: one.name }, reveal(one.title))));
    mode.drawn = modes;
    mode.value = chosen;
  }

  // Follows what is said; a new request for consent is shown from its top, and stays until something is said after it.
  function follow() {
    const card = askedLast(rows);
    if (card && asked === card.dataset.approval) return;
    asked = card?.dataset.approval;
    log.scrollTop = log.scrollHeight;
    const above = card ? log.getBoundingClientRect().top - card.getBoundingClientRect().top : 0;
    if (above > 0) log.scrollTop -= above;
  }

  function update(state) {
    const { open } = state;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    title.textContent = reveal(state.conversations[open.id]?.title || words.untitled);
    more.hidden = !open.earlier;
    const sending = unsent(state, actions);
    const told = timeline(open).filter((row) => row.kind !== "suggestions" || !sending.length);
    const batches = batchesOf(told, state);
    const shown = [...told.flatMap((row) => rowsOf(row, state, all, batches)), ...sending];
    const held = rows.contains(document.activeElement) ? document.activeElement : null;
    const decided = held?.closest("[data-approval]")?.dataset.approval;
    empty.hidden = shown.length > 0;
    keyed(rows, shown);
    if (held && !held.isConnected) refocus(held, decided);
    drawMode(state);
    const names = Object.values(open.typing);
    typing.textContent = names.length ? words.typing(names.map(reveal)) : "";
    stop.hidden = !Object.values(open.turns).some((turn) => !ENDED.has(turn.state));
    if (atEnd) follow();
  }
}

function askedLast(rows) {
  const said = [...rows.querySelectorAll(".message")].pop();
  return [...rows.querySelectorAll(".approval:not(.settled)")]
    .find((card) => !said || card.compareDocumentPosition(said) & Node.DOCUMENT_POSITION_PRECEDING);
}

function composer(actions, stop) {
  const text = h("textarea", { id: "message", rows: 2, maxlength: 32768, onkeydown: (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  } });
  const form = h("form", { class: "composer", onsubmit: (event) => {
    event.preventDefault();
    if (!text.value.trim()) return;
    actions.send(text.value);
    text.value = "";
  } }, h("label", { for: "message", class: "hidden" }, words.message), text,
  h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, words.send), stop));
  const say = (words) => { // what was being written is kept
    const draft = text.value;
    text.value = words;
    form.requestSubmit();
    text.value = draft;
    text.focus();
  };
  return { form, text, say };
}

function renaming(heading, title, actions) {
  if (heading.querySelector("form")) return;
  const name = h("input", { id: "title", type: "text", required: true, maxlength: 200, value: title.textContent });
  const done = () => form.remove();
  const form = h("form", { class: "renaming", onsubmit: (event) => (event.preventDefault(), actions.rename(name.value.trim()), done()) },
    h("label", { for: "title" }, words.newName), name, h("button", { type: "submit", class: "primary" }, words.save),
    h("button", { type: "button", onclick: done }, words.cancel));
  heading.append(form);
  name.focus();
}

// Like requests that wait together are one card, where the first of their calls stands: by the id of each approval.
function batchesOf(told, state) {
  const here = new Set(told.map((row) => row.call?.approval_id));
  const groups = grouped(pendingApprovals(state).filter((one) => here.has(one.id))).filter((group) => group.length > 1);
  return new Map(groups.flatMap((group) => group.map((one) => [one.id, group])));
}

function rowsOf(row, state, actions, batches) {
  if (row.kind === "message") return [{ key: row.id, parts: [row.message, row.versions, state.me], build: () => messageRow(row.message, row.versions, state.me, actions) }];
  if (row.kind === "recall") return [{ key: row.id, parts: [row.recall], build: () => recallRow(row.recall, actions) }];
  if (row.kind === "suggestions") return [{ key: row.id, parts: [row.suggestions], build: () => suggestionsRow(row.suggestions, actions) }];
  if (row.kind === "turn") return [{ key: row.id, parts: [row.turn, row.partial, row.isLast], build: () => turnRow(row, actions) }];
  const call = { key: row.id, parts: [row.call], build: () => callRow(row.call) };
  return [call, ...asked(row.call, state, actions, batches), ...(row.call.state === "unknown" ? [{ key: `unknown-${row.id}`, parts: [row.call], build: () => unknownCard(row.call, actions) }] : [])];
}

function asked(call, state, actions, batches) {
  const approval = state.approvals[call.approval_id], group = batches.get(call.approval_id);
  if (!approval || (group && group[0] !== approval)) return [];
  if (group) return [{ key: approval.batch, parts: [...group, state.me, state.mine], build: (previous) => batchCard(group, state, actions, { previous }) }];
  return [{ key: approval.id, parts: [approval, state.me, state.mine], build: (previous) => approvalCard(approval, state, actions, { previous }) }];
}

function turnRow({ turn, partial, isLast }, actions) {
  const note = [words.turn[turn.state], turn.error && reveal(turn.error.detail)].filter(Boolean);
  return h("div", { class: `turn ${turn.state}`, "data-turn": turn.id, "data-state": turn.state },
    partial?.text && h("article", { class: `message assistant ${turn.state === "running" ? "streaming" : ""}`, "aria-label": words.assistant, "aria-busy": turn.state === "running" ? "true" : null },
      h("p", { class: "who" }, words.assistant), h("p", { class: "text", dir: "auto", "aria-live": "off" }, partial.text)),
    note.length > 0 && h("p", { class: turn.state === "failed" ? "warning" : "quiet" }, note.join(" ")),
    isLast && (turn.state === "failed" || turn.state === "stopped") && h("button", { type: "button", onclick: () => actions.retry(turn.id) }, words.retry));
}

function callRow(call) {
  const took = call.started_at && call.ended_at ? ` · ${Date.parse(call.ended_at) - Date.parse(call.started_at)} ms` : "";
  const label = `${reveal(call.action)}: ${words.call[call.state] ?? reveal(call.state)}`;
  return h("details", { class: `call state-${call.state.replaceAll(" ", "-")}`, "data-call": call.id },
    h("summary", {}, h("code", {}, reveal(call.action)), " ", h("span", { class: "state", "aria-label": label }, words.call[call.state] ?? reveal(call.state)), took),
    call.detail && h("p", {}, reveal(call.detail)),
    h("p", { class: "label" }, words.arguments), argumentsList(call.arguments),
    call.result && [h("p", { class: "label" }, words.result), h("pre", {}, reveal(JSON.stringify(call.result, null, 2)))]);
}

const unsent = (state, actions) =>
  state.outbox.filter((entry) => entry.conversationId === state.open.id).map((entry) => ({
    key: entry.clientId,
    parts: [entry, state.connection],
    build: () => h("article", { class: "message person unsent", "aria-label": words.you },
      h("p", { class: "who" }, words.you), h("p", { class: "text", dir: "auto" }, entry.text),
      h("p", { class: entry.error ? "warning" : "quiet", role: "status" }, entry.error ?? (state.connection === "online" ? words.sending : words.waitingToSend)),
      entry.state === "failed" && h("button", { type: "button", onclick: () => actions.sendAgain(entry.clientId) }, words.sendAgain)),
  }));
