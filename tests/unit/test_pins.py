"""What is reached into must not change unseen: a new version of these is read before it is taken."""

import inspect
from importlib.metadata import version

import mcp
import pg8000.core
import pg8000.dbapi
import pytest
from agents.mcp import _compat, server, util


@pytest.mark.parametrize(
    ("package", "pinned"),
    [
        ("pg8000", "1.31.6"),
        ("openai-agents", "0.24.0"),
        ("openai", "3.54.0"),
        ("openai-chatkit", "1.6.5"),
        ("mcp", "2.3.0"),
        ("uvicorn", "0.54.0"),
    ],
)
def test_the_version_is_the_one_that_was_read(package: str, pinned: str) -> None:
    assert version(package) == pinned


def test_pg8000_has_the_inside_that_one_flush_builds_on() -> None:
    connection = pg8000.dbapi.Connection
    for name in ("execute_unnamed", "execute_simple", "handle_messages", "commit"):
        assert callable(getattr(connection, name))
    signature = inspect.signature(pg8000.core.CoreConnection.execute_unnamed)
    assert list(signature.parameters) == ["self", "statement", "vals", "oids", "stream"]
    assert pg8000.core.EXECUTE_MSG[:1] == b"E"
    assert pg8000.core.SYNC_MSG == b"S\x00\x00\x00\x04"
    assert {"rows", "row_count", "columns", "input_funcs"} <= vars(pg8000.core.Context(None)).keys()


def test_the_agents_sdk_takes_the_stand_in_for_the_real_error() -> None:
    """Where it asks for the class, it only asks whether an error is one (parley/tools/lazy_mcp.py)."""
    assert _compat.MCPError is vars(util)["MCPError"]
    assert _compat.MCPError is not mcp.MCPError
    assert isinstance(mcp.MCPError(-32602, "x"), _compat.MCPError)
    assert not isinstance(ValueError(), _compat.MCPError)
    assert _compat.mcp_error_message(mcp.MCPError(-32602, "in its own words")) == "in its own words"
    for module in (_compat, util, server):
        assert "except MCPError" not in inspect.getsource(module)
