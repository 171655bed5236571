"""The Agents SDK's own spans as OpenTelemetry's. Installed when tracing is on."""

from contextvars import Token
from dataclasses import dataclass
from typing import Any

from agents.tracing import (
    AgentSpanData,
    FunctionSpanData,
    GenerationSpanData,
    GuardrailSpanData,
    HandoffSpanData,
    ResponseSpanData,
    Span,
    SpanData,
    Trace,
    TracingProcessor,
)
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind

from parley import tracing
from parley.tools.api_client import ToolFailure

# In a run's `trace_metadata`, and then in its spans.
MODEL = "gen_ai.request.model"
CONVERSATION = "gen_ai.conversation.id"


@dataclass(frozen=True, slots=True)
class _Open:
    span: trace.Span
    # Of the context that it is current in.
    token: Token[context.Context] | None

    def end(self) -> None:
        self.span.end()
        if self.token is not None:
            context.detach(self.token)


class RunSpans(TracingProcessor):
    """Takes names and counts from the SDK's spans. Their inputs, outputs and error texts are content."""

    def __init__(self) -> None:
        # By trace and id.
        self._open: dict[str, dict[str, _Open]] = {}

    def on_trace_start(self, trace: Trace) -> None:
        pass

    def on_trace_end(self, trace: Trace) -> None:
        for left in self._open.pop(trace.trace_id, {}).values():
            left.span.end()

    def on_span_start(self, span: Span[Any]) -> None:
        spans = self._open.setdefault(span.trace_id, {})
        parent = spans.get(span.parent_id or "")
        name, kind, attributes = _described(span.span_data, _metadata(span))
        started = tracing.start(name, attributes, kind, parent.span if parent else None)
        token = None
        if isinstance(span.span_data, FunctionSpanData):
            # Current for the tool: what it calls goes on with the trace.
            token = context.attach(trace.set_span_in_context(started))
        spans[span.span_id] = _Open(started, token)

    def on_span_end(self, span: Span[Any]) -> None:
        spans = self._open.get(span.trace_id, {})
        if (ended := spans.pop(span.span_id, None)) is None:
            return
        ended.span.set_attributes(_results(span.span_data))
        if span.error is not None:
            # `_OTHER`: what the conventions say where the class is not known.
            is_tool = isinstance(span.span_data, FunctionSpanData)
            tracing.mark_failed(ended.span, ToolFailure.__name__ if is_tool else "_OTHER")
        ended.end()
        if not spans:
            self._open.pop(span.trace_id, None)

    def shutdown(self) -> None:
        pass

    def force_flush(self) -> None:
        pass


def _metadata(span: Span[Any]) -> dict[str, str]:
    metadata = span.trace_metadata or {}
    return {name: metadata[name] for name in (MODEL, CONVERSATION) if name in metadata}


def _described(data: SpanData, metadata: dict[str, str]) -> tuple[str, SpanKind, tracing.Attributes]:
    operation, name, kind = data.type, "", SpanKind.INTERNAL
    attributes: dict[str, str] = {}
    match data:
        case ResponseSpanData() | GenerationSpanData():
            model = getattr(data, "model", None) or metadata.get(MODEL, "")
            operation, name, kind = "chat", model, SpanKind.CLIENT
            # The protocol's, whoever speaks it.
            attributes = {"gen_ai.provider.name": "openai", MODEL: model}
        case FunctionSpanData():
            operation, name = "execute_tool", data.name
            attributes = {"gen_ai.tool.name": name, "gen_ai.tool.type": "function"}
        case AgentSpanData():
            operation, name = "invoke_agent", data.name
            attributes = {"gen_ai.agent.name": name, "gen_ai.provider.name": "openai"}
        case GuardrailSpanData():
            operation, name = "apply_guardrail", data.name
        case HandoffSpanData():
            attributes = {"gen_ai.agent.name": data.from_agent or ""}
    return f"{operation} {name}".strip(), kind, metadata | {"gen_ai.operation.name": operation} | attributes


def _results(data: SpanData) -> tracing.Attributes:
    match data:
        case ResponseSpanData() | GenerationSpanData():
            usage = data.usage or {}
            counts = {
                "gen_ai.usage.input_tokens": usage.get("input_tokens"),
                "gen_ai.usage.output_tokens": usage.get("output_tokens"),
                "gen_ai.usage.cache_read.input_tokens": _detail(usage, "input", "cached"),
                "gen_ai.usage.reasoning.output_tokens": _detail(usage, "output", "reasoning"),
            }
            return {name: count for name, count in counts.items() if isinstance(count, int)}
        case GuardrailSpanData():
            return {"parley.guardrail.triggered": data.triggered}
    return {}


def _detail(usage: dict[str, Any], side: str, kind: str) -> Any:
    return (usage.get(f"{side}_tokens_details") or {}).get(f"{kind}_tokens")
