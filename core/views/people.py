"""What the doors show of people and their programs."""

from datetime import datetime

from core.values import Value


class PersonView(Value):
    """A person, or (`kind` service) a program with a place of its own, as the members of one workspace see them.

    `same_person_as`: the user who this person is too, as owners or admins stated.
    """

    id: str
    email: str
    name: str
    role: str
    kind: str = "person"
    manager_id: str | None = None
    same_person_as: str | None = None
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


class IdentityView(Value):
    """An account of a person on a channel; `broken_at`: since when nothing reaches it, `unlinked_at`: it was theirs."""

    id: str
    user_id: str
    channel: str
    account: str
    external_id: str
    shown_as: str
    linked_at: datetime
    broken_at: datetime | None = None
    unlinked_at: datetime | None = None


class LinkView(Value):
    """A link under way. `kind`: code (made here, said in the chat) or pairing (asked for in the chat, typed here).

    `state`: open, confirming (the chat was asked whether it wants this), linked, declined, withdrawn.
    `to`: whose account here, as the chat may see it; `shown_as`: whose account there.
    """

    id: str
    kind: str
    channel: str
    account: str
    state: str
    to: str = ""
    shown_as: str = ""
    external_id: str | None = None
    created_at: datetime
    expires_at: datetime


class PasskeyView(Value):
    """A passkey as its person sees it."""

    id: str
    name: str
    transports: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None


class OidcAccountView(Value):
    """A person's account with an OpenID provider, as they see it."""

    id: str
    issuer: str
    email: str | None
    linked_at: datetime


class FactorsView(Value):
    """How a person can prove who they are; `passkeys`, `recovery_codes` and `oidc`: how many."""

    password: bool
    totp: bool
    passkeys: int
    recovery_codes: int
    oidc: int

    @property
    def second(self) -> tuple[str, ...]:
        """Name those that are asked for besides the password; with any, the password alone is not enough."""
        return tuple(name for name, has in (("totp", self.totp), ("passkey", self.passkeys > 0)) if has)


class SessionView(Value):
    """A sign-in as its person sees it. `fresh_until`: until when the last proof counts (L3); null when it does not."""

    id: str
    assurance: str
    proved_at: datetime | None
    proved_by: str | None
    fresh_until: datetime | None
    factors: FactorsView


class GroupMemberView(Value):
    """A person in a group."""

    user_id: str
    name: str
    added_by: str
    added_at: datetime


class GroupView(Value):
    """People of a workspace under a name that rules use; `size` counts those who are not shut out."""

    id: str
    name: str
    title: str
    size: int
    created_at: datetime
