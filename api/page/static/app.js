// What the page does: fetches, listens, sends again. Views call these; nothing here draws.

import { LISTS } from "./consent-state.js";
import { Lost, Socket } from "./socket.js";
import { initial, reduce } from "./state.js";
import { ENDED, isAsked, versioned } from "./timeline.js";

export const newId = () => `web-${crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("")}`;
// Whether an event alone does not say for sure that a request waits for this person: another account of theirs may have
// answered, or only some of very many deciders are named.
const isUnsure = ({ state, deciders, votes }) => state === "pending" && (deciders.length >= 50 || votes?.length > 0);
const PAGE = 50, NEWEST = 10, OUTBOX = "assent.outbox";

export class App {
  constructor(doors, changed) {
    Object.assign(this, { doors, changed, state: initial, socket: null, buffer: null, opening: 0, fetching: new Set() });
  }

  dispatch(action) {
    const before = this.state;
    this.state = reduce(before, action);
    if (before.outbox !== this.state.outbox) sessionStorage.setItem(OUTBOX, JSON.stringify(this.state.outbox));
    if (before !== this.state) this.changed(this.state, action);
  }

  start() {
    for (const entry of JSON.parse(sessionStorage.getItem(OUTBOX) ?? "[]")) this.dispatch({ type: "outbox.add", entry });
    const address = `${location.origin.replace(/^http/, "ws")}/socket.io/?EIO=4&transport=websocket`;
    this.socket = new Socket(address, async (renew) => ({ token: await this.doors.token(renew), door: "web" }), {
      event: (name, data) => this.heard(name, data),
      open: () => undefined, // the server's `connected` event tells more
      lost: () => this.dispatch({ type: "connection", connection: "offline" }),
      refused: () => this.leave(),
    });
    this.socket.connect();
  }

  leave() {
    this.socket?.close();
    this.socket = null;
    sessionStorage.removeItem(OUTBOX);
    this.dispatch({ type: "signed.out" });
  }

  // ---------------------------------------------------------------------------------------------------------- listening

  heard(name, data) {
    if (name === "connected") return this.connected(data);
    const action = data?.seq === undefined ? { type: "volatile", event: { ...data, type: name } } : { type: "event", envelope: data };
    const stream = data?.stream ?? data?.conversation_id;
    if (this.buffer && this.buffer.stream === stream) return this.buffer.actions.push(action);
    this.dispatch(action);
    this.mend(action);
  }

  async connected({ user, offline_model, inbox }) {
    const known = this.state.inbox;
    this.dispatch({ type: "connected", me: user, offlineModel: offline_model });
    await this.calmly(async () => {
      if (!known || known.stream !== inbox.stream || !(await this.resumed("inbox.resume", known))) await this.fetchInbox(inbox);
      const { open } = this.state;
      if (open && !(await this.resumed("conversation.resume", open, open.id))) await this.open(open.id, true);
      else if (open) await this.fetchPartials();
      this.dispatch({ type: "modes", modes: (await this.doors.get("/modes")).items });
      this.flush();
    });
  }

  // Whether the server replayed what was missed; false when all has to be fetched.
  async resumed(name, { epoch, seq }, conversation_id) {
    try {
      await this.socket.call(name, { epoch, after_seq: seq, ...(conversation_id ? { conversation_id } : {}) });
      return true;
    } catch (error) {
      if (error.code === "resync_required") return false;
      if (error.code === "not_found") return false;
      throw error;
    }
  }

  async fetchInbox({ stream, epoch, last_seq }) {
    this.buffer = { stream, actions: [] };
    try {
      const [conversations, approvals, unknown, workspace] = await Promise.all([
        this.doors.get("/conversations?limit=100"),
        this.doors.pages("/approvals?mine=true"),
        this.doors.pages("/tool-calls?state=unknown"),
        this.doors.get("/workspace"),
      ]);
      this.dispatch({ type: "inbox", inbox: { stream, epoch, seq: last_seq }, conversations: conversations.items, approvals, unknown, workspace });
      for (const [, name] of LISTS) if (this.state[name]) this.dispatch({ type: "list", name, items: await this.doors.pages(`/${name}`) });
    } finally {
      this.replay();
    }
  }

