import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from local import supervisor
from local.parent_watch import ChildProcess
from local.ports import free_port
from local.progress import Problem
from local.supervisor import Service, Supervisor

ANSWER = "print('listening', flush=True); HTTPServer(('127.0.0.1', PORT), Pid).serve_forever()"


def service(tmp_path: Path, body: str, *, restarts: bool = False) -> Service:
    """A little server that answers with its process id."""
    port = free_port()
    script = f"""
import os, signal, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
PORT = {port}
class Pid(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
{body}
"""
    return Service(
        "little server",
        [sys.executable, "-c", script],
        os.environ,
        tmp_path,
        [f"http://127.0.0.1:{port}/"],
        restarts=restarts,
    )


def pid_of(little: Service) -> int:
    return int(httpx.get(little.ready_urls[0]).text)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def checked(running: Supervisor) -> bool:
    running.check()
    return True


def answers(little: Service) -> bool:
    try:
        return pid_of(little) > 0
    except httpx.TransportError:
        return False


def test_a_service_is_ready_when_started_and_gone_when_stopped(tmp_path: Path) -> None:
    little = service(tmp_path, ANSWER)
    with Supervisor(tmp_path) as running:
        running.start(little)
        pid = pid_of(little)
        running.check()
    assert not is_running(pid)
    assert "listening" in (tmp_path / "little-server.log").read_text()


def test_what_a_service_started_is_stopped_with_it(tmp_path: Path) -> None:
    child = "child = subprocess.Popen(['sleep', '60']); open('child', 'w').write(str(child.pid))"
    with Supervisor(tmp_path) as running:
        running.start(service(tmp_path, f"{child}\n{ANSWER}"))
        pid = int((tmp_path / "child").read_text())
        assert is_running(pid)
    eventually(lambda: not is_running(pid))


def test_what_does_not_want_to_stop_is_killed(tmp_path: Path) -> None:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    script += "; time.sleep(60)"
    log = tmp_path / "log"
    child = ChildProcess.start([sys.executable, "-c", script], log=log, grace_s=0.2)
    eventually(lambda: "1" in log.read_text())
    child.stop()
    assert child.wait() == 128 + signal.SIGKILL


def test_a_service_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    little = service(tmp_path, "sys.exit('no such setting')")
    with (
        Supervisor(tmp_path) as running,
        pytest.raises(Problem, match=r"(?s)no such setting.*ended with code 1"),
    ):
        running.start(little)


def test_a_service_killed_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STABLE_AFTER_S", 0)
    little = service(tmp_path, ANSWER, restarts=True)
    with Supervisor(tmp_path) as running:
        running.start(little)
        first = pid_of(little)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not is_running(first))
        eventually(lambda: checked(running) and answers(little))
        assert pid_of(little) != first


def test_a_service_that_dies_at_once_is_not_started_for_ever(tmp_path: Path) -> None:
    little = service(tmp_path, ANSWER, restarts=True)
    with Supervisor(tmp_path) as running:
        running.start(little)
        os.kill(pid_of(little), signal.SIGKILL)
        with pytest.raises(Problem, match="ended with code"):
            eventually(lambda: not checked(running))


def test_another_service_that_dies_ends_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STABLE_AFTER_S", 0)
    little = service(tmp_path, ANSWER)
    with Supervisor(tmp_path) as running:
        running.start(little)
        os.kill(pid_of(little), signal.SIGKILL)
        with pytest.raises(Problem, match=r"(?s)listening.*ended with code 137"):
            eventually(lambda: not checked(running))
