// How much the workspace leaves to its assistant: shown to all, switched by those entitled, stopped in one step.

import { agreed } from "./asking.js";
import { h, hour, reveal } from "./dom.js";
import { words } from "./words.js";

const MODES = ["manual", "assisted", "autonomous", "emergency"], MANAGERS = ["owner", "admin"];

// {control: for the header, banner: for all in an emergency, update(state)}
export function operationView(actions) {
  const select = h("select", { id: "operation", onchange: () => choose(select.value) }, MODES.map((one) => h("option", { value: one }, words.operation[one])));
  const said = h("span", { class: "quiet" });
  const stop = h("button", { type: "button", class: "danger", onclick: () => choose("emergency") }, words.stopAll);
  const control = h("span", { class: "operation", hidden: true }, h("label", { for: "operation", class: "quiet" }, words.operationMode), select, said, stop);
  const text = h("span", {}), end = h("button", { type: "button", onclick: () => choose("assisted") }, words.switchTo(words.operation.assisted));
  const banner = h("div", { class: "emergency", role: "alert" });
  let now = null, shown = null;
  return { control, banner, update };

  async function choose(mode) {
    if (mode === now) return;
    const isStop = mode === "emergency";
    const name = words.operation[mode];
    const yes = await agreed(isStop ? words.stopTitle : words.switchTitle(name), words.operationSays[mode], isStop ? words.stopConfirm : words.switchTo(name), { isGrave: isStop || mode === "autonomous" });
    if (yes) await actions.operate(mode);
    select.value = now;
  }

  function update({ workspace, me }) {
    control.hidden = !workspace || !me;
    if (control.hidden || (shown?.workspace === workspace && shown.me === me)) return;
    shown = { workspace, me };
    now = workspace.operation_mode;
    const manages = MANAGERS.includes(me.role), isStopped = now === "emergency";
    select.hidden = control.firstChild.hidden = !manages;
    said.textContent = manages ? "" : `${words.operationMode}: ${words.operation[now] ?? reveal(now)}`;
    control.title = words.operationSays[now] ?? "";
    select.value = now;
    stop.hidden = isStopped || !(manages || me.role === "approver");
    text.textContent = words.emergency(workspace.mode_changed_by_name ? reveal(workspace.mode_changed_by_name) : "", workspace.mode_changed_at ? hour(workspace.mode_changed_at) : "");
    end.hidden = !manages;
    banner.replaceChildren(...(isStopped ? [text, " ", end] : []));
  }
}
