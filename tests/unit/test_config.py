"""Settings: typed, from the environment, explained by name when they are wrong."""

import json
import logging
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from parley.config import ConfigError, MigrationSettings, Settings

NEEDED = {"DATABASE_URL": "postgresql://u:p@localhost/d", "JWT_ISSUER": "http://localhost:3000"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in {*Settings.model_fields, *MigrationSettings.model_fields, "secret_arn"}:
        monkeypatch.delenv(field.upper(), raising=False)
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)


def test_little_is_needed_and_the_rest_has_a_default() -> None:
    settings = Settings.load()
    assert settings.database_url.get_secret_value() == NEEDED["DATABASE_URL"]
    assert (settings.turn_deadline_s, settings.openai_api, settings.on_lambda) == (25, "responses", False)


def test_the_first_of_several_models_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_MODEL", "gpt-5-mini, gpt-5")
    assert Settings.load().models == ("gpt-5-mini", "gpt-5")


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_variable_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=f"^{name}: is not set$"):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TURN_DEADLINE_S", "soon"),
        ("TURN_DEADLINE_S", "0"),
        ("OPENAI_API", "telepathy"),
        ("OPENAI_MODEL", " , "),
        ("HISTORY_TOKENS", "1"),
        ("HISTORY_TOKENS", "300001"),
        ("QUOTA_TURNS_PER_DAY", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("JWT_ISSUER", "localhost"),
        ("OPENAI_BASE_URL", "file:///etc/passwd"),
        ("API_URL", "api.example.com/etc/passwd"),
        ("DATABASE_TRANSPORT", "pigeon"),
        ("DATABASE_HTTP_URL", "ftp://h/etc/passwd"),
        ("DATABASE_HTTP_URL", "https:///etc/passwd"),
        ("DATABASE_HTTP_URL", "https://h:secret/etc/passwd"),
        ("DATABASE_HTTP_URL", "https://h:99999/etc/passwd"),
        ("DATABASE_HTTP_URL", "http://api.eu-central-1.aws.neon.tech/etc/passwd"),
        ("DATABASE_HTTP_URL", "http://127.0.0.1.example.com/etc/passwd"),
        ("DATABASE_HTTP_URL", "http://localhost@example.com/etc/passwd"),
    ],
)
def test_a_wrong_value_is_named_but_not_repeated(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as error:
        Settings.load()
    assert str(error.value).startswith(f"{name}: ")
    assert "/etc/passwd" not in str(error.value)


@pytest.mark.parametrize(
    "value", ["https://db.example.com/sql", "http://127.0.0.1:1/sql", "http://[::1]/sql"]
)
def test_the_password_goes_over_tls_or_stays_on_this_machine(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_HTTP_URL", value)
    assert Settings.load().database_http_url == value


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTA_TURNS_PER_DAY", "")
    assert Settings.load().quota_turns_per_day is None


@pytest.mark.parametrize("value", ["http://a http://b", "http://a,http://b", "http://a, http://b"])
def test_origins_are_a_list(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", value)
    assert Settings.load().cors_origins == ("http://a", "http://b")


def test_secrets_are_not_printed() -> None:
    assert "u:p" not in repr(Settings.load())


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield


def put_secret(value: str) -> str:
    return str(boto3.client("secretsmanager").create_secret(Name="parley", SecretString=value)["ARN"])


@pytest.mark.usefixtures("aws")
def test_a_secret_lies_beneath_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    arn = put_secret(json.dumps({"OPENAI_API_KEY": "from-secret", "JWT_ISSUER": "http://secret"}))
    monkeypatch.setenv("SECRET_ARN", arn)
    settings = Settings.load()
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == "from-secret"
    assert settings.jwt_issuer == NEEDED["JWT_ISSUER"]


@pytest.mark.usefixtures("aws")
def test_a_secret_is_in_no_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SECRET_ARN", put_secret(json.dumps({"OPENAI_API_KEY": "canary-of-the-secret"})))
    logging.getLogger("botocore").setLevel(logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    assert Settings.load().openai_api_key is not None
    assert "canary" not in caplog.text


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("content", ["not json", "[]"])
def test_a_secret_that_is_no_object_is_explained(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_ARN", put_secret(content))
    with pytest.raises(ConfigError, match=r"^SECRET_ARN: "):
        Settings.load()


@pytest.mark.usefixtures("aws")
def test_a_secret_that_is_missing_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none")
    with pytest.raises(ConfigError, match=r"^SECRET_ARN: the secret cannot be read$"):
        Settings.load()
