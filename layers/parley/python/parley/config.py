"""The app's settings. Nothing else reads the environment."""

import functools
import json
import logging
import os
import time
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError


class ConfigError(Exception):
    """A setting is missing or wrong. The text names each variable at fault."""


def _split(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Transport = Literal["auto", "http", "tcp"]
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _without_eavesdroppers(url: str) -> str:
    parts = urlsplit(url)
    try:
        is_address = parts.hostname and parts.port != 0
    except ValueError:  # whose text repeats the value
        is_address = False
    if not is_address:
        raise ValueError("this is no address")
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError("this is not https, and the database's password is sent there")
    return url


Url = Annotated[str, Field(pattern=r"^https?://"), AfterValidator(lambda url: url.rstrip("/"))]
# Kept as written, since it must equal the token's `iss` exactly.
Issuer = Annotated[str, Field(pattern=r"^https?://")]


class _Environment(BaseModel):
    """The field `turn_deadline_s` is the environment variable `TURN_DEADLINE_S`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def load(cls, secret_version: str = "") -> Self:
        """Read the environment and, for what it does not set, the JSON secret that `SECRET_ARN` names.

        Of the secret it takes the current version, or the one given by its id. Raises ConfigError.
        """
        secret = _deployed_secret(secret_version)
        values = {
            field: value
            for field in cls.model_fields
            if (value := os.environ.get(field.upper()) or secret.get(field.upper()))
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(_explain(error)) from None


class MigrationSettings(_Environment):
    """What `python -m parley.migrate` needs."""

    database_url: SecretStr
    migrations_database_url: SecretStr


class Settings(_Environment):
    """What the app needs."""

    database_url: SecretStr
    # auto: HTTP for a database of Neon's, TCP for any other.
    database_transport: Transport = "auto"
    # Where Neon's SQL over HTTP is, for a database whose host does not tell.
    database_http_url: (
        Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_without_eavesdroppers)] | None
    ) = None
    jwt_issuer: Issuer
    jwt_audience: Annotated[str, Field(min_length=1)] = "parley"
    jwt_jwks_url: Url | None = None
    # Where clients reach the API, for the MCP server's metadata. Behind API Gateway, the gateway's own name.
    api_url: Url | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: Url | None = None
    # One model or several, separated by commas. The first is the default.
    openai_model: Annotated[str, Field(pattern=r"[^,\s]")] = "gpt-5-mini"
    openai_api: Literal["responses", "chat_completions"] = "responses"
    turn_deadline_s: Annotated[float, Field(gt=0, le=900)] = 25
    # At most what Neon's 10 MiB for a reply hold, even if JSON writes each character as seven.
    history_tokens: Annotated[int, Field(ge=100, le=300_000)] = 8_000
    # Of one user.
    turns_at_once: Annotated[int, Field(ge=1)] = 4
    quota_turns_per_day: Annotated[int, Field(ge=0)] | None = None
    quota_tokens_per_day: Annotated[int, Field(ge=0)] | None = None
    # After so many days without a message, functions/retention deletes a conversation. 0: never.
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    # on: users may share a conversation with whoever has its link.
    sharing: Literal["on", "off"] = "off"
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # Where traces are sent, over OTLP/HTTP: the address before /v1/traces. None are made without it.
    otel_exporter_otlp_endpoint: Url | None = None
    # Headers for it, such as `x-api-key=…`, separated by commas.
    otel_exporter_otlp_headers: SecretStr | None = None
    # Set by the template: the name or ARN of the function that does follow-ups.
    followup_function: str | None = None
    # Set by the template, one for each stage.
    powertools_metrics_namespace: str = "Parley"
    # Set by the Lambda runtime.
    aws_lambda_function_name: str | None = None
    # Set by the Lambda runtime: "snap-start" when a snapshot is taken after init.
    aws_lambda_initialization_type: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        return _split(self.openai_model)

    @property
    def on_lambda(self) -> bool:
        return self.aws_lambda_function_name is not None


def read_secret(name: str) -> SecretStr:
    """Read a setting of functions/chat/agent.py's own, like the others. Raises ConfigError."""
    value = os.environ.get(name) or _deployed_secret().get(name)
    if not value:
        raise ConfigError(f"{name}: is not set")
    return SecretStr(value)


def make_current(secret_version: str) -> None:
    """Make this version of the deployed secret the one that functions read."""
    import boto3  # noqa: PLC0415 (0.4 s)

    arn = os.environ["SECRET_ARN"]
    client = boto3.client("secretsmanager")
    current = client.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["VersionId"]
    if current != secret_version:
        client.update_secret_version_stage(
            SecretId=arn,
            VersionStage="AWSCURRENT",
            MoveToVersionId=secret_version,
            RemoveFromVersionId=current,
        )


def _deployed_secret(version: str = "") -> dict[str, Any]:
    if given := os.environ.get("SECRET_JSON"):  # under `sam local` (local/sam_env.py)
        return dict(json.loads(given))
    arn = os.environ.get("SECRET_ARN")
    return _read_secret(arn, version) if arn else {}


@functools.cache
def _read_secret(arn: str, version: str) -> dict[str, Any]:
    # Imported here: boto3 costs 0.4 s, and only a deployment with a secret needs it.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    # At DEBUG, which the platform may set for all loggers, botocore logs the secret.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    # boto3's default timeouts are 60 s, and an environment has 10 s to start.
    timeouts = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
    try:
        provider = parameters.SecretsProvider(boto_config=timeouts)
        options: dict[str, Any] = {"VersionId": version} if version else {}
        secret = json.loads(str(provider.get(arn, **options)))
    except parameters.GetParameterError:
        raise ConfigError("SECRET_ARN: the secret cannot be read") from None
    except ValueError:
        raise ConfigError("SECRET_ARN: the secret is not JSON") from None
    if not isinstance(secret, dict):
        raise ConfigError("SECRET_ARN: the secret is not a JSON object")
    return secret


# The secret in a snapshot may have been replaced since.
forget_secret = _read_secret.cache_clear

# A wrong secret is refused in every request.
READ_AGAIN_AFTER_S = 60
_suspected = False
_read_again_at = 0.0


def suspect_secret() -> None:
    """Say that somebody refused what the secret holds: it may have been replaced since it was read."""
    global _suspected  # noqa: PLW0603 (one for the process, as its secret)
    _suspected = "SECRET_ARN" in os.environ


def must_read_again() -> bool:
    """Whether the secret is suspected and was not read again lately. Asked before a request; true once."""
    global _suspected, _read_again_at
    if not _suspected or time.monotonic() < _read_again_at:
        return False
    _suspected, _read_again_at = False, time.monotonic() + READ_AGAIN_AFTER_S
    return True


def _explain(error: ValidationError) -> str:
    """One line a variable. Never its value, which may be a secret."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        variable = str(problem["loc"][0]).upper()
        text = "is not set" if problem["type"] == "missing" else problem["msg"]
        lines.append(f"{variable}: {text}")
    return "\n".join(lines)
