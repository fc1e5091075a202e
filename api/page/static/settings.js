// A person's own: chats that are linked, who decides while they are away, what they always allowed.

import { grantsSection } from "./grants.js";
import { chatsSection } from "./chats.js";
import { delegationsSection } from "./delegations.js";
import { h } from "./dom.js";
import { words } from "./words.js";

// {open(): shows it, update(state)}; what is shown follows the state while it is open.
export function settingsView(actions) {
  const error = h("p", { class: "warning", role: "alert" });
  const said = h("p", { class: "quiet", role: "status" });
  let dialog = null, sections = [], last = null;
  return { open, update };

  function update(state) {
    last = state;
    if (dialog) for (const section of sections) section.update(state);
  }

  async function open() {
    // What a section does: its mistake is shown on top, its success said.
    const run = async (work, done = "") => {
      error.textContent = said.textContent = "";
      try {
        await work();
        said.textContent = done;
        return true;
      } catch (problem) {
        error.textContent = problem.message;
        error.scrollIntoView?.({ block: "nearest" });
        return false;
      }
    };
    sections = [chatsSection(actions, run), delegationsSection(actions, run), grantsSection(actions, run)];
    dialog = h("dialog", { class: "settings", "aria-label": words.settings, onclose: () => (dialog.remove(), (dialog = null)) }, h("h2", {}, words.settings), error, said,
      sections.map((one) => one.element), h("button", { type: "button", onclick: () => dialog.close() }, words.close));
    document.body.append(dialog);
    dialog.showModal();
    error.textContent = said.textContent = "";
    await run(() => Promise.all([...["identities", "delegations", "grants"].map(actions.list), ...sections.map((one) => one.load?.())]));
    update(last);
  }
}

export const section = (title, ...rest) => h("section", { class: "card", "aria-label": title }, h("h3", {}, title), ...rest);
export const press = (label, work, props = {}) => h("button", { type: "button", onclick: work, ...props }, label);
