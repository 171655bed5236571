"""A stage's life in an account: what stands in the way of the first deployment, changes, and the removal."""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from local.aws import deploy as deploying
from local.aws import preflight, stacks
from local.aws.build import functions
from local.aws.deploy import AT_ONCE, Deployment
from local.aws.issuer_check import warm
from local.aws.secret_store import CURRENT
from local.issuer import Issuer
from local.progress import Problem
from tests.fake_account import REGION, Account, account, error
from tests.stack import transformed

SETTINGS = """
DATABASE_URL=postgresql://app:first@db.example.com/parley
MIGRATIONS_DATABASE_URL=postgresql://owner:p@db.example.com/parley
OPENAI_API_KEY=sk-test
AUTH_DATABASE_URL=postgresql://auth:p@db.example.com/parley
AUTH_MIGRATIONS_DATABASE_URL=postgresql://owner:p@db.example.com/parley
BETTER_AUTH_SECRET=not-guessable
SMTP_URL=smtps://user:p@mail.example.com
"""
WEB_URL = "https://d1.cloudfront.net"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Set by `use_region`, and undone with the rest.
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with account() as made:
        yield made


class Played(Deployment):
    """A deployment whose builds and migrations are not run. Its `sam deploy` makes the stack at once."""

    def __init__(self, here: Account, folder: Path, settings: str = SETTINGS, **overrides: str) -> None:
        super().__init__("dev", "x86_64", overrides)
        self.here = here
        self.done: list[str] = []
        self.passed: dict[str, dict[str, str]] = {}
        self._file = folder / ".env.dev"
        self._file.write_text(settings)

    def _build_frontend(self) -> None:
        self.done.append("build web")

    def _build_api(self) -> None:
        self.done.append("build api")

    def _migrate_frontend(self) -> None:
        self.done.append("migrate web")

    def _warm_issuer(self) -> None:
        self.done.append("warm")

    def _smoke(self) -> None:
        self.done.append("smoke")

    def _sam_deploy(self, kind: str, template: Path, parameters: dict[str, str]) -> None:
        self.done.append(f"deploy {kind}")
        self.passed[kind] = parameters
        if kind == "api":
            self._promote(parameters["SecretVersion"])
        outputs = {"Url": WEB_URL} if kind == "web" else {"ApiUrl": "https://a", "StreamUrl": "https://s/"}
        self.here.make(self._stack(kind), "UPDATE_COMPLETE", outputs)

    def _promote(self, version: str) -> None:
        """As the migration does (tests/integration/test_migrations.py)."""
        client = boto3.client("secretsmanager")
        current = client.get_secret_value(SecretId="parley-dev-api", VersionStage=CURRENT)["VersionId"]
        if current != version:
            client.update_secret_version_stage(
                SecretId="parley-dev-api",
                VersionStage="AWSCURRENT",
                MoveToVersionId=version,
                RemoveFromVersionId=current,
            )


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty builds."""
    for name in functions():
        (tmp_path / "built" / name).mkdir(parents=True)
    (tmp_path / "web" / ".next" / "standalone").mkdir(parents=True)
    (tmp_path / "web" / "template.yaml").write_text((deploying.FRONTEND / "template.yaml").read_text())
    monkeypatch.setattr(deploying, "BUILT", tmp_path / "built")
    monkeypatch.setattr(deploying, "FRONTEND", tmp_path / "web")
    return tmp_path


def current(name: str) -> dict[str, str]:
    # moto takes the first version for the current one unless it is asked for.
    client = boto3.client("secretsmanager")
    return dict(json.loads(client.get_secret_value(SecretId=name, VersionStage=CURRENT)["SecretString"]))


def digests(folder: Path) -> set[str]:
    files = [
        *folder.glob("built/*/deployment.sha256"),
        *folder.glob("web/.next/standalone/deployment.sha256"),
    ]
    return {f"{file.relative_to(folder)} {file.read_text()}" for file in files}


def test_from_nothing_to_deployed_changed_and_removed(
    here: Account, folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Played(here, folders)
    first.run()
    assert first.done == [
        *("build web", "build api", "deploy web", "deploy web", "migrate web", "warm", "deploy api"),
        *("deploy web", "smoke"),
    ]
    assert first.passed["api"]["FrontendUrl"] == WEB_URL
    assert first.passed["web"]["ApiUrl"] == "https://a"
    before = digests(folders)
    assert len(before) == len(functions()) + 1

    Played(here, folders).run()
    assert digests(folders) == before, "nothing has changed, so no version is published"

    changed = Played(here, folders, SETTINGS.replace("first", "second").replace("auth:p", "auth:q"))
    changed.run()
    assert changed.done.index("migrate web") < changed.done.index("deploy web"), "the role first"
    assert not digests(folders) & before, "every environment is replaced"
    assert "second" in current("parley-dev-api")["DATABASE_URL"]
    assert "auth:q" in current("parley-dev-web")["AUTH_DATABASE_URL"]

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "dev")
    bucket = boto3.resource("s3").create_bucket(
        Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    bucket.Versioning().enable()
    for key in ("parley-dev/1", "parley-dev/1", "parley-dev-web/1", "parley-prod/1"):
        bucket.put_object(Key=key, Body=b"code")
    here.make("aws-sam-cli-managed-default", "CREATE_COMPLETE", {"SourceBucket": "uploads"})
    Played(here, folders).remove()
    assert here.stacks.keys() == {"aws-sam-cli-managed-default"}
    assert [each.key for each in bucket.object_versions.all()] == ["parley-prod/1"]
    assert "Kept: the database" in capsys.readouterr().out

    Played(here, folders).run()
    assert "first" in current("parley-dev-api")["DATABASE_URL"], "the name of a deleted secret is free again"


def test_a_new_secret_is_read_by_nobody_before_its_migration(here: Account, folders: Path) -> None:
    Played(here, folders).run()

    class Fails(Played):
        def _sam_deploy(self, kind: str, template: Path, parameters: dict[str, str]) -> None:
            if kind == "api":
                raise Problem("the migration failed, and CloudFormation went back")
            super()._sam_deploy(kind, template, parameters)

    failing = Fails(here, folders, SETTINGS.replace("first", "second"))
    with pytest.raises(Problem):
        failing.run()
    assert "first" in current("parley-dev-api")["DATABASE_URL"]
    again = Played(here, folders, SETTINGS.replace("first", "second"))
    again.run()
    assert again._secret_version == failing._secret_version, "the waiting version is taken up"
    assert "second" in current("parley-dev-api")["DATABASE_URL"]
    # Back to the first value: its version is a new one, unless it still is the current one.
    Played(here, folders).run()
    assert "first" in current("parley-dev-api")["DATABASE_URL"]


def test_a_fix_can_be_deployed_while_an_alarm_rings(here: Account, folders: Path) -> None:
    fix = Played(here, folders, **AT_ONCE)
    fix.run()
    assert fix.passed["api"]["RollBackOnAlarm"] == "false"
    assert fix.passed["api"]["DeploymentPreference"] == "AllAtOnce"
    for group in transformed().values():
        if group["Type"] == "AWS::CodeDeploy::DeploymentGroup":
            rolls_back, with_alarms, without = group["Properties"]["AlarmConfiguration"]["Fn::If"]
            assert rolls_back == "RollsBack"
            assert with_alarms["Enabled"]
            assert without == {}


@pytest.mark.parametrize("state", sorted(stacks.DEAD))
@pytest.mark.parametrize("kind", ["", "-web"])
def test_a_stack_whose_making_failed_is_explained_and_removed_after_asking(
    here: Account,
    folders: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    state: str,
    kind: str,
) -> None:
    here.make(f"parley-dev{kind}", state, {}, "MIGRATIONS_DATABASE_URL: the server cannot be reached")
    with pytest.raises(Problem, match=f"delete-stack --stack-name parley-dev{kind}"):
        Played(here, folders).run()
    assert "the server cannot be reached" in capsys.readouterr().out
    assert boto3.client("secretsmanager").list_secrets()["SecretList"] == [], "nothing was begun"
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    for answer, goes_on in (("n", False), ("y", True)):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        if goes_on:
            Played(here, folders).run()
        else:
            with pytest.raises(Problem):
                Played(here, folders).run()
    assert here.stacks[f"parley-dev{kind}"]["StackStatus"] == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name parley-dev"),
        ("UPDATE_IN_PROGRESS", "wait for it"),
        ("DELETE_IN_PROGRESS", "wait for it"),
        ("CREATE_IN_PROGRESS", "wait for it"),
    ],
)
def test_a_stack_that_cannot_be_changed_now_is_left_alone(
    here: Account, folders: Path, state: str, advice: str
) -> None:
    here.make("parley-dev", state)
    with pytest.raises(Problem, match=advice):
        Played(here, folders).run()


def test_a_stack_that_was_never_begun_is_none(here: Account, folders: Path) -> None:
    here.make("parley-dev", "REVIEW_IN_PROGRESS")
    Played(here, folders).run()


def test_a_stack_that_cannot_be_removed_says_why(here: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    here.make("parley-dev", "ROLLBACK_COMPLETE", {}, "the bucket is not empty")
    here.undeletable.add("parley-dev")
    with pytest.raises(Problem, match="the bucket is not empty"):
        stacks.remove("parley-dev")


# --- What stands in the way ------------------------------------------------------------------------------


def found(**parameters: str) -> list[str]:
    return preflight.findings(preflight.Plan("dev", ("parley-dev", "parley-dev-web"), parameters))


def test_nothing_stands_in_the_way_of_an_empty_account(here: Account) -> None:
    here.concurrency = (10, 10)
    assert found() == [], "a new account, with the default parameters"


@pytest.mark.parametrize("where", ["AWS_REGION", "AWS_DEFAULT_REGION", "profile", "nowhere"])
def test_the_region_is_taken_from_wherever_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    (tmp_path / "config").write_text("[profile mine]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        # Through setenv first, so that what `use_region` sets is undone.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if where == "nowhere":
        with pytest.raises(Problem, match="set AWS_REGION"):
            preflight.use_region()
        return
    monkeypatch.setenv(
        "AWS_PROFILE" if where == "profile" else where, "mine" if where == "profile" else "sa-east-1"
    )
    if where == "AWS_REGION":
        (tmp_path / "config").write_text("")
    assert preflight.use_region() == "sa-east-1"
    # boto3 here, and every SDK in the processes that are started.
    assert os.environ["AWS_REGION"] == os.environ["AWS_DEFAULT_REGION"] == "sa-east-1"
    assert boto3.session.Session().region_name == "sa-east-1"


def test_missing_credentials_are_said(here: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(operation: str, request: Any) -> None:
        raise error(operation, "ExpiredToken")

    monkeypatch.setattr(here, "answer", refuse)
    assert found() == ["These credentials are refused (ExpiredToken): sign in again"]


def test_missing_rights_are_named(here: Account) -> None:
    here.denied = {"lambda:PublishVersion", "iam:PassRole"}
    (finding,) = found()
    assert "may not: iam:PassRole, lambda:PublishVersion" in finding


def test_a_check_that_may_not_ask_does_not_stop_anybody(
    here: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = here.answer

    def deny(operation: str, request: Any) -> Any:
        if operation == "SimulatePrincipalPolicy":
            raise error(operation, "AccessDenied")
        return answer(operation, request)

    monkeypatch.setattr(here, "answer", deny)
    assert found() == []
    assert "may not call SimulatePrincipalPolicy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limit", "wanted", "fits"),
    [((10, 10), 0, True), ((10, 10), 1, False), ((1000, 1000), 450, True), ((1000, 1000), 451, False)],
)
def test_reserved_concurrency_is_held_against_the_account(
    here: Account, limit: tuple[int, int], wanted: int, fits: bool
) -> None:
    here.concurrency = limit
    assert [("ReservedConcurrency" in each) for each in found(ReservedConcurrency=str(wanted))] == [True] * (
        not fits
    )


def certificate(*, domain: str, region: str = "us-east-1", days: int = 30) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = (
        made.serial_number(1)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    imported = boto3.client("acm", region_name=region).import_certificate(
        Certificate=made.sign(key, hashes.SHA256()).public_bytes(pem),
        PrivateKey=key.private_bytes(pem, private, serialization.NoEncryption()),
    )
    return str(imported["CertificateArn"])


def test_a_certificate_that_cloudfront_refuses_is_named(here: Account) -> None:
    acm = boto3.client("acm", region_name="us-east-1")
    chat = "chat.example.com"
    assert found(DomainName=chat, CertificateArn=certificate(domain=chat)) == []
    assert found(DomainName=chat, CertificateArn=certificate(domain="*.example.com")) == []
    waiting = acm.request_certificate(DomainName=chat, ValidationMethod="DNS")["CertificateArn"]
    cases = {
        waiting: "PENDING_VALIDATION",
        certificate(domain="other.example.com"): "not for chat.example.com, but for other.example.com",
        certificate(domain=chat, region=REGION): "not in us-east-1",
        waiting[:-4] + "0000": "There is no certificate",
        "": "needed together",
    }
    for arn, text in cases.items():
        (finding,) = found(DomainName=chat, CertificateArn=arn)
        assert text in finding


def test_taken_names_are_named(here: Account) -> None:
    logs = boto3.client("logs")
    for name in ("/parley/dev/chat", "/aws/vendedlogs/parley/dev/access", "/parley/devil/chat"):
        logs.create_log_group(logGroupName=name)
    here.distributions = [{"Id": "E1", "Aliases": {"Items": ["chat.example.com"]}}]
    assert sorted(each.split(":")[0].split(" is ")[0] for each in found()) == [
        "The log group /aws/vendedlogs/parley/dev/access",
        "The log group /parley/dev/chat",
    ]
    taken = found(DomainName="chat.example.com", CertificateArn=certificate(domain="chat.example.com"))
    assert any("chat.example.com is taken by CloudFront's distribution E1" in each for each in taken)
    here.make("parley-dev", "UPDATE_COMPLETE")
    here.make("parley-dev-web", "UPDATE_COMPLETE")
    assert found() == [], "they are this stage's own"


def test_a_region_without_the_adapter_is_named(here: Account) -> None:
    here.layers = ()
    (finding,) = found(Architecture="arm64")
    assert "LambdaAdapterLayerArm64:30 cannot be had (AccessDeniedException): set AdapterAccount" in finding


def test_a_dry_run_shows_what_stands_in_the_way(
    here: Account, folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.make("parley-dev", "ROLLBACK_COMPLETE")
    here.denied = {"iam:PassRole"}
    before = len(here.calls)
    Played(here, folders, SETTINGS.replace("OPENAI_API_KEY=sk-test", "")).explain()
    output = capsys.readouterr().out
    for text in ("does not name: OPENAI_API_KEY", "ROLLBACK_COMPLETE", "may not: iam:PassRole"):
        assert text in output
    changing = ("Create", "Put", "Delete", "Update", "Restore")
    assert not [each for each in here.calls[before:] if each.startswith(changing)]


# --- The issuer ------------------------------------------------------------------------------------------


def test_the_issuer_is_asked_until_it_answers_in_time(issuer: Issuer, tmp_path: Path) -> None:
    warm(issuer.url, 10)
    with pytest.raises(Problem, match=r"would not accept the issuer.*127\.0\.0\.1:9"):
        warm("http://127.0.0.1:9", 0)
    with pytest.raises(Problem, match="names another issuer"):
        warm(issuer.url.replace("127.0.0.1", "localhost"), 0)


# --- The deploying role ----------------------------------------------------------------------------------

# Features of these resources that neither template uses.
UNUSED = re.compile(
    r"ec2:|elasticfilesystem:|kms:|s3files:|firehose:|s3:|iam:.*(PermissionsBoundary|GroupPolicy|UserPolicy)$"
    r"|lambda:(Put|Delete).*(Provisioned|CodeSigning|Scaling|Recursion|RuntimeManagement)"
    r"|lambda:(AssociateRuntimeAlias|PassCapacityProvider|GetCodeSigningConfig)"
    r"|cloudfront:.*(ConnectionGroup|VpcOrigin|StagingConfig)|codedeploy:RegisterOnPremisesInstance"
    r"|logs:.*(KmsKey|DataProtection|IndexPolic|BearerToken|DeletionProtection|DeleteResourcePolicy)"
    r"|sns:PutDataProtectionPolicy"
)


def needed() -> set[str]:
    """What CloudFormation's own schemas say that the resources of both stacks need."""
    kinds = {
        each["Type"]
        for file in ("template.yaml", "frontend/template.yaml")
        for each in transformed(file).values()
    }
    actions: set[str] = set()
    for kind in kinds - {"Custom::Migration"}:
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
        actions |= {action for each in handlers.values() for action in each.get("permissions", ())}
    return {action for action in actions if not UNUSED.match(action)}


def test_the_deploying_role_may_do_what_the_stacks_need_and_names_each_action(here: Account) -> None:
    policy = preflight.deploying_policy("123456789012", "dev")
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert len(needed()) > 150
    assert needed() <= allowed
    assert not [action for action in allowed if "*" in action]
    # What the templates name, not only what they may be named.
    assert "STAGE" not in str(policy)
    assert len(json.dumps(policy, separators=(",", ":"))) < 10_240, "an inline policy of a role"
