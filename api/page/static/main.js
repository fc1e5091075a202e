// Puts the page together: which view is shown, and what its buttons do.

import { App } from "./app.js";
import { Consenting } from "./consenting.js";
import { Doors } from "./doors.js";
import { h, left, reveal } from "./dom.js";
import { homeView } from "./home.js";
import { canUsePasskeys } from "./passkey.js";
import { leave, passkeyProof, proved, secondStepView } from "./proving.js";
import { openSecurity } from "./security.js";
import { signView } from "./sign.js";
import { ENDED } from "./timeline.js";
import { words } from "./words.js";

const root = document.getElementById("app");
const doors = new Doors(() => (app.leave(), begin()));
const app = new App(doors, changed);
const consenting = new Consenting(doors, (action) => app.dispatch(action));
const sight = new IntersectionObserver((all) => all.filter((one) => one.isIntersecting).forEach(({ target }) => (sight.unobserve(target), consenting.seen(target.shows))));
let home = null;
let drawing = false;

const invitation = () => new URLSearchParams(location.hash.slice(1)).get("invitation");
const asked = () => new URLSearchParams(location.search).get("approval");
const wanted = () => new URLSearchParams(location.hash.slice(1)).get("conversation");

// What a provider's page led back with; it is taken out of the address at once.
function cameBack() {
  const said = new URLSearchParams(location.hash.slice(1));
  if (!said.has("oidc-ticket") && !said.has("oidc-error")) return null;
  history.replaceState(null, "", location.pathname);
  return { ticket: said.get("oidc-ticket"), purpose: said.get("for") ?? "sign-in" };
}

async function begin() {
  home = null;
  const token = invitation(), back = cameBack();
  if (back && doors.isSignedIn) return enter(), finish(back);
  if (back) return finishSignIn(back);
  if (token) return sign("invitation", (form) => doors.acceptInvitation({ ...form, token }));
  if (doors.isSignedIn) return enter();
  try {
    const { needed } = await doors.setup();
    if (needed) sign("setup", doors.createOwner);
    else await signIn();
  } catch (problem) {
    root.replaceChildren(h("p", { class: "center warning", role: "alert" }, problem.message));
    setTimeout(begin, 2000);
  }
}

function sign(kind, submit, others, complaint) {
  const cleared = () => kind === "invitation" && history.replaceState(null, "", location.pathname);
  root.replaceChildren(signView(kind, async (form) => {
    if (await inSteps(() => submit(form))) cleared(), enter();
  }, others, complaint));
  root.querySelector("input").focus();
}

async function signIn(complaint) {
  const providers = await doors.providers().catch(() => ({ items: [] }));
  const byPasskey = async () => {
    await doors.passkeySignIn(await passkeyProof(() => doors.plain("POST", "/auth/passkey-options", {})));
    enter();
  };
  sign("signIn", doors.signIn, [
    ...(canUsePasskeys() ? [[words.usePasskey, byPasskey]] : []),
    ...providers.items.map((one) => [words.through2(one.title), async () => leave(await doors.beginOidc(one.name, "sign-in"))]),
  ], complaint);
}

// Whether the sign-in is complete; where more is asked for, that is shown in its place.
async function inSteps(work) {
  try {
    await work();
    return true;
  } catch (problem) {
    if (problem.code !== "second_factor_required") throw problem;
    root.replaceChildren(secondStepView(doors, problem.more, () => (history.replaceState(null, "", location.pathname), enter())));
    root.querySelector("input, button").focus();
    return false;
  }
}

async function finishSignIn({ ticket, purpose }) {
  if (!ticket || purpose !== "sign-in") return signIn(words.providerFailed);
  try {
    if (await inSteps(() => doors.oidcSignIn(ticket))) enter();
  } catch (problem) {
    await signIn(problem.message);
  }
}

// A trip that somebody who is signed in made: to link an account, or to prove who they are.
function finish({ ticket, purpose }) {
  return guarded(async () => {
    if (!ticket) throw new Error(words.providerFailed);
    if (purpose === "link") await proved(doors, () => doors.post("/auth/oidc/accounts", { ticket }));
    if (purpose === "prove") await doors.post("/auth/prove", { method: "oidc", ticket });
    if (purpose !== "sign-in") home.offer(purpose === "link" ? words.linked : words.provedNow, words.close, () => undefined);
  });
}

