// How a person signs in and proves who they are: the authenticator app, passkeys, accounts elsewhere.

import { clock, h, reveal } from "./dom.js";
import { canUsePasskeys, createPasskey } from "./passkey.js";
import { leave, proved } from "./proving.js";
import { words } from "./words.js";

export async function openSecurity(doors) {
  const error = h("p", { class: "warning", role: "alert" });
  const body = h("div", { class: "rows" });
  const dialog = h("dialog", { class: "security", "aria-label": words.security, onclose: () => dialog.remove() }, h("h2", {}, words.security), error, body, h("button", { type: "button", onclick: () => dialog.close() }, words.close));
  document.body.append(dialog);
  dialog.showModal();
  const run = async (work) => {
    error.textContent = "";
    try {
      await proved(doors, work);
      await draw();
    } catch (problem) {
      error.textContent = problem.name === "NotAllowedError" ? words.passkeyCancelled : problem.message;
    }
  };

  async function draw() {
    const [session, passkeys, accounts, providers] = await Promise.all([doors.get("/auth/session"), doors.get("/auth/passkeys?limit=100"), doors.get("/auth/oidc/accounts?limit=100"), doors.providers()]);
    body.replaceChildren(freshness(session), totpSection(doors, session.factors, run), passkeySection(doors, passkeys.items, run), ...(providers.items.length ? [accountSection(doors, accounts.items, providers.items, run)] : []));
  }
  await run(async () => undefined);
}

const freshness = (session) => h("p", { class: "quiet" }, session.fresh_until ? words.freshUntil(clock(session.fresh_until)) : words.notFresh);

const press = (label, work) => h("button", { type: "button", onclick: work }, label);

const section = (title, ...rest) => h("section", { class: "card", "aria-label": title }, h("h3", {}, title), ...rest);

function totpSection(doors, factors, run) {
  const place = h("div", { class: "rows" });
  const remove = () => run(() => doors.remove("/auth/totp"));
  const renew = () => run(async () => showCodes(await doors.post("/auth/totp/recovery-codes")));
  const begin = async () => {
    try {
      place.replaceChildren(confirmForm(await proved(doors, () => doors.post("/auth/totp"))));
    } catch (problem) {
      place.replaceChildren(h("p", { class: "warning", role: "alert" }, problem.message));
    }
  };

  function confirmForm({ secret, uri }) {
    const input = h("input", { id: "totp-confirm", inputmode: "numeric", autocomplete: "one-time-code", required: true });
    const confirm = () => run(async () => showCodes(await doors.post("/auth/totp/confirm", { code: input.value })));
    return h("form", { class: "decision", onsubmit: (event) => (event.preventDefault(), confirm()) },
      h("p", {}, words.totpHelp), h("p", {}, h("code", { class: "secret" }, secret)), h("p", {}, h("a", { href: uri }, words.totpOpen)),
      h("label", { for: input.id }, words.totpCode), input, h("button", { type: "submit", class: "primary" }, words.totpConfirm));
  }

  if (!factors.totp) return section(words.totp, h("p", { class: "quiet" }, words.totpNone), place, press(words.totpAdd, begin));
  return section(words.totp, h("p", {}, words.totpHas(factors.recovery_codes)), h("div", { class: "buttons" }, press(words.recoveryNew, renew), press(words.totpRemove, remove)));
}

// Stays until it is closed: the codes are not shown again.
function showCodes({ codes }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-label": words.recovery, onclose: () => (dialog.remove(), resolve()) }, h("h2", {}, words.recovery), h("p", {}, words.recoveryHelp), h("ul", { class: "codes" }, codes.map((code) => h("li", {}, h("code", {}, code)))), h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, words.recoveryKept));
    document.body.append(dialog);
    dialog.showModal();
  });
}

function passkeySection(doors, passkeys, run) {
  const name = h("input", { id: "passkey-name", value: words.passkeyName, maxlength: 100 });
  const add = () => run(async () => {
    const { ceremony_id, options } = await doors.post("/auth/passkeys/options");
    await doors.post("/auth/passkeys", { ceremony_id, name: name.value.trim() || words.passkeyName, credential: await createPasskey(options) });
  });
  const row = (one) => h("li", {}, h("b", {}, reveal(one.name)), ` (${one.last_used_at ? words.usedAt(clock(one.last_used_at)) : words.neverUsed}) `,
    press(words.rename, () => run(async () => {
      const next = prompt(words.passkeyRename, one.name);
      if (next?.trim()) await doors.patch(`/auth/passkeys/${one.id}`, { name: next });
    })), " ", press(words.removePasskey(reveal(one.name)), () => run(() => doors.remove(`/auth/passkeys/${one.id}`))));
  return section(words.passkeys, h("ul", {}, passkeys.map(row)),
    canUsePasskeys() ? [h("label", { for: name.id }, words.passkeyNameLabel), name, press(words.passkeyAdd, add)] : h("p", { class: "quiet" }, words.noPasskeysHere));
}

function accountSection(doors, accounts, providers, run) {
  const row = (one) => h("li", {}, reveal(one.email ?? one.issuer), ` (${reveal(one.issuer)}) `, press(words.unlink, () => run(() => doors.remove(`/auth/oidc/accounts/${one.id}`))));
  const link = (one) => press(words.linkAccount(one.title), () => run(async () => leave(await doors.beginOidc(one.name, "link"))));
  return section(words.accounts, h("ul", {}, accounts.map(row)), h("div", { class: "buttons" }, providers.map(link)));
}
