"""The history of a turn: one ordered timeline from SQL and Temporal, for whoever takes part in the conversation."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from api.recorded import recorded
from api.timeline import Entry, Timeline
from api.workings import Workings
from core.clock import now
from core.permissions import Principal
from core.store import timeline as stored
from core.store.database import Database
from core.store.timeline import TurnRecords
from core.store.viewing import turn_view
from workflows.handles import approval_workflow_id, turn_workflow_id

_RPC_LIMIT = timedelta(seconds=3)


@dataclass(frozen=True)
class _Told:
    """One workflow as Temporal, or the archive, has it."""

    run_id: str
    events: list[HistoryEvent]
    pending: list[PendingActivityInfo]
    archived: bool


class Histories:
    """Tells what happened in a turn. `temporal_ui_url`: where Temporal's web UI is, None when not known."""

    def __init__(self, database: Database, client: Client, temporal_ui_url: str | None) -> None:
        """Take both sources."""
        self._database = database
        self._client = client
        self._ui_url = temporal_ui_url.rstrip("/") if temporal_ui_url else None

    async def timeline(self, who: Principal, turn_id: str) -> Timeline:
        """Give a turn's timeline; without Temporal, what SQL knows and an entry that says so. Raises NotFound."""
        async with self._database.reading() as session:
            records = await stored.of_turn(session, who, turn_id)
        entries = list(recorded(records))
        url = None
        try:
            url = await self._add_workings(records, entries)
        except (RPCError, RuntimeError):  # the SDK's client says RuntimeError when it cannot connect at all
            entries.append(_missing("Temporal does not answer just now: its part is missing"))
        return Timeline(
            turn=turn_view(records.turn),
            entries=tuple(sorted(entries, key=lambda entry: entry.at)),
            temporal_url=url,
        )

    async def _add_workings(self, records: TurnRecords, entries: list[Entry]) -> str | None:
        workflow_id = turn_workflow_id(records.turn.id)
        turn = await self._told(records, workflow_id)
        if turn is not None:
            await self._tell(entries, turn, Workings(self._client.data_converter, "turn"))
        for approval in records.approvals:
            told = await self._told(records, approval_workflow_id(approval.id))
            if told is not None:
                await self._tell(entries, told, Workings(self._client.data_converter, "approval"))
        return self._link(workflow_id, turn)

    async def _tell(self, entries: list[Entry], told: _Told, workings: Workings) -> None:
        entries.extend([entry async for entry in workings.tell(told.events)])
        entries.extend([entry async for entry in workings.tell_pending(told.pending)])
        if told.archived:
            entries.append(_missing("Temporal no longer has this workflow; its part is from the archive"))

    async def _told(self, records: TurnRecords, workflow_id: str) -> _Told | None:
        """Ask Temporal, then the archive; None when neither knows the workflow."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            description = await handle.describe(rpc_timeout=_RPC_LIMIT)
            history = await handle.fetch_history(rpc_timeout=_RPC_LIMIT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return _archived(records, workflow_id)
        pending = list(description.raw_description.pending_activities)
        return _Told(description.run_id, list(history.events), pending, archived=False)

    def _link(self, workflow_id: str, told: _Told | None) -> str | None:
        if self._ui_url is None or told is None or told.archived:
            return None
        namespace = quote(self._client.namespace, safe="")
        return f"{self._ui_url}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}/{told.run_id}/history"


def _archived(records: TurnRecords, workflow_id: str) -> _Told | None:
    row = records.histories.get(workflow_id)
    if row is None or not row.body.get("events"):
        return None
    history = WorkflowHistory.from_json(workflow_id, row.body)
    return _Told(row.run_id, list(history.events), [], archived=True)


def _missing(title: str) -> Entry:
    return Entry(at=now(), lane="server", kind="temporal.missing", title=title)
