"""CloudWatch metrics on stdout, in the embedded metric format. They never hold content or user ids."""

from collections.abc import Mapping
from typing import Literal

from parley.logs import request_id
from parley.tracing import trace_id

Metric = Literal[
    "CachedTokens",
    "ColdStart",
    "DatabaseRetries",
    "DatabaseUnavailable",
    "InputTokens",
    "ModelLatency",
    "OutputTokens",
    "Responses",
    "TimeToFirstToken",
    "Turns",
]
_MILLISECONDS = {"ModelLatency", "TimeToFirstToken"}
# A dimension of every metric: all functions count as one service.
SERVICE = "parley"

_namespace: str | None = None


def configure_metrics(namespace: str | None) -> None:
    """Write metrics from now on. Without a namespace, as on a laptop, none are written."""
    global _namespace  # noqa: PLW0603 (one for the process, as in logging)
    if namespace is not None:
        import aws_lambda_powertools.metrics  # noqa: F401, PLC0415 (now, not in the first request)
    _namespace = namespace


def emit(values: Mapping[Metric, float], **dimensions: str) -> None:
    """Write one line, with the request's id, by which the log has the rest of its story.

    CloudWatch bills each combination of dimensions as a metric of its own; the id is none.
    """
    if _namespace is None:
        return
    # Imported here: code that uses only the database does not need it.
    from aws_lambda_powertools.metrics import EphemeralMetrics  # noqa: PLC0415

    metrics = EphemeralMetrics(namespace=_namespace, service=SERVICE)
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    for metric, number in values.items():
        metrics.add_metric(metric, "Milliseconds" if metric in _MILLISECONDS else "Count", number)
    for name, identifier in (("request_id", request_id.get()), ("trace_id", trace_id())):
        if identifier:
            metrics.add_metadata(name, identifier)
    metrics.flush_metrics()
