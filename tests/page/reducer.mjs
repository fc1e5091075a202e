// What the page's reducer promises, run by `node --test`; test_reducer.py starts it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { conversationList, initial, mayDecide, pendingApprovals, reduce } from "../../api/page/static/state.js";
import { isAsked, timeline, versioned } from "../../api/page/static/timeline.js";
import { counted } from "../../api/page/static/recall.js";
import { mixedWords, reveal } from "../../api/page/static/dom.js";

const at = (second) => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
const conversation = (more = {}) => ({ id: "cnv_1", title: "Groceries", updated_at: at(0), deleted_at: null, ...more });
const message = (position, role = "user", more = {}) => ({ id: `msg_${position}`, conversation_id: "cnv_1", turn_id: "trn_1", position, role, text: "x", client_message_id: null, created_at: at(position), ...more });
const turn = (state, more = {}) => ({ id: "trn_1", conversation_id: "cnv_1", message_id: "msg_1", state, attempt: 1, error: null, created_at: at(1), ...more });
const call = (state) => ({ id: "cal_1", turn_id: "trn_1", round: 1, place: 0, state, approval_id: null });
const approval = (state = "pending", more = {}) => ({ id: "apr_1", conversation_id: "cnv_1", turn_id: "trn_1", requester_id: "usr_1", deciders: [{ user_id: "usr_1", name: "Olu" }], state, ...more });
const fetched = (more = {}) => ({ conversation: conversation(), messages: [], turns: [], calls: [], approvals: [], partial: null, epoch: "ep_1", seq: 0, ...more });
const opened = (more) => reduce({ ...initial, me: { id: "usr_1", role: "owner" } }, { type: "opened", fetched: fetched(more) });
const event = (state, seq, type, body, more = {}) => reduce(state, { type: "event", envelope: { stream: "cnv_1", epoch: "ep_1", seq, event: { type, ...body }, ...more } });
const delta = (state, offset, text, attempt = 1) => reduce(state, { type: "volatile", event: { type: "turn.delta", conversation_id: "cnv_1", turn_id: "trn_1", attempt, offset, text } });
const events = [
  ["message.created", { message: message(1) }],
  ["turn.started", { turn: turn("running") }],
  ["tool.proposed", { call: call("awaiting approval") }],
  ["approval.requested", { approval: approval() }],
  ["turn.waiting", { turn: turn("waiting") }],
  ["approval.closed", { approval: approval("approved") }],
  ["tool.finished", { call: call("done") }],
  ["message.created", { message: message(8, "assistant") }],
  ["turn.finished", { turn: turn("finished"), message: message(8, "assistant") }],
];
const all = (state) => events.reduce((now, [type, body], place) => event(now, place + 1, type, body), state);

describe("state plus events", () => {
  test("equals a fresh fetch", () => {
    const fresh = opened({ messages: [message(1), message(8, "assistant")], turns: [turn("finished")], calls: [call("done")], approvals: [approval("approved")], seq: 9 });
    assert.deepEqual(all(opened()), fresh);
  });
  test("is the same when every event comes twice", () => {
    const twice = events.reduce((now, [type, body], place) => event(event(now, place + 1, type, body), place + 1, type, body), opened());
    assert.deepEqual(twice, all(opened()));
  });
  test("is the same when events older than the fetch are applied on top of it", () => {
    const late = events.reduce((now, [type, body], place) => event(now, place + 1, type, body), opened({ seq: 9, messages: [message(1), message(8, "assistant")], turns: [turn("finished")], calls: [call("done")], approvals: [approval("approved")] }));
    assert.deepEqual(late, all(opened()));
  });
  test("never changes the value it was given", () => {
    const before = opened();
    const copy = structuredClone(before);
    all(before);
    assert.deepEqual(before, copy);
  });
  test("passes over what this version does not know", () => {
    assert.deepEqual(event(opened(), 1, "delivery.updated", { delivery: {} }).open.seq, 1);
  });
  test("of another epoch ask for a fresh fetch", () => {
    assert.deepEqual(event(opened(), 1, "turn.started", { turn: turn("running") }, { epoch: "ep_2" }).stale, ["cnv_1"]);
  });
  test("of a stream that is not shown are passed over", () => {
    const state = opened();
    assert.equal(event(state, 1, "turn.started", { turn: turn("running") }, { stream: "cnv_2" }), state);
  });
});

