"""Renders every error as an RFC 9457 problem document."""

import json
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from parley.errors import BadRequest, MethodNotAllowed, NotFound, ProblemError, Unprocessable

MEDIA_TYPE = "application/problem+json"

_TEXT = {"type": "string"}
_REQUEST_ID = {"description": "Names the request in logs", "required": True, "schema": _TEXT}
_CHALLENGE = {"description": "As RFC 6750 has it", "required": True, "schema": _TEXT}
_RETRY_AFTER = {"description": "Seconds to wait", "schema": {"type": "integer"}}
_HEADERS = {
    401: ("WWW-Authenticate", _CHALLENGE),
    409: ("Retry-After", _RETRY_AFTER),
    429: ("Retry-After", _RETRY_AFTER),
    503: ("Retry-After", _RETRY_AFTER),
}


class FieldError(TypedDict):
    pointer: str
    detail: str


class Problem(BaseModel, extra="forbid"):
    """RFC 9457. `type` is stable; `detail` is safe to show; `errors` comes with validation problems."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldError] = []


def problem_response(error: ProblemError, request_id: str) -> Response:
    body = json.dumps(problem_document(error, request_id)).encode()
    return Response(body, error.status, error.headers, MEDIA_TYPE)


def problem_document(error: ProblemError, request_id: str) -> dict[str, Any]:
    return {**error.document(), "request_id": request_id}


def install(app: FastAPI) -> None:
    """Make the app send every error, the framework's own included, as a problem document."""

    async def handle(request: Request, error: Exception) -> Response:
        return problem_response(_problem(error, request), request.state.request_id)

    for kind in (ProblemError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)

    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            _complete(generate())
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document what every reply has, and the schema of problems."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= problem.pop("$defs") | {"Problem": problem}
    document["components"]["headers"] = {"X-Request-Id": _REQUEST_ID}
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                response.setdefault("headers", {})["X-Request-Id"] = {
                    "$ref": "#/components/headers/X-Request-Id"
                }


def _problem(error: Exception, request: Request) -> ProblemError:
    """The problem for an error of a route, or for one that FastAPI raises."""
    match error:
        case ProblemError():
            return error
        case RequestValidationError():
            return _validation_problem(error)
        case HTTPException(__cause__=ProblemError() as cause):
            return cause  # raised while reading the body
        case HTTPException(status_code=NotFound.status):
            return NotFound("There is no such address.")
        case HTTPException(status_code=MethodNotAllowed.status):
            return MethodNotAllowed(headers={"Allow": ", ".join(sorted(_allowed(request)))})
    return BadRequest("The request cannot be read.")


def _allowed(request: Request) -> set[str]:
    """The methods of all routes with this path. Starlette names those of the first."""
    routes = iter_route_contexts(request.app.routes)
    found = [route for route in routes if route.path_regex.match(request.scope["path"])]
    return {method for route in found for method in route.methods or ()}


def _validation_problem(error: RequestValidationError) -> ProblemError:
    """Never repeats the input, which may hold secrets or text that cannot be encoded."""
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return BadRequest()
    fields = [{"pointer": "/" + "/".join(map(str, each["loc"])), "detail": each["msg"]} for each in problems]
    return Unprocessable(fields)


def describe(*errors: type[ProblemError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for OpenAPI, with an example of each error."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        example = {name: getattr(error, name) for name in ("type", "title", "status", "detail")}
        example["request_id"] = "0199d1a2-7c1e-7cc3-9a55-5f0a3f9f8a10"
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}}
        response = responses.setdefault(error.status, {"description": error.title, "content": content})
        response["content"][MEDIA_TYPE]["examples"][error.__name__] = {"value": example}
        if error.status in _HEADERS:
            name, header = _HEADERS[error.status]
            response["headers"] = {name: header}
    return responses
