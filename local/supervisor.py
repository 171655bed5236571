"""Starts services, waits until they answer, restarts those that may be restarted, and stops them all."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.parent_watch import ChildProcess
from local.progress import Problem, last_lines, step
from local.serving import answers

READY_TIMEOUT_S = 120.0
# A service that ends this soon after its start would only end again.
STABLE_AFTER_S = 5.0


@dataclass(frozen=True)
class Service:
    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    ready_urls: Sequence[str]
    restarts: bool = False


class _Running:
    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        log.write_bytes(b"")
        self._launch()

    def _launch(self) -> None:
        service = self.service
        self.started_at = time.monotonic()
        self.child = ChildProcess.start(service.command, log=self.log, env=service.env, cwd=service.folder)

    def restart(self) -> None:
        self.child.stop()
        self._launch()
        self.wait_until_ready()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.started_at

    def wait_until_ready(self) -> None:
        unanswered = list(self.service.ready_urls)
        while unanswered:
            if answers(unanswered[0]):
                unanswered.pop(0)
                continue
            if self.child.exit_code is not None:
                raise self.problem(f"ended with code {self.child.exit_code} instead of starting")
            if self.age_s > READY_TIMEOUT_S:
                raise self.problem(f"did not answer on {unanswered[0]}")
            time.sleep(0.1)

    def problem(self, what: str) -> Problem:
        tail = last_lines(self.log.read_text(errors="replace"))
        return Problem(f"{tail}\nThe {self.service.name} {what}: above is the end of {self.log}")


class Supervisor:
    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._running: list[_Running] = []

    def start(self, *services: Service) -> None:
        """Start services side by side. Returns once all of them answer."""
        started = [
            _Running(service, self._logs / f"{service.name.lower().replace(' ', '-')}.log")
            for service in services
        ]
        self._running += started
        for running in started:
            with step(running.service.name):
                running.wait_until_ready()

    def check(self) -> None:
        """Restart services that have ended. Raises Problem for one that must not be restarted."""
        for running in self._running:
            code = running.child.exit_code
            if code is None:
                continue
            if not running.service.restarts or running.age_s < STABLE_AFTER_S:
                raise running.problem(f"ended with code {code}")
            with step(f"The {running.service.name} ended with code {code}; starting it again"):
                running.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._running:
            running.child.stop()
        for running in self._running:
            running.child.wait()