describe("what came with later versions of the server", () => {
  const said = (text, more) => message(8, "assistant", { text, ...more });
  const recall = (turn_id, state, items = []) => ({ turn_id, state, reason: state === "skipped" ? "Memory is warming up." : null, took_ms: 1, items });
  const item = (kind, more = {}) => ({ kind, id: "x", name: null, page: null, ...more });
  test("changes a message that is shown", () => {
    const state = event(all(opened()), 10, "message.updated", { message: said("x", { suggestions: ["More"], forgotten_at: at(9) }) });
    assert.deepEqual([state.open.messages.msg_8.suggestions, state.open.messages.msg_8.forgotten_at], [["More"], at(9)]);
  });
  test("suggests what to say after the last reply only", () => {
    const state = event(all(opened()), 10, "message.updated", { message: said("x", { suggestions: ["More"] }) });
    const kinds = (value) => timeline(value.open).map((row) => row.kind);
    assert.equal(kinds(state).at(-1), "suggestions");
    assert.ok(!kinds(event(state, 11, "message.created", { message: message(11) })).includes("suggestions"));
  });
  test("tells what memory gave above the answer, the same from events and from a fetch", () => {
    const given = recall("trn_1", "done", [item("fact")]);
    const told = event(all(opened()), 10, "recall.done", { recall: given });
    const fresh = opened({ messages: [message(1), message(8, "assistant")], turns: [turn("finished")], calls: [call("done")], approvals: [approval("approved")], recalls: [given], seq: 10 });
    assert.deepEqual(told, fresh);
    assert.deepEqual(timeline(told.open).map((row) => row.id), ["msg_1", "recall-trn_1", "cal_1", "msg_8", "trn_1"]);
  });
  test("says once in a row that memory is away", () => {
    const turns = [1, 2, 3, 4].map((number) => turn("finished", { id: `trn_${number}`, message_id: `msg_${number}` }));
    const messages = [1, 2, 3, 4].map((number) => message(number, "user", { turn_id: `trn_${number}` }));
    const recalls = [recall("trn_1", "skipped"), recall("trn_2", "skipped"), recall("trn_3", "done", [item("fact")]), recall("trn_4", "skipped")];
    const rows = timeline(opened({ turns, messages, recalls }).open).filter((row) => row.kind === "recall");
    assert.deepEqual(rows.map((row) => row.recall.turn_id), ["trn_1", "trn_3", "trn_4"]);
  });
  test("counts what memory gave, and names documents with their pages", () => {
    const items = [item("message"), item("document", { name: "doc.md", page: 3 }), item("fact"), item("message"), item("document", { name: "doc.md", page: 1 })];
    assert.deepEqual(counted(items), ["1 fact", "2 messages", "doc.md p. 1, 3"]);
  });
  for (const [type, body] of [["member.read", { read: { position: 1 } }], ["document.updated", { document: { id: "doc_1" } }], ["facts.changed", { fact_ids: [] }], ["new.thing", {}]])
    test(`passes over ${type}`, () => {
      const state = all(opened());
      assert.deepEqual(event(state, 10, type, body), { ...state, open: { ...state.open, seq: 10 } });
    });
  test("leaves an approval alone until a conversation is opened", () => {
    const alone = reduce(opened(), { type: "alone", approval: approval() });
    assert.deepEqual([alone.alone, alone.open, alone.approvals.apr_1.id], ["apr_1", null, "apr_1"]);
    assert.equal(reduce(alone, { type: "opened", fetched: fetched() }).alone, null);
    assert.equal(reduce(alone, { type: "closed" }).alone, null);
  });
  test("keeps the modes", () => assert.deepEqual(reduce(initial, { type: "modes", modes: [{ name: "full" }] }).modes, [{ name: "full" }]));
});

