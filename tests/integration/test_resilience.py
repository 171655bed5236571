"""What must survive: a client that goes away, a process that is killed, a log that is read."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from local.ports import free_port
from local.postgres import Postgres
from parley.config import Settings
from parley.postgres import Address
from tests.conftest import ApiUser

ROOT = Path(__file__).parents[2]


@contextmanager
def worker(settings: Settings, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An API in a process of its own, which a test may kill."""
    environment = {
        "LOG_LEVEL": "DEBUG",
        "PATH": os.environ["PATH"],
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "JWT_ISSUER": settings.jwt_issuer,
        "OPENAI_API_KEY": "offline",
        "OPENAI_BASE_URL": settings.openai_base_url or "",
        "OPENAI_MODEL": "offline",
        "DATABASE_TRANSPORT": settings.database_transport,
        "DATABASE_HTTP_URL": settings.database_http_url or "",
    }
    command = [sys.executable, "-m", "uvicorn", "parley.main:create_app", "--factory"]
    command += ["--app-dir", str(ROOT / "layers" / "parley" / "python"), "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/api/health")
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, log.read_text()
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_process_killed_between_two_messages_loses_nothing(
    settings: Settings, new_user: Callable[..., ApiUser], tmp_path: Path
) -> None:
    port = free_port()
    alice = new_user(api_url=f"http://127.0.0.1:{port}")
    with worker(settings, port, tmp_path / "log") as process:
        conversation_id = alice.say("My name is Ada").json()["conversation_id"]
        process.send_signal(signal.SIGKILL)
        process.wait()
    with worker(settings, port, tmp_path / "log"):
        assert "Ada" in alice.say("What is my name?", conversation_id).json()["response"]
        assert len(alice.messages(conversation_id)) == 4


def test_a_client_that_goes_away_does_not_stop_the_turn(alice: ApiUser) -> None:
    async def leave_early() -> str:
        async with (
            httpx.AsyncClient(base_url=alice.http.base_url, headers=alice.http.headers) as http,
            http.stream(
                "POST",
                "/chat",
                json={"message": "[offline: word=40,words=60] Tell me more"},
                headers={"Accept": "text/event-stream"},
            ) as reply,
        ):
            async for line in reply.aiter_lines():
                if line.startswith("data:"):
                    return str(json.loads(line[5:])["conversation_id"])
        raise AssertionError("nothing came")

    conversation_id = asyncio.run(leave_early())
    assert alice.messages(conversation_id)[1]["status"] == "in_progress"
    assert alice.http.get(f"/conversations/{conversation_id}").json()["running"] is True
    deadline = time.monotonic() + 30
    while (answer := alice.messages(conversation_id)[1])["status"] == "in_progress":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert answer["status"] == "completed"
    assert len(answer["content"]) > 100


def test_ready_says_when_the_database_is_away(tmp_path: Path, serve_api: Callable[..., str]) -> None:
    with Postgres.start(tmp_path / "pg", durable=False) as server:
        url = serve_api(database_url=SecretStr(server.owner_url))
        assert httpx.get(f"{url}/api/health/ready").status_code == 200
    reply = httpx.get(f"{url}/api/health/ready")
    assert (reply.status_code, reply.json()) == (503, {"status": "not ok"})
    assert httpx.get(f"{url}/api/health").status_code == 200


@pytest.mark.both_transports
@pytest.mark.parametrize("command", ["", "[offline: status=500] ", "[offline: rubbish=json] "])
def test_no_log_holds_what_users_write_or_carry(
    settings: Settings, new_user: Callable[..., ApiUser], tmp_path: Path, command: str
) -> None:
    port = free_port()
    alice = new_user("alice", api_url=f"http://127.0.0.1:{port}")
    log = tmp_path / "log"
    with worker(settings, port, log):
        reply = alice.say(f"{command}Say exactly: canary-answer", **{"Idempotency-Key": "canary-key"})
        alice.say("canary\x00text")
        alice.say("canary", "canary-id")
        request_id = reply.headers["x-request-id"]
    text = log.read_text()
    assert "canary" not in text
    assert alice.token not in text
    assert settings.database_url.get_secret_value() not in text
    assert Address(settings.database_url.get_secret_value()).password not in text
    assert request_id in text, "an operator finds the request by its id"
