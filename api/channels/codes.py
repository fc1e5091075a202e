"""`/approve CODE` and `/reject CODE`: a code names a prompt of this person in this very chat, as a button does."""

from sqlalchemy.ext.asyncio import AsyncSession

from api.channels.deciding import Deciding, Shown, chosen
from api.channels.desk import Desk, Heard
from core.codes import begins_with, code_of, said
from core.errors import NotFound, TooMany
from core.ids import secret_hash
from core.store import approvals, deliveries, link_failures
from core.store.work import change
from core.tables.connect import Delivery
from core.text import reveal
from core.values import ApprovalState, DecisionVerdict

_WRONG = "This code does not hold here: it is wrong, or what it stood for was changed or decided since."
_NONE = "No code holds in this chat: /approvals asks you anew about what waits for you."
_MOST = 10
"""Of the prompts whose codes are listed at once."""


class Codes:
    """Takes decisions by code. What is meant is never guessed: with none, or a wrong one, nothing is decided."""

    def __init__(self, desk: Desk, deciding: Deciding) -> None:
        """Take what answering works with, and who decides."""
        self._desk = desk
        self._deciding = deciding

    async def approve(self, heard: Heard, rest: str) -> str:
        """Approve what a code stands for."""
        return await self._take(heard, rest, DecisionVerdict.APPROVE)

    async def reject(self, heard: Heard, rest: str) -> str:
        """Reject what a code stands for."""
        return await self._take(heard, rest, DecisionVerdict.REJECT)

    async def _take(self, heard: Heard, rest: str, verdict: DecisionVerdict) -> str:
        word, *comment = rest.split(maxsplit=1) or [""]
        code = said(word)
        if code is None:
            return f"Say which: /{verdict} CODE, and why if you like.\n{await self._which(heard)}"
        try:
            requests = await self._find(heard, *code)
        except TooMany as error:
            return f"{error.detail} Buttons work meanwhile, and the web does."
        if not requests:
            return f"{_WRONG}\n{await self._which(heard)}"
        return await self._deciding.decide(heard, requests, verdict, comment[0] if comment else None)

    async def _find(self, heard: Heard, code: str, number: str | None) -> list[Shown]:
        """Give what a code stands for. A wrong one is counted and audited, and gives nothing; raises TooMany."""
        person, begins = heard.person, begins_with(code)
        sender = f"decide\x1f{heard.channel}\x1f{heard.account}\x1f{heard.event.sender.external_id}"
        async with change(self._desk.database, self._desk.rooms) as work:
            failures = await link_failures.check(work.session, secret_hash(sender))
            rows = await _prompts(work.session, heard, begins) if begins else []
            found = [row for row in rows if code_of(row.token_hash or "") == code]
            requests = chosen(found[0], number) if len(found) == 1 else []
            if not requests:
                link_failures.count(failures)
                facts = {"door": heard.channel, "account": heard.event.sender.external_id, "why": "code"}
                await self._desk.audit.record(
                    work, person.workspace_id, person.user_id, "prompt.refused", person.session_id, **facts
                )
        return requests

    async def _which(self, heard: Heard) -> str:
        lines = await self.listed(heard)
        return "\n".join(("These codes hold in this chat:", *lines)) if lines else _NONE

    async def listed(self, heard: Heard) -> list[str]:
        """Give a line for each request that a code decides in this chat, newest prompt first."""
        lines: list[str] = []
        async with self._desk.database.reading() as session:
            rows = [row for row in await _prompts(session, heard) if row.state == deliveries.SENT]
            for row in rows[:_MOST]:
                lines += await _lines(session, heard, row)
        return lines


async def _prompts(session: AsyncSession, heard: Heard, begins: str = "") -> list[Delivery]:
    where = (heard.channel, heard.account, heard.event.thread)
    return await deliveries.armed(session, heard.person.user_id, *where, begins)


async def _lines(session: AsyncSession, heard: Heard, row: Delivery) -> list[str]:
    """Say what a prompt's code stands for, as far as it is still as it was shown; of several each has its number."""
    code, shown = code_of(row.token_hash or ""), chosen(row, None)
    lines: list[str] = []
    for number, (approval_id, digest) in enumerate(shown, 1):
        try:
            view = await approvals.one(session, heard.person, approval_id)
        except NotFound:
            continue
        if view.state == ApprovalState.PENDING and view.digest == digest:
            name = f"{code}-{number}" if row.body.get("batch") else code
            lines.append(f"{name}: {reveal(view.title)[:80]}")
    return [f"{code}: all {len(lines)} of these", *lines] if len(lines) > 1 else lines
