"""Tokens: what is accepted, what is refused, and how often keys are fetched."""

import asyncio
import base64
import hashlib
import hmac
import json
import math
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from local.issuer import Issuer
from local.serving import serve_in_thread
from parley.errors import Unauthorized
from parley.security import (
    FETCH_TIMEOUT_S,
    MAX_AGE_S,
    REFETCH_INTERVAL_S,
    KeysUnavailable,
    TokenVerifier,
    User,
    load_key,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Site:
    """An issuer's site whose answers a test may change, and which counts its requests."""

    def __init__(self, url: str, key_file: Path) -> None:
        self.issuer = Issuer(url, key_file)
        self.fetches: list[str] = []
        self.jwks: Callable[[], Response] = lambda: JSONResponse({"keys": [self.issuer.jwk]})
        self.discovery: Callable[[], Response] = lambda: JSONResponse(
            {"issuer": url, "jwks_uri": f"{url}/jwks"}
        )

    def app(self) -> Starlette:
        async def answer(request: Request) -> Response:
            self.fetches.append(request.url.path)
            return self.jwks() if request.url.path == "/jwks" else self.discovery()

        return Starlette(routes=[Route("/{path:path}", answer)])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    sites: list[Site] = []

    def make(url: str) -> Starlette:
        sites.append(Site(url, tmp_path / "key.pem"))
        return sites[0].app()

    with serve_in_thread(make):
        yield sites[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(site: Site, clock: Clock) -> TokenVerifier:
    return TokenVerifier(site.issuer.url, "parley", clock=clock)


def verify(verifier: TokenVerifier, token: str) -> User:
    return asyncio.run(verifier.verify(token))


def test_a_token_of_the_issuer_names_its_user(site: Site, verifier: TokenVerifier) -> None:
    user = verify(verifier, site.issuer.mint("alice", email="alice@example.com", name="Alice"))
    assert (user.id, user.email, user.name) == ("alice", "alice@example.com", "Alice")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": int(time.time()) + 600},
        {"iat": int(time.time()) + 600},
        {"iss": "http://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
        {"sub": "a\nb"},
        {"sub": ["alice"]},
    ],
)
def test_a_wrong_claim_is_refused(site: Site, verifier: TokenVerifier, claims: dict[str, Any]) -> None:
    usual = jwt.decode(site.issuer.mint("alice"), options={"verify_signature": False})
    body = {name: value for name, value in (usual | claims).items() if value is not None}
    token = sign(site, body)
    with pytest.raises(Unauthorized) as refused:
        verify(verifier, token)
    assert 'error="invalid_token"' in refused.value.headers["WWW-Authenticate"]


@pytest.mark.parametrize("skew", [-58, 58])
def test_a_minute_of_clock_skew_is_forgiven(site: Site, verifier: TokenVerifier, skew: int) -> None:
    now = int(time.time())
    token = site.issuer.mint(
        "alice", iat=now + skew, nbf=now + skew, exp=now + (0 if skew > 0 else skew) + 30
    )
    assert verify(verifier, token).id == "alice"


def test_a_name_or_address_that_is_too_long_is_left_out(site: Site, verifier: TokenVerifier) -> None:
    user = verify(verifier, site.issuer.mint("alice", email="e" * 255, name="n" * 256))
    assert (user.email, user.name) == ("e" * 255, None)


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(
    site: Site, claims: bytes | dict[str, Any], header: dict[str, Any] | None = None, charset: str = "utf-8"
) -> str:
    """A token signed by the issuer's own key, whatever it says."""
    head = {"alg": "RS256", "typ": "JWT", "kid": site.issuer.jwk["kid"]} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    return signed(site, b64(json.dumps(head).encode(charset)), b64(claims))


def signed(site: Site, head: str, body: str) -> str:
    signer = jwt.get_algorithm_by_name("RS256")
    return f"{head}.{body}.{b64(signer.sign(f'{head}.{body}'.encode(), site.issuer._key))}"


def forgeries(site: Site) -> dict[str, str]:
    good = site.issuer.mint("alice")
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    public = site.issuer._key.public_key()
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    kid = site.issuer.jwk["kid"]
    own_key = {"kty": "RSA", "n": site.issuer.jwk["n"], "e": "AQAB"}
    hs_message = f"{b64({'alg': 'HS256', 'kid': kid})}.{body}"
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    confused = hmac.new(pem, hs_message.encode(), hashlib.sha256).digest()
    return {
        "empty": "",
        "not a token": "nonsense",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "no signature": f"{head}.{body}.",
        "alg none": f"{b64({'alg': 'none', 'kid': kid})}.{body}.",
        "alg None": f"{b64({'alg': 'None', 'kid': kid})}.{body}.{signature}",
        "alg rs256": f"{b64({'alg': 'rs256', 'kid': kid})}.{body}.{signature}",
        "key confusion": f"{hs_message}.{b64(confused)}",
        "another's key": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid}),
        "PS256": jwt.encode(claims, site.issuer._key, algorithm="PS256", headers={"kid": kid}),
        "RS512": jwt.encode(claims, site.issuer._key, algorithm="RS512", headers={"kid": kid}),
        "body changed": f"{head}.{b64(claims | {'sub': 'bob'})}.{signature}",
        "no kid": sign(site, claims, {"kid": None}),
        "kid a number": sign(site, claims, {"kid": 7}),
        "kid empty": sign(site, claims, {"kid": ""}),
        "kid a path": sign(site, claims, {"kid": "../../etc/passwd"}),
        "kid SQL": sign(site, claims, {"kid": "' or 1=1"}),
        "crit": sign(site, claims, {"crit": ["exp"]}),
        "b64 false": sign(site, claims, {"b64": False, "crit": ["b64"]}),
        "jku": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid, "jku": "http://evil"}),
        "jwk": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid, "jwk": own_key}),
        "x5u": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid, "x5u": "http://evil"}),
        "padded": f"{head}==.{body}.{signature}",
        "standard alphabet": f"{head}.{body}.{signature[:-2]}+/",
        "space inside": f"{head}.{body} .{signature}",
        "stray bits": f"{head}.{body}.{signature[:-1]}{'B' if signature[-1] == 'A' else 'A'}",
        "body a list": f"{head}.{b64(b'[]')}.{signature}",
        "header a list": f"{b64(b'[]')}.{body}.{signature}",
        "header deep": f"{b64(b'[' * 5_000)}.{body}.{signature}",
        "huge": sign(site, claims | {"x": "y" * 10_000}),
        "unicode": "é.é.é",
        **misspelt(site, claims),
    }


