"""Where spans go: a queue in memory, sent over OTLP. Imported only when tracing is on."""

import re
from random import SystemRandom
from threading import Thread
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.util.re import parse_env_headers
from requests.auth import AuthBase

from parley.config import Settings

# A collector that is dead or slow delays no answer by more.
FLUSH_PATIENCE_S = 0.3
EXPORT_TIMEOUT_S = 5
CLOUDWATCH = re.compile(r"https://xray\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/")


class Pipeline:
    """The tracer, and what sends its spans: every 5 s, when 512 wait, and at a flush.

    `freezes`: the platform stops the process after each answer.
    """

    def __init__(self, settings: Settings) -> None:
        self.freezes = settings.on_lambda
        self._provider = TracerProvider(
            resource=_resource(settings), id_generator=_Ids(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
        self.tracer = self._provider.get_tracer("parley")
        self._flushing: Thread | None = None

    def flush(self) -> None:
        """Returns after FLUSH_PATIENCE_S, or at once while an earlier flush still waits for the collector."""
        if self._flushing is not None and self._flushing.is_alive():
            return
        # In a thread: the SDK has no other way to bound it.
        self._flushing = Thread(target=self._provider.force_flush, name="traces", daemon=True)
        self._flushing.start()
        self._flushing.join(FLUSH_PATIENCE_S)

    def close(self) -> None:
        """Send what is left without waiting for it."""
        Thread(target=self._provider.shutdown, daemon=True).start()


def _resource(settings: Settings) -> Resource:
    # The namespace of the metrics has the stage.
    attributes = {"service.name": "parley", "service.namespace": settings.powertools_metrics_namespace}
    if settings.aws_lambda_function_name:
        attributes["faas.name"] = settings.aws_lambda_function_name
    return Resource.create(attributes)


def _exporter(settings: Settings) -> OTLPSpanExporter:
    url = f"{settings.otel_exporter_otlp_endpoint}/v1/traces"
    secret = settings.otel_exporter_otlp_headers
    headers = parse_env_headers(secret.get_secret_value(), liberal=True) if secret else {}
    session = requests.Session()
    if (found := CLOUDWATCH.match(url)) and "authorization" not in headers:
        session.auth = Signature(found[1])
    return OTLPSpanExporter(url, headers=headers, timeout=EXPORT_TIMEOUT_S, session=session)


class Signature(AuthBase):
    """Signs requests to CloudWatch with the function's own role."""

    def __init__(self, region: str) -> None:
        # Imported here: botocore takes 0.3 s, and no other collector needs it.
        import botocore.session  # noqa: PLC0415
        from botocore.auth import SigV4Auth  # noqa: PLC0415

        # Without any, each export fails, and says so in the log.
        credentials: Any = botocore.session.get_session().get_credentials()
        self._auth = SigV4Auth(credentials, "xray", region)

    def __call__(self, request: Any) -> Any:
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415

        content_type = {"Content-Type": request.headers["Content-Type"]}
        signed = AWSRequest(request.method, request.url, headers=content_type, data=request.body)
        self._auth.add_auth(signed)
        request.headers.update(signed.headers)
        return request


class _Ids(IdGenerator):
    """The SDK draws ids from `random`, whose state is in a snapshot: all environments would draw the same."""

    _random = SystemRandom()

    def generate_span_id(self) -> int:
        return self._random.randrange(1, 1 << 64)

    def generate_trace_id(self) -> int:
        return self._random.randrange(1, 1 << 128)

    def is_trace_id_random(self) -> bool:
        return True
