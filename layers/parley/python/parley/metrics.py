"""CloudWatch metrics, as lines of the embedded metric format on stdout. Never content, never a user's id."""

from collections.abc import Mapping
from typing import Literal

from aws_lambda_powertools.metrics import EphemeralMetrics

Metric = Literal[
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
# Of every line, beside its own: several functions count as one service.
SERVICE = "parley"

_namespace: str | None = None


def configure_metrics(namespace: str | None) -> None:
    """Write metrics from now on, or none without a namespace: nobody reads them on a laptop."""
    global _namespace  # noqa: PLW0603 (as with logging, one for the process)
    _namespace = namespace


def emit(values: Mapping[Metric, float], **dimensions: str) -> None:
    """Write one line. Each further dimension is a metric of its own, which has its price."""
    if _namespace is None:
        return
    metrics = EphemeralMetrics(namespace=_namespace, service=SERVICE)
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    for metric, number in values.items():
        metrics.add_metric(metric, "Milliseconds" if metric in _MILLISECONDS else "Count", number)
    metrics.flush_metrics()
