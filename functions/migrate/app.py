"""The migration function: a custom resource of CloudFormation, so that a failure stops the deployment."""

import json
import urllib.request
from typing import Any

from parley.config import ConfigError
from parley.migrate import migrate


def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Migrate the database and return the outcome. May also be invoked by hand, with any event."""
    outcome = {"Status": "SUCCESS", "Reason": "The database is up to date"}
    if event.get("RequestType") != "Delete":
        try:
            migrate(secret_version=event.get("ResourceProperties", {}).get("SecretVersion", ""))
        except ConfigError as error:
            outcome = {"Status": "FAILED", "Reason": str(error)[:1000]}
        except Exception as error:
            _answer(event, {"Status": "FAILED", "Reason": type(error).__name__})
            raise
    _answer(event, outcome)
    return outcome


def _answer(event: dict[str, Any], outcome: dict[str, str]) -> None:
    """Send the outcome to CloudFormation, which waits for it at ResponseURL."""
    if "ResponseURL" in event:
        ids = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
        body = json.dumps({**ids, **outcome, "PhysicalResourceId": "migration"}).encode()
        # The URL is signed for a request without content type.
        request = urllib.request.Request(  # noqa: S310 (CloudFormation's own URL)
            event["ResponseURL"], data=body, method="PUT", headers={"Content-Type": ""}
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
