"""Whether API Gateway would accept an issuer: it asks for both documents once, making the authorizer."""

import time

import httpx

from local.progress import Problem

# The gateway waits no longer.
PATIENCE_S = 1.5


def warm(issuer: str, patience_s: float) -> None:
    """Return when discovery and keys answer in time, one after the other. Raises Problem."""
    deadline = time.monotonic() + patience_s
    while found := trouble(issuer):
        if time.monotonic() > deadline:
            raise Problem(f"API Gateway would not accept the issuer: {found}")
        time.sleep(1)


def trouble(issuer: str) -> str | None:
    url = f"{issuer}/.well-known/openid-configuration"
    try:
        discovery = httpx.get(url, timeout=PATIENCE_S).raise_for_status().json()
        if discovery["issuer"] != issuer:
            return f"{url} names another issuer, {discovery['issuer']}"
        url = discovery["jwks_uri"]
        keys = httpx.get(url, timeout=PATIENCE_S).raise_for_status().json()["keys"]
        return None if any(key["kty"] == "RSA" for key in keys) else f"{url} has no RSA key"
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        return f"{url}: {type(error).__name__} {error}".rstrip()
