"""MCP servers elsewhere, as functions/chat/agent.py declares them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """An MCP server whose tools the agent may use. The model knows them as `{name}_{tool}`.

    `allowed_tools`: the server's other tools are left out. `secret`: sent as bearer token. With
    `pass_user_token`, the user's own token is sent instead, and the server can do whatever the user can.
    `needs_approval`: the tools that the user has to approve first. `timeout_s`: for one call.
    """

    name: str
    url: str
    allowed_tools: Sequence[str]
    secret: SecretStr | None = field(default=None, kw_only=True)
    pass_user_token: bool = field(default=False, kw_only=True)
    needs_approval: Sequence[str] = field(default=(), kw_only=True)
    timeout_s: float = field(default=TIMEOUT_S, kw_only=True)

    def __post_init__(self) -> None:
        # No underscore, so that two servers' tools cannot share a name.
        if not re.fullmatch("[a-zA-Z0-9-]{1,20}", self.name):
            raise ValueError(
                f"RemoteServer {self.name!r}: a name has letters, digits and hyphens, 20 at most"
            )
        for tool in self.allowed_tools:
            if not re.fullmatch("[a-zA-Z0-9_-]{1,43}", tool):
                raise ValueError(f"RemoteServer {self.name!r}: no model takes a tool named {tool!r}")
        # A tool that is misspelled here would be used without approval.
        for tool in self.needs_approval:
            if tool not in self.allowed_tools:
                raise ValueError(f"RemoteServer {self.name!r}: {tool!r} needs approval, but is not allowed")
        if self.secret and self.pass_user_token:
            raise ValueError(f"RemoteServer {self.name!r}: either `secret` or `pass_user_token`")

    def tool_name(self, tool: str) -> str:
        return f"{self.name}_{tool}"
