"""Parley as the streaming function runs it: the same app under uvicorn, called over HTTP from outside."""

from typing import Any

from local.serving import serve_in_thread
from parley.main import create_app
from tests.load.designs.agent import make_agent
from tests.load.designs.ours import make_settings, seed


class Design:
    def __init__(self, url: str, direct_url: str, user: str, **options: Any) -> None:
        self._direct_url, self._user = direct_url, user
        self._settings = make_settings(url, **options)

    def prepare(self) -> str:
        """The address."""
        self._server = serve_in_thread(lambda _: create_app(self._settings, make_agent()))
        return self._server.__enter__()

    def seed(self, conversation: str, count: int) -> None:
        seed(self._direct_url, self._user, conversation, count, self._settings.history_tokens)
