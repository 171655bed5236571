"""A client that follows a schedule and records what the API acknowledged."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.crash.boundaries import FAILS_ONCE, Fault, FaultInjector
from tests.crash.invariants import Row, Rows, hold, same_as_shown
from tests.crash.schedule import Step
from tests.crash.workers import ForkServer, Worker

PATIENCE_S = 15
MAX_TRIES = 4
# Checkpoints come every 30 ms.
SLOWLY = "[offline: word=8] "
ENOUGH_WORDS = " ".join(["and so on"] * 5)


@dataclass
class Request:
    """A request that the client makes, however often it sends it.

    `reply`: what was acknowledged. `ran`: an answer came that was no replay.
    """

    key: str
    path: str
    body: dict[str, Any] | None
    question: str | None = None
    reply: dict[str, Any] | None = None
    raw: bytes | None = None
    ran: bool = False
    pointless: bool = False
    stored_ids: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Answer:
    status: int
    problem: str
    replayed: bool


class ChatClient:
    def __init__(
        self,
        user_id: str,
        token: str,
        *,
        http: httpx.AsyncClient,
        fork_server: ForkServer,
        faults: FaultInjector,
        rows: Rows,
        trace: Callable[[str], None],
    ) -> None:
        self._path = f"/api/{user_id}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = http
        self._fork_server = fork_server
        self._faults = faults
        self._rows = rows
        self._trace = trace
        self._requests: list[Request] = []
        self._workers: list[Worker] = []
        self._questions = 0
        self._rerun_keys: set[str] = set()
        self._asking: Counter[str] = Counter()
        self._stopped = self._cancels = False
        self._left: tuple[Worker, str] | None = None

    async def follow(self, steps: list[Step]) -> None:
        for step in steps:
            self._trace(str(step))
            await self._take(step)
            self._look()
            if step.killed_afterwards and self._faults.worker:
                await self._faults.worker.kill()
        await self._converge()
        rows = self._look()
        self._rows.check(rows, begins=self._faults.begins.total())
        self._check_replies(rows)
        await self._reload(rows)

    async def leave(self) -> None:
        for worker in self._workers:
            worker.wake()
            await worker.kill()

    # Steps

    async def _take(self, step: Step) -> None:
        if step.action == "reload":
            await self._rest()
            await self._reload(self._look())
            return
        attempts = self._attempts(step)
        await self._crash_point(step, attempts)
        for request in self._requests:
            if request.reply is None and not request.pointless and step.then != "move on":
                if step.then == "hasty":
                    await self._ask(request, streams=step.streams)
                    self._look()
                await self._settle(request)
        await self._rest()

    def _attempts(self, step: Step) -> list[Awaitable[object]]:
        """What the step does, not yet begun."""
        if step.action == "replay" and self._requests:
            return [self._ask(self._requests[-1], streams=step.streams)]
        if step.action == "rivals":
            return [self._ask(self._send(step), streams=step.streams) for _ in range(2)]
        request = {"regenerate": self._regenerate, "edit": self._edit}.get(step.action, self._send)(step)
        if step.action == "twins":
            return [self._ask(request, streams=each) for each in (False, step.streams)]
        if step.action in {"cancel", "leave"}:
            then = self._cancel if step.action == "cancel" else None
            return [self._ask(request, streams=True, on_created=then, leaves=step.action == "leave")]
        return [self._ask(request, streams=step.streams)]

    async def _crash_point(self, step: Step, attempts: list[Awaitable[object]]) -> None:
        fault = Fault(**vars(step.crash_point)) if step.crash_point else None
        await self._worker()
        self._faults.arm(fault)
        self._stopped = False
        self._cancels = step.action == "cancel"
        asking: asyncio.Future[Any] = asyncio.gather(*attempts)
        if fault is None or fault.how != "stop":
            await asking
        else:
            striking = asyncio.create_task(fault.struck.wait())
            await asyncio.wait([asking, striking], return_when=asyncio.FIRST_COMPLETED)
            striking.cancel()
            if fault.struck.is_set():
                await self._overtake(fault, step)
            await asking
        self._faults.arm(None)

    async def _overtake(self, fault: Fault, step: Step) -> None:
        """The lease of a stopped worker expires, another worker takes over, then the first one continues."""
        self._stopped = True
        stale = self._faults.worker
        assert stale is not None
        self._rows.expire_leases()
        self._look()
        self._faults.worker = None
        if step.then == "move on":
            await self._ask(self._send(step))
        else:
            await self._ask(self._requests[-1])
        self._look()
        self._trace("  wakes")
        stale.wake()
        fault.woken.set()

    async def _settle(self, request: Request) -> None:
        """Send it again, as a client does, until there is an answer."""
        for _ in range(MAX_TRIES):
            await self._rest()
            self._rows.expire_leases()
            await self._ask(request)
            self._look()
            if request.reply is not None or request.pointless:
                return
        hold(False, f"{request.key} got no answer in {MAX_TRIES} tries")

    async def _converge(self) -> None:
        self._rows.expire_leases()
        for request in self._requests:
            if request.reply is None and not request.pointless:
                await self._settle(request)

    async def _rest(self) -> None:
        """Until the turn that was left behind has ended, which it does unless its worker dies."""
        for _ in range(PATIENCE_S * 50):
            if self._left is None or not self._left[0].alive:
                return
            self._look()
            if self._rows.seen[self._left[1]].status != "in_progress":
                self._left = None
                return
            await asyncio.sleep(0.02)
        hold(False, "a turn stopped because its client left")

    # Requests

    def _new(self, path: str, body: dict[str, Any] | None, question: str | None) -> Request:
        request = Request(f"key-{len(self._requests)}", path, body, question)
        self._requests.append(request)
        return request

    def _text(self, step: Step) -> str:
        self._questions += 1
        fails = FAILS_ONCE if step.action == "fail" else "of mine"
        return f"{SLOWLY * step.slow}question-{self._questions} {fails} {ENOUGH_WORDS * step.slow}".strip()

    def _send(self, step: Step) -> Request:
        text = self._text(step)
        known = self._conversations()
        where = {"conversation_id": known[step.conversation]} if step.conversation < len(known) else {}
        return self._new("/chat", {"message": text} | where, text)

    def _regenerate(self, step: Step) -> Request:
        target = self._active(step, "assistant")
        return self._new(f"{_path(target)}/regenerate", None, None) if target else self._send(step)

    def _edit(self, step: Step) -> Request:
        target = self._active(step, "user")
        text = self._text(step)
        return self._new(f"{_path(target)}/edit", {"message": text}, text) if target else self._send(step)

    def _conversations(self) -> list[str]:
        ids = {row.conversation_id: None for row in self._rows.seen.values()}
        return sorted(ids, reverse=True)

    def _active(self, step: Step, role: str) -> Row | None:
        known = self._conversations()[step.conversation :][:1]
        mine = [row for row in self._rows.seen.values() if row.conversation_id in known]
        active = [row for row in mine if row.role == role and not row.superseded]
        return active[len(self._requests) % len(active)] if active else None

    async def _worker(self) -> Worker:
        if self._faults.worker is None or not self._faults.worker.alive:
            self._faults.worker = await self._fork_server.fork()
            self._workers.append(self._faults.worker)
        return self._faults.worker

    async def _ask(
        self,
        request: Request,
        *,
        streams: bool = False,
        on_created: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
        leaves: bool = False,
    ) -> None:
        """Send it once, and record what came of it."""
        worker = await self._worker()
        self._asking[request.key] += 1
        headers = {**self._headers, "Idempotency-Key": request.key}
        if streams:
            headers["Accept"] = "text/event-stream"
        url = f"{worker.url}{self._path}{request.path}"
        # Of twins, the replay may arrive before the answer that it repeats.
        again = request.reply is not None
        try:
            async with self._http.stream("POST", url, json=request.body, headers=headers) as reply:
                if reply.headers["content-type"].startswith("text/event-stream"):
                    await self._listen(request, reply, on_created, leaves)
                else:
                    self._note(request, reply, await reply.aread(), again)
        except httpx.TransportError as error:
            hold(not isinstance(error, httpx.TimeoutException), f"{request.key} hangs")
            self._trace(f"  {request.key}: {type(error).__name__}")
        finally:
            self._asking[request.key] -= 1
            self._rerun_keys.add(request.key)

    async def _listen(
        self,
        request: Request,
        reply: httpx.Response,
        on_created: Callable[[dict[str, Any]], Awaitable[None]] | None,
        leaves: bool,
    ) -> None:
        name, meanwhile = "", None
        async for line in reply.aiter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: ") and name == "turn.created":
                created = json.loads(line[6:])
                request.stored_ids |= {created["message_id"], created["user_message_id"]}
                if leaves:
                    self._trace(f"  {request.key}: left")
                    if self._faults.worker:
                        self._left = self._faults.worker, created["message_id"]
                    return
                if on_created:
                    meanwhile = asyncio.ensure_future(on_created(created))
            elif line.startswith("data: ") and name in {"turn.completed", "turn.cancelled"}:
                self._acknowledge(request, json.loads(line[6:]))
            elif line.startswith("data: ") and name == "turn.failed":
                problem = json.loads(line[6:])
                self._refused(request, problem["status"], problem["type"])
        if meanwhile:
            await meanwhile

    def _note(self, request: Request, reply: httpx.Response, body: bytes, again: bool) -> None:
        if reply.status_code != 200:
            self._refused(request, reply.status_code, json.loads(body)["type"])
            hold(
                reply.status_code not in {409, 503} or "retry-after" in reply.headers or request.pointless,
                f"{reply.status_code} without Retry-After",
            )
            return
        self._acknowledge(request, json.loads(body))
        ran = "idempotency-replayed" not in reply.headers
        hold(not (ran and (again or request.ran)), f"{request.key} ran again")
        request.ran |= ran
        hold(request.raw in (None, body), f"{request.key} was replayed differently")
        request.raw = body

    def _acknowledge(self, request: Request, reply: dict[str, Any]) -> None:
        self._trace(f"  {request.key}: {reply['status']}")
        hold(request.reply in (None, reply), f"{request.key} was answered {request.reply}, then {reply}")
        request.reply = reply

    def _refused(self, request: Request, status: int, kind: str) -> None:
        self._trace(f"  {request.key}: {status} {kind}")
        fails = request.question is None or FAILS_ONCE in request.question
        match kind:
            case "/problems/turn-in-progress":
                pass
            case "/problems/turn-lost" if self._stopped or self._cancels:
                pass  # the reply of a worker that was stopped, or whose turn was cancelled meanwhile
            case "/problems/model-failed" if fails and self._stopped and request.reply is not None:
                pass  # a late reply: another worker ran the turn again since
            case _ if request.reply is not None:
                hold(False, f"{request.key} was answered before, now {status} {kind}")
            case "/problems/message-superseded":
                request.pointless = True
            case "/problems/model-failed" if fails:
                # A failure that a newer version has replaced stays one.
                rows = [row for row in self._rows.seen.values() if row.key == request.key]
                request.pointless = request.question is None or any(row.superseded for row in rows)
            case _:
                hold(False, f"{request.key} was answered {status} {kind}")

    async def _cancel(self, created: dict[str, Any]) -> None:
        worker = self._faults.worker
        if worker is None or not worker.alive:
            return
        path = f"/conversations/{created['conversation_id']}/messages/{created['message_id']}/cancel"
        try:
            reply = await self._http.post(f"{worker.url}{self._path}{path}", headers=self._headers)
        except httpx.TransportError:
            return
        hold(reply.status_code == 200, f"cancel was answered {reply.status_code}")
        self._trace(f"  cancel: {reply.json()['status']}")

    # Checks

    def _look(self) -> list[Row]:
        rows = self._rows.look(self._rerun_keys | set(+self._asking))
        self._rerun_keys = set()
        return rows

    async def _reload(self, rows: list[Row]) -> None:
        worker = await self._worker()
        for conversation_id in {row.conversation_id for row in rows}:
            url = f"{worker.url}{self._path}/conversations/{conversation_id}/messages"
            reply = await self._http.get(url, headers=self._headers)
            hold(reply.status_code == 200, f"a reload was answered {reply.status_code}")
            same_as_shown(rows, reply.json()["data"], conversation_id)

    def _check_replies(self, rows: list[Row]) -> None:
        by_id = {row.id: row for row in rows}
        for request in self._requests:
            hold(request.stored_ids <= by_id.keys(), f"{request.key} was acknowledged and is lost")
            if request.reply:
                answer = by_id.get(request.reply["message_id"])
                hold(answer is not None, f"the reply to {request.key} is lost")
                assert answer is not None
                acknowledged = (request.reply["response"], request.reply["status"], request.key)
                hold(
                    acknowledged == (answer.content, answer.status, answer.key),
                    f"acknowledged {acknowledged}, stored {answer}",
                )
                question = by_id[str(answer.reply_to)].content
                hold(request.question in (None, question), f"the question of {request.key} changed")
        for question, model_calls in self._faults.model_calls.items():
            hold(
                model_calls <= self._faults.begins[question],
                f"the model was called {model_calls} times for {question}",
            )


def _path(target: Row) -> str:
    return f"/conversations/{target.conversation_id}/messages/{target.id}"
