"""The CloudFormation stacks of a stage: their state, their outputs, and their removal."""

import sys
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from local.progress import Problem, step

# In these states a stack can only be removed.
DEAD = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
# A change set was made, and nothing else. The next deployment goes on from here.
NOT_BEGUN = "REVIEW_IN_PROGRESS"
STUCK = "UPDATE_ROLLBACK_FAILED"


def status(stack: str) -> str | None:
    """None: there is none."""
    found = _describe(stack)
    return None if found is None or found["StackStatus"] == NOT_BEGUN else str(found["StackStatus"])


def outputs(stack: str) -> dict[str, str]:
    found = _describe(stack) or {}
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}


def obstacle(stack: str) -> str | None:
    """Why this stack can be neither made nor changed now."""
    state = status(stack) or ""
    if state in DEAD:
        return f"Stack {stack} is in {state}: its making failed, and it can only be removed"
    if state == STUCK:
        return (
            f"Stack {stack} is in {state}: mend what its events name, then run "
            f"`aws cloudformation continue-update-rollback --stack-name {stack}`"
        )
    if state.endswith("_IN_PROGRESS"):
        return f"Stack {stack} is in {state}: another deployment is at work, wait for it"
    return None


def remove_dead(stack: str) -> None:
    """Remove what a failed first deployment left, if the operator says yes. Raises Problem."""
    state = status(stack)
    if state not in DEAD:
        return
    print(f"Stack {stack} is in {state}: its making failed, and it can only be removed. It answers nobody.")
    for event in _failures(stack):
        print(f"  {event}")
    if not sys.stdin.isatty() or input("Remove it and go on? [y/N] ").strip().lower() != "y":
        raise Problem(f"Remove it and deploy again: aws cloudformation delete-stack --stack-name {stack}")
    remove(stack)


def remove(stack: str) -> None:
    """Raises Problem."""
    client = boto3.client("cloudformation")
    with step(f"Stack {stack} is removed, which takes some minutes"):
        client.delete_stack(StackName=stack)
        try:
            client.get_waiter("stack_delete_complete").wait(StackName=stack)
        except WaiterError:
            failures = "\n".join(_failures(stack)) or "its events in the console say why"
            raise Problem(f"Stack {stack} was not removed:\n{failures}") from None


def _failures(stack: str) -> list[str]:
    events = boto3.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    ]


def _describe(stack: str) -> dict[str, Any] | None:
    try:
        return dict(boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
