"""Versions of a conversation in SQL: an edit or a regeneration forks it, the earlier ones are kept and can be shown."""

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.clock import now
from core.errors import Conflict, NotAllowed, NotFound
from core.ids import derived_id, new_id
from core.permissions import Principal
from core.store import conversations, messages, paths, replaced, stops, submissions, turns
from core.store.submissions import Wishes
from core.store.viewing import message_view, turn_view
from core.store.work import Work
from core.tables.talk import Branch, Conversation, Message
from core.tables.work import Turn
from core.views import BranchView, ConversationView, MessageView, VersionView

TRUNK = "trunk"
EDIT, REGENERATE, ORIGINAL = "edit", "regenerate", "original"


async def edit(
    work: Work, who: Principal, door: str, message_id: str, text: str, client_message_id: str
) -> tuple[Turn, bool]:
    """Say one's own message otherwise, in a new version; the same client id gives the same turn, and True.

    What is open in the version left behind is stopped; what it has done stays done.
    Raises NotFound, NotAllowed, Busy, and Conflict when the client id was used for something else.
    """
    seen = await messages.one(work.session, who, message_id)
    conversation = await submissions.open_for(work, who, seen.conversation_id)
    old = await work.session.get_one(Message, message_id)
    if old.role != "user" or old.author_id != who.user_id:
        detail = "Only your own messages can be edited."
        raise NotAllowed(detail)
    earlier = await messages.sent_before(work.session, who, conversation.id, client_message_id)
    if earlier is not None:
        submissions.check_same(earlier, text)
        if earlier.edit_of_id != old.id:
            detail = "This client_message_id was used for another message."
            raise Conflict(detail)
        return await work.session.get_one(Turn, earlier.turn_id), True
    message = _edited(old, who, door, text, client_message_id)
    at = await work.session.get_one(Turn, old.turn_id)
    turn = await _enter(work, who, door, conversation, at, message, Wishes(model=at.asked_model))
    return turn, False


async def regenerate(
    work: Work, who: Principal, door: str, turn_id: str, client_message_id: str, wishes: Wishes
) -> tuple[Turn, bool]:
    """Answer a turn's message once more, in a new version; the same client id gives the same turn, and True.

    Raises NotFound, NotAllowed, UnknownMode, Busy.
    """
    seen = await turns.visible(work.session, who, turn_id)
    conversation = await submissions.open_for(work, who, seen.conversation_id)
    new_turn_id = derived_id("trn", REGENERATE, turn_id, who.user_id, client_message_id)
    earlier = await work.session.get(Turn, new_turn_id)
    if earlier is not None:
        return earlier, True
    at = await work.session.get_one(Turn, turn_id)
    return await _enter(work, who, door, conversation, at, None, wishes, new_turn_id), False


async def _enter(
    work: Work,
    who: Principal,
    door: str,
    conversation: Conversation,
    at: Turn,
    message: Message | None,
    wishes: Wishes,
    turn_id: str | None = None,
) -> Turn:
    """Fork at a turn, stop what is open on no path of the new version, begin its first turn."""
    branch = await _fork(work.session, who, conversation, at, EDIT if message else REGENERATE)
    conversation.active_branch_id = branch.id
    work.session.add(branch)
    await work.session.flush()
    segments = await paths.segments_of(work.session, conversation.id, branch.id)
    await stops.stop_these(work, who, await stops.off_path(work.session, conversation.id, segments))
    await submissions.make_room(work, who, conversation)
    message_id = message.id if message else at.message_id
    turn = await submissions.new_turn(
        work, conversation, who, door, message_id, wishes, turn_id=turn_id or new_id("trn")
    )
    turn.thread_id = at.thread_id
    if message is not None:
        message.turn_id, message.branch_id = turn.id, branch.id
    await submissions.enter(work, conversation, turn, message, updated=True)
    branch.begun_at = turn.place
    return turn


async def _fork(session: AsyncSession, who: Principal, conversation: Conversation, at: Turn, reason: str) -> Branch:
    """Fork where the turn stands; where it began a version itself, beside that version, not on top of it."""
    beside = await replaced.began(session, at)
    return Branch(
        id=new_id("brn"),
        conversation_id=conversation.id,
        parent_id=beside.parent_id if beside else at.branch_id,
        forked_at=beside.forked_at if beside else at.place,
        begun_at=conversation.last_seq + 1,  # at least: its first turn will say
        thread_id=beside.thread_id if beside else at.thread_id,
        replaces_turn_id=beside.replaces_turn_id if beside else at.id,
        reason=reason,
        created_by=who.user_id,
        created_at=now(),
    )