  replay() {
    const actions = this.buffer?.actions ?? [];
    this.buffer = null;
    for (const action of actions) {
      this.dispatch(action);
      this.mend(action);
    }
  }

  // An event may have left something out, or show that something is missing: fetch just that.
  mend({ envelope, event }) {
    const { open, stale } = this.state;
    if (open && stale.includes(open.id) && this.buffer?.stream !== open.id) this.calmly(() => this.open(open.id, true));
    if (event?.type === "turn.delta" && open?.partials[event.turn_id]?.gap) this.calmly(() => this.fetchPartial(event.turn_id));
    const { message, approval } = envelope?.event ?? {};
    if (message?.text_cut) this.calmly(() => this.fetchMessage(message.id));
    if (approval?.arguments_cut) this.calmly(() => this.fetchApproval(approval.id));
    if (approval && envelope.stream === this.state.inbox?.stream && isUnsure(approval)) this.calmly(() => this.fetchMine());
  }

  // Asks again when something happened meanwhile: an older answer would undo it.
  async fetchMine() {
    if (this.fetching.has("mine")) return;
    this.fetching.add("mine");
    try {
      for (let again = true; again; ) {
        const { inbox } = this.state, approvals = await this.doors.pages("/approvals?mine=true");
        again = inbox !== this.state.inbox;
        if (!again) this.dispatch({ type: "mine", approvals });
      }
    } finally {
      this.fetching.delete("mine");
    }
  }

  async fetchMessage(id) {
    this.dispatch({ type: "message.fetched", message: await this.doors.get(`/messages/${id}`) });
  }

  async fetchApproval(id) {
    this.dispatch({ type: "approval.fetched", approval: await this.doors.get(`/approvals/${id}`) });
  }

  async fetchPartials() {
    for (const turn of Object.values(this.state.open.turns)) if (!ENDED.has(turn.state)) await this.fetchPartial(turn.id);
  }

  async fetchPartial(turnId) {
    if (this.fetching.has(turnId)) return;
    this.fetching.add(turnId);
    const conversationId = this.state.open?.id;
    try {
      const partial = await this.doors.get(`/turns/${turnId}/partial`);
      if (partial) this.dispatch({ type: "partial", conversationId, partial });
    } finally {
      this.fetching.delete(turnId);
    }
  }

  // --------------------------------------------------------------------------------------------------------- conversations

  // Listen first, then fetch: what happens in between is kept and applied on top.
  async open(id, again = false) {
    const turn = ++this.opening;
    const before = this.state.open?.id;
    if (before && before !== id) this.socket.call("conversation.leave", { conversation_id: before }).catch(() => undefined);
    this.buffer = { stream: id, actions: [] };
    try {
      const log = await this.socket.call("conversation.join", { conversation_id: id });
      const fetched = await this.fetchConversation(id);
      if (turn !== this.opening) return;
      this.dispatch({ type: "opened", again, fetched: { ...fetched, epoch: log.epoch, seq: log.last_seq, partial: log.partial } });
    } finally {
      if (turn === this.opening) this.replay();
    }
  }

  async fetchConversation(id) {
    const [conversation, messages, turns, calls, approvals, branches] = await Promise.all([
      this.doors.get(`/conversations/${id}`),
      this.doors.get(`/conversations/${id}/messages?limit=${PAGE}`),
      this.doors.get(`/conversations/${id}/turns?limit=100`),
      this.doors.get(`/conversations/${id}/calls?limit=100`),
      this.doors.get(`/approvals?conversation_id=${id}&limit=100`),
      this.doors.get(`/conversations/${id}/branches?limit=100`),
    ]);
    const own = approvals.items.filter((one) => one.conversation_id === id);
    const fetched = { conversation, messages: messages.items, earlier: messages.next, turns: turns.items, calls: calls.items, approvals: own };
    const [recalls, versions] = await Promise.all([this.fetchRecalls(fetched), this.fetchVersions(fetched, branches.items)]);
    return { ...fetched, recalls, versions };
  }

