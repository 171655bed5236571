"""Clients that send slowly on purpose are answered and closed; others are not delayed."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from local.serving import serve_in_thread
from parley.config import Settings
from parley.main import create_app
from parley.web_server import Protocol
from tests.conftest import ApiUser

LIMIT_S = 0.5
HEAD = (
    "POST /api/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    "Content-Type: application/json\r\n{length}\r\n\r\n"
)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.api.middleware.BODY_TIMEOUT_S", LIMIT_S)
    monkeypatch.setattr("parley.web_server.HEAD_TIMEOUT_S", LIMIT_S)


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with serve_in_thread(lambda _: create_app(settings), http=Protocol) as url:
        yield url


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=10) as connection:
        yield connection


def drip(connection: socket.socket, text: str, pause_s: float = 0.05) -> tuple[bytes, float]:
    """What the server says until it closes the connection, and when, while `text` is sent byte by byte.

    After "408" nothing more is sent: bytes that reach a closed connection are answered by a reset, which can
    discard the rest of what the server said.
    """
    started = time.monotonic()
    said = b""
    connection.settimeout(pause_s)
    for byte in text.encode():
        try:
            if not said.startswith(b"HTTP/1.1 408"):
                connection.sendall(bytes([byte]))
            if not (part := connection.recv(65_536)):
                break
            said += part
        except TimeoutError:
            continue
        except OSError:
            break
    else:
        raise AssertionError(f"the connection is still open; it said {said!r}")
    return said, time.monotonic() - started


@pytest.mark.parametrize(
    "length", ["Content-Length: 1000", "Transfer-Encoding: chunked"], ids=["known", "chunked"]
)
@pytest.mark.parametrize("path", ["{user}/chat", "chatkit", "mcp"])
def test_a_body_that_comes_slowly_is_answered_with_408(
    url: str, new_user: Callable[..., ApiUser], path: str, length: str
) -> None:
    alice = new_user(api_url=url)
    head = HEAD.format(path=path.format(user=alice.id), token=alice.token, length=length)
    body = '{"message": "' if "Length" in length else "ff\r\n" + '{"message": "'
    with connected(url) as connection:
        connection.sendall(head.encode())
        said, after_s = drip(connection, body + "x" * 200)
    # The server's clock began a little earlier.
    assert LIMIT_S * 0.8 <= after_s < LIMIT_S + 2
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in said.lower()
    assert b'"/problems/request-timeout"' in said


@pytest.mark.parametrize(
    "sent",
    [
        "GET /api/health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "\r\n",
        # Answered at once. What it goes on to send is no body that anybody reads.
        "GET /api/health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
        # Answered, and a second request begins.
        "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\nGET /api/health HTTP/1.1\r\nX-Slow: ",
    ],
    ids=["head", "nothing", "unread body", "second head"],
)
def test_a_head_that_comes_slowly_is_closed(url: str, sent: str) -> None:
    with connected(url) as connection:
        connection.sendall(sent.encode())
        _, after_s = drip(connection, "x" * 200)
    assert after_s < LIMIT_S + 2


def test_a_connection_without_a_word_is_closed(url: str) -> None:
    with connected(url) as connection:
        assert connection.recv(1) == b""


def test_a_turn_that_takes_longer_than_a_head_may_is_answered(
    url: str, new_user: Callable[..., ApiUser]
) -> None:
    alice = new_user(api_url=url)
    started = time.monotonic()
    assert alice.say("[offline: slow=1] Hello").status_code == 200
    assert time.monotonic() - started > LIMIT_S
    for _ in range(3):
        assert alice.http.get("/conversations").status_code == 200


def test_many_slow_connections_delay_nobody(url: str) -> None:
    connections = [socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) for _ in range(200)]
    try:
        for connection in connections:
            connection.sendall(b"GET /api/health HTTP/1.1\r\nX-Slow: ")
        started = time.monotonic()
        assert httpx.get(f"{url}/api/health").status_code == 200
        assert time.monotonic() - started < 2
    finally:
        for connection in connections:
            connection.close()
