"""Deploys the front end, whose discovery document the API's authorizer reads, and then the API.

    python -m local.aws.deploy --stage dev           deploys, or brings up to date what is deployed
    python -m local.aws.deploy --stage dev --dry     says what it would do and what stands in the way
    python -m local.aws.deploy --stage dev --now     without canary and alarms: a fix, while an alarm rings
    python -m local.aws.deploy --stage dev --remove  removes all but the database

Needs PYTHONPATH=layers/parley/python, AWS credentials, and the file .env.STAGE with the secret settings
(docs/deploy.md). Every step may be repeated: after a failure, run the same command again.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samcli.yamlhelper import yaml_parse

from local.aws import issuer_check, preflight, secret_store, smoke, stacks
from local.aws.build import BUILT, MACHINES, ROOT, Target, build_for_lambda, functions, silent_sam
from local.aws.secret_store import CURRENT, WAITING
from local.environment import read_env_file
from local.progress import Problem, exit_code, run, step
from parley.config import Settings
from parley.prices import price_of

FRONTEND = ROOT / "frontend"
# Which secret holds which settings. The front end's server needs none of the API's.
SECRETS = {
    "api": ("DATABASE_URL", "MIGRATIONS_DATABASE_URL", "OPENAI_API_KEY"),
    "web": ("AUTH_DATABASE_URL", "BETTER_AUTH_SECRET"),
}
# Beside the code of each function.
DIGEST = "deployment.sha256"
# What the front end's server gets beside, where it is set, and whether the API gets it as well.
ALSO_FOR_WEB = {
    "SMTP_URL": False,
    "MAIL_FROM": False,
    "EMAIL_VERIFICATION": False,
    "GITHUB_CLIENT_ID": False,
    "GITHUB_CLIENT_SECRET": False,
    "GOOGLE_CLIENT_ID": False,
    "GOOGLE_CLIENT_SECRET": False,
    "DATABASE_TRANSPORT": True,
    "DATABASE_HTTP_URL": True,
}
# Used on this machine only, never sent to AWS.
LOCAL_ONLY = ("AUTH_MIGRATIONS_DATABASE_URL",)
NOT_KNOWN_YET = "https://not-known-yet.invalid"
# For a fix while an alarm rings, which would take the fix back before it has helped anybody.
AT_ONCE = {"DeploymentPreference": "AllAtOnce", "RollBackOnAlarm": "false"}
# A new distribution's name needs some minutes to be known everywhere.
ISSUER_PATIENCE_S = 300


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.aws.deploy", description="Deploy to AWS.")
    parser.add_argument("--stage", default="dev", help="a part of samconfig.toml (default: dev)")
    parser.add_argument("--architecture", choices=MACHINES, default="x86_64", help="of Lambda")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry", action="store_true", help="say what would be done, and do nothing")
    how.add_argument("--now", action="store_true", help="all at once, even while an alarm rings")
    how.add_argument("--remove", action="store_true", help="remove the stage")
    options = parser.parse_args()
    deployment = Deployment(options.stage, options.architecture, AT_ONCE if options.now else {})
    try:
        if options.dry:
            deployment.explain()
        elif options.remove:
            deployment.remove()
        else:
            deployment.run()
    except (BotoCoreError, ClientError) as error:
        raise Problem(f"AWS: {error}") from None


class Deployment:
    """The deployment of one stage. Raises Problem before changing anything if something is missing."""

    def __init__(
        self, stage: str, architecture: str, overrides: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._stage = stage
        self._architecture = architecture
        self._overrides = {**_overrides(stage), **overrides}
        self._file = ROOT / f".env.{stage}"
        self._secret_version = ""
        self._steps: list[tuple[str, Callable[[], None]]] = [
            ("Store the settings, which nobody reads yet", self._store_secrets),
            ("Build the front end", self._build_frontend),
            ("Build the functions and layers", self._build_api),
            (
                "Migrate the front end's tables where it is deployed, then make its settings current",
                self._renew_web,
            ),
            (f"Deploy the front end: stack {self._stack('web')}", self._deploy_frontend),
            ("Migrate the front end's tables, and make the signing key", self._migrate_frontend),
            ("Wait until the issuer answers as fast as API Gateway demands", self._warm_issuer),
            (
                f"Deploy the API: stack {self._stack('api')}, which migrates its tables first",
                self._deploy_api,
            ),
            ("Tell the front end the API's addresses, where they are new", self._deploy_frontend),
        ]

    def explain(self) -> None:
        print(f"make deploy STAGE={self._stage} would, with the AWS credentials of the environment:")
        for number, (name, _) in enumerate(self._steps, 1):
            print(f"  {number}. {name}")
        for kind, names in SECRETS.items():
            print(f"Secret {self._secret(kind)}: {', '.join(names)}")
        print(f"Parameters of the API: {_joined(self._api_parameters('(its secret)', '(the front end)'))}")
        try:
            preflight.use_region()
            found = [*self._missing(), *preflight.findings(self._plan())]
        except Problem as problem:
            found = [*self._missing(), str(problem)]
        print("In the way:" if found else "Nothing is in the way.")
        for each in found:
            print(f"  - {each}")

    def run(self) -> None:
        region = preflight.use_region()
        if missing := self._missing():
            raise Problem("\n".join(missing))
        for kind in SECRETS:
            stacks.remove_dead(self._stack(kind))
        if found := preflight.findings(self._plan()):
            raise Problem("Nothing was begun:\n" + "\n".join(f"  - {each}" for each in found))
        account = boto3.client("sts").get_caller_identity()["Account"]
        print(f"Deploying {self._stage} to account {account}, {region}")
        for name, do in self._steps:
            print(f"{name}:", flush=True)
            do()
        print(f"Up: {self._issuer()}\nAsked whether it works:")
        self._smoke()

    def _smoke(self) -> None:
        if smoke.smoke(smoke.deployed_stage(self._stage)):
            raise Problem(smoke.way_back(self._stage))

    def remove(self) -> None:
        """Remove the stage, except its database."""
        preflight.use_region()
        if not sys.stdin.isatty() or input(f"Type {self._stage} to remove it: ").strip() != self._stage:
            raise Problem("Nothing was removed: type the stage's name at a terminal")
        for kind in ("api", "web"):
            if stacks.status(self._stack(kind)):
                stacks.remove(self._stack(kind))
            secret_store.schedule_deletion(self._secret(kind))
            self._remove_uploads(self._stack(kind))
        print("Kept: the database with every conversation and account. Remove it at its provider.")
        print("Kept for a month, free of charge: the secrets. `make deploy` takes them up again.")

    def _remove_uploads(self, stack: str) -> None:
        """What SAM has uploaded, in all versions, from its bucket for all stacks of this account."""
        if bucket := stacks.outputs("aws-sam-cli-managed-default").get("SourceBucket"):
            boto3.resource("s3").Bucket(bucket).object_versions.filter(Prefix=f"{stack}/").delete()

    def _missing(self) -> list[str]:
        settings = self._settings()
        needed = [*SECRETS["api"], *SECRETS["web"], *LOCAL_ONLY]
        if settings.get("EMAIL_VERIFICATION") != "off":
            needed.append("SMTP_URL")
        names = [name for name in needed if not settings.get(name)]
        text = f"{self._file.name} does not name: {', '.join(names)}. See docs/deploy.md."
        return [text] if names else []

    def _settings(self) -> dict[str, str]:
        return read_env_file(self._file)

    def _plan(self) -> preflight.Plan:
        both = {**self._overrides, "Architecture": self._architecture}
        return preflight.Plan(self._stage, (self._stack("api"), self._stack("web")), both)

    def _secret(self, kind: str) -> str:
        return f"parley-{self._stage}-{kind}"

    def _content(self, kind: str) -> dict[str, str]:
        """All other settings in the file go to the API, such as OPENAI_MODEL or a tool's key."""
        settings = self._settings()
        web = {name: settings[name] for name in (*SECRETS["web"], *ALSO_FOR_WEB) if name in settings}
        not_api = [*LOCAL_ONLY, *(name for name in web if not ALSO_FOR_WEB.get(name))]
        api = {name: value for name, value in settings.items() if name not in not_api}
        return web if kind == "web" else api

    def _store_secrets(self) -> None:
        self._secret_version = secret_store.store(self._secret("api"), self._content("api"), WAITING)
        if not secret_store.exists(self._secret("web")):
            secret_store.store(self._secret("web"), self._content("web"), CURRENT)

    def _renew_web(self) -> None:
        if stacks.outputs(self._stack("web")):
            self._migrate_frontend()
        version = secret_store.store(self._secret("web"), self._content("web"), CURRENT)
        # New code replaces the environments, which read the secret when they start.
        (FRONTEND / ".next" / "standalone" / DIGEST).write_text(version)

    def _build_frontend(self) -> None:
        with step("npm run build"):
            run(["npm", "run", "build"], cwd=FRONTEND)

    def _build_api(self) -> None:
        build_for_lambda(Target(architecture=self._architecture))

    def _deploy_frontend(self) -> None:
        """A new front end is deployed twice: its address, the issuer's name, is known only afterwards."""
        for _ in range(2):
            known = stacks.outputs(self._stack("web")).get("Url", NOT_KNOWN_YET)
            api = stacks.outputs(self._stack("api"))
            parameters = {
                "Stage": self._stage,
                "SecretArn": secret_store.arn(self._secret("web")),
                "Url": known,
                "ApiUrl": api.get("ApiUrl", NOT_KNOWN_YET),
                "StreamUrl": api.get("StreamUrl", "").rstrip("/"),
                "Architecture": self._architecture,
            }
            template = FRONTEND / "template.yaml"
            self._sam_deploy("web", template, self._overridden(parameters, template))
            if stacks.outputs(self._stack("web"))["Url"] == known:
                return

    def _migrate_frontend(self) -> None:
        settings = self._settings()
        names = (*SECRETS["web"], *LOCAL_ONLY)
        values = {name: settings[name] for name in names}
        values["BETTER_AUTH_URL"] = self._issuer()
        values["SMOKE_PASSWORD"] = smoke.password_of(settings["BETTER_AUTH_SECRET"])
        with step("npm run migrate"):
            run(["npm", "run", "migrate"], cwd=FRONTEND, env={**os.environ, **values})

    def _issuer(self) -> str:
        return stacks.outputs(self._stack("web"))["Url"]

    def _warm_issuer(self) -> None:
        with step(self._issuer()):
            issuer_check.warm(self._issuer(), ISSUER_PATIENCE_S)

    def _deploy_api(self) -> None:
        parameters = self._api_parameters(secret_store.arn(self._secret("api")), self._issuer())
        write_digests(BUILT, parameters)
        self._sam_deploy("api", BUILT / "template.yaml", parameters)

    def _api_parameters(self, secret: str, frontend: str) -> dict[str, str]:
        own = {"SecretArn": secret, "FrontendUrl": frontend, "Architecture": self._architecture}
        own["SecretVersion"] = self._secret_version
        own |= self._prices()
        return self._overridden(own, ROOT / "template.yaml")

    def _prices(self) -> dict[str, str]:
        """Today's, of the default model, for the dashboard. None where they are not known."""
        models = Settings.model_fields["openai_model"].get_default()
        models = self._settings().get("OPENAI_MODEL") or models
        price = price_of(models.replace(",", " ").split()[0], datetime.now(UTC).date())
        if price is None:
            return {}
        names = ("InputTokenPrice", "CachedTokenPrice", "OutputTokenPrice")
        return dict(zip(names, map(str, (price.input, price.cached_input, price.output)), strict=True))

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
        if not sys.stdin.isatty():  # in a workflow, whose environment has asked already
            command.append("--no-confirm-changeset")
        # Not run quietly: SAM shows its own progress, and may ask for consent.
        if subprocess.run(command, cwd=ROOT, env={**os.environ, **silent_sam()}, check=False).returncode:
            raise Problem(
                f"{self._stack(kind)} was not deployed: see above, then run the same command again. "
                "If an alarm keeps it out, `make deploy NOW=1` deploys without canary and alarms."
            )


def write_digests(built: Path, parameters: Mapping[str, str]) -> None:
    """Make every function's code differ when a parameter or the secret does.

    SAM publishes a version when a function's code or properties differ, and in the properties a parameter is
    still its name.
    """
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()
    for name in functions():
        (built / name / DIGEST).write_text(digest)


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
