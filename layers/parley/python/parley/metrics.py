"""CloudWatch metrics, as lines of the embedded metric format on stdout. Never content, never a user's id."""

from collections.abc import Mapping
from typing import Literal

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
    if namespace is not None:
        import aws_lambda_powertools.metrics  # noqa: F401, PLC0415 (now, and not in the first request)
    _namespace = namespace


def emit(values: Mapping[Metric, float], **dimensions: str) -> None:
    """Write one line. Each further dimension is a metric of its own, which has its price."""
    if _namespace is None:
        return
    # Who uses the database alone has no need of the package.
    from aws_lambda_powertools.metrics import EphemeralMetrics  # noqa: PLC0415

    metrics = EphemeralMetrics(namespace=_namespace, service=SERVICE)
    for name, value in dimensions.items():
        metrics.add_dimension(name, value)
    for metric, number in values.items():
        metrics.add_metric(metric, "Milliseconds" if metric in _MILLISECONDS else "Count", number)
    metrics.flush_metrics()
