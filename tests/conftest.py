"""The real parts that tests run on: PostgreSQL, the offline model over HTTP, an issuer of real tokens."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import parley.tools.lazy_mcp  # noqa: F401 (first, as in the chat Lambda)

# isort: split
import httpx
import pytest
from agents import Agent
from fastapi import FastAPI

from local import offline_model
from local.issuer import Issuer
from local.postgres import Postgres
from local.serving import serve_in_thread
from parley import migrate
from parley.config import Settings
from parley.database import Database
from parley.main import create_app
from parley.paths import user_path
from tests import neon


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server with the schema in place."""
    with Postgres.start(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        migrate.upgrade(server.owner_url, server.app_url)
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that are marked `both_transports` run a second time with the database reached over HTTP."""
    if "transport" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_transports"):
        # None as in tests without the mark, so that they share what is made for the session.
        metafunc.parametrize("transport", [None, "http"], ids=["tcp", "http"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def transport(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The settings that say how the database is reached."""
    if getattr(request, "param", None) is None:
        yield {}
        return
    with neon.serve(tmp_path_factory.mktemp("neon"), postgres.app_url) as stand_in:
        yield {"database_transport": "http", "database_http_url": stand_in.http_url}


@pytest.fixture(scope="session")
def database(postgres: Postgres, transport: dict[str, Any]) -> Iterator[Database]:
    """As the application role."""
    options = {name.removeprefix("database_"): value for name, value in transport.items()}
    database = Database(postgres.app_url, pool_size=5, **options)
    yield database
    database.close()


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    with offline_model.serve() as url:
        yield url


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    made: list[Issuer] = []

    def make_app(url: str) -> Any:
        made.append(Issuer(url, Path(tmp_path_factory.mktemp("issuer")) / "key.pem"))
        return made[0].app()

    with serve_in_thread(make_app):
        yield made[0]


@pytest.fixture(scope="session")
def settings(postgres: Postgres, transport: dict[str, Any], model_url: str, issuer: Issuer) -> Settings:
    return Settings.model_validate(
        {
            **transport,
            "database_url": postgres.app_url,
            "jwt_issuer": issuer.url,
            "openai_api_key": "offline",
            "openai_base_url": f"{model_url}/v1",
            "openai_model": "offline",
            "sharing": "on",
            "log_level": "ERROR",
        }
    )


@pytest.fixture(scope="module")
def serve_api(settings: Settings) -> Iterator[Callable[..., str]]:
    """`serve_api(turn_deadline_s=3)` starts an API with some settings, or the agent, changed."""
    # Not for the session: each API keeps its connections, and PostgreSQL allows 100.
    with ExitStack() as stack:

        def serve(agent: Agent[Any] | None = None, hold_answers: bool = False, **changes: Any) -> str:
            def app(url: str) -> FastAPI:
                changed = settings.model_copy(update={"api_url": url, **changes})
                return create_app(changed, agent, hold_answers=hold_answers)

            return stack.enter_context(serve_in_thread(app))

        yield serve


@pytest.fixture(scope="session")
def api_url(settings: Settings) -> Iterator[str]:
    with serve_in_thread(lambda url: create_app(settings.model_copy(update={"api_url": url}))) as url:
        yield url


class ApiUser:
    """A signed-in user with an HTTP client of their own."""

    def __init__(self, issuer: Issuer, api_url: str, user_id: str) -> None:
        self.id = user_id
        self.token = issuer.mint(user_id)
        headers = {"Authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=api_url + user_path(user_id), headers=headers, timeout=40)

    def say(self, message: str, conversation_id: str | None = None, **headers: str) -> httpx.Response:
        body = {"message": message} | ({"conversation_id": conversation_id} if conversation_id else {})
        return self.http.post("/chat", json=body, headers=headers)

    def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        reply = self.http.get(f"/conversations/{conversation_id}/messages")
        reply.raise_for_status()
        return list(reply.json()["data"])


@pytest.fixture
def new_user(issuer: Issuer, api_url: str) -> Iterator[Callable[..., ApiUser]]:
    """`new_user()` is somebody new; `new_user(api_url=…)` uses another server."""
    with ExitStack() as stack:

        def make(name: str = "alice", api_url: str = api_url, user_id: str | None = None) -> ApiUser:
            made = ApiUser(issuer, api_url, user_id or f"{name}-{uuid.uuid4().hex[:8]}")
            stack.callback(made.http.close)
            return made

        yield make


@pytest.fixture
def alice(new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user("alice")


@pytest.fixture
def bob(new_user: Callable[..., ApiUser]) -> ApiUser:
    return new_user("bob")
