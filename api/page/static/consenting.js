// What people do about consent, sent to the server; what it answers goes into the state.

import { newId } from "./app.js";

const MOST_AT_ONCE = 50;

export class Consenting {
  constructor(doors, dispatch) {
    Object.assign(this, { doors, dispatch, shown: new Set(), schemas: null });
  }

  // more: {arguments} changed by the person, or {remember} what to always allow.
  async decide(approval, verdict, comment, more = {}) {
    try {
      const answer = await this.doors.post(`/approvals/${approval.id}/decision`, { ...answerTo(approval, verdict, comment), ...more });
      this.dispatch({ type: "approval.fetched", approval: answer.approval });
      return answer;
    } catch (problem) {
      if (problem.status === 409) await this.look(approval.id).catch(() => undefined);
      throw problem;
    }
  }

  // Gives what became of each: {approval_id, decided, problem}. Throws when a proof is wanted; the next try is about the rest.
  async decideMany(approvals, verdict, comment, done) {
    const rest = approvals.filter((one) => !done.has(one.id));
    for (let first = 0; first < rest.length; first += MOST_AT_ONCE) {
      const items = rest.slice(first, first + MOST_AT_ONCE).map((one) => ({ approval_id: one.id, ...answerTo(one, verdict, comment) }));
      for (const answer of await this.doors.post("/approvals/decisions", items)) {
        if (answer.problem?.code !== "step_up_required") done.set(answer.approval_id, answer);
        if (answer.decided) this.dispatch({ type: "approval.fetched", approval: answer.decided.approval });
      }
    }
    const left = approvals.filter((one) => !done.has(one.id));
    if (left.length) throw Object.assign(new Error("step_up_required"), { code: "step_up_required" });
    await Promise.all([...done.values()].filter((one) => one.problem?.status === 409).map((one) => this.look(one.approval_id).catch(() => undefined)));
    return [...done.values()];
  }

  look = async (id) => this.dispatch({ type: "approval.fetched", approval: await this.doors.get(`/approvals/${id}`) });
  suggestion = (approval) => this.doors.get(`/approvals/${approval.id}/grant-suggestion`);

  // The server notes who was shown a request, when it came into view for the first time.
  async seen(approval) {
    if (this.shown.has(approval.id) || approval.state !== "pending") return;
    this.shown.add(approval.id);
    await this.doors.get(`/approvals/${approval.id}`).catch(() => this.shown.delete(approval.id));
  }

  // The JSON schema of an approval's arguments; null when nobody gave one.
  async schemaOf(approval) {
    if (approval.arguments_schema) return approval.arguments_schema;
    this.schemas ??= this.doors.get("/connectors").then(({ items }) => Object.fromEntries(items.flatMap((one) => one.actions.map((action) => [action.name, action.schema]))));
    try {
      return (await this.schemas)[approval.action] ?? null;
    } catch (problem) {
      this.schemas = null;
      throw problem;
    }
  }

  async settle(call, outcome, detail) {
    this.dispatch({ type: "call.fetched", call: await this.doors.post(`/tool-calls/${call.id}/outcome`, { outcome, detail }) });
  }

  async operate(mode) {
    this.dispatch({ type: "workspace", workspace: await this.doors.ask("PUT", "/workspace/mode", { mode }) });
  }

  list = async (name) => this.dispatch({ type: "list", name, items: await this.doors.pages(`/${name}`) });
  listed = async (name, item) => this.dispatch({ type: "listed", name, item: await item });
  revokeGrant = (id) => this.listed("grants", this.doors.post(`/grants/${id}/revoke`));
  delegate = (body) => this.listed("delegations", this.doors.post("/delegations", body));
  revokeDelegation = (id) => this.listed("delegations", this.doors.post(`/delegations/${id}/revoke`));
  async unlink(id) {
    await this.doors.remove(`/identities/${id}`);
    await this.list("identities");
  }
  link = (channel) => this.doors.post("/identities/links", { channel });
  lookUp = (code) => this.doors.post("/identities/pairings/look-up", { code });
  confirmPairing = (code) => this.listed("identities", this.doors.post("/identities/pairings/confirm", { code }));
  channels = async () => (await this.doors.get("/channels")).items.filter((one) => one.state !== "off");
  people = async () => (await this.doors.pages("/users")).filter((one) => one.kind === "person" && !one.disabled_at);
}

// Each try has an id of its own: what was refused for want of a proof is decided anew.
const answerTo = ({ digest }, verdict, comment) => ({ verdict, digest, decision_id: newId(), comment });
