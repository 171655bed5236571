"""`make api` as a person uses it, in a state of its own."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from local.issuer import Issuer, issuer_url
from local.ports import free_port

ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    state: Path
    port: int
    issuer_port: int
    process: subprocess.Popen[str]
    output: list[str]

    def read_until(self, text: str) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output.append(line)
            if text in line:
                return
        pytest.fail("".join(self.output))

    def say(self, message: str, **more: str) -> httpx.Response:
        token = Issuer(issuer_url(self.issuer_port), self.state / "issuer.pem").mint("alice")
        return httpx.post(
            f"http://127.0.0.1:{self.port}/api/alice/chat",
            json={"message": message} | more,
            headers={"authorization": f"Bearer {token}"},
            timeout=30,
        )

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=30)
        return rest

    def processes(self, *marks: str) -> dict[int, str]:
        """Process ids and command lines that name this server's data or ports, or one of the given marks."""
        ps = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True)
        marks = marks or (str(self.state), f"--port {self.port}", f"--port {self.issuer_port}")
        lines = (
            line.split(None, 1) for line in ps.stdout.splitlines() if any(mark in line for mark in marks)
        )
        return {int(pid): command for pid, command in lines}

    def kill_api(self) -> None:
        [pid] = [
            pid
            for pid, command in self.processes(f"--port {self.port}").items()
            if "uvicorn" in command and "parent_watch.py" not in command
        ]
        os.kill(pid, signal.SIGKILL)


def command(state: Path, port: int, issuer_port: int) -> list[str]:
    ports = ["--port", str(port), "--issuer-port", str(issuer_port)]
    return [sys.executable, "-m", "local.dev", "--api", "--state", str(state), *ports]


@contextmanager
def api(state: Path, port: int, issuer_port: int) -> Iterator[Server]:
    env = {**os.environ, "OPENAI_API_KEY": ""}
    with subprocess.Popen(
        command(state, port, issuer_port),
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        server = Server(state, port, issuer_port, process, [])
        too_long = threading.Timer(120, process.kill)
        too_long.start()
        try:
            server.read_until("Stop:")
            yield server
        finally:
            too_long.cancel()
            if process.poll() is None:
                server.stop()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_conversation_survives_a_killed_api_and_a_restart(tmp_path: Path) -> None:
    state, port, issuer_port = tmp_path / "state", free_port(), free_port()
    with api(state, port, issuer_port) as server:
        first = server.say("My name is Ada.").json()
        again = subprocess.run(
            command(state, free_port(), free_port()), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert again.returncode == 1
        assert "It is running already" in again.stderr
        assert again.stderr.strip().count("\n") == 0
        time.sleep(5)  # dying sooner after its start would look like dying for ever
        server.kill_api()
        server.read_until("starting it again")
        answer = server.say("What is my name?", conversation_id=first["conversation_id"])
        assert answer.json()["response"] == "Your name is Ada."
        assert "Stopped." in server.stop()
        assert server.process.returncode == 0
        eventually(lambda: not server.processes())
    with api(state, port, issuer_port) as server:
        answer = server.say("How many messages have I sent?", conversation_id=first["conversation_id"])
        assert answer.json()["response"] == "You have sent me 3 messages."


def test_nothing_is_left_when_it_is_killed(tmp_path: Path) -> None:
    with api(tmp_path / "state", free_port(), free_port()) as server:
        assert len(server.processes()) > 4
        server.process.kill()
        eventually(lambda: not server.processes())


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            command(tmp_path / "state", port, free_port()),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr.strip() == (
        f"Port {port}: {os.strerror(errno.EADDRINUSE)}. Choose another, as in PORT={port + 8000}"
    )
