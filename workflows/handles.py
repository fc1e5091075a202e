"""How others start, signal and ask these workflows: each call may be made twice, and says what became of it."""

from collections.abc import Sequence

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.types import MethodAsyncSingleParam, ParamType, ReturnType, SelfType

from core.errors import Unavailable
from core.ids import new_id
from core.messages import (
    AskInput,
    DecisionMade,
    DocumentInput,
    LeaseGranted,
    LookupAnswer,
    LookupInput,
    ModelCheck,
    ModelChecked,
    ReflectInput,
    TurnInput,
    Withdrawal,
)
from core.values import ACCEPTED, CLOSED
from workflows import policies
from workflows.approval import Approval
from workflows.ask import Ask
from workflows.chat_turn import ChatTurn
from workflows.check_model import CheckModel
from workflows.lookup import Lookup
from workflows.read_document import ReadDocument
from workflows.reflect import Reflect

_NO_MEMORY = "Memory does not answer just now."


def turn_workflow_id(turn_id: str) -> str:
    """Name the workflow of a turn."""
    return f"turn-{turn_id}"


def approval_workflow_id(approval_id: str) -> str:
    """Name the workflow of an approval."""
    return f"approval-{approval_id}"


class Workflows:
    """The workflows as others see them, through one client. `prefix` is put before each queue's name."""

    def __init__(self, client: Client, *, prefix: str = "", max_rounds: int = 8, limit_seconds: float = 900) -> None:
        """Keep the client, and how much a turn may do."""
        self.client = client
        self.prefix = prefix
        self._max_rounds = max_rounds
        self._limit_seconds = limit_seconds

    async def start_turn(
        self, turn_id: str, conversation_id: str, lease_epoch: int, max_rounds: int | None = None
    ) -> None:
        """Start a turn's workflow; that it runs or ran already is fine. Raises Unavailable.

        `max_rounds` can only lower what is set for all turns.
        """
        turn = TurnInput(
            turn_id=turn_id,
            conversation_id=conversation_id,
            lease_epoch=lease_epoch,
            max_rounds=min(max_rounds or self._max_rounds, self._max_rounds),
            limit_seconds=self._limit_seconds,
        )
        await self._start_once(ChatTurn.run, turn, turn_workflow_id(turn.turn_id), at_once=True)

    async def reflect(self, ref: str, turn_id: str, *, learn: bool, sum_up: bool) -> None:
        """Begin what is done after a reply, once for each `ref`. Raises Unavailable."""
        await self._start_once(Reflect.run, ReflectInput(turn_id=turn_id, learn=learn, sum_up=sum_up), f"reflect-{ref}")

    async def start_ask(self, approval_id: str) -> None:
        """Begin to judge what an outside program asks; that it began already is fine. Raises Unavailable."""
        await self._start_once(Ask.run, AskInput(approval_id=approval_id), f"ask-{approval_id}")

    async def read_document(self, document_id: str) -> None:
        """Begin to read a document; that it is or was read already is fine. Raises Unavailable."""
        await self._start_once(ReadDocument.run, DocumentInput(document_id=document_id), f"document-{document_id}")

    async def _start_once(
        self,
        run: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        value: ParamType,
        workflow_id: str,
        *,
        at_once: bool = False,
    ) -> None:
        """Start a workflow unless it runs or ran already; `at_once`: by a worker of this process, if it can."""
        try:
            await self.client.start_workflow(
                run,
                value,
                id=workflow_id,
                task_queue=self.prefix + policies.TURNS_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                request_eager_start=at_once,
                task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
                rpc_timeout=policies.START_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise _unavailable() from error

    async def look_up(self, lookup_id: str) -> LookupAnswer:
        """Ask memory a question that is written down, and wait for its answer. Raises Unavailable."""
        try:
            return await self.client.execute_workflow(
                Lookup.run,
                LookupInput(lookup_id=lookup_id),
                id=f"lookup-{lookup_id}",
                task_queue=self.prefix + policies.TURNS_QUEUE,
                execution_timeout=policies.LOOKUP_TIMEOUT,
                request_eager_start=True,
                rpc_timeout=policies.LOOKUP_TIMEOUT,
            )
        except WorkflowFailureError:
            return LookupAnswer(reason=_NO_MEMORY)
        except RPCError as error:
            raise _unavailable() from error

    async def check_model(self, name: str) -> ModelChecked:
        """Let a worker look at a model, and wait for its word. Raises Unavailable."""
        try:
            return await self.client.execute_workflow(
                CheckModel.run,
                ModelCheck(name=name),
                id=new_id("chk"),
                task_queue=self.prefix + policies.TURNS_QUEUE,
                execution_timeout=policies.CHECK_TIMEOUT,
                rpc_timeout=policies.CHECK_TIMEOUT,
            )
        except WorkflowFailureError as error:
            message = "No worker looked at the model in time."
            raise Unavailable(message) from error
        except RPCError as error:
            raise _unavailable() from error

    async def grant_lease(self, turn_id: str, epoch: int) -> None:
        """Tell a parked turn that the conversation is its own again; a closed one needs no telling."""
        handle = self.client.get_workflow_handle(turn_workflow_id(turn_id))
        try:
            await handle.signal(ChatTurn.lease_granted, LeaseGranted(epoch=epoch), rpc_timeout=policies.START_TIMEOUT)
        except RPCError as error:
            _pass_when_closed(error)

    async def stop_turn(self, turn_id: str, approval_ids: Sequence[str], user_id: str) -> list[str]:
        """Tell a stopped turn, and withdraw its open approvals; returns those that have no workflow any more."""
        handle = self.client.get_workflow_handle(turn_workflow_id(turn_id))
        try:
            await handle.signal(ChatTurn.stop, rpc_timeout=policies.START_TIMEOUT)
        except RPCError as error:
            _pass_when_closed(error)
        return [one for one in approval_ids if not await self._withdraw(one, f"stop-{turn_id}", user_id)]

    async def withdraw(self, approval_id: str, user_id: str) -> bool:
        """Take an open request back; False when it has no workflow any more. Raises Unavailable."""
        return await self._withdraw(approval_id, f"withdraw-{approval_id}", user_id)

    async def _withdraw(self, approval_id: str, update_id: str, user_id: str) -> bool:
        handle = self.client.get_workflow_handle(approval_workflow_id(approval_id))
        try:
            await handle.execute_update(
                Approval.withdraw,
                Withdrawal(user_id=user_id),
                id=update_id,
                rpc_timeout=policies.UPDATE_TIMEOUT,
            )
        except (WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise _unavailable() from error
        except RPCError as error:
            _pass_when_closed(error)
            return False
        return True

    async def decide(self, approval_id: str, decision: DecisionMade, update_id: str) -> str:
        """Send a decision; answers ACCEPTED, CLOSED (SQL knows the outcome) or a refusal's code. Raises Unavailable."""
        handle = self.client.get_workflow_handle(approval_workflow_id(approval_id))
        try:
            await handle.execute_update(Approval.decide, decision, id=update_id, rpc_timeout=policies.UPDATE_TIMEOUT)
        except WorkflowUpdateFailedError as error:
            if isinstance(error.cause, ApplicationError) and error.cause.type:
                return error.cause.type
            raise _unavailable() from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise _unavailable() from error
        except RPCError as error:
            _pass_when_closed(error)
            return CLOSED
        return ACCEPTED

    async def is_closed(self, workflow_id: str) -> bool:
        """Whether Temporal says that the workflow is closed, or knows none. Raises Unavailable."""
        try:
            description = await self.client.get_workflow_handle(workflow_id).describe(
                rpc_timeout=policies.START_TIMEOUT
            )
        except RPCError as error:
            _pass_when_closed(error)
            return True
        return description.close_time is not None


def _pass_when_closed(error: RPCError) -> None:
    if error.status is not RPCStatusCode.NOT_FOUND:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("The workflow engine does not answer just now. Nothing is lost; it goes on by itself.")
