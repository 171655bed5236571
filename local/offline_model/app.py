import asyncio
import hashlib
import json
import time
from collections import Counter, deque
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from local.offline_model.answers import answer, commands_in_words, is_follow_up
from local.offline_model.chat_completions import CHAT_COMPLETIONS
from local.offline_model.commands import Commands, read_commands
from local.offline_model.delivery import Delivery, LoggedRequest
from local.offline_model.prompt import BadRequestError, Json, Prompt
from local.offline_model.responses import RESPONSES
from local.offline_model.tokens import PromptCache
from local.offline_model.wire import Protocol

MODEL = "offline"
LOGGED_REQUESTS = 1000
_ERRORS = {
    400: ("invalid_request_error", "invalid_value", "The offline model was told to refuse this request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you do not have access to it.",
    ),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
}
_SERVER_ERROR = ("server_error", "server_error", "The server had an error while processing your request.")


def create_app(*, word_delay_ms: float = 0) -> ASGIApp:
    model = OfflineModel(word_delay_s=word_delay_ms / 1000)
    return Starlette(
        routes=[
            Route("/v1/responses", model.respond, methods=["POST"]),
            Route("/v1/chat/completions", model.complete_chat, methods=["POST"]),
            Route("/v1/models", model.list_models),
            Route("/log", model.show_log, methods=["GET"]),
            Route("/log", model.clear_log, methods=["DELETE"]),
        ]
    )


class OfflineModel:
    def __init__(self, *, word_delay_s: float) -> None:
        self._word_delay_s = word_delay_s
        self._log: deque[LoggedRequest] = deque(maxlen=LOGGED_REQUESTS)
        self._cache = PromptCache()
        self._times_asked: Counter[str] = Counter()

    async def respond(self, request: Request) -> ASGIApp:
        return await self._answer(request, RESPONSES)

    async def complete_chat(self, request: Request) -> ASGIApp:
        return await self._answer(request, CHAT_COMPLETIONS)

    async def list_models(self, _: Request) -> Response:
        model = {"id": MODEL, "object": "model", "created": int(time.time()), "owned_by": "parley"}
        return JSONResponse({"object": "list", "data": [model]})

    async def show_log(self, _: Request) -> Response:
        return JSONResponse({"requests": [asdict(logged) for logged in self._log]})

    async def clear_log(self, _: Request) -> Response:
        self._log.clear()
        return Response(status_code=204)

    async def _answer(self, request: Request, protocol: Protocol) -> ASGIApp:
        header = request.headers.get("x-offline-model", "")
        logged = LoggedRequest(request.url.path, {}, header)
        self._log.append(logged)
        if not request.headers.get("authorization", "").removeprefix("Bearer ").strip():
            return _refuse(logged, 401)
        try:
            logged.body = _object(await request.body())
            prompt = protocol.read(logged.body)
            prompt.check_pairs()
            commands = self._commands(logged, prompt)
            usage = self._cache.usage(prompt, reply := answer(prompt, commands))
            if commands.context is not None and usage.input_tokens > commands.context:
                message = "Your input exceeds the context window of this model."
                return _refuse(logged, 400, message=message, code="context_length_exceeded")
        except BadRequestError as error:
            return _refuse(logged, 400, message=str(error), code=error.code)
        if commands.status:
            await asyncio.sleep(commands.slow)
            return _refuse(logged, commands.status, retry_after=commands.retry_after)
        make = protocol.events if logged.body.get("stream") else protocol.whole
        return Delivery(make(logged.body, reply, usage), commands, self._word_delay_s, logged)

    def _commands(self, logged: LoggedRequest, prompt: Prompt) -> Commands:
        said = [] if is_follow_up(prompt) else prompt.texts("user")
        commands = read_commands(logged.body["model"], logged.commands, said[-1] if said else "")
        if said and commands == Commands():
            commands = commands_in_words(said[-1])
        if commands.first is None:
            return commands
        same = repr((commands, prompt.instructions, prompt.entries))
        key = hashlib.sha256(same.encode("utf-8", "surrogatepass")).hexdigest()
        self._times_asked[key] += 1
        is_over = self._times_asked[key] % (commands.first + 1) == 0
        return commands.pace if is_over else commands


def _object(body: bytes) -> Json:
    try:
        given: Any = json.loads(body)
    except ValueError:
        raise BadRequestError("We could not parse the JSON body of your request.") from None
    if not isinstance(given, dict) or not isinstance(given.get("model"), str):
        raise BadRequestError("Missing required parameter: 'model'.", "missing_required_parameter")
    return given


def _refuse(
    logged: LoggedRequest,
    status: int,
    *,
    message: str | None = None,
    code: str | None = None,
    retry_after: float | None = None,
) -> Response:
    logged.outcome = "refused"
    kind, usual_code, usual_message = _ERRORS.get(status, _SERVER_ERROR)
    error = {"message": message or usual_message, "type": kind, "param": None, "code": code or usual_code}
    seconds = 1 if status == 429 and retry_after is None else retry_after
    headers = {} if seconds is None else {"retry-after": f"{seconds:g}"}
    return JSONResponse({"error": error}, status_code=status, headers=headers)