describe("versions", () => {
  const branched = (more = {}) => opened({ conversation: conversation({ active_branch_id: "brn_1" }), ...more });
  const again = () => branched({
    messages: [message(1), message(9, "assistant", { turn_id: "trn_2", branch_id: "brn_1" })],
    turns: [turn("finished"), turn("finished", { id: "trn_2", branch_id: "brn_1", created_at: at(8) })],
    versions: { msg_1: [{ branch_id: null, active: false, message_id: "msg_1", turn_id: "trn_1" }, { branch_id: "brn_1", active: true, message_id: "msg_1", turn_id: "trn_2" }] },
  });
  test("that are switched ask for a fresh fetch", () => {
    const state = event(opened(), 1, "conversation.updated", { conversation: conversation({ active_branch_id: "brn_1" }) });
    assert.deepEqual(state.stale, ["cnv_1"]);
  });
  test("that stay ask for nothing", () => assert.deepEqual(event(branched(), 1, "conversation.updated", { conversation: conversation({ active_branch_id: "brn_1" }) }).stale, []));
  test("that are not shown keep what is said in them to themselves", () => {
    assert.deepEqual(event(branched(), 1, "message.created", { message: message(2, "user", { branch_id: "brn_2" }) }).open.messages, {});
    assert.deepEqual(event(opened(), 1, "message.created", { message: message(2, "user", { branch_id: "brn_2" }) }).open.messages, {});
  });
  test("show the answer of a turn from before the fork", () => {
    const state = branched({ messages: [message(1), message(3, "user", { turn_id: "trn_3", branch_id: "brn_1" })], turns: [turn("running")] });
    assert.ok("msg_4" in event(state, 1, "message.created", { message: message(4, "assistant") }).open.messages);
  });
  test("do not show the answer of a turn that was replaced", () => {
    assert.ok(!("msg_4" in event(again(), 1, "message.created", { message: message(4, "assistant") }).open.messages));
  });
  test("show only their own turns", () => assert.deepEqual(timeline(again().open).map((row) => row.id), ["msg_1", "msg_9", "trn_2"]));
  test("that are not shown leave a request for consent to the inbox", () => {
    const asked = { calls: [{ ...call("awaiting approval"), approval_id: "apr_1" }], approvals: [approval()] };
    const parts = { ...asked, messages: [message(1)], turns: [turn("waiting")] };
    assert.ok(isAsked(opened(parts).open, approval()));
    assert.ok(!isAsked(branched({ ...asked, messages: [message(5, "user", { branch_id: "brn_1", turn_id: "trn_2" })], turns: [turn("waiting")] }).open, approval()));
  });
  test("of an answer stand at the answer", () => assert.deepEqual(timeline(again().open).map((row) => row.versions?.length), [undefined, 2, undefined]));
  test("of a question stand at the question", () => {
    const versions = { msg_5: [{ branch_id: null, active: false, message_id: "msg_1", turn_id: "trn_1" }, { branch_id: "brn_1", active: true, message_id: "msg_5", turn_id: "trn_2" }] };
    const state = branched({ messages: [message(5, "user", { turn_id: "trn_2", branch_id: "brn_1" })], turns: [turn("running", { id: "trn_2", message_id: "msg_5", branch_id: "brn_1" })], versions });
    assert.equal(timeline(state.open)[0].versions.length, 2);
  });
  test("are looked for where a turn was replaced or a message edited, the newest first", () => {
    const messages = [message(1), message(2, "user", { turn_id: "trn_2" }), message(3, "user", { edit_of_id: "msg_0", turn_id: "trn_3" })];
    assert.deepEqual(versioned({ messages, turns: [] }, [{ replaces_turn_id: "trn_1" }]).map((one) => one.id), ["msg_3", "msg_1"]);
  });
});

describe("streamed text", () => {
  const running = () => event(opened(), 1, "turn.started", { turn: turn("running") });
  const text = (state) => state.open.partials.trn_1?.text;
  test("grows by what is appended", () => assert.equal(text(delta(delta(running(), 0, "One "), 4, "two")), "One two"));
  test("is cut to the offset first", () => assert.equal(text(delta(delta(running(), 0, "One two"), 4, "more")), "One more"));
  test("counts code points, not UTF-16 units", () => assert.equal(text(delta(delta(running(), 0, "👍🏽"), 2, "!")), "👍🏽!"));
  test("shows a gap instead of wrong text", () => {
    const state = delta(delta(running(), 0, "One "), 9, "late");
    assert.deepEqual([text(state), state.open.partials.trn_1.gap], ["One ", true]);
  });
  test("goes on after the missing text was fetched", () => {
    const gap = delta(delta(running(), 0, "One "), 9, "late");
    const mended = reduce(gap, { type: "partial", conversationId: "cnv_1", partial: { turn_id: "trn_1", attempt: 1, offset: 13, text: "One two, late" } });
    assert.equal(text(delta(mended, 13, "!")), "One two, late!");
  });
  test("of a lost attempt is passed over", () => {
    const again = event(delta(running(), 0, "One "), 2, "turn.restarted", { turn: turn("running", { attempt: 2 }), offset: 0 });
    assert.equal(text(delta(delta(again, 0, "Two", 2), 4, "stale", 1)), "Two");
  });
  test("that comes after the end is passed over", () => {
    const ended = event(delta(running(), 0, "One"), 2, "turn.finished", { turn: turn("finished"), message: message(3, "assistant") });
    assert.equal(text(delta(ended, 3, " late")), undefined);
  });
});