def misspelt(site: Site, claims: dict[str, Any]) -> dict[str, str]:
    """Signed by the issuer, and yet no token."""
    head, body, _ = sign(site, claims).split(".")
    charsets = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32-be")
    return {
        "a space inside": signed(site, head, f"{body[:8]} {body[8:]}"),
        "padding": signed(site, head, f"{b64(claims | {'jti': 'x'})}="),
        "no JSON": sign(site, b"foo"),
        "deep JSON": sign(site, b"[" * 2_000),
        **{f"header in {each}": sign(site, claims, charset=each) for each in charsets},
        **{f"body in {each}": sign(site, json.dumps(claims).encode(each)) for each in charsets},
    }


def test_no_forgery_is_accepted_and_none_fetches_what_it_names(site: Site, verifier: TokenVerifier) -> None:
    verify(verifier, site.issuer.mint("alice"))
    fetched = list(site.fetches)
    accepted = []
    for name, token in forgeries(site).items():
        try:
            verify(verifier, token)
        except Unauthorized:
            continue
        accepted.append(name)
    assert accepted == []
    assert site.fetches == fetched


def test_keys_are_fetched_once_and_kept(site: Site, verifier: TokenVerifier) -> None:
    for _ in range(5):
        verify(verifier, site.issuer.mint("alice"))
    assert site.fetches == ["/.well-known/openid-configuration", "/jwks"]


def test_a_configured_jwks_address_needs_no_discovery(site: Site) -> None:
    verifier = TokenVerifier(site.issuer.url, "parley", f"{site.issuer.url}/jwks")
    assert verify(verifier, site.issuer.mint("alice")).id == "alice"
    assert site.fetches == ["/jwks"]