def _edited(old: Message, who: Principal, door: str, text: str, client_message_id: str) -> Message:
    return Message(
        id=new_id("msg"),
        conversation_id=old.conversation_id,
        workspace_id=old.workspace_id,
        turn_id="",
        position=0,
        author_id=who.user_id,
        role="user",
        text=text,
        message_type=old.message_type,
        channel=door,
        client_message_id=client_message_id,
        reply_to_id=old.reply_to_id,
        thread_id=old.thread_id,
        edit_of_id=old.id,
        created_at=now(),
    )


async def activate(work: Work, who: Principal, conversation_id: str, branch: str) -> ConversationView:
    """Show another version, to everybody, and go on from it. What runs in others goes on. Raises NotFound, NotAllowed.

    `branch`: its id, or `trunk` for the first.
    """
    conversation = await submissions.open_for(work, who, conversation_id)
    branch_id = await named(work.session, conversation_id, branch)
    if conversation.active_branch_id == branch_id:
        return await conversations.one(work.session, who, conversation_id)
    conversation.active_branch_id = branch_id
    return await conversations.tell_updated(work, conversation)


async def named(session: AsyncSession, conversation_id: str, branch: str) -> str | None:
    """Give the id of a conversation's version by what people call it. Raises NotFound. The caller checks who asks."""
    if branch == TRUNK:
        return None
    row = await session.get(Branch, branch)
    if row is None or row.conversation_id != conversation_id:
        message = "There is no such version."
        raise NotFound(message)
    return row.id


async def messages_of(
    session: AsyncSession, who: Principal, conversation_id: str, branch: str | None, *, before: int | None, limit: int
) -> tuple[list[MessageView], int | None, int]:
    """Give `messages.page` of a version, by what people call it; None: the one that is shown. Raises NotFound."""
    await messages.check_visible(session, who, conversation_id)
    branch_id = messages.ACTIVE if branch is None else await named(session, conversation_id, branch)
    return await messages.page(session, who, conversation_id, before=before, limit=limit, branch_id=branch_id)


async def of_conversation(
    session: AsyncSession, who: Principal, conversation_id: str, limit: int
) -> tuple[list[BranchView], int]:
    """Give a conversation's newest versions beside the first, oldest first, and their true total. Raises NotFound."""
    await messages.check_visible(session, who, conversation_id)
    of_it = Branch.conversation_id == conversation_id
    statement = select(Branch).where(of_it).order_by(Branch.begun_at.desc()).limit(limit)
    rows = (await session.execute(statement)).scalars().all()
    total = (await session.execute(select(func.count()).select_from(Branch).where(of_it))).scalar_one()
    fields = set(BranchView.model_fields)
    return [BranchView.model_validate(row.model_dump(include=fields)) for row in reversed(rows)], total


async def versions(session: AsyncSession, who: Principal, message_id: str) -> list[VersionView]:
    """Give all that was said and answered in place of a message, or of a reply, oldest first. Raises NotFound."""
    seen = await messages.one(session, who, message_id)
    answered = or_(Turn.message_id == message_id, Turn.id == seen.turn_id)
    of_it = (
        await session.execute(select(Turn).where(Turn.conversation_id == seen.conversation_id, answered))
    ).scalars()
    points = {await _point(session, turn) for turn in of_it}
    branches = select(Branch).where(Branch.conversation_id == seen.conversation_id)
    reasons = {
        (row.id, row.begun_at): row.reason
        for row in (await session.execute(branches)).scalars()
        if (row.parent_id, row.forked_at) in points
    }
    places = [*points, *reasons]
    conversation = await session.get_one(Conversation, seen.conversation_id)
    segments = await paths.segments_of(session, conversation.id, conversation.active_branch_id)
    statement = (
        select(Turn, Message, paths.on_path(segments))
        .join(Message, Message.id == Turn.message_id)
        .where(Turn.conversation_id == seen.conversation_id, or_(*(_at(*one) for one in places)))
        .order_by(Turn.place)
    )
    return [
        VersionView(
            branch_id=turn.branch_id,
            reason=reasons.get((turn.branch_id or "", turn.place), ORIGINAL),
            active=is_shown,
            message=message_view(message),
            turn=turn_view(turn),
        )
        for turn, message, is_shown in (await session.execute(statement)).all()
    ]


async def _point(session: AsyncSession, turn: Turn) -> tuple[str | None, int]:
    """Name where a turn stands: the branch and the place of the first of all that were said there."""
    beside = await replaced.began(session, turn)
    return (beside.parent_id, beside.forked_at) if beside else (turn.branch_id, turn.place)


def _at(branch_id: str | None, place: int) -> ColumnElement[bool]:
    return and_(Turn.branch_id.is_not_distinct_from(branch_id), Turn.place == place)
