"""How a collector is addressed."""

import hashlib
import hmac
import re

import pytest
import requests
from pydantic import SecretStr

from parley.config import Settings
from parley.otlp import Signature, _exporter

NEEDED = {"database_url": "postgresql://u:p@localhost/d", "jwt_issuer": "http://localhost:3000"}
CLOUDWATCH = "https://xray.eu-central-1.amazonaws.com"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's, as Lambda gives them."""
    for name, value in {
        "ACCESS_KEY_ID": "AKID",
        "SECRET_ACCESS_KEY": "secret",
        "SESSION_TOKEN": "token",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def session(endpoint: str, headers: str | None = None) -> requests.Session:
    given = {
        "otel_exporter_otlp_endpoint": endpoint,
        "otel_exporter_otlp_headers": headers and SecretStr(headers),
    }
    client = _exporter(Settings.model_validate(NEEDED | given))._client
    assert client._endpoint == f"{endpoint}/v1/traces"
    return client._transport._session  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("endpoint", "headers", "signed"),
    [
        (CLOUDWATCH, None, True),
        ("https://xray.cn-north-1.amazonaws.com.cn", None, True),
        (CLOUDWATCH, "Authorization=Bearer key", False),
        ("http://localhost:4318", None, False),
        ("https://xray.eu-central-1.amazonaws.com.example.com", None, False),
        ("http://xray.eu-central-1.amazonaws.com", None, False),
    ],
)
def test_only_cloudwatch_gets_a_signature(endpoint: str, headers: str | None, signed: bool) -> None:
    assert isinstance(session(endpoint, headers).auth, Signature) is signed


def test_the_signature_is_right() -> None:
    """Computed again here, by Signature Version 4."""
    prepared = requests.Request(
        "POST", f"{CLOUDWATCH}/v1/traces", data=b"spans", headers={"Content-Type": "application/x-protobuf"}
    ).prepare()
    headers = Signature("eu-central-1")(prepared).headers
    scope, names, signature = re.findall(r"=([^,]+)", headers["Authorization"])
    moment = headers["X-Amz-Date"]
    assert scope == f"AKID/{moment[:8]}/eu-central-1/xray/aws4_request"
    values = {name.lower(): value for name, value in headers.items()} | {
        "host": "xray.eu-central-1.amazonaws.com"
    }
    assert {"content-type", "host", "x-amz-date", "x-amz-security-token"} <= set(names.split(";"))
    lines = ["POST", "/v1/traces", "", *(f"{name}:{values[name]}" for name in names.split(";")), "", names]
    canonical = "\n".join([*lines, hashlib.sha256(b"spans").hexdigest()])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", moment, scope.removeprefix("AKID/"), digest])
    key = b"AWS4secret"
    for part in (moment[:8], "eu-central-1", "xray", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert signature == hmac.new(key, to_sign.encode(), "sha256").hexdigest()
