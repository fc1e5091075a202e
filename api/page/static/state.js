// All that the page knows, as one value, and the one pure function that changes it. State plus events is a fresh fetch.
// Events are numbered within their stream, rising; a number may be left out, so a higher one is simply the next.

import { LISTS, newer, withApproval, withList, withListed, withMine, withUnknown, withUnknowns, withWorkspace } from "./consent-state.js";
import { ENDED, turnsOf } from "./timeline.js";

export const initial = Object.freeze({
  me: null, // {id, name, role}
  offlineModel: false,
  connection: "connecting", // connecting, online, offline
  inbox: null, // {stream, epoch, seq}
  conversations: {},
  approvals: {}, // those in the inbox and in the open conversation
  mine: [], // the ids of those that wait for this person
  unknown: {}, // calls of which nobody knows whether they took effect
  workspace: null, // {name, operation_mode, ...}
  grants: null, delegations: null, identities: null, // by id, once somebody looked at them
  open: null, // the open conversation, see `opened`
  alone: null, // the id of an approval that is shown without its conversation
  modes: [],
  outbox: [], // {clientId, conversationId, text, state: "sending" | "failed", error}
  stale: [], // streams whose state has to be fetched again
});

const byId = (items) => Object.fromEntries(items.map((item) => [item.id, item]));
const put = (items, item) => ({ ...items, [item.id]: item });

// What the server gave for a conversation: {conversation, messages, turns, calls, approvals, partial, epoch, seq, earlier,
// recalls (by turn), versions (by message: all that was said and answered in its place)}
export function opened(fetched) {
  return {
    id: fetched.conversation.id,
    epoch: fetched.epoch,
    seq: fetched.seq,
    branch: fetched.conversation.active_branch_id ?? null,
    earlier: fetched.earlier ?? null,
    recalls: Object.fromEntries((fetched.recalls ?? []).map((recall) => [recall.turn_id, recall])),
    versions: fetched.versions ?? {},
    messages: byId(fetched.messages),
    turns: byId(fetched.turns),
    calls: byId(fetched.calls),
    partials: fetched.partial ? { [fetched.partial.turn_id]: speech(fetched.partial) } : {},
    typing: {},
  };
}

const speech = ({ attempt, text }) => ({ attempt, text, length: [...text].length, gap: false });

export function reduce(state, action) {
  switch (action.type) {
    case "connected":
      return { ...state, me: action.me, offlineModel: action.offlineModel, connection: "online" };
    case "connection":
      return { ...state, connection: action.connection };
    case "inbox":
      return withUnknowns(withMine({
        ...state,
        inbox: action.inbox,
        conversations: byId(action.conversations),
        workspace: action.workspace ?? state.workspace,
        stale: state.stale.filter((stream) => stream !== action.inbox.stream),
      }, action.approvals), action.unknown ?? []);
    case "mine":
      return withMine(state, action.approvals);
    case "list":
      return withList(state, action.name, action.items);
    case "listed":
      return withListed(state, action.name, action.item);
    case "workspace":
      return withWorkspace(state, action.workspace);
    case "call.fetched":
      return withCall(state, action.call);
    case "opened":
      return openedState(state, action.fetched);
    case "closed":
      return { ...state, open: null, alone: null };
    case "alone":
      return { ...state, open: null, alone: action.approval.id, approvals: put(state.approvals, newer(state.approvals[action.approval.id], action.approval)) };
    case "modes":
      return { ...state, modes: action.modes };
    case "earlier":
      return inOpen(state, action.conversationId, (open) => ({
        ...open,
        earlier: action.next,
        messages: { ...byId(action.messages), ...open.messages },
        turns: { ...byId(action.turns ?? []), ...open.turns },
        calls: { ...byId(action.calls ?? []), ...open.calls },
      }));
    case "message.fetched":
      return inOpen(state, action.message.conversation_id, (open) => (action.message.id in open.messages ? { ...open, messages: put(open.messages, action.message) } : open));
    case "approval.fetched":
      return withApproval(state, action.approval);
    case "partial":
      return inOpen(state, action.conversationId, (open) => withPartial(open, action.partial));
    case "stale":
      return state.stale.includes(action.stream) ? state : { ...state, stale: [...state.stale, action.stream] };
    case "outbox.add":
      return { ...state, outbox: [...state.outbox, action.entry] };
    case "outbox.change":
      return { ...state, outbox: state.outbox.map((one) => (one.clientId === action.clientId ? { ...one, ...action.change } : one)) };
    case "outbox.remove":
      return { ...state, outbox: state.outbox.filter((one) => one.clientId !== action.clientId) };
    case "event":
      return durable(state, action.envelope);
    case "volatile":
      return volatile(state, action.event);
    case "signed.out":
      return initial;
    default:
      throw new Error(`unknown action ${action.type}`);
  }
}

function openedState(state, fetched) {
  const next = {
    ...state,
    open: opened(fetched),
    alone: null,
    conversations: fetched.conversation.deleted_at ? state.conversations : put(state.conversations, fetched.conversation),
    stale: state.stale.filter((stream) => stream !== fetched.conversation.id),
    outbox: unsent(state.outbox, fetched.messages),
  };
  return fetched.approvals.reduce(withApproval, next);
}

const unsent = (outbox, messages) => {
  const arrived = new Set(messages.map((message) => message.client_message_id));
  return outbox.filter((one) => !arrived.has(one.clientId));
};

function inOpen(state, conversationId, change) {
  return state.open?.id === conversationId ? { ...state, open: change(state.open) } : state;
}

