"""The environments of one function. Each takes one invocation at a time; the last used is reused first."""

import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from local.aws.environment import Environment, InitError, Outcome


class Throttled(Exception):
    """The function's reserved concurrency is used up."""


class Pool:
    """At most `limit` environments. If all are busy, an invocation waits; Lambda would start one more."""

    def __init__(
        self, start: Callable[[], Environment], limit: int, reserved_concurrency: int | None
    ) -> None:
        self._start = start
        free = sys.maxsize if reserved_concurrency is None else reserved_concurrency
        self._free = threading.Semaphore(free)
        self._workers = ThreadPoolExecutor(limit)
        self._lock = threading.Lock()
        self._idle: list[Environment] = []
        self._all: set[Environment] = set()
        self._closed = False

    def submit(self, event: bytes) -> Future[Outcome]:
        """Raises Throttled."""
        if not self._free.acquire(blocking=False):
            raise Throttled
        return self._workers.submit(self._invoke_and_free, event)

    @property
    def environments(self) -> int:
        return len(self._all)

    def discard_idle(self) -> None:
        """As Lambda does after some idle minutes."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        for environment in idle:
            environment.stop()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            environments = list(self._all)
        self._workers.shutdown(wait=False, cancel_futures=True)
        for environment in environments:
            environment.stop()
        self._workers.shutdown()

    def _invoke_and_free(self, event: bytes) -> Outcome:
        # Not in a callback of the future's, which may run after whoever waits for the result has gone on.
        try:
            return self._invoke(event)
        finally:
            self._free.release()

    def _invoke(self, event: bytes) -> Outcome:
        try:
            environment = self._take()
        except InitError as error:
            return Outcome(json.dumps(error.error).encode(), is_error=True, report="")
        outcome = environment.invoke(event)
        self._give_back(environment, usable=environment.alive)
        return outcome

    def _take(self) -> Environment:
        with self._lock:
            while self._idle:
                environment = self._idle.pop()
                if environment.alive:
                    return environment
                self._all.discard(environment)
                environment.stop()
        environment = self._start()
        with self._lock:
            self._all.add(environment)
            closed = self._closed
        if closed:
            environment.stop()
        try:
            environment.initialise()
        except InitError:
            self._give_back(environment, usable=False)
            raise
        return environment

    def _give_back(self, environment: Environment, *, usable: bool) -> None:
        with self._lock:
            if usable and not self._closed:
                self._idle.append(environment)
                return
            self._all.discard(environment)
        environment.stop()
