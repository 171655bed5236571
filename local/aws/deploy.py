"""Deploys the front end, whose discovery document the API's authorizer reads, and then the API.

    python -m local.aws.deploy --stage dev          deploys, or brings up to date what is deployed
    python -m local.aws.deploy --stage dev --dry    says what it would do, and does nothing

Needs AWS credentials, and the file .env.STAGE with the secret settings (docs/deploy.md). Every step may be
repeated: after a failure, run the same command again.
"""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samcli.yamlhelper import yaml_parse

from local.aws.build import BUILT, MACHINES, ROOT, Target, build_for_lambda, silent_sam
from local.environment import read_env_file
from local.progress import Problem, exit_code, run, step

FRONTEND = ROOT / "frontend"
# Which secret holds which settings. The front end's server needs none of the API's.
SECRETS = {
    "api": ("DATABASE_URL", "MIGRATIONS_DATABASE_URL", "OPENAI_API_KEY"),
    "web": ("AUTH_DATABASE_URL", "BETTER_AUTH_SECRET"),
}
# Used on this machine only, never sent to AWS.
LOCAL_ONLY = ("AUTH_MIGRATIONS_DATABASE_URL",)
NOT_KNOWN_YET = "https://not-known-yet.invalid"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.aws.deploy", description="Deploy to AWS.")
    parser.add_argument("--stage", default="dev", help="a part of samconfig.toml (default: dev)")
    parser.add_argument("--architecture", choices=MACHINES, default="x86_64", help="of Lambda")
    parser.add_argument("--dry", action="store_true", help="say what would be done, and do nothing")
    options = parser.parse_args()
    plan = Deployment(options.stage, options.architecture)
    try:
        plan.explain() if options.dry else plan.run()
    except (BotoCoreError, ClientError) as error:
        raise Problem(f"AWS: {error}") from None


