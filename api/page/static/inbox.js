// What waits for this person: requests for consent, like ones together, and calls of which nobody knows the end.

import { approvalCard, headline } from "./approval.js";
import { batchCard } from "./batch.js";
import { grouped, pendingApprovals, unknownCalls } from "./consent-state.js";
import { h, keyed } from "./dom.js";
import { isAsked } from "./timeline.js";
import { unknownCard } from "./unknown.js";
import { words } from "./words.js";

export function inboxView(actions) {
  const title = h("h2", { id: "inbox-title", tabindex: "-1" });
  const empty = h("p", { class: "quiet" }, words.inboxEmpty);
  const cards = h("div", { class: "inbox" });
  const spoken = h("p", { class: "hidden", role: "status" }); // the cards themselves would be read out whole
  const element = h("section", { "aria-labelledby": "inbox-title" }, title, spoken, empty, cards);
  let before = null;
  return { element, update };

  function update(state) {
    const waiting = pendingApprovals(state), calls = unknownCalls(state), count = waiting.length + calls.length;
    title.textContent = `${words.inbox} (${count})`;
    empty.hidden = count > 0;
    document.title = count ? `(${count}) ${words.product}` : words.product;
    if (before !== null && before !== count) spoken.textContent = words.waitingCount(count);
    before = state.inbox ? count : null;
    const held = cards.contains(document.activeElement) ? document.activeElement : null;
    keyed(cards, [...grouped(waiting.filter((one) => one.id !== state.alone)).flatMap((group) => rowsOf(group, state)), ...calls.map((call) => callRow(call, state))]);
    if (held && !held.isConnected) title.focus(); // what was decided is gone from here
  }

  function rowsOf(group, state) {
    const isShown = group.every((one) => placeOf(one, state) === "shown");
    if (group.length < 2 || isShown) return group.map((one) => ({ key: one.id, parts: [one, state.me, state.mine, placeOf(one, state)], build: (previous) => inboxCard(one, state, previous) }));
    return [{ key: group[0].batch, parts: [...group, state.me, state.mine], build: (previous) => batchCard(group, state, actions, { previous }) }];
  }

  // Where the card stands in the talk itself a line is enough, so that no button is there twice.
  function inboxCard(approval, state, previous) {
    const place = placeOf(approval, state);
    if (place !== "shown") return approvalCard(approval, state, actions, { withLink: place === "elsewhere", previous });
    return h("p", { class: "card quiet" }, headline(approval));
  }

  function callRow(call, state) {
    const isShown = call.id in (state.open?.calls ?? {});
    return { key: call.id, parts: [call, isShown], build: () => (isShown ? h("p", { class: "card quiet" }, words.unknownTitle(call.action)) : unknownCard(call, actions, { withLink: true })) };
  }
}

export const placeOf = (approval, { open }) => (open?.id !== approval.conversation_id || !open ? "elsewhere" : isAsked(open, approval) ? "shown" : "hidden");
