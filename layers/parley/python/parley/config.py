"""Every setting of the app, read once from the environment; nothing else reads it."""

import functools
import json
import logging
import os
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)


class ConfigError(Exception):
    """The environment does not describe a running app; the text names each variable at fault."""


def _split(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _no_trailing_slash(value: str) -> str:
    return value.rstrip("/")


Url = Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_no_trailing_slash)]
# An issuer is compared with the token's `iss` to the letter.
Issuer = Annotated[str, Field(pattern=r"^https?://")]


class _Environment(BaseModel):
    """The field `turn_deadline_s` is the environment variable `TURN_DEADLINE_S`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def load(cls) -> Self:
        """Read the environment, and beneath it the JSON secret that `SECRET_ARN` names.

        Raises ConfigError.
        """
        secret = _deployed_secret()
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
    jwt_issuer: Issuer
    jwt_audience: Annotated[str, Field(min_length=1)] = "parley"
    jwt_jwks_url: Url | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: Url | None = None
    # One, or several separated by commas: the first is the default, the others may be picked in ChatKit.
    openai_model: Annotated[str, Field(pattern=r"[^,\s]")] = "gpt-5-mini"
    openai_api: Literal["responses", "chat_completions"] = "responses"
    turn_deadline_s: Annotated[float, Field(gt=0, le=900)] = 25
    history_tokens: Annotated[int, Field(ge=100)] = 8_000
    quota_turns_per_day: Annotated[int, Field(ge=0)] | None = None
    quota_tokens_per_day: Annotated[int, Field(ge=0)] | None = None
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # Set by the template, with a function's name or ARN: what follows a reply is done there.
    followup_function: str | None = None
    # Set by the template: one namespace for each stage.
    powertools_metrics_namespace: str = "Parley"
    # Set by the Lambda runtime: one environment serves one request at a time.
    aws_lambda_function_name: str | None = None

    @property
    def models(self) -> tuple[str, ...]:
        return _split(self.openai_model)

    # Set by the Lambda runtime: "snap-start" when what is ready now is kept for every environment to come.
    aws_lambda_initialization_type: str | None = None

    @property
    def on_lambda(self) -> bool:
        return self.aws_lambda_function_name is not None


def read_secret(name: str) -> SecretStr:
    """A setting that only functions/chat/agent.py knows of, read as the others are. Raises ConfigError."""
    value = os.environ.get(name) or _deployed_secret().get(name)
    if not value:
        raise ConfigError(f"{name}: is not set")
    return SecretStr(value)


def _deployed_secret() -> dict[str, Any]:
    arn = os.environ.get("SECRET_ARN")
    return _read_secret(arn) if arn else {}


@functools.cache
def _read_secret(arn: str) -> dict[str, Any]:
    # Imported here: boto3 costs 0.4 s, and only a deployment with a secret needs it.
    from aws_lambda_powertools.utilities.parameters import SecretsProvider  # noqa: PLC0415
    from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415
        GetParameterError,
    )
    from botocore.config import Config  # noqa: PLC0415

    # At DEBUG, which the platform may have set for all, botocore logs what it receives.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    # boto3's own time-outs are 60 s, and an environment has 10 s to start.
    patience = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
    try:
        secret = json.loads(str(SecretsProvider(boto_config=patience).get(arn)))
    except GetParameterError:
        raise ConfigError("SECRET_ARN: the secret cannot be read") from None
    except ValueError:
        raise ConfigError("SECRET_ARN: the secret is not JSON") from None
    if not isinstance(secret, dict):
        raise ConfigError("SECRET_ARN: the secret is not a JSON object")
    return secret


# What was read before a snapshot may have been replaced since.
forget_secret = _read_secret.cache_clear


def _explain(error: ValidationError) -> str:
    """One line a variable; never its value, which may be a secret."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        variable = str(problem["loc"][0]).upper()
        text = "is not set" if problem["type"] == "missing" else problem["msg"]
        lines.append(f"{variable}: {text}")
    return "\n".join(lines)
