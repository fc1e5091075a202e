// What passes unasked because somebody always allowed it; each can be ended at once.

import { agreed } from "./asking.js";
import { newestFirst } from "./consent-state.js";
import { clock, h, keyed, reveal } from "./dom.js";
import { press, section } from "./settings.js";
import { words } from "./words.js";

const isOver = (one) => !!one.revoked_at || one.uses_left === 0 || Date.parse(one.expires_at) < Date.now();

export function grantsSection(actions, run) {
  const none = h("p", { class: "quiet" }, words.noGrants), list = h("ul", { class: "list" });
  const row = (one) => {
    const name = words.grant(reveal(one.action), reveal(one.user_name));
    const end = () => run(async () => (await agreed(words.endThisOf(name), words.endGrantHelp, words.endThis)) && actions.revokeGrant(one.id));
    return h("li", { "data-grant": one.id }, h("b", {}, name), h("ul", {}, Object.entries(one.says).map(([argument, says]) => h("li", {}, `${reveal(argument)}: ${reveal(says)}`))),
      h("p", { class: "quiet" }, `${words.grantUntil(clock(one.expires_at), one.uses, one.uses_left)}; ${words.grantBy(reveal(one.granted_by_name))}`),
      isOver(one) ? h("span", { class: "quiet" }, words.over) : press(words.endThis, end, { "aria-label": words.endThisOf(name) }));
  };
  return {
    element: section(words.allowed, none, list),
    update({ grants }) {
      const shown = newestFirst(grants);
      none.hidden = shown.length > 0;
      keyed(list, shown.map((one) => ({ key: one.id, parts: [one], build: () => row(one) })));
    },
  };
}
