// "Always allow": shows what it would cover, for how long and how often, before anybody confirms it.

import { h, reveal } from "./dom.js";
import { words } from "./words.js";

const DAY = 86400, LENGTHS = [1, 7, 30, 90];
let forms = 0;

// give(wish, {fail}) sends it. Resolves to {element, focus}.
export function rememberForm(approval, suggestion, give) {
  if (!suggestion.may_remember) throw new Error(words.alwaysNot);
  const form = ++forms;
  const selects = suggestion.choices.map((choice, place) => [choice, h("select", { id: `pattern-${form}-${place}`, onchange: tell },
    choice.says.map((text, at) => h("option", { value: String(at) }, reveal(text))))]);
  const days = h("select", { id: `days-${form}`, onchange: tell }, LENGTHS.filter((one) => one * DAY <= suggestion.max_seconds).map((one) => h("option", { value: String(one) }, words.days(one))));
  const uses = h("input", { id: `uses-${form}`, type: "number", min: 1, max: suggestion.max_uses, step: 1, value: "10", oninput: tell });
  const said = h("p", { role: "status", class: "sum" }), problem = h("p", { class: "warning", role: "alert" });
  const patterns = () => Object.fromEntries(selects.map(([choice, select]) => [choice.argument, choice.options[Number(select.value)]]));
  const element = h("div", { role: "group", "aria-label": words.alwaysTitle }, h("p", { class: "quiet" }, words.alwaysHelp),
    selects.map(([choice, select]) => h("div", { class: "field" }, h("label", { for: select.id }, reveal(choice.argument)), select)),
    h("div", { class: "field" }, h("label", { for: days.id }, words.forHowLong), days),
    h("div", { class: "field" }, h("label", { for: uses.id }, words.howOften), uses), said, problem,
    h("button", { type: "button", class: "primary", onclick: confirm }, words.alwaysConfirm));
  tell();
  return { element, focus: () => (selects[0]?.[1] ?? days).focus() };

  function tell() {
    const which = selects.map(([choice, select]) => `${reveal(choice.argument)}: ${reveal(choice.says[Number(select.value)])}`);
    said.textContent = words.alwaysSum(reveal(approval.requester_name || words.somebody), reveal(approval.action), which, words.days(Number(days.value)), uses.value);
  }

  function confirm() {
    problem.textContent = "";
    const often = uses.value.trim() === "" ? null : Number(uses.value);
    if (often !== null && (!Number.isInteger(often) || often < 1 || often > suggestion.max_uses)) return (problem.textContent = words.usesWrong(suggestion.max_uses)), uses.focus();
    give({ patterns: patterns(), seconds: Number(days.value) * DAY, uses: often }, { fail: (sentence) => (problem.textContent = sentence) });
  }
}
