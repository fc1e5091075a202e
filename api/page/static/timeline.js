// What is shown of the open conversation, and where: its version's messages, and what their turns did.

export const ENDED = new Set(["finished", "failed", "stopped"]);

// The open conversation as one list, in order: each message, and what its turns did. A turn's calls stand above its
// answer, or below its question as long as there is none.
export function timeline(open) {
  const messages = Object.values(open.messages).sort((a, b) => a.position - b.position || order(a, b));
  const answered = new Set(messages.filter((one) => one.role === "assistant").map((one) => one.turn_id));
  const rows = messages.flatMap((message) => {
    const row = { kind: "message", id: message.id, message, versions: versionsAt(open, message, answered) };
    const turns = turnsOf(open, message);
    if (message.role === "assistant") return turns.flatMap((turn) => [...doneBy(open, turn), row, turnRow(open, turn)]).concat(turns.length ? [] : [row]);
    return [row, ...turns.filter((turn) => !answered.has(turn.id)).flatMap((turn) => [...doneBy(open, turn), turnRow(open, turn)])];
  });
  return [...onceInARow(rows), ...suggested(rows)];
}

// Whether the card of an approval stands in the talk; it may belong to another version, or to what was said long before.
export const isAsked = (open, approval) => timeline(open).some((row) => row.kind === "call" && row.call.approval_id === approval.id);

const doneBy = (open, turn) => [...recallOf(open, turn), ...callsOf(open, turn)];
const recallOf = (open, { id }) => (open.recalls[id] ? [{ kind: "recall", id: `recall-${id}`, recall: open.recalls[id] }] : []);

// While memory is away, that is said once, not with every answer.
function onceInARow(rows) {
  let before;
  return rows.filter((row) => {
    if (row.kind !== "recall") return true;
    const isNews = row.recall.state !== "skipped" || before !== "skipped";
    before = row.recall.state;
    return isNews;
  });
}

// What could be said next, as long as nobody said or awaits anything after the last reply.
function suggested(rows) {
  const last = rows.filter((row) => row.kind === "message").pop()?.message;
  const isBusy = rows.some((row) => row.kind === "turn" && !ENDED.has(row.turn.state));
  if (isBusy || last?.role !== "assistant" || !last.suggestions?.length) return [];
  return [{ kind: "suggestions", id: `suggestions-${last.id}`, suggestions: last.suggestions }];
}

// The versions of a question stand at the question; when only its answer has several, at the answer.
function versionsAt(open, message, answered) {
  const turn = open.turns[message.turn_id];
  const found = open.versions[message.role === "user" ? message.id : turn?.message_id] ?? [];
  if (found.length < 2) return null;
  const shown = found.find((one) => one.active);
  const isOfAnswer = found.every((one) => one.message_id === found[0].message_id) && answered.has(shown?.turn_id);
  if (message.role === "user") return isOfAnswer ? null : found;
  return isOfAnswer && shown.turn_id === message.turn_id ? found : null;
}

// The messages that may have several versions, the newest first: `branches` are all of the conversation's.
export function versioned({ messages, turns }, branches) {
  const replaced = new Set(branches.map((branch) => branch.replaces_turn_id));
  const isForked = (message) => replaced.has(message.turn_id) || turns.some((turn) =>
    turn.message_id === message.id && (replaced.has(turn.id) || (turn.branch_id ?? null) !== (message.branch_id ?? null)));
  return messages.filter((message) => message.role === "user" && (message.edit_of_id || isForked(message))).reverse();
}

const order = (a, b) => (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : a.id < b.id ? -1 : 1);
// The turns of the version that is shown: those that answer a message, or the one that a reply ended.
export function turnsOf(open, message) {
  if (message.role === "assistant") return open.turns[message.turn_id] ? [open.turns[message.turn_id]] : [];
  const turns = Object.values(open.turns).filter((turn) => turn.message_id === message.id && isOnPath(open, turn)).sort(order);
  const newest = turns[turns.length - 1]?.branch_id ?? null; // what it replaced belongs to another version
  return turns.filter((turn) => (turn.branch_id ?? null) === newest);
}
const isOnPath = ({ branch, messages }, { branch_id }) =>
  !branch_id || branch_id === branch || Object.values(messages).some((message) => message.branch_id === branch_id);
const callsOf = (open, turn) =>
  Object.values(open.calls)
    .filter((call) => call.turn_id === turn.id)
    .sort((a, b) => a.round - b.round || a.place - b.place)
    .map((call) => ({ kind: "call", id: call.id, call }));

// A message may have several turns: only the last of them can be retried.
function turnRow(open, turn) {
  const later = Object.values(open.turns).some((one) => one.message_id === turn.message_id && order(turn, one) < 0 && one.id !== turn.id);
  return { kind: "turn", id: turn.id, turn, partial: open.partials[turn.id], isLast: !later };
}