  async fetchRecalls({ turns }) {
    return (await Promise.all(turns.slice(0, NEWEST).map((turn) => this.recall(turn.id)))).filter(Boolean);
  }

  async fetchVersions(fetched, branches) {
    const some = versioned(fetched, branches).slice(0, NEWEST);
    const found = await Promise.all(some.map((message) => this.doors.get(`/messages/${message.id}/versions`)));
    const brief = ({ branch_id, active, message, turn }) => ({ branch_id, active, message_id: message.id, turn_id: turn.id });
    return Object.fromEntries(some.map((message, place) => [message.id, found[place].items.map(brief)]));
  }

  recall = (turnId) => this.doors.get(`/turns/${turnId}/recall`);

  async earlier() {
    const { id, earlier } = this.state.open;
    const page = await this.doors.get(`/conversations/${id}/messages?limit=${PAGE}&cursor=${earlier}`);
    this.dispatch({ type: "earlier", conversationId: id, messages: page.items, next: page.next });
  }

  async begin() {
    const conversation = await this.doors.post("/conversations", {});
    await this.open(conversation.id);
  }

  // The approval in its conversation; alone, when one may decide it but takes no part in the talk.
  async openApproval(id) {
    const approval = await this.doors.get(`/approvals/${id}`);
    try {
      await this.open(approval.conversation_id);
    } catch (error) {
      if (error.code !== "not_found") throw error;
    }
    const { open } = this.state;
    const isShown = open?.id === approval.conversation_id && isAsked(open, approval);
    this.dispatch({ type: isShown ? "approval.fetched" : "alone", approval });
  }

  rename = (id, title) => this.doors.patch(`/conversations/${id}`, { title });
  remove = (id) => this.doors.remove(`/conversations/${id}`);
  restore = (id) => this.doors.post(`/conversations/${id}/restore`);
  close = () => this.dispatch({ type: "closed" });

  // --------------------------------------------------------------------------------------------------------------- sending

  send(text) {
    const entry = { clientId: newId(), conversationId: this.state.open.id, text, state: "waiting", error: null };
    this.dispatch({ type: "outbox.add", entry });
    this.flush();
  }

  sendAgain(clientId) {
    this.dispatch({ type: "outbox.change", clientId, change: { state: "waiting", error: null } });
    this.flush();
  }

  // Sends what waits, in order, each under the id it was given when it was written: twice is once.
  async flush() {
    if (this.flushing) return;
    this.flushing = true;
    try {
      for (let entry; (entry = this.state.outbox.find((one) => one.state === "waiting")); ) await this.sendOne(entry);
    } catch (error) {
      if (!(error instanceof Lost)) throw error; // the next connection goes on
    } finally {
      this.flushing = false;
    }
  }

  async sendOne({ clientId, conversationId, text }) {
    try {
      await this.socket.call("message.send", { conversation_id: conversationId, text, client_message_id: clientId });
      this.dispatch({ type: "outbox.change", clientId, change: { state: "sent" } });
    } catch (error) {
      if (error instanceof Lost) throw error;
      this.dispatch({ type: "outbox.change", clientId, change: { state: "failed", error: error.message } });
    }
  }

  stop = (turnId) => this.socket.call("turn.stop", { turn_id: turnId });
  setMode = (id, mode) => this.doors.patch(`/conversations/${id}`, { mode });
  edit = (messageId, text, clientId) => this.doors.post(`/messages/${messageId}/edit`, { text, client_message_id: clientId });
  regenerate = (turnId) => this.doors.post(`/turns/${turnId}/regenerate`, { client_message_id: newId() });
  show = (branchId) => this.doors.post(`/conversations/${this.state.open.id}/branches/${branchId ?? "trunk"}/activate`);
  retry = (turnId) => this.socket.call("turn.retry", { turn_id: turnId, client_message_id: `retry-${turnId}` });

  // What fails because the connection is gone is done again when it is back.
  async calmly(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Lost) && error.code !== "unreachable" && error.code !== "not_signed_in") console.error(error.message);
    }
  }
}
