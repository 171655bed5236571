"""Traces for OpenTelemetry, off until OTEL_EXPORTER_OTLP_ENDPOINT is set.

They never hold content. A span's name and attributes are words of this code, names that an operator gave, ids
and counts: never what a client, a model or another server wrote, and never an error's text.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

# The API alone, which FastAPI imports in any case. The SDK is imported by parley.otlp.
from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

from parley.config import Settings

if TYPE_CHECKING:
    from parley.otlp import Pipeline

Attributes = Mapping[str, str | int | bool]

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Not the global one: it would also take `baggage`, in which a client may write what it likes.
_propagator = TraceContextTextMapPropagator()
_pipeline: "Pipeline | None" = None


def configure_tracing(settings: Settings) -> None:
    """Trace from now on, or no longer. A provider from before a snapshot is replaced."""
    global _pipeline  # noqa: PLW0603 (one for the process, as in logging)
    if _pipeline is not None:
        _pipeline.close()
    _pipeline = None
    if settings.otel_exporter_otlp_endpoint is not None:
        from parley.otlp import Pipeline  # noqa: PLC0415

        _pipeline = Pipeline(settings)


def is_on() -> bool:
    return _pipeline is not None


def span(
    name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[None]:
    """A span that is current as long as the context lasts. An exception makes it one that failed."""
    return nullcontext() if _pipeline is None else _span(_pipeline, name, attributes, kind)


@contextmanager
def _span(pipeline: "Pipeline", name: str, attributes: Attributes, kind: SpanKind) -> Iterator[None]:
    # Without what the SDK would record of an exception: its text.
    with pipeline.tracer.start_as_current_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    ):
        try:
            yield
        except Exception as error:
            fail(type(error).__qualname__)
            raise


def start(name: str, attributes: Attributes, kind: SpanKind, parent: Span | None) -> Span:
    """A span that the caller ends. `parent`: the current one, if none is given."""
    if _pipeline is None:
        return trace.INVALID_SPAN
    within = trace.set_span_in_context(parent) if parent is not None else None
    return _pipeline.tracer.start_span(name, context=within, kind=kind, attributes=attributes)


def note(attributes: Attributes) -> None:
    """Add to the current span, unless it has ended."""
    if _pipeline is not None and (current := trace.get_current_span()).is_recording():
        current.set_attributes(attributes)


def fail(reason: str) -> None:
    """Mark the current span as failed. `reason`: a class or a problem's type."""
    if _pipeline is not None and (current := trace.get_current_span()).is_recording():
        mark_failed(current, reason)


def mark_failed(failed: Span, reason: str) -> None:
    failed.set_attribute("error.type", reason)
    failed.set_status(StatusCode.ERROR)


def outgoing_headers() -> dict[str, str]:
    """`traceparent`, for a server elsewhere to go on with the trace."""
    headers: dict[str, str] = {}
    if _pipeline is not None:
        _propagator.inject(headers)
    return headers


def trace_id() -> str:
    """The current trace, for log lines. Empty if there is none."""
    if _pipeline is None:
        return ""
    current = trace.get_current_span().get_span_context()
    return trace.format_trace_id(current.trace_id) if current.is_valid else ""


class RequestSpan:
    """The span of a request, which ends with the reply."""

    def __init__(self, span: Span, scope: Scope) -> None:
        self._span = span
        self._scope = scope

    def end(self, status: int | None) -> None:
        """May be called again: only the first time counts. Without a status, the reply was not sent whole."""
        if not self._span.is_recording():
            return
        if route := getattr(self._scope.get("route"), "path", None):
            self._span.set_attribute("http.route", route)
            self._span.update_name(f"{_method(self._scope)} {route}")
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            mark_failed(self._span, str(status or "incomplete"))
        self._span.end()


def serve(scope: Scope, request_id: str) -> AbstractContextManager[RequestSpan | None]:
    """The span of a request, which continues the client's trace. None unless tracing is on."""
    return nullcontext() if _pipeline is None else _serve(_pipeline, scope, request_id)


@contextmanager
def _serve(pipeline: "Pipeline", scope: Scope, request_id: str) -> Iterator[RequestSpan]:
    # Without the path and the query: a client writes them. The route has what is known of the path.
    method = _method(scope)
    attributes = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.scheme": "https" if scope["scheme"] == "https" else "http",
        "parley.request_id": request_id,
    }
    parent = _propagator.extract(_traceparent(scope), context.get_current())
    started = pipeline.tracer.start_span(method, context=parent, kind=SpanKind.SERVER, attributes=attributes)
    with trace.use_span(started, record_exception=False, set_status_on_exception=False):
        request = RequestSpan(started, scope)
        try:
            yield request
        finally:
            request.end(None)


def _traceparent(scope: Scope) -> dict[str, str]:
    header = Headers(scope=scope).get("traceparent")
    return {"traceparent": header} if header else {}


def _method(scope: Scope) -> str:
    """For a span's name. A client may write any word."""
    return scope["method"] if scope["method"] in METHODS else "HTTP"


def untraced() -> AbstractContextManager[object]:
    """Nothing in this context is traced, as in a rehearsal."""
    if _pipeline is None:
        return nullcontext()
    return trace.use_span(NonRecordingSpan(SpanContext(trace_id=1, span_id=1, is_remote=False)))


async def flush() -> None:
    """Send what has ended before Lambda freezes the process. Takes 0.3 s at most, and never fails."""
    if _pipeline is not None and _pipeline.freezes:
        await asyncio.to_thread(_pipeline.flush)