function enter() {
  home = homeView(actions);
  root.replaceChildren(home.element);
  app.start();
  draw();
}

function changed(state, action) {
  if (action.type === "inbox" && !state.open && !state.alone) guarded(arrive);
  if (action.type === "opened" && !action.again) history.replaceState(null, "", `${location.pathname}#conversation=${state.open.id}`);
  if (action.type === "closed") history.replaceState(null, "", location.pathname);
  if (drawing || !home) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
    if (action.type === "opened" && !action.again) home?.focus();
  });
}

// What the address names: an approval, or a conversation.
async function arrive() {
  const approval = asked();
  if (!approval) return wanted() && app.open(wanted());
  await app.openApproval(approval);
  requestAnimationFrame(() => requestAnimationFrame(() => home?.reveal(approval)));
}

const draw = () => home?.update(app.state);

async function guarded(work) {
  home?.complain("");
  try {
    await work();
  } catch (problem) {
    home?.complain(problem.message === "disconnected" ? words.connection.offline : problem.message);
  }
}

const actions = {
  open: (id) => guarded(() => app.open(id)),
  begin: () => guarded(() => app.begin()),
  close: () => app.close(),
  earlier: () => guarded(() => app.earlier()),
  send: (text) => app.send(text),
  sendAgain: (id) => app.sendAgain(id),
  rename: (title) => guarded(() => app.rename(app.state.open.id, title)),
  remove: () => guarded(remove),
  setMode: (mode) => guarded(() => app.setMode(app.state.open.id, mode).catch((problem) => (draw(), Promise.reject(problem)))),
  edit: async (id, text, clientId) => tellDone(await app.edit(id, text, clientId)),
  regenerate: (turnId) => guarded(async () => tellDone(await app.regenerate(turnId))),
  show: (branchId) => guarded(() => app.show(branchId)),
  recall: (turnId) => app.recall(turnId),
  retry: (id) => guarded(() => app.retry(id)),
  ...consentActions(),
  security: () => guarded(() => openSecurity(doors)),
  signOut: () => doors.signOut(),
  stop: () => guarded(() => Promise.all(running().map((turn) => app.stop(turn.id)))),
};

// Where the server wants a fresh proof of who decides, it is asked for, and then it goes on.
function consentActions() {
  const asIs = ["suggestion", "schemaOf", "list", "lookUp", "channels", "people"], important = ["link", "settle", "revokeGrant", "delegate", "revokeDelegation", "unlink", "confirmPairing", "decide"];
  return {
    ...Object.fromEntries(asIs.map((name) => [name, (...all) => consenting[name](...all)])),
    ...Object.fromEntries(important.map((name) => [name, (...all) => proved(doors, () => consenting[name](...all))])),
    decideMany: (approvals, verdict, comment, done = new Map()) => proved(doors, () => consenting.decideMany(approvals, verdict, comment, done)),
    operate: (mode) => guarded(() => proved(doors, () => consenting.operate(mode))),
    seen: (card, approval) => ((card.shows = approval), sight.observe(card)),
  };
}

const running = () => Object.values(app.state.open?.turns ?? {}).filter((turn) => !ENDED.has(turn.state));

// What the replaced version did stays done: that is said, and stays until it is closed.
function tellDone({ already_done }) {
  if (!already_done.length) return;
  home.offer(words.alreadyDone(already_done.map((one) => `${reveal(one.action)} (${words.doneState[one.state] ?? reveal(one.state)})`)), words.close, () => undefined);
}

async function remove() {
  const { id } = app.state.open;
  const title = app.state.conversations[id]?.title || words.untitled;
  await app.remove(id);
  home.offer(words.removed(reveal(title)), words.restore, () => guarded(() => app.restore(id)));
}

setInterval(() => {
  for (const time of document.querySelectorAll("[data-until]")) {
    const text = left(time.dataset.until);
    if (time.textContent !== text) time.textContent = text;
  }
}, 1000);

begin();
