"""`make sam-env`: what `sam local invoke`, `start-api` and `start-lambda` need beside Docker.

It runs PostgreSQL, the issuer and the offline model, and writes .aws-sam/env.json and .aws-sam/events/*.json
for them, with a token for the user alice, valid for a day. Under Docker Desktop a container reaches this
machine by the name host.docker.internal. On Linux give the address of Docker's bridge, HOST=172.17.0.1: the
services are then reachable there too.
"""

import argparse
import asyncio
import ipaddress
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from local import services
from local.invoke import USER, filled_in, running_services
from local.issuer import AUDIENCE, JWKS_PATH
from local.progress import Problem, exit_code
from local.state import State

EVENTS = services.ROOT / "tests" / "events"
TOKEN_TTL_S = 24 * 3600


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.sam_env", description=__doc__)
    parser.add_argument("--host", default="host.docker.internal", help="this machine, as containers call it")
    parser.add_argument("--out", type=Path, default=services.ROOT / ".aws-sam", help="where the files go")
    options = parser.parse_args()
    state = State(options.out / "data")
    with state.lock(), running_services(state) as (postgres, issuer, model_url):
        secret = {
            "DATABASE_URL": f"{postgres.app_url}?sslmode=disable",
            "MIGRATIONS_DATABASE_URL": f"{postgres.owner_url}?sslmode=disable",
            **services.offline_model_environment(urlsplit(model_url).port or 0),
        }
        (options.out / "events").mkdir(parents=True, exist_ok=True)
        variables = environment(secret, issuer.url, options.host)
        (options.out / "env.json").write_text(json.dumps({"Parameters": variables}, indent=2))
        token = issuer.mint(USER, ttl=TOKEN_TTL_S)
        for file in EVENTS.glob("*.json"):
            (options.out / "events" / file.name).write_text(filled_in(file.read_text(), token, postgres))
        print(
            f"Written: {options.out}/env.json and events. In another terminal, after `make build`:\n"
            "  sam local invoke ChatFunction --event .aws-sam/events/chat.json --env-vars .aws-sam/env.json\n"
            "  sam local start-api --env-vars .aws-sam/env.json\n"
            "  sam local start-lambda --env-vars .aws-sam/env.json\n"
            f"A token for alice: {token}\nStop: Ctrl-C",
            flush=True,
        )
        ports = [urlsplit(url).port or 0 for url in (postgres.app_url, issuer.url, model_url)]
        asyncio.run(_reachable(options.host, ports))


def environment(secret: Mapping[str, str], issuer: str, host: str) -> dict[str, str]:
    """Variables that template.yaml declares. Only the issuer's name is not an address, and stays."""
    reachable = {name: re.sub(r"\b127\.0\.0\.1\b", host, value) for name, value in secret.items()}
    return {
        "SECRET_JSON": json.dumps(reachable),
        "SECRET_ARN": "",
        "FOLLOWUP_FUNCTION": "",
        "JWT_ISSUER": issuer,
        "JWT_AUDIENCE": AUDIENCE,
        "JWT_JWKS_URL": f"http://{host}:{urlsplit(issuer).port}{JWKS_PATH}",
    }


async def _reachable(host: str, ports: list[int]) -> None:
    """Until it is interrupted, hand on what arrives at the address `host` to the same ports of loopback."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        with suppress(ValueError):  # a name, which Docker Desktop leads to loopback
            ipaddress.ip_address(host)
            for port in ports:
                await stack.enter_async_context(_relay(host, port))
        await stop.wait()


@asynccontextmanager
async def _relay(host: str, port: int) -> AsyncIterator[None]:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    try:
        server = await asyncio.start_server(connect, host, port)
    except OSError as error:
        raise Problem(
            f"HOST={host}: {error.strerror}. `ip address show docker0` shows Docker's bridge"
        ) from None
    try:
        yield
    finally:
        server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    sys.exit(exit_code(main))
