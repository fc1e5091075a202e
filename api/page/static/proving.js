// Asks a person to prove who they are: for one step that the server refused without, or as the second step of a sign-in.

import { h } from "./dom.js";
import { canUsePasskeys, usePasskey } from "./passkey.js";
import { words } from "./words.js";

const GONE = "gone"; // the browser leaves for a provider's page

// Does the work; where the server wants a fresh proof first, asks for it and does the work again.
export async function proved(doors, work) {
  try {
    return await work();
  } catch (problem) {
    if (problem.code !== "step_up_required") throw problem;
    await askProof(doors);
    return work();
  }
}

async function askProof(doors) {
  const { factors } = await doors.get("/auth/session");
  const second = factors.totp || factors.passkeys > 0;
  const providers = second || !factors.oidc ? [] : (await doors.providers()).items;
  return new Promise((resolve, reject) => {
    const send = async (proof) => (await doors.post("/auth/prove", proof), close(true));
    const ways = proofForms({
      send,
      password: factors.password && !second,
      code: factors.totp,
      passkey: factors.passkeys > 0 && (() => doors.post("/auth/passkey-options")),
      providers: providers.map((one) => [one, async () => leave(await doors.beginOidc(one.name, "prove"))]),
    });
    const dialog = h("dialog", { "aria-label": words.proveTitle, onclose: () => done(false) }, h("h2", {}, words.proveTitle), h("p", { class: "quiet" }, words.proveHelp), ways, h("button", { type: "button", onclick: () => dialog.close() }, words.cancel));
    const done = (isProved) => (dialog.remove(), isProved ? resolve() : reject(new Error(words.notProved)));
    const close = (isProved) => (dialog.onclose = null, done(isProved));
    document.body.append(dialog);
    dialog.showModal();
  });
}

// The second step of a sign-in; entered() is called with the tokens kept.
export function secondStepView(doors, { ceremony_id, methods }, entered) {
  const send = async (proof) => (await doors.secondStep(ceremony_id, proof), entered());
  const passkey = methods.includes("passkey") && (() => doors.plain("POST", "/auth/passkey-options", { ceremony_id }));
  return h("main", { class: "center-box" }, h("p", { class: "brand" }, words.product),
    h("section", { class: "card sign", "aria-label": words.secondTitle }, h("h1", {}, words.secondTitle), h("p", { class: "quiet" }, words.secondHelp), proofForms({ send, code: methods.includes("totp"), passkey, providers: [] })));
}

export const leave = ({ url }) => (location.assign(url), new Promise(() => GONE));

// Answers the options that ask() fetches with a passkey.
export async function passkeyProof(ask) {
  const { ceremony_id, options } = await ask();
  return { method: "passkey", ceremony_id, credential: await usePasskey(options) };
}

function proofForms({ send, password, code, passkey, providers }) {
  const error = h("p", { class: "warning", role: "alert" });
  const guarded = async (button, work) => {
    button.disabled = true;
    error.textContent = "";
    try {
      await work();
    } catch (problem) {
      error.textContent = problem.name === "NotAllowedError" ? words.passkeyCancelled : problem.message;
      button.disabled = false;
    }
  };
  const button = (label, work) => {
    const made = h("button", { type: "button", onclick: () => guarded(made, work) }, label);
    return made;
  };
  const form = (id, label, props, proof) => {
    const input = h("input", { id, name: id, required: true, ...props });
    const press = h("button", { type: "submit", class: "primary" }, words.prove);
    return h("form", { class: "decision", onsubmit: (event) => (event.preventDefault(), guarded(press, () => send(proof(input.value)))) }, h("label", { for: id }, label), input, press);
  };
  const usable = passkey && canUsePasskeys();
  return [
    password && form("proof-password", words.password, { type: "password", autocomplete: "current-password" }, (value) => ({ method: "password", password: value })),
    code && form("proof-code", words.totpCode, { type: "text", inputmode: "numeric", autocomplete: "one-time-code", spellcheck: "false" }, (value) => ({ method: "totp", code: value })),
    usable && button(words.usePasskey, async () => send(await passkeyProof(passkey))),
    passkey && !usable && h("p", { class: "quiet" }, words.noPasskeysHere),
    providers.map(([one, work]) => button(words.through2(one.title), work)),
    error,
  ];
}
