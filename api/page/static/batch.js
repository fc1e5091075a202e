// Like requests that came together: each opened by itself, then decided all at once, or one by one.

import { approvalCard, headline } from "./approval.js";
import { busy, h, keyed, reveal } from "./dom.js";
import { words } from "./words.js";

let batches = 0;

// previous: the same batch as it was drawn before; what was opened, and typed, stays.
export function batchCard(approvals, state, actions, { previous } = {}) {
  const card = previous?.refresh ? previous : newBatch(approvals[0], actions);
  card.refresh(approvals, state);
  return card;
}

function newBatch({ batch, action }, actions) {
  let shown = [];
  const title = h("h3", {}), list = h("div", { class: "rows" }), note = h("p", { class: "quiet", role: "status" });
  const reason = h("input", { id: `batch-reason-${++batches}`, type: "text", maxlength: 2000, autocomplete: "off" });
  const yes = h("button", { type: "submit", class: "primary" }), no = h("button", { type: "button", onclick: () => decide("reject") });
  const opened = new Set();
  const card = h("section", { class: "card batch", "data-batch": batch, tabindex: "-1" }, title, h("p", { class: "quiet" }, words.batchHelp), list,
    h("form", { class: "decision", onsubmit: (event) => (event.preventDefault(), decide("approve")) }, h("label", { for: reason.id }, words.reasonAll), reason, h("div", { class: "buttons" }, yes, no), note));

  // What changed since it was opened has to be looked at again, so what was opened goes by its digest.
  const isOpened = (approval) => opened.has(approval.digest) && !approval.arguments_cut && !list.querySelector(`[data-approval="${CSS.escape(approval.id)}"]`)?.gate.closed;
  function gate() {
    const closed = shown.filter((one) => !isOpened(one)).length;
    yes.disabled = closed > 0;
    note.textContent = closed ? words.batchOpen(closed) : "";
  }

  function item(approval, state, before) {
    const row = before ?? h("details", { class: "item", ontoggle: () => row.open && (opened.add(row.digest), gate()) }, h("summary", {}), h("div", {}));
    row.digest = approval.digest;
    row.firstChild.textContent = headline(approval);
    const inner = approvalCard(approval, state, actions, { isPart: true, previous: row.lastChild });
    if (inner !== row.lastChild) row.lastChild.replaceWith(inner);
    inner.gate.opened = gate;
    if (row.open) opened.add(approval.digest);
    return row;
  }

  async function decide(verdict) {
    const comment = reason.value.trim() || null;
    if (!comment && shown.some((one) => one.plan?.comment_required)) return (note.textContent = words.commentNeeded), reason.focus();
    const release = busy(note, [yes, no], words.deciding);
    try {
      const refused = (await actions.decideMany(shown, verdict, comment)).filter((one) => one.problem);
      release();
      gate();
      if (refused.length) note.textContent = words.batchRefused(refused.map((one) => `${nameOf(one.approval_id)}: ${reveal(one.problem.detail)}`));
    } catch (problem) {
      release();
      gate();
      note.textContent = problem.message;
    }
  }

  const nameOf = (id) => headline(shown.find((one) => one.id === id) ?? { preview: {}, title: id });

  card.refresh = (approvals, state) => {
    shown = approvals;
    title.textContent = words.batchTitle(approvals.length, reveal(action));
    card.setAttribute("aria-label", title.textContent);
    yes.textContent = words.approveAll(approvals.length);
    no.textContent = words.rejectAll(approvals.length);
    keyed(list, approvals.map((one) => ({ key: one.id, parts: [one, state.me, state.mine], build: (before) => item(one, state, before) })));
    gate();
  };
  return card;
}
