// A person's accounts on channels: linked from here by a code said there, or from there by a code typed here.

import { agreed } from "./asking.js";
import { newestFirst } from "./consent-state.js";
import { clock, h, keyed, reveal } from "./dom.js";
import { press, section } from "./settings.js";
import { words } from "./words.js";

export function chatsSection(actions, run) {
  const none = h("p", { class: "quiet" }, words.noChats), list = h("ul", { class: "list" }), ways = h("div", { class: "buttons" });
  const step = h("div", { class: "step", role: "status" });
  const code = h("input", { id: "pairing-code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: 64, required: true });
  const pairing = h("form", { class: "decision", onsubmit: (event) => (event.preventDefault(), run(lookUp)) }, h("p", { class: "quiet" }, words.pairingHelp),
    h("div", { class: "field" }, h("label", { for: code.id }, words.pairingCode), code), h("button", { type: "submit" }, words.pairingLook));
  let known = null, awaited = null;

  const row = (one) => h("li", { "data-identity": one.id }, h("b", {}, reveal(one.shown_as || one.external_id)), ` ${reveal(one.channel)}, ${words.linkedAt(clock(one.linked_at))} `,
    one.broken_at && h("span", { class: "warning" }, `${words.brokenAt(clock(one.broken_at))} `), press(words.unlinkThis(reveal(one.shown_as || one.external_id)), () => run(() => unlink(one))));

  async function unlink(one) {
    const name = reveal(one.shown_as || one.external_id);
    if (await agreed(words.unlinkThis(name), words.unlinkSure(name), words.unlinkThis(name), { isGrave: true })) await actions.unlink(one.id);
  }

  async function link(channel) {
    const made = await actions.link(channel.name);
    awaited = channel.name;
    step.replaceChildren(h("p", {}, words.linkHow(reveal(channel.title), reveal(channel.known_as ?? ""))), h("p", {}, h("code", { class: "secret" }, made.code)),
      ...(safe(made.address) ? [h("p", {}, h("a", { href: made.address, target: "_blank", rel: "noopener noreferrer" }, words.linkOpen(reveal(channel.title))))] : []));
  }

  // Whoever asked will act as this person, so who it is comes first, and a yes after it.
  async function lookUp() {
    const typed = code.value, found = await actions.lookUp(typed);
    const who = reveal(found.shown_as || found.external_id);
    const yes = press(words.pairingConfirm(who), () => run(async () => {
      await actions.confirmPairing(typed);
      code.value = "";
      step.replaceChildren(words.linkedNow(who));
    }), { class: "primary" });
    step.replaceChildren(h("p", {}, words.pairingIs(who, reveal(found.channel)), found.external_id && h("span", { class: "quiet" }, ` (${reveal(found.external_id)})`)), h("div", { class: "buttons" }, yes, press(words.cancel, () => step.replaceChildren())));
    yes.focus();
  }

  return {
    element: section(words.chats, none, list, ways, step, pairing),
    async load() {
      const channels = await actions.channels();
      ways.replaceChildren(...(channels.length ? channels.map((one) => press(words.linkChat(reveal(one.title)), () => run(() => link(one)))) : [h("p", { class: "quiet" }, words.noChannels)]));
    },
    update({ identities }) {
      const shown = newestFirst(identities).filter((one) => !one.unlinked_at);
      const fresh = known && shown.find((one) => !known.has(one.id) && one.channel === awaited);
      if (fresh) step.replaceChildren(words.linkedNow(reveal(fresh.shown_as || fresh.external_id)));
      if (fresh) awaited = null;
      known = identities && new Set(shown.map((one) => one.id));
      none.hidden = shown.length > 0;
      keyed(list, shown.map((one) => ({ key: one.id, parts: [one], build: () => row(one) })));
    },
  };
}

const safe = (address) => typeof address === "string" && /^https:\/\//.test(address);
