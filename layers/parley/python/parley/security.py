"""Verifies bearer tokens with PyJWT: RS256 only, with the issuer's keys cached.

PyJWT by itself accepts keys and encodings that the standards forbid (RFC 8725, Wycheproof's vectors), so
keys are checked when they are loaded, and a token's form before it is decoded.
"""

import asyncio
import functools
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from parley.errors import Unauthorized, Unavailable
from parley.text import clean_text

MAX_TOKEN_BYTES = 8_192
MAX_DOCUMENT_BYTES = 65_536
# As long as `sub` may be. Better Auth takes names of any length.
MAX_CLAIM = 255
MIN_KEY_BITS = 2_048
REFETCH_INTERVAL_S = 30
# For both documents, however slowly they come.
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
    """Verifies the tokens of one issuer. Thread-safe.

    One thread at a time fetches keys. Tokens of a known key do not wait for it.
    """

    issuer: str
    audience: str
    jwks_url: str | None = None
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    _keys: dict[str, RSAPublicKey] = field(default_factory=dict, init=False)
    _fetched_at: float = field(default=float("-inf"), init=False)
    _tried_at: float = field(default=float("-inf"), init=False)
    _reachable: bool = field(default=False, init=False)
    _fetch: Future[None] | None = field(default=None, init=False)
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
        if not self._keys and (fetch := self._fetch_if_due(None)):
            with suppress(TimeoutError):
                fetch.result(FETCH_TIMEOUT_S)
        return bool(self._keys)

    async def _key(self, kid: str) -> RSAPublicKey:
        fetch = self._fetch_if_due(kid)
        if fetch and kid not in self._keys:
            await asyncio.wait([asyncio.wrap_future(fetch)], timeout=FETCH_TIMEOUT_S)
        if key := self._keys.get(kid):
            return key
        if not self._reachable or (fetch and not fetch.done()):
            raise KeysUnavailable
        raise Unauthorized("The token is not valid")

    def _fetch_if_due(self, kid: str | None) -> Future[None] | None:
        """The fetch that is under way, or a new one if it is due."""
        with self._lock:
            if self._fetch and not self._fetch.done():
                return self._fetch
            if kid is not None and not self._is_due(kid):
                return None
            self._tried_at = self.clock()
            fetch = self._fetch = Future[None]()
            # One who waits for it and gives up must not cancel it for the others.
            fetch.set_running_or_notify_cancel()
            threading.Thread(target=self._refresh, args=(fetch,), daemon=True).start()
            return fetch

    def _is_due(self, kid: str) -> bool:
        now = self.clock()
        stale = kid not in self._keys or now - self._fetched_at > MAX_AGE_S
        return stale and now - self._tried_at >= REFETCH_INTERVAL_S

    def _refresh(self, fetch: Future[None]) -> None:
        """Fetch the keys. Old keys serve on when that fails."""
        deadline = time.monotonic() + FETCH_TIMEOUT_S
        try:
            url = self.jwks_url or self._discover(deadline)
            self._keys = _load_keys(_get_json(url, deadline))
            self._fetched_at = self.clock()
            self._reachable = True
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
            self._reachable = False
        finally:
            fetch.set_result(None)

    def _discover(self, deadline: float) -> str:
        document = _get_json(f"{self.issuer}/.well-known/openid-configuration", deadline)
        if document["issuer"] != self.issuer:
            raise ValueError("the discovery document names another issuer")
        return str(document["jwks_uri"])


def _text(claim: Any) -> str | None:
    return clean_text(claim) if isinstance(claim, str) and len(claim) <= MAX_CLAIM else None


def _key_id(token: str) -> str | None:
    """The id of the key that the token says it is signed with, or None when the token is malformed."""
    if len(token) > MAX_TOKEN_BYTES:
        return None
    parts = token.split(".")
    # PyJWT accepts padding, stray characters, and parts that are empty.
    if len(parts) != 3 or not all(part and _is_base64url(part) for part in parts):
        return None
    try:
        header, _ = (_read_json(base64url_decode(part)) for part in parts[:2])
    except (ValueError, TypeError, RecursionError):
        return None
    kid = header.get("kid")
    # `crit` demands extensions that are not supported here, such as `b64: false`.
    is_supported = header.get("alg") == "RS256" and "crit" not in header
    return kid if is_supported and isinstance(kid, str) and 0 < len(kid) <= 255 else None


def _read_json(document: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8. Given bytes, Python's parser takes UTF-16 and UTF-32 as well."""
    value = json.loads(document.decode())
    if not isinstance(value, dict):
        raise TypeError("the document is not an object")
    return value


# Built once, when it is first needed: it loads the CA certificates, which takes 50 ms of CPU.
_tls = functools.cache(ssl.create_default_context)


def _get_json(url: str, deadline: float) -> dict[str, Any]:
    """Fetch a document, without following redirects."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("this is no address")
    timeout_s = max(deadline - time.monotonic(), 0.001)
    connection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout_s, context=_tls())
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    )
    try:
        connection.connect()
        body = _get(connection, f"{parts.path}?{parts.query}" if parts.query else parts.path, deadline)
    finally:
        connection.close()
    return _read_json(body)


def _get(connection: http.client.HTTPConnection, path: str, deadline: float) -> bytes:
    # A socket's own timeout starts again with every byte that comes.
    cut = threading.Timer(max(deadline - time.monotonic(), 0), _cut, [connection.sock])
    cut.start()
    try:
        connection.request("GET", path or "/")
        with connection.getresponse() as reply:
            body = reply.read(MAX_DOCUMENT_BYTES + 1)
    finally:
        cut.cancel()
    if reply.status != 200 or len(body) > MAX_DOCUMENT_BYTES or time.monotonic() >= deadline:
        raise ValueError("the document is not there, too large, or too late")
    return body


def _cut(connected: socket.socket) -> None:
    # The method of the plain socket: that of an SSLSocket would let the rest be read unencrypted.
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


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
    numbers = key.public_numbers()
    return key if numbers.e >= 65_537 and not _is_roca(numbers.n) else None


# The primes up to 167, whose product every weak prime number of ROCA is built on, and for each the remainders
# that powers of 65537 leave.
_ROCA = {
    prime: {pow(65_537, power, prime) for power in range(prime - 1)}
    for prime in range(3, 168)
    if all(prime % divisor for divisor in range(2, prime))
}


def _is_roca(modulus: int) -> bool:
    """Whether some smart cards' faulty library made the key, which can then be factored (CVE-2017-15361).

    Its primes, and so their products, are powers of 65537 modulo all these primes. Of other keys, one in 200
    million is.
    """
    return all(modulus % prime in remainders for prime, remainders in _ROCA.items())


def _is_base64url(text: Any) -> bool:
    """True without padding, stray characters or stray trailing bits."""
    try:
        return isinstance(text, str) and base64url_encode(base64url_decode(text)).decode() == text
    except ValueError:
        return False