function durable(state, { stream, epoch, seq, event }) {
  const place = stream === state.inbox?.stream ? state.inbox : stream === state.open?.id ? state.open : null;
  if (!place || seq <= place.seq && epoch === place.epoch) return state;
  if (epoch !== place.epoch) return reduce(state, { type: "stale", stream });
  const counted = place === state.inbox ? { ...state, inbox: { ...place, seq } } : { ...state, open: { ...place, seq } };
  return apply(counted, event);
}

// Each event carries the whole new state of its noun; what this version does not know is passed over.
function apply(state, event) {
  let next = state;
  if (event.conversation) next = withConversation(next, event.conversation);
  if (event.message) next = withMessage(next, event.message);
  if (event.turn) next = withTurn(next, event);
  if (event.call) next = withCall(next, event.call);
  if (event.recall) next = inOpenTurn(next, event.recall.turn_id, (open) => ({ ...open, recalls: { ...open.recalls, [event.recall.turn_id]: event.recall } }));
  if (event.approval) next = withApproval(next, event.approval);
  if (event.workspace) next = withWorkspace(next, event.workspace);
  for (const [noun, name] of LISTS) if (event[noun]) next = withListed(next, name, event[noun]);
  return next;
}

function withCall(state, told) {
  const call = settled(state.open?.calls[told.id], told);
  return withUnknown(inOpenTurn(state, call.turn_id, (open) => ({ ...open, calls: put(open.calls, call) })), call);
}

// What became of a call of unknown fate is not undone by the later of two streams.
const settled = (known, told) => (known?.ended_at && known.state !== "unknown" && told.state === "unknown" ? known : told);

function withConversation(state, conversation) {
  if (!conversation.deleted_at) return switched({ ...state, conversations: put(state.conversations, conversation) }, conversation);
  const { [conversation.id]: gone, ...conversations } = state.conversations;
  return { ...state, conversations, open: state.open?.id === conversation.id ? null : state.open };
}

// Another version of the open conversation is shown now: what was fetched belongs to the one before.
function switched(state, { id, active_branch_id }) {
  if (state.open?.id !== id || state.open.branch === (active_branch_id ?? null)) return state;
  return reduce(state, { type: "stale", stream: id });
}

function withMessage(state, message) {
  const next = inOpen(state, message.conversation_id, (open) => (belongs(open, message) ? { ...open, messages: put(open.messages, message) } : open));
  return { ...next, outbox: unsent(next.outbox, [message]) };
}

// What is said in other versions comes with the next switch.
function belongs(open, message) {
  if (message.id in open.messages || (message.branch_id ?? null) === open.branch) return true;
  const turn = open.turns[message.turn_id], asked = turn && open.messages[turn.message_id];
  return !!asked && message.role !== "user" && turnsOf(open, asked).includes(turn);
}

function inOpenTurn(state, turnId, change) {
  return state.open && turnId in state.open.turns ? { ...state, open: change(state.open) } : state;
}

function withTurn(state, { type, turn, offset }) {
  return inOpen(state, turn.conversation_id, (open) => {
    const turns = put(open.turns, turn);
    const known = open.partials[turn.id];
    if (ENDED.has(turn.state)) return { ...open, turns, partials: without(open.partials, turn.id) };
    if (type !== "turn.restarted" || !known) return { ...open, turns };
    const text = [...known.text].slice(0, offset).join("");
    return { ...open, turns, partials: { ...open.partials, [turn.id]: speech({ attempt: turn.attempt, text }) } };
  });
}

const without = (items, id) => Object.fromEntries(Object.entries(items).filter(([key]) => key !== id));

function volatile(state, event) {
  if (event.type === "turn.delta") return inOpen(state, event.conversation_id, (open) => withDelta(open, event));
  if (event.type === "typing" && event.user_id !== state.me?.id)
    return inOpen(state, event.conversation_id, (open) => ({
      ...open,
      typing: event.typing ? { ...open.typing, [event.user_id]: event.name } : without(open.typing, event.user_id),
    }));
  return state;
}

// Offsets count Unicode code points. `gap` tells the page to fetch the text that is missing.
function withDelta(open, { turn_id, attempt, offset, text }) {
  const turn = open.turns[turn_id];
  if (turn && ENDED.has(turn.state)) return open;
  const known = open.partials[turn_id] ?? speech({ attempt, text: "" });
  if (attempt < known.attempt) return open;
  const set = (value) => ({ ...open, partials: { ...open.partials, [turn_id]: value } });
  if (offset > known.length) return known.gap ? open : set({ ...known, gap: true });
  const kept = offset === known.length ? known.text : [...known.text].slice(0, offset).join("");
  return set({ attempt, text: kept + text, length: offset + [...text].length, gap: false });
}

function withPartial(open, partial) {
  const turn = open.turns[partial.turn_id], known = open.partials[partial.turn_id];
  if (turn && ENDED.has(turn.state)) return open;
  const fresh = speech(partial);
  if (known && !known.gap && known.attempt >= fresh.attempt && known.length >= fresh.length) return open;
  return { ...open, partials: { ...open.partials, [partial.turn_id]: fresh } };
}

// What the views ask.

export const conversationList = (state) =>
  Object.values(state.conversations).sort((a, b) => (a.updated_at < b.updated_at ? 1 : a.updated_at > b.updated_at ? -1 : a.id < b.id ? 1 : -1));

export { mayDecide, pendingApprovals } from "./consent-state.js";
