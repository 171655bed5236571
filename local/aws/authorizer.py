"""The JWT authorizer of an HTTP API: which requests pass, and how the others are refused.

It is more lenient than the API behind it, which verifies each token again (parley/security.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from local.aws.template import Authorizer
from local.serving import WITHOUT_PROXY

# AWS's own limits.
FETCH_TIMEOUT_S = 1.5
KEYS_MAX_AGE_S = 2 * 60 * 60
# An unknown key makes it fetch the keys again, but not more often than this.
REFETCH_INTERVAL_S = 5.0
_REASONS: dict[type[Exception], str] = {
    jwt.DecodeError: "the token is malformed",
    jwt.PyJWKClientError: "unable to find the token's key",
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.InvalidAudienceError: "the token does not have a valid audience",
    jwt.MissingRequiredClaimError: "the token does not have a valid audience",
    jwt.InvalidIssuerError: "the token does not have a valid issuer",
}


class Refused(Exception):
    """401, with a description in www-authenticate."""

    def __init__(self, description: str | None = None) -> None:
        super().__init__(description)
        self.www_authenticate = "Bearer"
        if description:
            self.www_authenticate += f' scope="" error="invalid_token" error_description="{description}"'


class Forbidden(Exception):
    """403: the token lacks the route's scopes."""


@dataclass(frozen=True)
class Identity:
    """What the function gets as `requestContext.authorizer.jwt`."""

    claims: Mapping[str, str]
    scopes: tuple[str, ...]


class JwtAuthorizer:
    """Blocks while it fetches keys."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._issuer = authorizer.issuer
        self._audience = authorizer.audience
        self._keys = _Keys(authorizer.issuer, lifespan=KEYS_MAX_AGE_S, cooldown_duration=REFETCH_INTERVAL_S)

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
            if header.get("alg") != "RS256":
                word = "".join(filter(str.isalnum, str(header.get("alg"))))[:20]
                raise Refused(f"signing method {word} is invalid")
            # AWS also accepts an audience in client_id. Nobody issues such tokens here.
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys.get_signing_key(str(header.get("kid"))),
                algorithms=["RS256"],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise Refused(_REASONS.get(type(error), "the token is not valid")) from None
        return claims


class _Keys(jwt.PyJWKClient):
    """The keys of an issuer, whose discovery document says where they are."""

    def fetch_data(self) -> dict[str, Any]:
        try:
            discovery = _fetch(f"{self.uri}/.well-known/openid-configuration")
            if discovery["issuer"] != self.uri:
                raise Refused("OIDC discovery endpoint names another issuer")
            return _fetch(discovery["jwks_uri"])
        except (OSError, ValueError, KeyError, TypeError):
            raise Refused("OIDC discovery endpoint communication error") from None


def _fetch(url: str) -> dict[str, Any]:
    with WITHOUT_PROXY.open(url, timeout=FETCH_TIMEOUT_S) as reply:
        document: dict[str, Any] = json.load(reply)
        return document


def as_strings(claims: Mapping[str, Any]) -> dict[str, str]:
    """Claims in the form that events have: `[a b]` for a list, no nulls."""
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
