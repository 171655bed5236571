"""A minimal client of the chat API."""

import http.client
import json
import time
from urllib.parse import urlsplit


class Client:
    def __init__(self, url: str, user: str, token: str) -> None:
        self._host = urlsplit(url).netloc
        self._path = f"/api/{user}/chat"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def say(self, conversation: str, text: str) -> str:
        """The answer, whole."""
        reply = self._post(conversation, text, "application/json")
        return str(json.load(reply)["response"])

    def first_token_at(self, conversation: str, text: str) -> float:
        """When the first piece of the streamed answer arrived, on the wall clock."""
        reply = self._post(conversation, text, "text/event-stream")
        first = 0.0
        for line in reply:
            if not first and line.startswith(b"event: turn.output_text.delta"):
                first = time.time()
        return first

    def _post(self, conversation: str, text: str, accept: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        body = json.dumps({"message": text, "conversation_id": conversation})
        connection.request("POST", self._path, body, self._headers | {"Accept": accept})
        reply = connection.getresponse()
        if reply.status != 200:
            raise RuntimeError(reply.read().decode())
        return reply
