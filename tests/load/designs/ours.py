"""Parley: the whole Lambda handler, from the gateway's event to its reply."""

import json
import uuid
from typing import Any

import psycopg
from mangum import Mangum
from sqlalchemy import text as sql

from parley.config import Settings
from parley.database import Database
from parley.lambda_handler import TEXT_MIME_TYPES
from parley.main import create_app
from parley.services.history import estimate_tokens
from tests.load.conversations import SUMMARY, messages, roles
from tests.load.designs.agent import MODEL, make_agent

# The handler ignores it.
CONTEXT: Any = None


def make_settings(
    url: str,
    model_url: str,
    issuer_url: str,
    history_tokens: int | None = None,
    http_url: str | None = None,
    **_: Any,
) -> Settings:
    values: dict[str, Any] = {
        "database_url": url,
        "jwt_issuer": issuer_url,
        "openai_api_key": "offline",
        "openai_base_url": f"{model_url}/v1",
        "openai_model": MODEL,
        "log_level": "ERROR",
    }
    if history_tokens:
        values["history_tokens"] = history_tokens
    if http_url:
        values |= {"database_transport": "http", "database_http_url": http_url}
    return Settings.model_validate(values)


class Design:
    def __init__(self, url: str, direct_url: str, user: str, token: str, **options: Any) -> None:
        self._url, self._direct_url = url, direct_url
        self._user, self._token = user, token
        self._settings = make_settings(url, **options)

    def prepare(self) -> None:
        app = create_app(self._settings, make_agent())
        self._database: Database = app.state.services.database
        self._handler = Mangum(app, lifespan="off", text_mime_types=TEXT_MIME_TYPES)

    def seed(self, conversation: str, count: int) -> None:
        seed(self._direct_url, self._user, conversation, count, self._settings.history_tokens)

    def turn(self, conversation: str, text: str) -> str:
        body = {"message": text, "conversation_id": conversation}
        reply = self._handler(gateway_event(self._user, self._token, body), CONTEXT)
        if reply["statusCode"] != 200:
            raise RuntimeError(reply["body"])
        return str(json.loads(reply["body"])["response"])

    def close(self) -> None:
        self._database.close()

    def engine(self) -> None:
        self._probe = Database(self._url, pool_size=1)

    def connect(self) -> None:
        self._probe.rows(self._user, sql("select 1"))

    def disconnect(self) -> None:
        self._probe.close()


def gateway_event(user: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/{user}/chat"
    return {
        "version": "2.0",
        "routeKey": "ANY /api/{proxy+}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "host": "bench.localhost",
        },
        "requestContext": {
            "http": {"method": "POST", "path": path, "sourceIp": "127.0.0.1", "protocol": "HTTP/1.1"},
            "requestId": str(uuid.uuid4()),
            "stage": "$default",
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def seed(url: str, user: str, conversation: str, count: int, history_tokens: int) -> None:
    """A conversation as its follow-ups leave it: titled, and summarised once its window was full."""
    contents = messages(count)
    tokens = [estimate_tokens(content) for content in contents]
    window = _window(tokens, history_tokens)
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into conversation (id, user_id, title, titled, message_count, last_seq, window_seq, "
            "summary_seq, summary) values (%s, %s, 'Ledgers', true, %s, %s, %s, %s, %s)",
            [conversation, user, count, count, window, window, SUMMARY if window else None],
        )
        connection.execute(
            """
            insert into message (id, conversation_id, user_id, seq, role, status, content, tokens, version_of,
                                 completed_at)
            select id, %s, %s, seq, role, 'completed', content, tokens, id, now()
            from (
                select gen_random_uuid() as id, seq, role, content, tokens
                from unnest(%s::text[], %s::text[], %s::int[])
                     with ordinality as given (role, content, tokens, seq)
            ) as message
            """,
            [conversation, user, roles(count), contents, tokens],
        )
        if count > 1_000:
            connection.execute("analyze message")


def _window(tokens: list[int], history_tokens: int) -> int:
    """The `seq` that the window starts at: 0, or the one that leaves it half full, as after a summary."""
    if sum(tokens) <= history_tokens:
        return 0
    kept = 0
    start = len(tokens)
    while kept + tokens[start - 1] + tokens[start - 2] <= history_tokens / 2:
        kept += tokens[start - 1] + tokens[start - 2]
        start -= 2
    return start + 1
