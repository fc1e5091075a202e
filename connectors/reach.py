"""What the settings say of the world outside, for whatever calls it."""

from dataclasses import dataclass

from connectors.guarded import Resolve, resolve_by_system
from core.mcp_entries import McpEntries
from core.smtp import SmtpSettings


@dataclass(frozen=True)
class Reach:
    """What the settings say of the world outside: the mail server, what calls may reach, and the MCP servers.

    `plugins` are the installed packages whose connectors are used.
    """

    smtp: SmtpSettings | None = None
    private_hosts: tuple[str, ...] = ()
    resolve: Resolve = resolve_by_system
    mcp_servers: McpEntries = ()
    plugins: tuple[str, ...] = ()