def rotate(site: Site, tmp_path: Path) -> Issuer:
    """The issuer lists a second key, with which it signs from now on."""
    old, new = site.issuer, Issuer(site.issuer.url, tmp_path / "new.pem")
    site.jwks = lambda: JSONResponse({"keys": [old.jwk, new.jwk]})
    return new


def test_an_unknown_key_is_looked_for_once_per_half_minute(
    site: Site, verifier: TokenVerifier, clock: Clock, tmp_path: Path
) -> None:
    verify(verifier, site.issuer.mint("alice"))
    new = rotate(site, tmp_path)
    with pytest.raises(Unauthorized):
        verify(verifier, new.mint("alice"))  # the keys were fetched this very moment
    clock.now += REFETCH_INTERVAL_S
    assert verify(verifier, new.mint("alice")).id == "alice"
    fetched = len(site.fetches)
    for number in range(50):
        with pytest.raises(Unauthorized):
            verify(verifier, sign(site, {"sub": "x"}, {"kid": f"unknown-{number}"}))
    assert len(site.fetches) == fetched


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Response("garbage", media_type="application/json"),
        lambda: JSONResponse({"keys": []}),
        lambda: JSONResponse({"keys": "none"}),
        lambda: JSONResponse([]),
        lambda: Response(status_code=500),
        lambda: RedirectResponse("http://127.0.0.1:9/elsewhere"),
        lambda: Response(b'{"keys": [' + b" " * 70_000 + b"]}"),
        lambda: Response(b"[" * 60_000),
        lambda: Response("garbage", headers={"x": "y" * 70_000}),
    ],
)
def test_broken_keys_are_503_and_a_cached_key_works_on(
    site: Site, verifier: TokenVerifier, clock: Clock, broken: Callable[[], Response]
) -> None:
    whole = site.jwks
    site.jwks = broken
    with pytest.raises(KeysUnavailable):
        verify(verifier, site.issuer.mint("alice"))
    site.jwks = whole
    clock.now += REFETCH_INTERVAL_S
    assert verify(verifier, site.issuer.mint("alice")).id == "alice"
    site.jwks = broken
    clock.now += 2 * 3_600
    assert verify(verifier, site.issuer.mint("alice")).id == "alice"


def test_a_discovery_document_of_another_issuer_is_not_followed(site: Site, verifier: TokenVerifier) -> None:
    site.discovery = lambda: JSONResponse({"issuer": "http://evil", "jwks_uri": f"{site.issuer.url}/jwks"})
    with pytest.raises(KeysUnavailable):
        verify(verifier, site.issuer.mint("alice"))
    assert "/jwks" not in site.fetches


def test_an_issuer_that_is_away_is_503() -> None:
    verifier = TokenVerifier("http://127.0.0.1:9", "parley")
    header, body = b64({"alg": "RS256", "kid": "k"}), b64({"sub": "alice"})
    with pytest.raises(KeysUnavailable):
        verify(verifier, f"{header}.{body}.{b64(b'signature')}")


def test_keys_in_another_encoding_than_utf_8_are_not_taken(site: Site, verifier: TokenVerifier) -> None:
    site.jwks = lambda: Response(json.dumps({"keys": [site.issuer.jwk]}).encode("utf-16"))
    with pytest.raises(KeysUnavailable):
        verify(verifier, site.issuer.mint("alice"))


