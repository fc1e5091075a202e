// The ways in: first visit, invitation, sign-in. Each is a form with one button.

import { h } from "./dom.js";
import { words } from "./words.js";

// others: [label, work] for each other way in.
export function signView(kind, submit, others = [], complaint = "") {
  const forms = {
    setup: [words.setupTitle, words.setupHelp, words.setupButton, [code(), email(), name(), newPassword(), workspace()]],
    invitation: [words.inviteTitle, words.inviteHelp, words.inviteButton, [name(), newPassword()]],
    signIn: [words.signIn, "", words.signIn, [email(), password()]],
  };
  const [title, help, button, fields] = forms[kind];
  const error = h("p", { class: "warning", role: "alert" }, complaint);
  const press = h("button", { type: "submit", class: "primary" }, button);
  const form = h("form", { class: "card sign", onsubmit: async (event) => {
    event.preventDefault();
    press.disabled = true;
    error.textContent = "";
    try {
      await submit(Object.fromEntries(new FormData(form)));
    } catch (problem) {
      error.textContent = problem.message;
      press.disabled = false;
    }
  } }, h("h1", {}, title), help && h("p", { class: "quiet" }, help), fields, error, press,
    others.map(([label, work]) => h("button", { type: "button", onclick: async () => {
      error.textContent = "";
      await work().catch((problem) => (error.textContent = problem.message));
    } }, label)));
  return h("main", { class: "center-box" }, h("p", { class: "brand" }, words.product), form);
}

function field(id, label, props) {
  return [h("label", { for: id }, label), h("input", { id, name: id, required: true, ...props })];
}

const code = () => field("code", words.code, { type: "text", autocomplete: "one-time-code", autocapitalize: "characters", spellcheck: "false" });
const email = () => field("email", words.email, { type: "email", autocomplete: "username" });
const name = () => field("name", words.name, { type: "text", autocomplete: "name", maxlength: 100 });
const password = () => field("password", words.password, { type: "password", autocomplete: "current-password" });
const newPassword = () => field("password", words.passwordNew, { type: "password", autocomplete: "new-password", minlength: 8, maxlength: 256 });
const workspace = () => field("workspace", words.workspace, { type: "text", value: "Home", maxlength: 100 });