describe("the outbox", () => {
  const entry = { clientId: "web-1", conversationId: "cnv_1", text: "hi", state: "waiting", error: null };
  const waiting = () => reduce(opened(), { type: "outbox.add", entry });
  test("loses an entry once its message is here", () => assert.deepEqual(event(waiting(), 1, "message.created", { message: message(1, "user", { client_message_id: "web-1" }) }).outbox, []));
  test("loses an entry that a fresh fetch has", () => assert.deepEqual(reduce(waiting(), { type: "opened", fetched: fetched({ messages: [message(1, "user", { client_message_id: "web-1" })] }) }).outbox, []));
  test("keeps what was not delivered", () => assert.deepEqual(event(waiting(), 1, "message.created", { message: message(1) }).outbox, [entry]));
});

describe("approvals", () => {
  const inbox = (state = opened()) => reduce(state, { type: "inbox", inbox: { stream: "mbr_1", epoch: "ep_1", seq: 0 }, conversations: [], approvals: [approval()] });
  test("wait for those who may decide", () => assert.equal(pendingApprovals(inbox()).length, 1));
  test("do not wait for others", () => assert.equal(pendingApprovals({ ...inbox(), me: { id: "usr_2", role: "member" } }).length, 0));
  test("of the requester wait for the requester", () => assert.equal(mayDecide(approval("pending", { deciders: [{ user_id: "usr_1", name: "Ana" }] }), { id: "usr_1", role: "member" }), true));
  test("that were decided stay decided when another stream tells of the request late", () => {
    const closed = event(inbox(), 1, "approval.closed", { approval: approval("approved") });
    assert.equal(event(closed, 1, "approval.requested", { approval: approval() }, { stream: "mbr_1" }).approvals.apr_1.state, "approved");
  });
});

describe("the list", () => {
  test("shows the newest conversation first and not the deleted", () => {
    let state = reduce(initial, { type: "inbox", inbox: { stream: "mbr_1", epoch: "ep_1", seq: 0 }, conversations: [conversation(), conversation({ id: "cnv_2", updated_at: at(5) }), conversation({ id: "cnv_3" })], approvals: [] });
    state = event(state, 1, "conversation.deleted", { conversation: conversation({ id: "cnv_3", deleted_at: at(9) }) }, { stream: "mbr_1" });
    assert.deepEqual(conversationList(state).map((one) => one.id), ["cnv_2", "cnv_1"]);
  });
});

describe("the timeline", () => {
  test("puts a turn's calls above its answer", () => assert.deepEqual(timeline(all(opened()).open).map((row) => row.id), ["msg_1", "cal_1", "msg_8", "trn_1"]));
  test("puts a running turn below its question", () => {
    const state = events.slice(0, 3).reduce((now, [type, body], place) => event(now, place + 1, type, body), opened());
    assert.deepEqual(timeline(state.open).map((row) => row.id), ["msg_1", "cal_1", "trn_1"]);
  });
  test("lets only the last turn of a message be tried again", () => {
    const rows = timeline(opened({ messages: [message(1)], turns: [turn("failed"), turn("failed", { id: "trn_2", created_at: at(5) })] }).open);
    assert.deepEqual(rows.filter((row) => row.kind === "turn").map((row) => row.isLast), [false, true]);
  });
});

describe("text that deceives", () => {
  test("is revealed", () => assert.equal(reveal("a\u202eb\u0000\n\u200b"), "a[U+202E]b[U+0000]\n[U+200B]"));
  test("of mixed alphabets is named", () => assert.deepEqual(mixedWords("pay p\u0430ypal.com now"), ["p\u0430ypal.com"]));
});