@contextmanager
def dripping(reply: bytes) -> Iterator[tuple[str, list[float]]]:
    """The address of a server that sends a byte every 20 ms, and when each connection began."""
    began: list[float] = []

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for byte in reply:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                began.append(time.monotonic())
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/jwks", began
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "reply",
    [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000, b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 10_000],
    ids=["headers", "body"],
)
def test_a_server_that_drips_delays_no_good_token(
    site: Site, verifier: TokenVerifier, clock: Clock, reply: bytes
) -> None:
    good = site.issuer.mint("alice")
    verify(verifier, good)
    clock.now += MAX_AGE_S + 1
    with dripping(reply) as (url, began):
        verifier.jwks_url = url

        async def one_after_the_other() -> list[float]:
            times = []
            until = time.monotonic() + FETCH_TIMEOUT_S
            while time.monotonic() < until:
                started = time.monotonic()
                await verifier.verify(good)
                times.append(time.monotonic() - started)
                await asyncio.sleep(0.01)
            return times

        async def unknown(number: int) -> float:
            started = time.monotonic()
            with suppress(KeysUnavailable):
                await verifier.verify(sign(site, {"sub": "x"}, {"kid": f"unknown-{number}"}))
            return time.monotonic() - started

        async def both() -> tuple[list[float], list[float]]:
            turns = asyncio.create_task(one_after_the_other())
            return await asyncio.gather(*map(unknown, range(50))), await turns

        strangers, times = asyncio.run(both())
        print(f"{len(times)} good tokens, the slowest {max(times) * 1000:.1f} ms")
        assert len(times) > 50
        assert max(times) < 0.5
        assert max(strangers) < FETCH_TIMEOUT_S + 1
        assert len(began) == 1
        # The fetch has ended, or will at once, and the next one may begin.
        clock.now += REFETCH_INTERVAL_S

        def is_fetched_again() -> bool:
            verify(verifier, good)
            return len(began) == 2

        wait_until(is_fetched_again)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_many_who_wait_for_the_first_keys_share_one_fetch(site: Site, verifier: TokenVerifier) -> None:
    async def all_at_once() -> list[User]:
        token = site.issuer.mint("alice")
        gone = asyncio.create_task(verifier.verify(token))
        await asyncio.sleep(0)
        gone.cancel()
        return await asyncio.gather(*(verifier.verify(token) for _ in range(50)))

    assert {user.id for user in asyncio.run(all_at_once())} == {"alice"}
    assert site.fetches == ["/.well-known/openid-configuration", "/jwks"]


def good_key() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048).public_key()
    public = RSAAlgorithm.to_jwk(key, as_dict=True)
    return {"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": public["n"], "e": public["e"]}


def weak_key(bits: int, exponent: int) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=exponent, key_size=bits).public_key()
    return {"kid": "k"} | RSAAlgorithm.to_jwk(key, as_dict=True)


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"kty": None},
        {"alg": "RS512"},
        {"alg": "none"},
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"key_ops": ["verify", "verify"]},
        {"kid": None},
        {"kid": 7},
        {"n": None},
        {"n": "!!"},
        {"n": "AQAB"},
        {"e": "Aw"},
        {"e": "AQAB="},
        {"d": "AQAB"},
        {"k": "secret"},
    ],
)
def test_a_malformed_or_weak_key_is_not_loaded(change: dict[str, Any]) -> None:
    good = good_key()
    assert load_key(good) is not None
    assert load_key({name: value for name, value in (good | change).items() if value is not None}) is None


def test_a_small_key_or_another_kind_is_not_loaded() -> None:
    assert load_key(weak_key(1_024, 65_537)) is None
    assert load_key(weak_key(2_048, 3)) is None
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert load_key({"kid": "k"} | ECAlgorithm.to_jwk(curve, as_dict=True)) is None


def roca_prime(draw: random.Random) -> int:
    """A prime as the faulty library makes it: a power of 65537 modulo the product of the first 126 primes."""
    product = math.prod(n for n in range(2, 702) if all(n % divisor for divisor in range(2, n)))
    while True:
        number = draw.getrandbits(80) * product + pow(65_537, draw.getrandbits(64), product)
        if pow(2, number - 1, number) == 1:
            return number


def test_a_key_of_the_faulty_library_of_roca_is_not_loaded() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    key = rsa.RSAPublicNumbers(65_537, roca_prime(draw) * roca_prime(draw)).public_key()
    assert key.key_size >= 2_048
    assert load_key({"kid": "k"} | RSAAlgorithm.to_jwk(key, as_dict=True)) is None


def test_keys_that_share_a_kid_are_not_used(site: Site, verifier: TokenVerifier) -> None:
    twin = good_key() | {"kid": site.issuer.jwk["kid"]}
    site.jwks = lambda: JSONResponse({"keys": [twin, site.issuer.jwk, good_key()]})
    with pytest.raises(Unauthorized):
        verify(verifier, site.issuer.mint("alice"))
