"""An AWS account on this machine: moto for S3, Secrets Manager, Logs, Certificate Manager and STS, and stubs
of botocore for what moto cannot do here: CloudFormation, IAM's simulation, Lambda's limits, layers of others.

Stacks have a status, outputs and events; no resource of theirs is made.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws

REGION = "eu-central-1"


@dataclass
class Account:
    """Change its fields to play a fault."""

    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    concurrency: tuple[int, int] = (1000, 1000)
    denied: set[str] = field(default_factory=set)
    distributions: list[dict[str, Any]] = field(default_factory=list)
    layers: tuple[str, ...] = (f":{REGION}:753240598075:layer:LambdaAdapterLayer",)
    undeletable: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def make(self, stack: str, status: str, outputs: Mapping[str, str] = {}, *failures: str) -> None:
        self.stacks[stack] = {
            "StackName": stack,
            "StackStatus": status,
            "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
            "Events": [
                {
                    "LogicalResourceId": "Migration",
                    "ResourceStatus": "CREATE_FAILED",
                    "ResourceStatusReason": each,
                }
                for each in failures
            ],
        }

    def answer(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """None: moto answers."""
        self.calls.append(operation)
        limit, free = self.concurrency
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "DescribeStacks": lambda: {"Stacks": [self._stack(operation, request)]},
            "DescribeStackEvents": lambda: {"StackEvents": self._stack(operation, request)["Events"]},
            "DescribeStackResources": lambda: {"StackResources": []},
            "DeleteStack": lambda: self._delete(request["StackName"]),
            "SimulatePrincipalPolicy": lambda: self._simulate(request["ActionNames"]),
            "GetAccountSettings": lambda: {
                "AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": free}
            },
            "GetLayerVersionByArn": lambda: self._layer(operation, request["Arn"]),
            "ListDistributions": lambda: {"DistributionList": {"Items": self.distributions}},
        }
        return answers[operation]() if operation in answers else None

    def _delete(self, stack: str) -> dict[str, Any]:
        if stack in self.undeletable:
            self.stacks[stack]["StackStatus"] = "DELETE_FAILED"
        else:
            self.stacks.pop(stack, None)
        return {}

    def _simulate(self, actions: list[str]) -> dict[str, Any]:
        decisions = [(each, "implicitDeny" if each in self.denied else "allowed") for each in actions]
        return {"EvaluationResults": [{"EvalActionName": n, "EvalDecision": d} for n, d in decisions]}

    def _layer(self, operation: str, arn: str) -> dict[str, Any]:
        if not any(each in arn for each in self.layers):
            raise error(operation, "AccessDeniedException")
        return {}

    def _stack(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if request["StackName"] not in self.stacks:
            raise error(operation, "ValidationError", f"Stack with id {request['StackName']} does not exist")
        return self.stacks[request["StackName"]]


def error(operation: str, code: str, message: str = "refused") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@contextmanager
def account() -> Iterator[Account]:
    made = Account()
    real = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, request: dict[str, Any]) -> Any:
        answer = made.answer(operation, request)
        return real(self, operation, request) if answer is None else answer

    with mock_aws(), patch.object(BaseClient, "_make_api_call", call):
        yield made
