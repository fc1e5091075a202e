// Small dialogs: one question with a yes, and lists with what can be done to each.

import { h } from "./dom.js";
import { words } from "./words.js";

let titles = 0;

// Resolves to whether the person agreed.
export function agreed(title, text, yes, { isGrave = false } = {}) {
  return new Promise((resolve) => {
    let answer = false;
    const id = `asking-${++titles}`;
    const dialog = h("dialog", { role: "alertdialog", "aria-labelledby": id, "aria-describedby": `${id}-text`, onclose: () => (dialog.remove(), resolve(answer)) },
      h("h2", { id }, title), h("p", { id: `${id}-text` }, text),
      h("div", { class: "buttons" }, h("button", { type: "button", class: isGrave ? "danger" : "primary", onclick: () => ((answer = true), dialog.close()) }, yes),
        h("button", { type: "button", onclick: () => dialog.close() }, words.cancel)));
    document.body.append(dialog);
    dialog.showModal();
  });
}
