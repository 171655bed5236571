import time
from pathlib import Path

import httpx
import jwt
import pytest

from local.issuer import Issuer, serve_issuer


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "issuer.pem"


def test_a_token_verifies_with_the_key_found_through_discovery(key_file: Path) -> None:
    with serve_issuer(key_file) as issuer:
        url = issuer.url
        discovery = httpx.get(f"{url}/.well-known/openid-configuration").json()
        [key] = httpx.get(discovery["jwks_uri"]).json()["keys"]
    token = issuer.mint("alice", email="a@b.example")
    assert discovery["issuer"] == url
    assert discovery["id_token_signing_alg_values_supported"] == ["RS256"]
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": key["kid"]}
    claims = jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"], issuer=url, audience="parley")
    assert (claims["sub"], claims["email"], claims["name"]) == ("alice", "a@b.example", "Alice")
    assert claims["exp"] - time.time() == pytest.approx(900, abs=5)


def test_the_key_is_kept_and_for_its_owner_only(key_file: Path) -> None:
    assert Issuer("http://a", key_file).jwk == Issuer("http://b", key_file).jwk
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_claims_can_be_changed(key_file: Path) -> None:
    token = Issuer("http://a", key_file).mint("alice", ttl=-5, aud="another", role="admin")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] < time.time()
    assert (claims["aud"], claims["role"]) == ("another", "admin")
