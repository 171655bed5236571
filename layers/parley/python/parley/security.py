"""Verifies bearer tokens with PyJWT: RS256 only, with the issuer's keys cached.

PyJWT by itself accepts keys and encodings that the standards forbid (RFC 8725, Wycheproof's vectors), so
keys are checked when they are loaded, and a token's form before it is decoded.
"""

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from parley.errors import Unauthorized, Unavailable
from parley.text import clean_text

MAX_TOKEN_BYTES = 8_192
MAX_DOCUMENT_BYTES = 65_536
MIN_KEY_BITS = 2_048
REFETCH_INTERVAL_S = 30
FETCH_TIMEOUT_S = 3
# Keys stay listed for a day or more when they are rotated, so an hour-old copy is never wrong.
MAX_AGE_S = 3_600
LEEWAY_S = 60


@dataclass(frozen=True, slots=True)
class User:
    """The verified user. `id` is the token's `sub`, the only source of identity. Tools use `token`."""

    id: str
    token: str = field(repr=False)
    email: str | None = None
    name: str | None = None


class KeysUnavailable(Unavailable, problem="keys-unavailable"):
    title = "Sign-in cannot be checked right now"


@dataclass(eq=False)
class TokenVerifier:
    """Verifies the tokens of one issuer. Thread-safe."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    _keys: dict[str, RSAPublicKey] = field(default_factory=dict, init=False)
    _fetched_at: float = field(default=float("-inf"), init=False)
    _tried_at: float = field(default=float("-inf"), init=False)
    _reachable: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    async def verify(self, token: str) -> User:
        """Return the token's user, or raise Unauthorized (401) or KeysUnavailable (503)."""
        kid = _key_id(token)
        if kid is None:
            raise Unauthorized("The token is malformed")
        key = await self._key(kid)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired") from None
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
            raise Unauthorized("The token is not valid") from None
        subject = claims["sub"]
        if not 0 < len(subject) <= 255 or not subject.isprintable():
            raise Unauthorized("The token is not valid")
        return User(subject, token, _text(claims.get("email")), _text(claims.get("name")))

    def ready(self) -> bool:
        """True when there is a key. Fetches the keys if there is none, and blocks meanwhile."""
        if not self._keys:
            self._refresh(None)
        return bool(self._keys)

    async def _key(self, kid: str) -> RSAPublicKey:
        if self._wants_fetch(kid):
            await asyncio.to_thread(self._refresh, kid)
        if key := self._keys.get(kid):
            return key
        if not self._reachable:
            raise KeysUnavailable
        raise Unauthorized("The token is not valid")

    def _wants_fetch(self, kid: str) -> bool:
        now = self.clock()
        stale = kid not in self._keys or now - self._fetched_at > MAX_AGE_S
        return stale and now - self._tried_at >= REFETCH_INTERVAL_S

    def _refresh(self, kid: str | None) -> None:
        """Fetch the keys, unless another thread just did. Old keys serve on when the fetch fails."""
        with self._lock:
            if kid is None or self._wants_fetch(kid):
                try:
                    self._keys = _load_keys(_fetch(self.jwks_url or self._discover()))
                    self._fetched_at = self.clock()
                    self._reachable = True
                except (OSError, ValueError, KeyError, TypeError):
                    self._reachable = False
                self._tried_at = self.clock()

    def _discover(self) -> str:
        document = _fetch(f"{self.issuer}/.well-known/openid-configuration")
        if document["issuer"] != self.issuer:
            raise ValueError("the discovery document names another issuer")
        return str(document["jwks_uri"])


def _text(claim: Any) -> str | None:
    return clean_text(claim) if isinstance(claim, str) else None


def _key_id(token: str) -> str | None:
    """The id of the key that the token says it is signed with, or None when the token is malformed."""
    # PyJWT accepts padding, and parts that are empty.
    if len(token) > MAX_TOKEN_BYTES or "=" in token or not all(token.split(".")):
        return None
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError):
        return None
    kid = header.get("kid", "")
    # `crit` demands extensions that are not supported here, such as `b64: false`.
    is_supported = header.get("alg") == "RS256" and "crit" not in header and 0 < len(kid) <= 255
    return kid if is_supported else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


# Built once: since Python 3.12 it loads the CA certificates, which takes 50 ms of CPU.
_opener = urllib.request.build_opener(_NoRedirect)


def _fetch(url: str) -> dict[str, Any]:
    with _opener.open(url, timeout=FETCH_TIMEOUT_S) as reply:
        body = reply.read(MAX_DOCUMENT_BYTES + 1)
    if len(body) > MAX_DOCUMENT_BYTES:
        raise ValueError("the document is too large")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise TypeError("the document is not an object")
    return document


def _load_keys(document: dict[str, Any]) -> dict[str, RSAPublicKey]:
    """The usable keys of a JWKS by `kid`. Weak, malformed and ambiguous keys are left out.

    Raises ValueError when none is usable.
    """
    listed = [entry for entry in document["keys"] if isinstance(entry, dict)]
    kids = [entry.get("kid") for entry in listed]
    keys = {
        entry["kid"]: key
        for entry in listed
        if kids.count(entry.get("kid")) == 1 and (key := load_key(entry)) is not None
    }
    if not keys:
        raise ValueError("the issuer lists no usable key")
    return keys


def load_key(entry: dict[str, Any]) -> RSAPublicKey | None:
    """One JWK as a key that may verify RS256, or None."""
    operations = entry.get("key_ops", ["verify"])
    if (
        entry.get("kty") != "RSA"
        or not isinstance(entry.get("kid"), str)
        or entry.get("alg", "RS256") != "RS256"
        or entry.get("use", "sig") != "sig"
        or not isinstance(operations, list)
        or "verify" not in operations
        or len(set(map(str, operations))) != len(operations)
        or not all(_is_base64url(entry.get(part)) for part in ("n", "e"))
        or entry.keys() & {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
    ):
        return None
    try:
        key = RSAAlgorithm.from_jwk(entry)
    except (jwt.InvalidKeyError, ValueError, TypeError):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        return None
    return key if key.public_numbers().e >= 65_537 else None


def _is_base64url(text: Any) -> bool:
    """True without padding, stray characters or stray trailing bits."""
    try:
        return isinstance(text, str) and base64url_encode(base64url_decode(text)).decode() == text
    except ValueError:
        return False
