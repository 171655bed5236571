"""Loads the Agents SDK without the MCP SDK, which is 40 % of its import. To be imported before `agents`.

While it is imported, the Agents SDK needs one thing of `mcp`: the class MCPError, to tell later whether an
error is one. A stand-in takes its place in the meantime, and has left `sys.modules` before anybody else meets
it: whoever uses MCP imports the real thing.
"""

import sys
from types import ModuleType
from typing import Any

_EXCEPTIONS = "mcp.shared.exceptions"


class _AsTheRealOne(type):
    def __instancecheck__(cls, error: Any) -> bool:
        """No error can be one before the module of the real class is loaded."""
        real = sys.modules.get(_EXCEPTIONS)
        return real is not None and isinstance(error, real.MCPError)


class _MCPError(Exception, metaclass=_AsTheRealOne):
    pass


def _import_agents() -> None:
    stand_in = ModuleType(_EXCEPTIONS)
    stand_in.__dict__["MCPError"] = _MCPError
    sys.modules[_EXCEPTIONS] = stand_in
    try:
        import agents  # noqa: F401, PLC0415
    finally:
        del sys.modules[_EXCEPTIONS]


if not {"agents", "mcp"} & sys.modules.keys():
    _import_agents()
