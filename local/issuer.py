"""Issues real RS256 tokens where no front end signs people in: for `make api` and for tests.

python -m local.issuer serve            discovery and keys over HTTP
python -m local.issuer token alice      a token for the user alice
"""

import argparse
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.secret import kept_secret
from local.serving import QUIET, serve_in_thread

AUDIENCE = "parley"
DEFAULT_PORT = 8001
# The same path as the front end's.
JWKS_PATH = "/api/auth/jwks"
DEFAULT_KEY = Path(".parley/issuer.pem")
TTL_S = 15 * 60


class Issuer:
    def __init__(self, url: str, key_file: Path) -> None:
        self.url = url
        pem = kept_secret(key_file, make_key).encode()
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{key_file} holds no RSA key")
        self._key = key
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        kid = hashlib.sha256(public["n"].encode()).hexdigest()[:16]
        self.jwk = {"use": "sig", "alg": "RS256", "kid": kid} | {
            name: public[name] for name in ("kty", "n", "e")
        }

    def mint(self, user_id: str, *, ttl: float = TTL_S, **claims: Any) -> str:
        now = int(time.time())
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": user_id,
            "iat": now,
            "exp": now + int(ttl),
            "email": f"{user_id}@example.com",
            "name": user_id.capitalize(),
        }
        return jwt.encode(usual | claims, self._key, algorithm="RS256", headers={"kid": self.jwk["kid"]})

    def app(self) -> Starlette:
        discovery = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}{JWKS_PATH}",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        documents: dict[str, dict[str, Any]] = {
            "/.well-known/openid-configuration": discovery,
            JWKS_PATH: {"keys": [self.jwk]},
        }
        return Starlette(routes=[_route(path, document) for path, document in documents.items()])


def _route(path: str, document: dict[str, Any]) -> Route:
    reply = JSONResponse(document, headers={"cache-control": "public, max-age=300"})
    return Route(path, lambda _: reply)


@contextmanager
def serve_issuer(key_file: Path) -> Iterator[Issuer]:
    """An issuer that serves its keys on a free port, from a thread of this process."""
    with serve_in_thread(lambda url: Issuer(url, key_file).app()) as url:
        yield Issuer(url, key_file)


def make_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode()


def issuer_url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.issuer", description="The local issuer of tokens.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port, also part of the issuer's name")
    parser.add_argument("--key", type=Path, default=DEFAULT_KEY, help="private key file, made if missing")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve discovery and keys")
    token = commands.add_parser("token", help="print a token")
    token.add_argument("user_id")
    options = parser.parse_args()
    issuer = Issuer(issuer_url(options.port), options.key)
    if options.command == "serve":
        uvicorn.run(issuer.app(), host="127.0.0.1", port=options.port, **QUIET)
    else:
        print(issuer.mint(options.user_id))


if __name__ == "__main__":
    main()
