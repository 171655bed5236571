"""A client of the ChatKit protocol, for tests: it speaks through the SDK's own types."""

import json
import uuid
from typing import Any

import httpx
from chatkit.types import (
    ChatKitReq,
    InferenceOptions,
    Page,
    Thread,
    ThreadItem,
    ThreadStreamEvent,
    UserMessageInput,
    UserMessageTextContent,
)
from pydantic import TypeAdapter

_EVENT: TypeAdapter[Any] = TypeAdapter(ThreadStreamEvent)
_REQUEST: TypeAdapter[Any] = TypeAdapter(ChatKitReq)
THREAD = TypeAdapter(Thread)
THREADS: TypeAdapter[Any] = TypeAdapter(Page[Thread])
ITEMS: TypeAdapter[Any] = TypeAdapter(Page[ThreadItem])


class ChatKitClient:
    """`url`: of the API. `send` gives the reply as it is; `stream` and `read` what it says if it is 200."""

    def __init__(self, url: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=40)

    def send(self, operation: str, params: dict[str, Any], key: str | None = None) -> httpx.Response:
        """An operation that the SDK's types allow."""
        request = _REQUEST.validate_python({"type": operation, "params": params})
        headers = {"Idempotency-Key": key} if key else {}
        body = request.model_dump_json(exclude_none=True)
        return self.http.post("/api/chatkit", content=body, headers=headers)

    def stream(self, operation: str, key: str | None = None, **params: Any) -> list[Any]:
        return events(self.send(operation, params, key or uuid.uuid4().hex))

    def read(self, operation: str, **params: Any) -> Any:
        reply = self.send(operation, params)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == "application/json"
        return reply.json()

    def create(self, text: str, key: str | None = None, **options: Any) -> list[Any]:
        return self.stream("threads.create", key, input=message(text, **options))

    def add(self, thread_id: str, text: str, key: str | None = None) -> list[Any]:
        return self.stream("threads.add_user_message", key, thread_id=thread_id, input=message(text))

    def items(self, thread_id: str, order: str = "asc", **page: Any) -> list[Any]:
        listed = self.read("items.list", thread_id=thread_id, order=order, **page)
        return list(ITEMS.validate_python(listed).data)


def message(text: str, **options: Any) -> dict[str, Any]:
    content = UserMessageInput(
        content=[UserMessageTextContent(text=text)],
        attachments=[],
        inference_options=InferenceOptions(**options),
    )
    return content.model_dump()


def events(reply: httpx.Response) -> list[Any]:
    """What a stream says. Every frame is one line of data."""
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    *frames, end = reply.text.split("\n\n")
    assert end == ""
    assert all(frame.startswith("data: ") and "\n" not in frame for frame in frames)
    return [_EVENT.validate_python(json.loads(frame.removeprefix("data: "))) for frame in frames]


def text_of(item: Any) -> str:
    return "".join(part.text for part in item.content)
