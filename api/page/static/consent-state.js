// What is known of requests for consent, of calls of unknown fate, of the workspace: how events change it. Pure.

const MOST_DECIDERS = 50; // an approval names no more of them
const put = (items, item) => ({ ...items, [item.id]: item });
const without = (items, id) => Object.fromEntries(Object.entries(items).filter(([key]) => key !== id));
const byId = (items) => Object.fromEntries(items.map((item) => [item.id, item]));

export const isOpen = (approval) => approval.state === "pending" || approval.state === "requested";
export const mayDecide = (approval, me) => !!me && approval.deciders.some((one) => one.user_id === me.id);
export const hasAnswered = (approval, me) => !!me && (approval.votes ?? []).some((vote) => vote.user_id === me.id);

// Whether it waits for this person. Of very many deciders only some are named; then the server's word stays.
export const waitsFor = (approval, { me, mine }) =>
  approval.state === "pending" && !hasAnswered(approval, me) &&
  (mayDecide(approval, me) || (!!me && approval.deciders.length >= MOST_DECIDERS && mine.includes(approval.id)));

// How far a request has come. An edit begins the votes anew, so its revision counts before them.
const standing = (one) => [isOpen(one) ? 0 : 1, one.revision ?? 0, one.stage ?? 0, (one.votes ?? []).length, one.escalated_at ? 1 : 0, one.consumed_at ? 1 : 0, one.outcome ? 1 : 0];

// Inbox and conversation tell of the same approval, each in its own time: what came further is not undone.
export function newer(known, told) {
  if (!known) return told;
  const before = standing(known), now = standing(told);
  const at = before.findIndex((value, place) => value !== now[place]);
  return at >= 0 && before[at] > now[at] ? known : told;
}

export function withApproval(state, told) {
  const approval = newer(state.approvals[told.id], told);
  const approvals = put(state.approvals, approval), isMine = state.mine.includes(approval.id);
  if (waitsFor(approval, state) === isMine) return { ...state, approvals };
  return { ...state, approvals, mine: isMine ? state.mine.filter((id) => id !== approval.id) : [...state.mine, approval.id] };
}

// What the server says waits for this person. What was known to wait and is not told of any more waits no longer.
export function withMine(state, items) {
  const kept = Object.values(state.approvals).filter((one) => !isOpen(one) || !state.mine.includes(one.id));
  const approvals = items.reduce((all, one) => put(all, newer(state.approvals[one.id], one)), byId(kept));
  const gone = state.mine.map((id) => state.approvals[id]).filter((one) => one && !(one.id in approvals) && (one.conversation_id === state.open?.id || one.id === state.alone));
  return { ...state, approvals: { ...approvals, ...byId(gone) }, mine: items.map((one) => one.id) };
}

export function withUnknown(state, call) {
  if (call.state === "unknown") return { ...state, unknown: put(state.unknown, call) };
  return call.id in state.unknown ? { ...state, unknown: without(state.unknown, call.id) } : state;
}

export const withUnknowns = (state, calls) => ({ ...state, unknown: byId(calls) });

export function withWorkspace(state, workspace) {
  const known = state.workspace?.mode_changed_at;
  return known && (workspace.mode_changed_at ?? "") < known ? state : { ...state, workspace };
}

// Lists that are kept once they were fetched (null until then), by the noun that events have.
export const LISTS = [["grant", "grants"], ["delegation", "delegations"], ["identity", "identities"]];

export function withListed(state, name, item) {
  if (!state[name]) return state;
  return { ...state, [name]: item.unlinked_at ? without(state[name], item.id) : put(state[name], item) };
}

export const withList = (state, name, items) => ({ ...state, [name]: byId(items) });

// What the views ask.

export const pendingApprovals = (state) =>
  state.mine.map((id) => state.approvals[id]).filter((one) => one && waitsFor(one, state)).sort((a, b) => (a.id < b.id ? -1 : 1));

export const unknownCalls = (state) => Object.values(state.unknown).sort((a, b) => (a.id < b.id ? -1 : 1));

export const newestFirst = (items) => Object.values(items ?? {}).sort((a, b) => (a.id < b.id ? 1 : -1));

// Approvals of one batch that wait together, in their order; alone, each is a list of its own.
export function grouped(approvals) {
  const groups = new Map();
  for (const one of approvals) groups.set(one.batch ?? one.id, [...(groups.get(one.batch ?? one.id) ?? []), one]);
  return [...groups.values()];
}
