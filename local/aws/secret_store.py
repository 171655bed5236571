"""The secrets of a stage in Secrets Manager. A new value waits until what depends on it is ready."""

import json
from collections.abc import Mapping

import boto3

WAITING, CURRENT = "AWSPENDING", "AWSCURRENT"


def store(name: str, content: Mapping[str, str], label: str) -> str:
    """The id of the version with this content, stored now unless it is there. A new secret is current.

    With the label WAITING nobody reads it yet: the migration makes it current (parley/migrate.py).
    """
    client = boto3.client("secretsmanager")
    try:
        if "DeletedDate" in client.describe_secret(SecretId=name):
            client.restore_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        version: str = client.create_secret(Name=name, SecretString=json.dumps(content))["VersionId"]
        print(f"  {name}: made")
        return version
    for each in dict.fromkeys((label, CURRENT)):
        try:
            kept = client.get_secret_value(SecretId=name, VersionStage=each)
        except client.exceptions.ResourceNotFoundException:
            continue  # no version waits
        if json.loads(kept["SecretString"]) == content:
            print(f"  {name}: unchanged")
            return str(kept["VersionId"])
    stored = client.put_secret_value(SecretId=name, SecretString=json.dumps(content), VersionStages=[label])
    print(f"  {name}: stored")
    return str(stored["VersionId"])


def exists(name: str) -> bool:
    client = boto3.client("secretsmanager")
    try:
        return "DeletedDate" not in client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return False


def arn(name: str) -> str:
    return str(boto3.client("secretsmanager").describe_secret(SecretId=name)["ARN"])


def schedule_deletion(name: str) -> None:
    """It costs nothing from now on, and can be had back for a month: a deployment does so."""
    if exists(name):
        boto3.client("secretsmanager").delete_secret(SecretId=name, RecoveryWindowInDays=30)
