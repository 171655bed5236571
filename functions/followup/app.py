"""The follow-up function: writes titles and summaries. Invoked asynchronously, with ids only."""

import asyncio
import uuid
from typing import Any

from parley.main import create_follow_ups

follow_ups = create_follow_ups()
loop = asyncio.new_event_loop()


def handler(event: dict[str, Any], _context: Any) -> None:
    ids = (uuid.UUID(event[name]) for name in ("conversation_id", "accepted_id"))
    loop.run_until_complete(follow_ups.write_due(event["user_id"], *ids))
