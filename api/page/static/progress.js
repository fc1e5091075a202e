// How a request stands: who may decide, which stage it is in, what is missing, who said what, and what became of it.

import { clock, h, hour, left, reveal } from "./dom.js";
import { words } from "./words.js";

const LISTED = 8;

export function progress(approval, me) {
  const stages = approval.plan?.stages ?? [], isOpen = approval.state === "pending";
  return h("dl", { class: "progress" },
    isOpen && fact(words.deciders, listed(approval.deciders.map((one) => deciderName(one, me)))),
    isOpen && needsMany(approval) && fact(words.stage, stageLine(approval, stages, me)),
    approval.votes?.length > 0 && fact(words.votes, h("ul", {}, approval.votes.map((vote) => h("li", {}, voteLine(vote, me))))),
    approval.revision > 0 && fact(words.edited, words.editedBy(reveal(approval.edited_by_name ?? words.somebody), approval.revision)),
    approval.generation > 0 && fact(words.again, words.askedAgain(approval.generation)),
    approval.escalated_at && fact(words.escalated, words.escalatedAt(clock(approval.escalated_at))),
    isOpen && approval.plan?.assurance === "L3" && fact(words.proof, words.proofNeeded),
    isOpen && fact(words.expires, h("time", { datetime: approval.expires_at, "data-until": approval.expires_at, title: clock(approval.expires_at) }, left(approval.expires_at))),
    approval.rule && fact(words.rule, reveal(approval.rule), approval.policy_version > 0 && h("span", { class: "quiet" }, ` ${words.ruleVersion(approval.policy_version)}`)),
    approval.consumed_at && fact(words.taken, clock(approval.consumed_at)),
    approval.outcome && fact(words.reported, `${reveal(approval.outcome.state)}${approval.outcome.detail ? `: ${reveal(approval.outcome.detail)}` : ""}`));
}

const fact = (name, ...values) => [h("dt", {}, name), h("dd", {}, ...values)];
const listed = (names) => (names.length ? names.slice(0, LISTED).join(", ") + (names.length > LISTED ? words.andMore(names.length - LISTED) : "") : words.nobody);

// "Ben for Ana", who is away.
const deciderName = (one, me) => (one.in_place_of ? words.inPlaceOf(reveal(one.name), reveal(one.in_place_of)) : one.user_id === me?.id ? words.you.toLowerCase() : reveal(one.name));

const count = (stage) => stage.needs.reduce((sum, need) => sum + (need.count ?? 1), 0);
const needsMany = ({ plan }) => plan?.stages?.length > 1 || (plan?.stages?.length === 1 && count(plan.stages[0]) > 1);

// Whether "always allow" may be offered: the rule says so, and one consent of a call of the assistant is all it takes.
export const mayRemember = (approval) => !!approval.plan?.may_remember && !needsMany(approval) && approval.origin !== "service" && approval.risk !== "admin";

function stageLine({ stage = 0, votes = [], deciders, plan }, stages, me) {
  const now = plan.stages[stage] ?? stages[0], wanted = count(now);
  const given = votes.filter((vote) => vote.verdict === "approve" && vote.stage === stage);
  const voters = new Set(votes.map((vote) => vote.user_id));
  const others = deciders.filter((one) => !voters.has(one.user_id)).map((one) => deciderName(one, me));
  const parts = now.needs.length > 1 ? ` (${now.needs.map((need) => words.need(need.count ?? 1, partyName(need.party, deciders))).join(words.and)})` : "";
  const place = stages.length > 1 ? `${words.stageOf(stage + 1, stages.length, now.name ? reveal(now.name) : "")}: ` : "";
  return `${place}${words.given(given.length, wanted)}${parts}; ${words.missing(wanted - given.length, listed(others))}`;
}

function partyName({ requester, roles = [], groups = [], users = [] }, deciders) {
  const names = users.map((id) => deciders.find((one) => one.user_id === id)?.name).filter(Boolean).map(reveal);
  return [requester && words.requesterRole, ...roles.map(words.anyRole), groups.length && words.ofGroup, ...(users.length && !names.length ? [words.named] : names)].filter(Boolean).join(words.orElse);
}

function voteLine(vote, me) {
  const name = vote.user_id === me?.id ? words.you : reveal(vote.name);
  const who = vote.in_place_of ? words.inPlaceOf(name, reveal(vote.in_place_of)) : name;
  return `${words.voted(who, vote.verdict)}${doorOf(vote.door)}, ${hour(vote.at)}${vote.comment ? `: ${reveal(vote.comment)}` : ""}`;
}

const doorOf = (door) => (door ? words.through(words.door[door] ?? reveal(door.charAt(0).toUpperCase() + door.slice(1))) : "");

// "Approved by Ana on Telegram, 14:02: fine"
export function outcome(approval) {
  const who = approval.decided_by_name ? words.by(reveal(approval.decided_by_name)) : "";
  const at = approval.decided_at ? `, ${hour(approval.decided_at)}` : "";
  return `${words.approvalState[approval.state] ?? reveal(approval.state)}${who}${doorOf(approval.decided_door)}${at}${approval.comment ? `: ${reveal(approval.comment)}` : ""}`;
}
