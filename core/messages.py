"""The values that cross a process through Temporal: ids, hashes and small facts, never text of people or models."""

from datetime import datetime

from core.consent import Assurance, ConsentPlan, Decider, Vote
from core.ids import Id
from core.values import ApprovalState, CallState, CallVerdict, DecisionVerdict, Value


class TurnInput(Value):
    """Starts `ChatTurn`. `lease_epoch` is the lease that intake took for it."""

    turn_id: Id
    conversation_id: Id
    lease_epoch: int
    max_rounds: int
    limit_seconds: float


class LeaseGranted(Value):
    """Signal to a parked turn: the conversation is its own again, under this epoch."""

    epoch: int


class Approvers(Value):
    """Who might decide, as requests said it before there were plans. Only such old requests carry it."""

    requester: bool = False
    roles: tuple[str, ...] = ()


class ApprovalInput(Value):
    """Starts `Approval`. `digest` is what a decision must quote; `requester_person_id` None: the requester's own id.

    `plan` None: an old request, whose `approvers` say it all. `question`: a service asks it in the middle of a call,
    which goes on whatever people say.
    """

    approval_id: Id
    requester_id: Id
    approvers: Approvers = Approvers()
    digest: str
    expires_at: datetime
    requester_person_id: Id | None = None
    plan: ConsentPlan | None = None
    question: bool = False


class DecisionMade(Value):
    """The update `decide`: an authenticated person's answer, as the server resolved it.

    `in_place_of`: whoever delegated to this person, as they stand. `edits`: the decision row has other arguments, which
    a worker makes into a revision before the answer counts. `identity_id`: the linked account that it came
    from, if any.
    """

    decision_id: Id
    user_id: Id
    role: str
    verdict: DecisionVerdict
    digest: str
    person_id: Id | None = None
    groups: tuple[str, ...] = ()
    assurance: Assurance = Assurance.L2
    in_place_of: tuple[Decider, ...] = ()
    has_comment: bool = False
    edits: bool = False
    identity_id: Id | None = None


class Revised(Value):
    """What a worker made of edited arguments: a new digest and plan, or the code of a refusal."""

    decision_id: Id
    refusal: str | None = None
    digest: str = ""
    plan: ConsentPlan | None = None


class ApprovalProgress(Value):
    """Where an open approval stands after a change, to be written down and told. `revision`: the edit that counts now.

    `escalated`: the other party may decide too; `remind`: whoever is missing is to be told again.
    """

    approval_id: Id
    digest: str
    stage: int
    votes: tuple[Vote, ...] = ()
    revision: Id | None = None
    escalated: bool = False
    remind: bool = False
    expires_at: datetime


class Withdrawal(Value):
    """The update `withdraw`: the turn was stopped, nobody needs to decide any more."""

    user_id: Id


class ApprovalOutcome(Value):
    """What an approval came to. The gate compares with this digest, never with the stored row's.

    `decision_id` and `user_id` are of the decision that made it. `votes` are all that count; an old outcome has none.
    `escalated_until`: the other party could decide by then, up to this time; no timer may have told of that.
    """

    approval_id: Id
    state: ApprovalState
    digest: str
    decision_id: Id | None = None
    user_id: Id | None = None
    at: datetime | None = None
    votes: tuple[Vote, ...] = ()
    revision: Id | None = None
    stage: int = 0
    escalated_until: datetime | None = None


class ThinkInput(Value):
    """One model call of a turn. `lease_epoch` fences its commit."""

    turn_id: Id
    round: int
    lease_epoch: int


class PlannedCall(Value):
    """A tool call of a round with the policy's verdict; `approval` when people are to be asked."""

    tool_call_id: Id
    verdict: CallVerdict
    timeout_seconds: float
    approval: ApprovalInput | None = None


class Thought(Value):
    """What a model call came to: the turn is over (`ended`), or these calls are to be made."""

    ended: bool
    calls: tuple[PlannedCall, ...] = ()


class ActInput(Value):
    """One tool call to make; `outcome` is the consent it was given."""

    tool_call_id: Id
    outcome: ApprovalOutcome | None = None


class Acted(Value):
    """What became of a tool call; its result stays in SQL. `again`: people are asked anew, or what its service asks."""

    tool_call_id: Id
    state: CallState
    again: ApprovalInput | None = None


class AskInput(Value):
    """Starts `Ask`: an outside program asks for consent. The request itself is in SQL."""

    approval_id: Id


class Prepared(Value):
    """What policy made of an outside request: `approval` to ask people, None when it is settled already."""

    approval: ApprovalInput | None = None


class TurnStep(Value):
    """A short SQL step of a turn: park, take the lease back."""

    turn_id: Id
    lease_epoch: int


class LeaseAnswer(Value):
    """Whether the turn has its lease again, and under which epoch; `ended` when it needs none any more."""

    epoch: int | None
    ended: bool = False


class ModelCheck(Value):
    """Which model to look at, by our name for it."""

    name: str


class ModelChecked(Value):
    """What a look at a model gave: a code for programs, a sentence of ours; `models_seen` that its endpoint lists."""

    name: str
    ok: bool
    code: str
    sentence: str
    took_ms: int | None = None
    models_seen: int | None = None


class TurnEnding(Value):
    """Ends a turn that did not answer: `failed` with a code and a sentence of ours, or stopped."""

    turn_id: Id
    error_code: str | None = None
    error_detail: str | None = None


class ReflectInput(Value):
    """Starts `Reflect`: what is done after a reply. `sum_up`: the talk may be long enough for another summary."""

    turn_id: Id
    learn: bool = True
    sum_up: bool = True


class Summarised(Value):
    """Whether there is more to summarise than one step took."""

    again: bool


class DocumentInput(Value):
    """Starts `ReadDocument`."""

    document_id: Id


class DocumentFailure(Value):
    """A document that could not be read, with a sentence of ours."""

    document_id: Id
    detail: str


class LookupInput(Value):
    """Starts `Lookup`; the question itself is in SQL."""

    lookup_id: Id


class Found(Value):
    """Something that memory found, by its id in SQL, best first; `score`: more is better."""

    id: Id
    score: float


class LookupAnswer(Value):
    """What memory found, or why it did not look (`reason`, a sentence)."""

    found: tuple[Found, ...] = ()
    reason: str | None = None


class MemoryWork(Value):
    """What memory's writer still has to do: learn what changed, tend its files, build the index anew."""

    learn: bool = False
    tend: bool = False
    rebuild: bool = False
    batches: int = 0


class MemoryDone(Value):
    """What a step of memory's writer came to.

    `ready` False: the embedder is not, and nothing was done. `broken`: the index has to be built first. `left`: there
    is more to learn. `erased`: removed text is still in the files. `batches`: how often files were written.
    """

    ready: bool = True
    broken: bool = False
    left: bool = False
    erased: bool = False
    batches: int = 0


class ShelfCheck(Value):
    """One table of memory's index beside SQL: rows there and here, how many were compared one by one."""

    shelf: str
    in_sql: int
    in_index: int
    compared: int


class MemoryVerdict(Value):
    """Whether memory's index says what SQL says; `differences` are sentences with ids, at most 50 of them."""

    clean: bool
    shelves: tuple[ShelfCheck, ...] = ()
    differences: tuple[str, ...] = ()
