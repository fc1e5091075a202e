"""What the doors show of people and their programs."""

from datetime import datetime

from core.values import Value


class PersonView(Value):
    """A person as the members of one workspace see them."""

    id: str
    email: str
    name: str
    role: str
    workspace_id: str
    created_at: datetime
    disabled_at: datetime | None = None


class ProfileView(Value):
    """What a person says about themselves; only they see it, and the model that answers them."""

    id: str
    email: str
    name: str
    locale: str | None
    time_zone: str | None
    preferences: dict[str, str]


class InvitationView(Value):
    """A way into the workspace that somebody offered to an e-mail address; the token itself is shown once only."""

    id: str
    email: str
    role: str
    invited_by: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None


class ApiTokenView(Value):
    """A program's token as its person sees it: `hint` is how it ends; the token itself was shown once."""

    id: str
    user_id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
