"""What the rules would say of a call that nobody makes: the verdict, the rule behind it, and whom it would ask."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from connectors.channel import channel_kinds
from connectors.registry import Registry
from core import policy
from core.clock import now
from core.consent import ConsentPlan, Party
from core.errors import AssentError, Invalid, NotAllowed, NotFound
from core.permissions import Door, Principal
from core.policy.checking import Problem, check
from core.policy.document import PolicyDocument, Risk
from core.policy.known import KnownAction
from core.policy.reading import read_data, read_yaml
from core.store import deciders, plans, policies, requesters
from core.store.database import Database
from core.values import CallVerdict, OperationMode, Value

OUTSIDE = "api"


class Written(Value):
    """A policy as it was sent: as YAML, or as JSON."""

    yaml: str | None = None
    document: dict[str, Any] | None = None


class Tried(Value):
    """A call to try the rules on. `user`: an id or e-mail address, None: who asks.

    `risk` and `effect` are for actions that no connector here has; the others have their own.
    """

    user: str | None = None
    action: str
    arguments: dict[str, Any]
    channel: str
    conversation_id: str
    at: datetime | None = None
    mode: OperationMode | None = None
    untrusted: bool = False
    repeated: bool = False
    risk: Risk | None = None
    effect: str = ""


class ExpectedNeed(Value):
    """So many of these people, by name."""

    count: int
    people: tuple[str, ...]


class ExpectedStage(Value):
    """What would have to come together."""

    name: str
    needs: tuple[ExpectedNeed, ...]


class RuleLooked(Value):
    """One rule that was looked at, and why it did or did not decide."""

    place: int
    name: str
    verdict: CallVerdict
    applies: bool
    reason: str


class Rehearsed(Value):
    """The verdict, the rule that gives it and its place (None: a built-in rule, or the operation mode), and the plan.

    `looked`: each rule before it and why it does not decide; only for those who may read the rules.
    `arguments_problem`: why the action would not even take these arguments.
    """

    verdict: CallVerdict
    rule: str
    place: int | None
    policy_version: int
    mode: OperationMode
    plan: ConsentPlan | None = None
    expires_at: datetime | None = None
    stages: tuple[ExpectedStage, ...] = ()
    reason_required: bool = False
    looked: tuple[RuleLooked, ...] = ()
    arguments_problem: str | None = None


async def read_written(written: Written) -> PolicyDocument:
    """Read a policy that somebody sent, beside the event loop: a long one takes a while. Raises BadPolicy, Invalid."""
    if (written.yaml is None) is (written.document is None):
        message = "Send `yaml` or `document`, one of them."
        raise Invalid(message)
    if written.yaml is not None:
        return await asyncio.to_thread(read_yaml, written.yaml)
    return await asyncio.to_thread(read_data, written.document)


@dataclass(frozen=True)
class Rehearsal:
    """Tries rules on calls, and checks rules. `expiry`: the time to decide where no rule names one."""

    database: Database
    registry: Registry
    expiry: timedelta

    async def check(self, who: Principal, document: PolicyDocument) -> tuple[Problem, ...]:
        """Say what is wrong with a policy in this person's workspace; the caller has seen that they may ask."""
        async with self.database.reading() as session:
            known = await policies.known(session, who.workspace_id, self._actions(who.workspace_id), _channels())
        return await asyncio.to_thread(check, document, known)

    def _actions(self, workspace_id: str) -> tuple[KnownAction, ...]:
        return tuple(
            KnownAction(
                name=one.name,
                risk=one.spec.risk,
                effect=one.spec.effect,
                arguments=frozenset(one.spec.schema_.get("properties", {})),
            )
            for one in self.registry.of(workspace_id).actions()
        )

    async def run(self, who: Principal, tried: Tried, draft: PolicyDocument | None = None) -> Rehearsed:
        """Try the rules that hold, or a draft, on a call. Everybody may try their own. Raises NotAllowed, NotFound."""
        reads = who.role in policies.READERS
        async with self.database.reading() as session:
            asker = await self._asker(session, who, tried.user, reads=reads)
            current = await policies.current(session, who.workspace_id)
            if draft is not None:
                current = current.model_copy(update={"document": draft})
            facts, problem = self._facts(who.workspace_id, tried, asker)
            found = policy.explain(facts, current.document, current.version)
            plan, denial = await self._plan(session, facts, who.workspace_id, found.ruling, current.document)
            stages = await _stages(session, who.workspace_id, asker.user_id, plan.plan) if plan else ()
        asking = found.ruling.asking
        return Rehearsed(
            verdict=CallVerdict.DENY if denial else found.ruling.verdict,
            rule=denial or found.ruling.rule,
            place=found.place,
            policy_version=found.ruling.policy_version,
            mode=facts.mode,
            plan=plan.plan if plan else None,
            expires_at=plan.expires_at if plan else None,
            stages=stages,
            reason_required=asking is not None and asking.reason_required,
            looked=tuple(_looked(one.model_dump()) for one in found.looked) if reads else (),
            arguments_problem=problem,
        )

    async def _asker(
        self, session: AsyncSession, who: Principal, user: str | None, *, reads: bool
    ) -> requesters.Requester:
        user_id = await requesters.id_of(session, who.workspace_id, user or who.user_id)
        if user_id != who.user_id and not reads:
            message = "You may try the rules for yourself; for others, those who may read the rules do."
            raise NotAllowed(message)
        found = await requesters.requester_of(session, who.workspace_id, user_id) if user_id else None
        if found is None:
            message = "There is no such person here."
            raise NotFound(message)
        return found

    def _facts(
        self, workspace_id: str, tried: Tried, asker: requesters.Requester
    ) -> tuple[policy.CallFacts, str | None]:
        known = {one.name: one for one in self.registry.of(workspace_id).actions()}.get(tried.action)
        if known is None and tried.risk is None:
            message = "No connector here has this action: name its risk, as the program that asks would."
            raise NotFound(message)
        risk = known.spec.risk.value if known else str(tried.risk)
        problem = None
        if known is not None:
            try:
                known.check(tried.arguments)
            except AssentError as error:
                problem = error.detail
        facts = policy.CallFacts(
            action=tried.action,
            risk=risk,
            effect=known.spec.effect if known else tried.effect,
            allow_reason=known.spec.allow_reason if known else None,
            requester_role=asker.role,
            requester_id=asker.user_id,
            requester_email=asker.email,
            requester_groups=asker.groups,
            repeats_once_only=tried.repeated,
            arguments=tried.arguments,
            door=tried.channel,
            conversation_id=tried.conversation_id,
            at=tried.at or now(),
            mode=tried.mode or asker.mode,
            untrusted=tried.untrusted,
        )
        return facts, problem

    async def _plan(
        self,
        session: AsyncSession,
        facts: policy.CallFacts,
        workspace_id: str,
        ruling: policy.Ruling,
        document: PolicyDocument | None,
    ) -> tuple[plans.Resolved | None, str | None]:
        """Give the plan of a ruling that asks, or why nobody can be asked."""
        if ruling.asking is None:
            return None, None
        try:
            at = facts.at or now()
            plan = await plans.resolve(
                session, ruling.asking, workspace_id, facts.requester_id, at, self.expiry, document
            )
        except plans.CannotAsk as error:
            return None, error.detail
        return plan, None


