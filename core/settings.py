"""Every setting: from the environment, one TOML file, or its default; read in the composition roots only."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import Misconfigured
from core.mcp_entries import McpEntries, check_servers
from core.oidc_entries import OidcEntries, check_names
from core.smtp import SmtpSettings

PREFIX = "ASSENT_"
CONFIG_NAME = "assent.toml"

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]
Origins = Annotated[tuple[str, ...], NoDecode]
Hosts = Annotated[tuple[str, ...], NoDecode]


def _default_data_dir() -> Path:
    return user_data_path("assent", appauthor=False)


def _default_database_url(values: dict[str, Any]) -> str:
    return f"sqlite+aiosqlite:///{values['data_dir'] / 'assent.db'}"


def _default_files_dir(values: dict[str, Any]) -> Path:
    directory: Path = values["data_dir"] / "files"
    return directory


def _default_memory_dir(values: dict[str, Any]) -> Path:
    directory: Path = values["data_dir"] / "memory"
    return directory


def _default_uploads_dir(values: dict[str, Any]) -> Path:
    directory: Path = values["data_dir"] / "uploads"
    return directory


class ModelEntry(BaseModel):
    """One model that may be asked. `name` is ours; `model` the provider's, the same unless given.

    Prices are US dollars for a million tokens; without them the known price counts, or none is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=100)
    provider: Literal[
        "openai-compatible", "openai", "anthropic", "google", "mistral", "bedrock", "ollama", "openrouter"
    ] = "openai-compatible"
    model: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    region: str | None = None
    tier: Literal["small", "standard", "strong"] = "standard"
    tools: bool = True
    images: bool = False
    context_tokens: Count = 128_000
    max_output_tokens: Count = 4_096
    input_price: float | None = Field(None, ge=0)
    output_price: float | None = Field(None, ge=0)


