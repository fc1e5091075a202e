"""The MCP servers that the settings name, checked: only the operator says which commands are run."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator


class McpEntry(BaseModel):
    """A server that every workspace may import by its name: a command that is run for each call, or an address.

    `env` is added to what the command gets of the environment, which is little; `headers` go with each request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,38}$")]
    command: str | None = Field(None, min_length=1)
    args: tuple[str, ...] = ()
    env: dict[str, SecretStr] = Field(default_factory=dict)
    url: str | None = Field(None, pattern=r"^https?://")
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            message = "an MCP server has a command or a url, and not both"
            raise ValueError(message)
        return self


McpEntries = tuple[McpEntry, ...]


def check_servers(entries: McpEntries) -> McpEntries:
    """Return the entries, or raise ValueError when two have one name."""
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"more than one MCP server is called {', '.join(twice)}"
        raise ValueError(message)
    return entries
