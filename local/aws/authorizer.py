"""The JWT authorizer of an HTTP API: who may pass, and what is said to those who may not.

It is more lenient than the API behind it, which verifies each token again: see parley/security.py.
"""

import json
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from local.aws.template import Authorizer

# AWS's own limits.
FETCH_TIMEOUT_S = 1.5
KEYS_MAX_AGE_S = 2 * 60 * 60
# A token of a key that is not known asks for the keys again, but not each time.
REFETCH_INTERVAL_S = 5.0


class Refused(Exception):
    """401; `description` is told in www-authenticate."""

    def __init__(self, description: str | None = None) -> None:
        super().__init__(description)
        self.www_authenticate = (
            f'Bearer scope="" error="invalid_token" error_description="{description}"'
            if description
            else "Bearer"
        )


class Forbidden(Exception):
    """403: the token lacks the route's scopes."""


@dataclass(frozen=True)
class Identity:
    """What the function is told, as `requestContext.authorizer.jwt`."""

    claims: Mapping[str, str]
    scopes: tuple[str, ...]


class JwtAuthorizer:
    """Blocks while it fetches keys."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._issuer = authorizer.issuer
        self._audience = authorizer.audience
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._lock = threading.Lock()

    def authorize(self, authorization: str | None, scopes: tuple[str, ...]) -> Identity:
        """Raises Refused or Forbidden."""
        if not authorization:
            raise Refused
        claims = self._verify(authorization.removeprefix("Bearer ").strip())
        given = str(claims.get("scope", claims.get("scp", ""))).split()
        if scopes and not set(scopes) & set(given):
            raise Forbidden
        return Identity(as_strings(claims), scopes)

    def _verify(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise Refused("the token is malformed") from None
        if header.get("alg") != "RS256":
            raise Refused(f"signing method {_word(header.get('alg'))} is invalid")
        key = self._key(str(header.get("kid")))
        # An audience that is missing is looked for in client_id; here nobody issues such tokens.
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise Refused("the token has expired") from None
        except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):
            raise Refused("the token does not have a valid audience") from None
        except jwt.InvalidIssuerError:
            raise Refused("the token does not have a valid issuer") from None
        except jwt.InvalidTokenError:
            raise Refused("the token is not valid") from None
        return claims

    def _key(self, kid: str) -> jwt.PyJWK:
        with self._lock:
            age_s = time.monotonic() - self._fetched_at
            if age_s > KEYS_MAX_AGE_S or (kid not in self._keys and age_s > REFETCH_INTERVAL_S):
                self._fetch_keys()
            if kid not in self._keys:
                raise Refused("unable to find the token's key")
            return self._keys[kid]

    def _fetch_keys(self) -> None:
        try:
            discovery = _fetch(f"{self._issuer}/.well-known/openid-configuration")
            if discovery["issuer"] != self._issuer:
                raise Refused("OIDC discovery endpoint names another issuer")
            listed = _fetch(discovery["jwks_uri"])["keys"]
        except (OSError, ValueError, KeyError, TypeError):
            raise Refused("OIDC discovery endpoint communication error") from None
        self._keys = {key["kid"]: jwt.PyJWK(key, "RS256") for key in listed if key.get("kty") == "RSA"}
        self._fetched_at = time.monotonic()


# Nothing on this machine is reached through a proxy.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _fetch(url: str) -> dict[str, Any]:
    with _DIRECT.open(url, timeout=FETCH_TIMEOUT_S) as reply:
        document: dict[str, Any] = json.load(reply)
        return document


def _word(value: object) -> str:
    return "".join(character for character in str(value) if character.isalnum())[:20]


def as_strings(claims: Mapping[str, Any]) -> dict[str, str]:
    """Claims as the event has them: `[a b]` for a list, no nulls."""
    return {name: _as_string(value) for name, value in claims.items() if value is not None}


def _as_string(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{' '.join(map(_as_string, value))}]"
        case dict():
            return json.dumps(value, separators=(",", ":"))
    return str(value)