def _channels() -> frozenset[str]:
    return frozenset({*Door, OUTSIDE, *channel_kinds()})


def _looked(one: dict[str, Any]) -> RuleLooked:
    return RuleLooked.model_validate({name: one[name] for name in RuleLooked.model_fields})


async def _stages(
    session: AsyncSession, workspace_id: str, requester_id: str, plan: ConsentPlan
) -> tuple[ExpectedStage, ...]:
    found = []
    for stage in plan.stages:
        needs = [
            ExpectedNeed(count=need.count, people=await _names(session, workspace_id, requester_id, plan, need.party))
            for need in stage.needs
        ]
        found.append(ExpectedStage(name=stage.name, needs=tuple(needs)))
    return tuple(found)


async def _names(
    session: AsyncSession, workspace_id: str, requester_id: str, plan: ConsentPlan, party: Party
) -> tuple[str, ...]:
    """Give names of a party, at most as many as are shown with a request."""
    alone = ConsentPlan.model_validate({"stages": [{"needs": [{"party": party}]}]})
    people = await deciders.people_for(session, workspace_id, deciders.ways(alone, 0, requester_id, escalated=False))
    left = [view for _, view in people if not (plan.exclude_requester and view.user_id == requester_id)]
    return tuple(view.name for view in left[: deciders.SHOWN])
