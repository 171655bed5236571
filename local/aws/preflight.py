"""What would stop a deployment half-way, found before it begins. Each finding says what to do."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from local.aws import stacks
from local.aws.build import ROOT
from local.progress import Problem

POLICY = ROOT / "docs" / "deploying-role.json"
# Chat and stream; AWS keeps the rest of an account's limit for all other functions.
RESERVING_FUNCTIONS = 2
UNRESERVED = 100


@dataclass(frozen=True)
class Plan:
    """What is about to be deployed. `stacks` are the API's and the front end's, in this order."""

    stage: str
    stacks: tuple[str, str]
    parameters: Mapping[str, str]


def use_region() -> str:
    """The region of AWS_REGION, AWS_DEFAULT_REGION or the profile, for boto3 and SAM alike. Raises Problem.

    boto3 reads the second and the profile, other SDKs the first.
    """
    region = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
    if not region:
        raise Problem("No region: set AWS_REGION, or `region` in the profile of AWS_PROFILE")
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = region
    return region


def findings(plan: Plan) -> list[str]:
    """What would stop this deployment. Nothing is changed."""
    try:
        caller = boto3.client("sts").get_caller_identity()
    except NoCredentialsError:
        return ["No credentials: set AWS_PROFILE, or sign in with `aws sso login`"]
    except NoRegionError:
        return ["No region: set AWS_REGION, or `region` in the profile of AWS_PROFILE"]
    except ClientError as error:
        return [f"These credentials are refused ({error.response['Error']['Code']}): sign in again"]
    checks: list[Callable[[], Iterator[str]]] = [
        lambda: (text for stack in plan.stacks if (text := stacks.obstacle(stack))),
        lambda: _rights(caller["Arn"], caller["Account"], plan.stage),
        lambda: _concurrency(plan),
        lambda: _certificate(plan.parameters),
        lambda: _names(plan),
        lambda: _adapter(plan.parameters),
    ]
    return [finding for check in checks for finding in _asked(check)]


def _asked(check: Callable[[], Iterator[str]]) -> Iterator[str]:
    """A check that may not ask is no reason to stop: the deployment may need other rights than it does."""
    try:
        yield from check()
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        print(f"  Not checked: these credentials may not call {error.operation_name}")
    except BotoCoreError as error:
        print(f"  Not checked: {error}")


def _rights(arn: str, account: str, stage: str) -> Iterator[str]:
    """Asks IAM about each statement of the policy in docs/, for the resources that it names."""
    if arn.endswith(":root"):
        return
    # IAM knows the role, not its session.
    source = arn.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/")
    source = source.rpartition("/")[0] if ":assumed-role/" in arn else source
    denied: list[str] = []
    for statement in deploying_policy(account, stage)["Statement"]:
        answer = boto3.client("iam").simulate_principal_policy(
            PolicySourceArn=source,
            ActionNames=statement["Action"],
            ResourceArns=[each for each in statement["Resource"] if each != "*"] or ["*"],
        )
        results = answer["EvaluationResults"]
        denied += [each["EvalActionName"] for each in results if each["EvalDecision"] != "allowed"]
    if denied:
        named = ", ".join(sorted(set(denied)))
        yield f"{source} may not: {named}. docs/{POLICY.name} is the policy that a deployment needs"


def deploying_policy(account: str, stage: str) -> dict[str, Any]:
    """The policy in docs/, filled in for this account, region and stage."""
    text = POLICY.read_text().replace("ACCOUNT", account).replace("STAGE", stage)
    policy: dict[str, Any] = json.loads(text.replace("REGION", os.environ["AWS_DEFAULT_REGION"]))
    return policy


def _concurrency(plan: Plan) -> Iterator[str]:
    wanted = int(plan.parameters.get("ReservedConcurrency") or 0) * RESERVING_FUNCTIONS
    if not wanted:
        return
    client = boto3.client("lambda")
    limit = client.get_account_settings()["AccountLimit"]
    free = limit["UnreservedConcurrentExecutions"] - UNRESERVED + _reserved_already(plan.stacks[0])
    if wanted > free:
        yield (
            f"ReservedConcurrency={wanted // RESERVING_FUNCTIONS}, twice, for chat and stream, is more "
            f"than this account can give: of its {limit['ConcurrentExecutions']} concurrent executions "
            f"{max(free, 0)} can be reserved. Lower it in samconfig.toml, or request more from Service Quotas"
        )


def _reserved_already(stack: str) -> int:
    """What the last deployment of this stage has reserved."""
    if stacks.status(stack) is None:
        return 0
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    names = [
        each["PhysicalResourceId"] for each in resources if each["ResourceType"] == "AWS::Lambda::Function"
    ]
    client = boto3.client("lambda")
    found = (client.get_function_concurrency(FunctionName=name) for name in names)
    return sum(each.get("ReservedConcurrentExecutions", 0) for each in found)


def _certificate(parameters: Mapping[str, str]) -> Iterator[str]:
    domain, arn = parameters.get("DomainName", ""), parameters.get("CertificateArn", "")
    if bool(domain) != bool(arn):
        yield "DomainName and CertificateArn are needed together: set both in samconfig.toml, or neither"
    if not domain or not arn:
        return
    if ":us-east-1:" not in arn:
        yield f"{arn} is not in us-east-1: CloudFront takes certificates of that region only"
        return
    client = boto3.client("acm", region_name="us-east-1")
    try:
        certificate = client.describe_certificate(CertificateArn=arn)["Certificate"]
    except client.exceptions.ResourceNotFoundException:
        yield f"There is no certificate {arn}: correct CertificateArn in samconfig.toml"
        return
    if certificate["Status"] != "ISSUED":
        yield (
            f"The certificate {arn} is in {certificate['Status']}: add the DNS records that Certificate "
            "Manager shows, and wait until it is ISSUED"
        )
    elif certificate["NotAfter"] < datetime.now(UTC):
        yield f"The certificate {arn} has expired"
    names = {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", ())}
    if not names & {domain, "*." + domain.partition(".")[2]}:
        yield f"The certificate {arn} is not for {domain}, but for {', '.join(sorted(names))}"


def _names(plan: Plan) -> Iterator[str]:
    """Names that the templates fix, taken by something else. What is left of a removed stage counts."""
    api, web = plan.stacks
    if stacks.status(api) is None:
        logs = boto3.client("logs")
        for prefix in (f"/parley/{plan.stage}/", f"/aws/vendedlogs/parley/{plan.stage}/"):
            for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
                name = group["logGroupName"]
                # The front end's belongs to its own stack, which may be there already.
                if not (name.endswith("/web") and stacks.status(web)):
                    yield (
                        f"The log group {name} is there already: remove it with "
                        f"`aws logs delete-log-group --log-group-name {name}`, or choose another Stage"
                    )
    domain = plan.parameters.get("DomainName")
    if domain and stacks.status(web) is None:
        pages = boto3.client("cloudfront").get_paginator("list_distributions").paginate()
        for each in (item for page in pages for item in page["DistributionList"].get("Items", ())):
            if domain in each["Aliases"].get("Items", ()):
                yield f"{domain} is taken by CloudFront's distribution {each['Id']}: remove it there"


def _adapter(parameters: Mapping[str, str]) -> Iterator[str]:
    """The layer of another account, which the regions outside of the partition `aws` have elsewhere."""
    region = os.environ["AWS_DEFAULT_REGION"]
    partition = boto3.session.Session().get_partition_for_region(region)
    account = parameters.get("AdapterAccount", "753240598075")
    kind = "Arm64" if parameters.get("Architecture") == "arm64" else "X86"
    arn = f"arn:{partition}:lambda:{region}:{account}:layer:LambdaAdapterLayer{kind}:30"
    try:
        boto3.client("lambda").get_layer_version_by_arn(Arn=arn)
    except ClientError as error:
        yield (
            f"The layer {arn} cannot be had ({error.response['Error']['Code']}): set AdapterAccount in "
            "samconfig.toml to the account that publishes it in this region (docs/deploy.md)"
        )