class ConsensusRule(BaseModel):
    """Who is asked as well when a model wants to do something of one of these risks; by default nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    models: tuple[str, ...] = ()
    risks: tuple[Literal["read", "write", "external_comms", "money", "destructive", "admin"], ...] = (
        "money",
        "destructive",
        "admin",
    )


def _shown(text: str) -> dict[str, Any]:
    """Give the documentation a default that does not depend on the machine."""
    return {"shown_default": text}


class Settings(BaseSettings):
    """All settings; `load_settings` makes one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    # Where things are
    data_dir: Path = Field(
        default_factory=_default_data_dir,
        json_schema_extra=_shown("the platform's folder for user data"),
        description="Folder of all state; called DATA below.",
    )
    database_url: str = Field(
        default_factory=_default_database_url,
        repr=False,
        json_schema_extra=_shown("SQLite, DATA/assent.db"),
        description="`sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER:PASSWORD@HOST/NAME`.",
    )
    files_dir: Path = Field(
        default_factory=_default_files_dir,
        json_schema_extra=_shown("DATA/files"),
        description="Folder of the `files` connector, one subfolder for each workspace.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level written to DATA/logs/assent.log."
    )

    # The address
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8080, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(None, description="The address that people use, for links and the origin check.")
    allow_network: bool = Field(
        default=False, description="Listen on an address that other machines reach; put TLS in front."
    )
    cors_origins: Origins = Field((), description="Other origins whose pages may call the API, separated by commas.")

    # Temporal
    temporal_address: str | None = Field(
        None, description="`HOST:PORT` of a Temporal server; without it `assent up` runs one as its child."
    )
    temporal_namespace: str = Field("default", description="Temporal namespace.")
    temporal_tls: bool = Field(default=False, description="Connect to Temporal by TLS.")
    temporal_api_key: SecretStr | None = Field(None, description="API key of the Temporal server.")
    temporal_ui_port: Port | None = Field(
        None, description="Port of the child's web UI; without it a free one, kept for later starts."
    )
    history_retention_hours: Count = Field(72, description="Hours that the child keeps closed workflows (at least 1).")
    encrypt_history: bool = Field(default=True, description="Encrypt what travels through Temporal with the key ring.")

    # The model
    model_base_url: str | None = Field(None, description="Base URL of an OpenAI-compatible endpoint.")
    model_name: str | None = Field(None, description="Model to ask; without it the built-in offline assistant answers.")
    model_api_key: SecretStr | None = Field(None, description="API key of the endpoint.")
    model_timeout_seconds: Seconds = Field(120, description="Longest model call.")
    model_first_token_seconds: Seconds = Field(20, description="Longest wait for the first token.")
    model_idle_seconds: Seconds = Field(15, description="Longest silence between two tokens.")
    models: tuple[ModelEntry, ...] = Field(
        (),
        description="More models, in the order of preference: `[[models]]` tables, or JSON in the environment.",
    )
    consensus: ConsensusRule = Field(
        default_factory=ConsensusRule,
        json_schema_extra=_shown("nobody"),
        description="`[consensus]`: `models` that are asked too before an action of one of `risks`.",
    )
    context_tokens: Count = Field(16000, description="Most tokens of talk, memory and instructions in a model call.")
    link_hosts: Hosts = Field((), description="Hosts that links in answers may lead to, separated by commas.")

    # Memory
    memory: bool = Field(default=True, description="Remember: recall earlier talk, facts and documents.")
    memory_dir: Path = Field(
        default_factory=_default_memory_dir,
        json_schema_extra=_shown("DATA/memory"),
        description="Folder of the index; it can be rebuilt from SQL at any time.",
    )
    embed_model: str | None = Field(
        None, description="Name or folder of a sentence-transformers model; without it the bundled one."
    )
    embed_python: Path | None = Field(
        None, description="Python with the packages of lock/embed.txt; without it one is set up on first need."
    )
    recall_seconds: Seconds = Field(0.15, description="Longest look into memory before a turn goes on without it.")
    recall_tokens: Count = Field(1500, description="Most tokens of recalled text in a model call.")
    learn_facts: bool = Field(
        default=True, description="Let the model note lasting facts about a person after its reply."
    )
    uploads_dir: Path = Field(
        default_factory=_default_uploads_dir,
        json_schema_extra=_shown("DATA/uploads"),
        description="Folder of uploaded documents.",
    )
    upload_bytes: Count = Field(26214400, description="Largest uploaded document.")

    # Channels
    channels: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        repr=False,
        json_schema_extra=_shown("none"),
        description="People talk here too: a `[channels.NAME]` table each, or JSON in the environment "
        "([channels.md](channels.md)).",
    )

    # Sign-in
    access_token_seconds: Count = Field(900, description="Life of an access token.")
    refresh_token_days: Count = Field(30, description="Life of a refresh token that is not used.")
    oidc: Annotated[OidcEntries, AfterValidator(check_names)] = Field(
        (),
        description="OpenID providers to sign in by: `[[oidc]]` tables, or JSON in the environment "
        "([sign-in.md](sign-in.md)).",
    )

    # Turns and approvals
    rounds: Count = Field(8, description="Model calls in a turn.")
    tool_calls: Count = Field(16, description="Tool calls in a turn.")
    turn_limit_seconds: Count = Field(900, description="Longest turn, waits for approvals excluded.")
    approval_expiry_seconds: Count = Field(86400, description="Time to decide, unless policy says otherwise.")
    pending_approvals: Count = Field(20, description="Approvals that may wait at once in a conversation.")
    prompts_per_hour: Count = Field(
        20, description="Prompts that a person gets by chat in an hour; more are in the inbox only."
    )
    pending_asks: Count = Field(100, description="Requests of one outside program that may wait at once.")
    step_up_seconds: Count = Field(
        900, description="How long a proof of who somebody is counts as fresh, where policy asks for one (L3)."
    )

    # The audit trail
    audit_publish_file: Path | None = Field(
        None, description="File, best on another machine, to which each audit chain's end is published."
    )
    audit_publish_url: str | None = Field(None, description="Address that is sent each audit chain's end, as JSON.")
    audit_publish_seconds: Seconds = Field(60, description="Time between two looks at what is to be published.")

    # Services
    smtp: SmtpSettings | None = Field(
        None,
        description="`[smtp]`: the mail server, see [connectors.md](connectors.md); without it there is no `email`.",
    )
    private_hosts: Hosts = Field(
        (), description="What calls by HTTP may reach besides the internet: `HOST:PORT` or `NETWORK/BITS`, by commas."
    )
    plugins: Hosts = Field(
        (), description="Installed packages whose connectors are used: `NAME` or `NAME==VERSION`, by commas."
    )
    mcp_servers: Annotated[McpEntries, AfterValidator(check_servers)] = Field(
        (),
        description="MCP servers that workspaces may import by name: `[[mcp_servers]]` tables with `name` and "
        "`command` or `url`, or JSON in the environment ([connectors.md](connectors.md)).",
    )

    # Limits
    text_bytes: Count = Field(32768, description="Longest text of a message.")
    body_bytes: Count = Field(262144, description="Largest JSON body of a request.")
    prompt_bytes: Count = Field(2097152, description="Largest JSON body under /v1, where clients send the whole talk.")
    frame_bytes: Count = Field(131072, description="Largest Socket.IO frame.")
    socket_rate: Seconds = Field(20, description="Events a second that a socket may send, in the long run.")
    socket_burst: Count = Field(40, description="Events that a socket may send at once.")
    socket_in_flight: Count = Field(32, description="Events of a socket that are worked on at once.")
    socket_queue: Count = Field(1000, description="Packets waiting for a slow socket before it is closed.")
    socket_auth_seconds: Seconds = Field(5, description="Time in which a socket has to sign in.")
    sockets_per_user: Count = Field(10, description="Sockets of one user.")
    conversations_per_minute: Count = Field(10, description="Conversations that a user may start in a minute.")
    messages_per_minute: Count = Field(30, description="Messages that a user may send in a minute.")
    decisions_per_minute: Count = Field(20, description="Decisions that a user may send in a minute.")
    asks_per_minute: Count = Field(60, description="Requests for consent that a program or user may send in a minute.")
    webhook_hosts: Hosts = Field(
        (), description="`HOST:PORT` and networks that webhooks may reach though they are not public."
    )

    @field_validator("data_dir", "files_dir", "memory_dir", "uploads_dir", mode="after")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("cors_origins", "link_hosts", "webhook_hosts", "private_hosts", "plugins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("public_url", "model_base_url", mode="after")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            message = "must start with http:// or https://"
            raise ValueError(message)
        return value.rstrip("/") if value else None

    @field_validator("database_url", mode="after")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            message = "must start with sqlite+aiosqlite:// or postgresql+asyncpg://"
            raise ValueError(message)
        return value


def load_settings(**flags: Any) -> Settings:
    """Read all settings: flags (None = not given), then `ASSENT_*`, then the TOML file, then defaults.

    Raises Misconfigured, naming the setting, when one is unknown or has a value that cannot be.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    file = _config_file(given)
    written = {name: value for name, value in _read_toml(file).items() if not os.environ.get(PREFIX + name.upper())}
    try:
        return Settings(**(written | given))
    except ValidationError as error:
        raise Misconfigured(_explain(error)) from None


def _config_file(given: Mapping[str, Any]) -> Path | None:
    """Find the TOML file; one that the environment names must be there."""
    if named := os.environ.get(f"{PREFIX}CONFIG"):
        file = Path(named).expanduser()
        if not file.is_file():
            message = f"{PREFIX}CONFIG names {file}, and there is no such file."
            raise Misconfigured(message)
        return file
    directory = given.get("data_dir") or os.environ.get(f"{PREFIX}DATA_DIR") or _default_data_dir()
    file = Path(directory).expanduser() / CONFIG_NAME
    return file if file.is_file() else None


def _read_toml(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{file} is not valid TOML: {error}"
        raise Misconfigured(message) from None
    if unknown := sorted(values.keys() - Settings.model_fields.keys()):
        message = f"{file} has unknown settings: {', '.join(unknown)}. docs/settings.md lists all."
        raise Misconfigured(message)
    return values


def _explain(error: ValidationError) -> str:
    """Name each wrong setting and what is wrong, never its value: it may be a secret."""
    lines = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(one["loc"][0]) if one["loc"] else "settings"
        lines.append(f"{name} ({PREFIX}{name.upper()}): {one['msg']}")
    return "Wrong settings. " + "; ".join(lines)
