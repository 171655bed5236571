"""A collector: takes what OpenTelemetry exports, over HTTP on loopback, and keeps it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.serving import serve_in_thread


class Collector:
    """`delay_s` and `status`: of its answers."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.delay_s = 0.0
        self.status = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        request = Request(scope, receive)
        assert request.url.path == "/v1/traces"
        self.headers.append(dict(request.headers))
        body = await request.body()
        await asyncio.sleep(self.delay_s)
        if self.status == 200:
            self.bodies.append(body)
        await Response(status_code=self.status)(scope, receive, send)

    def spans(self) -> list[Span]:
        """In the order in which they started."""
        found = [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def resource(self) -> dict[str, Any]:
        (resource, *_) = ExportTraceServiceRequest.FromString(self.bodies[0]).resource_spans
        return _values(resource.resource.attributes)

    def one(self, name: str) -> Span:
        (span,) = [each for each in self.spans() if each.name == name]
        return span

    def tree(self) -> list[str]:
        """Every span's name, indented beneath its parent's."""
        spans = self.spans()
        ids = {span.span_id for span in spans}
        lines: list[str] = []

        def add(span: Span, depth: int) -> None:
            lines.append("  " * depth + span.name)
            for child in spans:
                if child.parent_span_id == span.span_id:
                    add(child, depth + 1)

        for span in spans:
            if span.parent_span_id not in ids:
                add(span, 0)
        return lines


def attributes(span: Span) -> dict[str, Any]:
    return _values(span.attributes)


def failed(span: Span) -> str | None:
    """The kind of error that a span ended with."""
    assert span.status.message == "", "an error's text may be content"
    return attributes(span)["error.type"] if span.status.code == Status.STATUS_CODE_ERROR else None


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    with serve_in_thread(lambda _: collector) as url:
        collector.url = url
        yield collector
