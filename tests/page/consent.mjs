// What the page's reducer promises about consent, run by `node --test`; test_reducer.py starts it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { grouped, newer, unknownCalls } from "../../api/page/static/consent-state.js";
import { kindOf, mistakes } from "../../api/page/static/form.js";
import { initial, pendingApprovals, reduce } from "../../api/page/static/state.js";

const at = (second) => `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
const conversation = (more = {}) => ({ id: "cnv_1", title: "Groceries", updated_at: at(0), deleted_at: null, ...more });
const turn = (state, more = {}) => ({ id: "trn_1", conversation_id: "cnv_1", message_id: "msg_1", state, attempt: 1, error: null, created_at: at(1), ...more });
const call = (state) => ({ id: "cal_1", turn_id: "trn_1", round: 1, place: 0, state, approval_id: null });
const approval = (state = "pending", more = {}) => ({ id: "apr_1", conversation_id: "cnv_1", turn_id: "trn_1", requester_id: "usr_1", deciders: [{ user_id: "usr_1", name: "Olu" }], state, ...more });
const fetched = (more = {}) => ({ conversation: conversation(), messages: [], turns: [], calls: [], approvals: [], partial: null, epoch: "ep_1", seq: 0, ...more });
const opened = (more) => reduce({ ...initial, me: { id: "usr_1", role: "owner" } }, { type: "opened", fetched: fetched(more) });
const event = (state, seq, type, body, more = {}) => reduce(state, { type: "event", envelope: { stream: "cnv_1", epoch: "ep_1", seq, event: { type, ...body }, ...more } });

describe("what is known of consent", () => {
  const me = { id: "usr_1", role: "owner" }, mbr = { stream: "mbr_1" };
  const workspace = (more = {}) => ({ id: "wks_1", operation_mode: "assisted", mode_changed_at: null, ...more });
  const grant = (more = {}) => ({ id: "grt_1", uses: 0, revoked_at: null, ...more });
  const unknown = (state = "unknown", more = {}) => ({ ...call(state), id: "cal_9", turn_id: "trn_9", ended_at: at(3), ...more });
  const inbox = (seq, more = {}) => {
    const fresh = { inbox: { stream: "mbr_1", epoch: "ep_1", seq }, conversations: [], approvals: [], unknown: [], workspace: workspace(), ...more };
    const state = reduce({ ...initial, me }, { type: "inbox", ...fresh });
    return reduce(state, { type: "list", name: "grants", items: more.grants ?? [] });
  };
  const asked = (more = {}) => approval("pending", { revision: 0, stage: 0, votes: [], ...more });
  const vote = (user_id, more = {}) => ({ decision_id: `dec_${user_id}`, user_id, verdict: "approve", stage: 0, ...more });
  const told = (state, list) => list.reduce((now, [type, body], place) => event(now, place + 1, type, body, mbr), state);
  const two = asked({ deciders: [{ user_id: "usr_1", name: "Olu" }, { user_id: "usr_2", name: "Ben" }] });

  test("from events is what a fresh fetch gives", () => {
    const other = asked({ id: "apr_2", revision: 1 });
    const list = [
      ["approval.requested", { approval: asked() }],
      ["approval.requested", { approval: asked({ id: "apr_2" }) }],
      ["tool.unknown", { call: unknown() }],
      ["approval.updated", { approval: other }],
      ["workspace.updated", { workspace: workspace({ operation_mode: "emergency", mode_changed_at: at(5) }) }],
      ["grant.changed", { grant: grant() }],
      ["grant.changed", { grant: grant({ uses: 1 }) }],
    ];
    const fresh = inbox(7, { approvals: [asked(), other], unknown: [unknown()], workspace: workspace({ operation_mode: "emergency", mode_changed_at: at(5) }), grants: [grant({ uses: 1 })] });
    assert.deepEqual(told(inbox(0), list), fresh);
    assert.deepEqual(list.reduce((now, [type, body], place) => event(event(now, place + 1, type, body, mbr), place + 1, type, body, mbr), inbox(0)), fresh);
  });
  test("a request that was closed waits no longer, as after a fresh fetch", () => {
    const closed = told(inbox(0), [["approval.requested", { approval: asked() }], ["approval.closed", { approval: asked({ state: "void" }) }]]);
    assert.deepEqual([pendingApprovals(closed), closed.mine], [[], []]);
    assert.deepEqual(pendingApprovals(reduce(closed, { type: "mine", approvals: [] })), []);
  });
  test("a request waits no longer for who answered it, and again after an edit", () => {
    const answered = told(inbox(0), [["approval.requested", { approval: two }], ["approval.updated", { approval: { ...two, votes: [vote("usr_1")] } }]]);
    assert.deepEqual(answered.mine, []);
    assert.deepEqual(event(answered, 3, "approval.updated", { approval: { ...two, revision: 1, votes: [vote("usr_2")] } }, mbr).mine, ["apr_1"]);
  });
  test("a request waits for who stands in for somebody, or may decide since it was escalated", () => {
    const others = asked({ deciders: [{ user_id: "usr_2", name: "Ben" }] });
    const escalated = told(inbox(0), [["approval.updated", { approval: others }], ["approval.updated", { approval: { ...others, escalated_at: at(4), deciders: [{ user_id: "usr_1", name: "Olu", in_place_of: "Di" }] } }]]);
    assert.deepEqual(pendingApprovals(escalated).map((one) => one.id), ["apr_1"]);
  });
  test("a request waits for who was given the right to decide it, and no longer for who lost that, as after a fresh fetch", () => {
    const others = asked({ deciders: [{ user_id: "usr_2", name: "Ben" }] });
    const gained = told(inbox(0), [["approval.updated", { approval: others }], ["approval.updated", { approval: two }]]);
    assert.deepEqual([gained.mine, pendingApprovals(gained).map((one) => one.id)], [["apr_1"], ["apr_1"]]);
    const lost = event(gained, 3, "approval.updated", { approval: others }, mbr);
    assert.deepEqual([lost.mine, pendingApprovals(lost)], [[], []]);
    assert.deepEqual([reduce(lost, { type: "mine", approvals: [] }).mine, reduce(gained, { type: "mine", approvals: [two] }).mine], [[], ["apr_1"]]);
  });
  test("of very many deciders the server's word stays", () => {
    const many = asked({ deciders: Array.from({ length: 50 }, (_, place) => ({ user_id: `usr_x${place}`, name: "x" })) });
    const state = inbox(0, { approvals: [many] });
    assert.equal(pendingApprovals(state).length, 1);
    assert.equal(pendingApprovals(event(state, 1, "approval.updated", { approval: many }, mbr)).length, 1);
    assert.deepEqual(pendingApprovals(reduce(state, { type: "mine", approvals: [] })), []);
  });
  test("a fresh list keeps what belongs to the open conversation", () => {
    const state = reduce(reduce(opened({ approvals: [asked()] }), { type: "mine", approvals: [asked()] }), { type: "mine", approvals: [] });
    assert.deepEqual([state.mine, state.approvals.apr_1.id], [[], "apr_1"]);
  });
  for (const [what, known, late] of [
    ["a vote", { votes: [vote("usr_2")] }, {}],
    ["an edit", { revision: 1, votes: [] }, { votes: [vote("usr_2")] }],
    ["a stage", { stage: 1, votes: [vote("usr_2")] }, { votes: [vote("usr_2")] }],
    ["an escalation", { escalated_at: at(4) }, {}],
    ["the end", { state: "expired" }, { votes: [vote("usr_2")] }],
  ])
    test(`${what} is not undone by the later of two streams`, () => assert.deepEqual(newer(asked(known), asked(late)), asked(known)));
  test("a settled call is in doubt no more, whichever stream tells late", () => {
    const base = reduce(inbox(0), { type: "opened", fetched: fetched({ turns: [turn("finished")] }) });
    const here = { turn_id: "trn_1", conversation_id: "cnv_1" };
    const doubted = event(base, 1, "tool.unknown", { call: unknown("unknown", here) }, mbr);
    assert.deepEqual(unknownCalls(doubted).map((one) => one.id), ["cal_9"]);
    const settled = event(doubted, 2, "tool.finished", { call: unknown("done", here) }, mbr);
    assert.deepEqual(unknownCalls(event(settled, 1, "tool.unknown", { call: unknown("unknown", here) })), []);
  });
  test("an older word on how the workspace is run changes nothing", () => {
    const stopped = reduce(inbox(0), { type: "workspace", workspace: workspace({ operation_mode: "emergency", mode_changed_at: at(5) }) });
    assert.equal(reduce(stopped, { type: "workspace", workspace: workspace() }).workspace.operation_mode, "emergency");
  });
  test("lists that nobody looked at are not kept", () => assert.equal(event(reduce({ ...initial, me }, { type: "inbox", inbox: { stream: "mbr_1", epoch: "ep_1", seq: 0 }, conversations: [], approvals: [] }), 1, "grant.changed", { grant: grant() }, mbr).grants, null));
  test("an account that was unlinked is listed no more", () => {
    const state = reduce(inbox(0), { type: "list", name: "identities", items: [{ id: "idn_1", unlinked_at: null }] });
    assert.deepEqual(event(state, 1, "identity.changed", { identity: { id: "idn_1", unlinked_at: at(2) } }, mbr).identities, {});
  });
  test("like requests stand together", () => {
    const groups = grouped([asked({ batch: "bat_1" }), asked({ id: "apr_2" }), asked({ id: "apr_3", batch: "bat_1" })]);
    assert.deepEqual(groups.map((group) => group.map((one) => one.id)), [["apr_1", "apr_3"], ["apr_2"]]);
  });
});

describe("a form from a schema", () => {
  for (const [kind, part, value] of [
    ["text", { type: "string" }, "x"], ["number", { type: "integer" }, 3], ["choice", { type: "boolean" }, undefined], ["choice", { enum: ["a", "b"] }, "a"],
    ["lines", { type: "array", items: { type: "string" } }, ["a"]], ["json", { type: "array", items: { type: "string" } }, ["a\nb"]], ["json", { type: "array", items: { type: "object" } }, []],
    ["json", { type: "string" }, 3], ["json", { enum: ["a"] }, "c"], ["json", { type: ["string", "null"] }, "x"], ["secret", { type: "string", "x-secret": true }, "••••••"], ["fixed", { const: 1 }, 1], ["text", {}, "x"], ["json", {}, { a: 1 }], ["json", {}, null],
  ])
    test(`shows ${JSON.stringify(part)} with ${JSON.stringify(value)} as ${kind}`, () => assert.equal(kindOf(part, value), kind));
  test("knows which argument is wrong", () => {
    assert.deepEqual(mistakes("tasks.add: title must not be empty; days[0] is missing."), [["title", "must not be empty"], ["days", "is missing"]]);
    assert.deepEqual(mistakes("The action has changed since this was asked"), [["", "The action has changed since this was asked"]]);
  });
});
