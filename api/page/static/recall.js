// What memory gave to a turn: one line, which opens to the citations with the texts as they are now.

import { h, reveal } from "./dom.js";
import { words } from "./words.js";

export function recallRow(recall, actions) {
  if (recall.state === "skipped") return h("p", { class: "quiet recall", "aria-live": "off" }, reveal(recall.reason ?? ""));
  const body = h("div", { class: "citations" });
  const row = h("details", { class: "recall", "aria-live": "off", ontoggle: () => row.open && fill() }, h("summary", {}, words.fromMemory(counted(recall.items))), body);
  return row;

  // Fetched each time: what was forgotten meanwhile is not shown from here.
  async function fill() {
    body.replaceChildren(h("p", { class: "quiet" }, words.loading));
    try {
      const found = await actions.recall(recall.turn_id);
      body.replaceChildren(found?.items.length ? h("ul", {}, found.items.map(citation)) : h("p", { class: "quiet" }, words.noMemory));
    } catch (problem) {
      body.replaceChildren(h("p", { class: "warning" }, problem.message));
    }
  }
}

function citation(item) {
  return h("li", {}, h("p", { class: "label" }, source(item)),
    h("p", { class: "text", dir: "auto" }, item.text === null ? words.gone : item.text + (item.text_cut ? " …" : "")),
    h("p", { class: "label" }, words.because(reveal(item.reason))));
}

const source = (item) => (item.name ? [reveal(item.name), item.page !== null && words.page([item.page])].filter(Boolean).join(" ") : noun(item.kind, 1));
const noun = (kind, count) => words.count[kind]?.[count === 1 ? 0 : 1] ?? reveal(kind);

// "1 fact, 2 messages, doc.md p. 3": documents by their name and pages, all else by its number.
export function counted(items) {
  const named = items.filter((item) => item.name), others = items.filter((item) => !item.name);
  const kinds = [...new Set(["fact", "message", ...others.map((item) => item.kind)])];
  const numbers = kinds.map((kind) => [kind, others.filter((item) => item.kind === kind).length]).filter(([, count]) => count);
  const names = [...new Set(named.map((item) => item.name))].map((name) => {
    const pages = [...new Set(named.filter((item) => item.name === name && item.page !== null).map((item) => item.page))].sort((a, b) => a - b);
    return pages.length ? `${reveal(name)} ${words.page(pages)}` : reveal(name);
  });
  return [...numbers.map(([kind, count]) => `${count} ${noun(kind, count)}`), ...names];
}
