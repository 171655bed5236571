"""A stand-in for the OpenAI API on loopback: Responses, Chat Completions and models.

It follows rules instead of thinking: it does what people ask for (`wishes.py`), uses the agent's tools and
remembers what the conversation tells it (`answers.py`). On command it is slow, fails, stops or talks rubbish
(`commands.py`), which is how the tests see what a person sees on a bad day.

    python -m local.offline_model --port 8100          base URL: http://127.0.0.1:8100/v1

`GET /log` returns the requests so far, `DELETE /log` forgets them.
"""

import contextlib

from local.offline_model.app import create_app
from local.serving import serve_in_thread


def serve(*, word_delay_ms: float = 0) -> contextlib.AbstractContextManager[str]:
    """Runs the offline model in a thread of this process, on a free port; gives its address."""
    return serve_in_thread(lambda _: create_app(word_delay_ms=word_delay_ms))
