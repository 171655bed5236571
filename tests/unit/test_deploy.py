"""`make deploy`: what it stores where, and what it says first. The deployment itself needs an account."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from local.aws.deploy import Deployment, main
from local.progress import Problem, exit_code
from tests.stack import ROOT, source

SETTINGS = """
# of a stage
DATABASE_URL=postgresql://app:p=1@db.example.com/parley?sslmode=require
MIGRATIONS_DATABASE_URL = "postgresql://owner:p@db.example.com/parley"
OPENAI_API_KEY=sk-test
OPENAI_MODEL=gpt-5-mini
AUTH_DATABASE_URL=postgresql://auth:p@db.example.com/parley
AUTH_MIGRATIONS_DATABASE_URL=postgresql://owner:p@db.example.com/parley
BETTER_AUTH_SECRET=not-guessable
SMTP_URL=smtps://user:p@mail.example.com
DATABASE_TRANSPORT=tcp
"""


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    deployment = Deployment("dev", "x86_64")
    deployment._file = tmp_path / ".env.dev"
    deployment._file.write_text(SETTINGS)
    return deployment


def secret(name: str) -> dict[str, str]:
    stored = boto3.client("secretsmanager").get_secret_value(SecretId=name)
    return dict(json.loads(stored["SecretString"]))


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("gpt-5-mini", ("0.25", "0.025", "2.0")),
        ("gpt-5-nano,gpt-5", ("0.05", "0.005", "0.4")),
        ("of-our-own", (None, None, None)),
    ],
)
def test_the_dashboard_has_the_default_models_prices(
    deployment: Deployment, model: str, prices: tuple[str | None, ...]
) -> None:
    deployment._file.write_text(SETTINGS.replace("gpt-5-mini", model))
    parameters = deployment._api_parameters("arn", "https://chat.example.com")
    names = ("InputTokenPrice", "CachedTokenPrice", "OutputTokenPrice")
    assert tuple(parameters.get(name) for name in names) == prices
    assert set(names) < source()["Parameters"].keys()


def test_each_server_gets_the_settings_that_it_needs_and_no_others(deployment: Deployment) -> None:
    deployment._store_secrets()
    api, web = secret("parley-dev-api"), secret("parley-dev-web")
    assert web.keys() == {"BETTER_AUTH_SECRET", "AUTH_DATABASE_URL", "SMTP_URL", "DATABASE_TRANSPORT"}
    assert api.keys() == {
        "DATABASE_URL",
        "DATABASE_TRANSPORT",
        "MIGRATIONS_DATABASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_MODEL",
    }
    assert api["DATABASE_URL"] == "postgresql://app:p=1@db.example.com/parley?sslmode=require"
    assert api["MIGRATIONS_DATABASE_URL"] == "postgresql://owner:p@db.example.com/parley"


def test_nothing_is_begun_while_a_setting_is_missing(deployment: Deployment) -> None:
    deployment._file.write_text(SETTINGS.replace("BETTER_AUTH_SECRET=not-guessable", ""))
    with pytest.raises(Problem, match=r"BETTER_AUTH_SECRET\. See docs/deploy\.md"):
        deployment.run()
    assert boto3.client("secretsmanager").list_secrets()["SecretList"] == []


def test_mail_is_needed_unless_addresses_are_not_confirmed(deployment: Deployment) -> None:
    without = SETTINGS.replace("SMTP_URL=smtps://user:p@mail.example.com", "")
    deployment._file.write_text(without)
    assert deployment._missing() == [".env.dev does not name: SMTP_URL. See docs/deploy.md."]
    deployment._file.write_text(f"{without}EMAIL_VERIFICATION=off\n")
    assert deployment._missing() == []


def test_a_dry_run_needs_nothing_and_says_each_step() -> None:
    output = subprocess.run(
        [sys.executable, "-m", "local.aws.deploy", "--stage", "prod", "--dry"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": "layers/parley/python"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert len(re.findall(r"^  \d\. ", output, re.MULTILINE)) == 9
    assert "LogRetentionDays=90" in output
    assert "No region: set AWS_REGION" in output
    assert "BETTER_AUTH_SECRET" in output


def test_a_stage_that_is_not_described_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["deploy", "--stage", "nowhere", "--dry"])
    assert exit_code(main) == 1
    assert "samconfig.toml has no [nowhere.deploy.parameters]" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_samconfig_names_parameters_that_there_are(stage: str) -> None:
    overrides = Deployment(stage, "arm64")._overrides
    known = source()["Parameters"].keys() | source("frontend/template.yaml")["Parameters"].keys()
    assert overrides
    assert overrides.keys() <= known


def test_both_templates_take_what_is_passed_to_them(deployment: Deployment) -> None:
    assert deployment._api_parameters("arn", "https://x").keys() <= source()["Parameters"].keys()
