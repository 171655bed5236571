"""The built functions: what local/aws/build.py makes, on Lambda's own runtime client."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.aws.build import TEMPLATE, Target, build
from local.aws.deployment import Settings as DeploymentSettings
from local.aws.deployment import runtime_here
from local.aws.environment import Runtime
from local.aws.gateway import Gateway, parameters, serve
from local.aws.template import Template, read_template
from local.issuer import Issuer
from local.ports import free_port
from local.postgres import Postgres
from parley.config import Settings
from tests.conftest import ApiUser


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both layers and all functions, for the Python that runs the tests."""
    folder = tmp_path_factory.mktemp("built")
    build(folder, Target.here())
    return folder


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return runtime_here(tmp_path_factory.mktemp("lambda") / "runtime")


@pytest.fixture(scope="session")
def template(built: Path, issuer: Issuer) -> Template:
    return read_template(TEMPLATE, built, parameters(issuer.url))


@pytest.fixture(scope="session")
def secret(settings: Settings, postgres: Postgres) -> dict[str, str]:
    """What Secrets Manager tells the functions."""
    return {
        "DATABASE_URL": postgres.app_url,
        "MIGRATIONS_DATABASE_URL": postgres.owner_url,
        "OPENAI_API_KEY": "offline",
        "OPENAI_BASE_URL": settings.openai_base_url or "",
        # A pause after each word: a stream arrives in pieces, on a busy machine too.
        "OPENAI_MODEL": "offline:word=10",
    }


@pytest.fixture(scope="session")
def gateway(
    template: Template, built: Path, secret: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    logs, port = tmp_path_factory.mktemp("logs"), free_port()
    secret = secret | {"API_URL": f"http://127.0.0.1:{port}"}
    # A busy machine may take longer for a cold start than AWS's gateway waits.
    made = DeploymentSettings(
        logs, secret, environments=2, retry_after_s=(0.1, 0.2), integration_timeout_s=120
    )
    with serve(template, built, made, port) as gateway:
        yield gateway


@pytest.fixture
def through(gateway: Gateway, new_user: Callable[..., ApiUser]) -> Callable[[str], ApiUser]:
    """`through("alice")` is somebody new who uses the gateway."""
    return lambda name: new_user(name, api_url=gateway.url)
