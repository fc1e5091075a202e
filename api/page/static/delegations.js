// "While I am away": who decides in whose place, until when; handed over and ended.

import { newestFirst } from "./consent-state.js";
import { clock, h, keyed, reveal } from "./dom.js";
import { press, section } from "./settings.js";
import { words } from "./words.js";

const WEEK_MS = 7 * 86400000, RISKS = ["write", "external_comms", "money", "destructive", "admin"];
const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 16);
const isOver = (one) => !!one.revoked_at || Date.parse(one.ends_at) < Date.now();

export function delegationsSection(actions, run) {
  const none = h("p", { class: "quiet" }, words.noDelegations), list = h("ul", { class: "list" });
  const to = h("select", { id: "delegate-to", required: true });
  const until = h("input", { id: "delegate-until", type: "datetime-local", required: true, value: local(Date.now() + WEEK_MS) });
  const risk = h("select", { id: "delegate-risk" }, h("option", { value: "" }, words.anyRisk), RISKS.map((one) => h("option", { value: one }, words.risks[one])));
  const note = h("input", { id: "delegate-note", maxlength: 500, autocomplete: "off" });
  const form = h("form", { class: "decision", onsubmit: (event) => (event.preventDefault(), send()) },
    [[words.delegateTo, to], [words.until, until], [words.onlyRisk, risk], [words.note, note]].map(([label, control]) => h("div", { class: "field" }, h("label", { for: control.id }, label), control)),
    h("button", { type: "submit", class: "primary" }, words.delegate));
  let me = null;

  function send() {
    const body = { to_user_id: to.value, ends_at: new Date(until.value).toISOString(), note: note.value.trim() || null, ...(risk.value ? { risks: [risk.value] } : {}) };
    return run(() => actions.delegate(body));
  }

  const sentence = (one) => words.delegated(reveal(one.from_name), reveal(one.to_name), clock(one.ends_at), [...(one.risks ?? []).map((risk) => words.risks[risk] ?? risk), ...(one.actions ?? [])].map(reveal).join(", "));
  const row = (one) => h("li", { "data-delegation": one.id }, sentence(one), one.note && h("p", { class: "quiet" }, reveal(one.note)), " ",
    isOver(one) ? h("span", { class: "quiet" }, `(${words.over})`) : press(words.endThis, () => run(() => actions.revokeDelegation(one.id)), { "aria-label": words.endThisOf(sentence(one)) }));

  return {
    element: section(words.away, h("p", { class: "quiet" }, words.awayHelp), none, list, form),
    async load() {
      const people = (await actions.people()).filter((one) => one.id !== me?.id);
      to.replaceChildren(...people.map((one) => h("option", { value: one.id }, reveal(one.name))));
      form.hidden = !people.length;
    },
    update(state) {
      me = state.me;
      for (const option of [...to.options]) if (option.value === me?.id) option.remove();
      const shown = newestFirst(state.delegations);
      none.hidden = shown.length > 0;
      keyed(list, shown.map((one) => ({ key: one.id, parts: [one], build: () => row(one) })));
    },
  };
}