class Deployment:
    """The deployment of one stage. Raises Problem before changing anything if something is missing."""

    def __init__(self, stage: str, architecture: str) -> None:
        self._stage = stage
        self._architecture = architecture
        self._overrides = _overrides(stage)
        self._file = ROOT / f".env.{stage}"
        self._steps: list[tuple[str, Callable[[], None]]] = [
            ("Store the settings of the secrets", self._store_secrets),
            ("Build the front end", self._build_frontend),
            ("Build the functions and layers", self._build_api),
            (f"Deploy the front end: stack parley-{stage}-web", self._deploy_frontend),
            ("Migrate the front end's tables, and make the signing key", self._migrate_frontend),
            (f"Deploy the API: stack parley-{stage}, which migrates its tables first", self._deploy_api),
            ("Tell the front end the API's addresses, where they are new", self._deploy_frontend),
        ]

    def explain(self) -> None:
        print(f"make deploy STAGE={self._stage} would, with the AWS credentials of the environment:")
        for number, (name, _) in enumerate(self._steps, 1):
            print(f"  {number}. {name}")
        for kind, names in SECRETS.items():
            print(f"Secret {self._secret(kind)}: {', '.join(names)}")
        print(f"Parameters of the API: {_joined(self._api_parameters('(its secret)', '(the front end)'))}")
        if missing := self._missing():
            print(f"Before that, {self._file.name} has to name: {', '.join(missing)}")

    def run(self) -> None:
        if missing := self._missing():
            raise Problem(f"{self._file.name} does not name: {', '.join(missing)}. See docs/deploy.md.")
        account = boto3.client("sts").get_caller_identity()["Account"]
        print(f"Deploying {self._stage} to account {account}, {boto3.session.Session().region_name}")
        for name, do in self._steps:
            print(f"{name}:", flush=True)
            do()
        print(f"Up: {self._outputs('web')['Url']}")

    def _missing(self) -> list[str]:
        settings = self._settings()
        return [name for name in (*SECRETS["api"], *SECRETS["web"], *LOCAL_ONLY) if not settings.get(name)]

    def _settings(self) -> dict[str, str]:
        return read_env_file(self._file)

    def _secret(self, kind: str) -> str:
        return f"parley-{self._stage}-{kind}"

    def _store_secrets(self) -> None:
        """All other settings in the file go to the API, such as OPENAI_MODEL or a tool's key."""
        client = boto3.client("secretsmanager")
        settings = self._settings()
        web = {name: settings[name] for name in SECRETS["web"]}
        api = {name: value for name, value in settings.items() if name not in web and name not in LOCAL_ONLY}
        for kind, content in (("api", api), ("web", web)):
            try:
                kept = client.get_secret_value(SecretId=self._secret(kind))["SecretString"]
                if json.loads(kept) == content:
                    print(f"  {self._secret(kind)}: unchanged")
                    continue
                client.put_secret_value(SecretId=self._secret(kind), SecretString=json.dumps(content))
            except client.exceptions.ResourceNotFoundException:
                client.create_secret(Name=self._secret(kind), SecretString=json.dumps(content))
            print(f"  {self._secret(kind)}: stored")

    def _arn(self, kind: str) -> str:
        return str(boto3.client("secretsmanager").describe_secret(SecretId=self._secret(kind))["ARN"])

    def _build_frontend(self) -> None:
        with step("npm run build"):
            run(["npm", "run", "build"], cwd=FRONTEND)

    def _build_api(self) -> None:
        build_for_lambda(Target(architecture=self._architecture))

    def _deploy_frontend(self) -> None:
        """A new front end is deployed twice: its address, the issuer's name, is known only afterwards."""
        for _ in range(2):
            known = self._outputs("web").get("Url", NOT_KNOWN_YET)
            api = self._outputs("api")
            parameters = {
                "Stage": self._stage,
                "SecretArn": self._arn("web"),
                "Url": known,
                "ApiUrl": api.get("ApiUrl", NOT_KNOWN_YET),
                "StreamUrl": api.get("StreamUrl", "").rstrip("/"),
                "Architecture": self._architecture,
            }
            template = FRONTEND / "template.yaml"
            self._sam_deploy("web", template, self._overridden(parameters, template))
            if self._outputs("web")["Url"] == known:
                return

    def _migrate_frontend(self) -> None:
        settings = self._settings()
        names = (*SECRETS["web"], *LOCAL_ONLY)
        values = {**{name: settings[name] for name in names}, "BETTER_AUTH_URL": self._outputs("web")["Url"]}
        with step("npm run migrate"):
            run(["npm", "run", "migrate"], cwd=FRONTEND, env={**os.environ, **values})

    def _deploy_api(self) -> None:
        parameters = self._api_parameters(self._arn("api"), self._outputs("web")["Url"])
        self._sam_deploy("api", BUILT / "template.yaml", parameters)

    def _api_parameters(self, secret: str, frontend: str) -> dict[str, str]:
        own = {"SecretArn": secret, "FrontendUrl": frontend, "Architecture": self._architecture}
        return self._overridden(own, ROOT / "template.yaml")

    def _overridden(self, parameters: dict[str, str], template: Path) -> dict[str, str]:
        """With those of this stage's parameters that the template takes."""
        wanted = yaml_parse(template.read_text())["Parameters"]
        return parameters | {name: value for name, value in self._overrides.items() if name in wanted}

    def _stack(self, kind: str) -> str:
        return f"parley-{self._stage}" + ("-web" if kind == "web" else "")

    def _sam_deploy(self, kind: str, template: Path, parameters: dict[str, str]) -> None:
        command = [sys.executable, "-m", "samcli", "deploy", "--template-file", str(template)]
        command += ["--stack-name", self._stack(kind), "--config-env", self._stage]
        command += ["--config-file", str(ROOT / "samconfig.toml")]
        command += ["--parameter-overrides", *_joined(parameters).split()]
        # Not run quietly: SAM shows its own progress, and may ask for consent.
        if subprocess.run(command, cwd=ROOT, env={**os.environ, **silent_sam()}, check=False).returncode:
            raise Problem(
                f"{self._stack(kind)} was not deployed: see above, then run the same command again."
            )

    def _outputs(self, kind: str) -> dict[str, str]:
        try:
            stacks = boto3.client("cloudformation").describe_stacks(StackName=self._stack(kind))["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return {}
            raise
        return {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])}


def _overrides(stage: str) -> dict[str, str]:
    """The parameters that samconfig.toml gives this stage."""
    stages: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())
    if "deploy" not in stages.get(stage, {}):
        raise Problem(f"samconfig.toml has no [{stage}.deploy.parameters]: add it, or name another STAGE")
    text: str = stages[stage]["deploy"]["parameters"].get("parameter_overrides", "")
    return dict(pair.split("=", 1) for pair in text.split())


def _joined(parameters: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items() if value)


if __name__ == "__main__":
    sys.exit(exit_code(main))
