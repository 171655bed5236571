"""Nightly: deletes conversations that nobody has touched for long, and what is kept for a day only."""

import logging
from collections.abc import Callable

from parley.database import Database
from parley.postgres import READ_TIMEOUT_S
from parley.repositories.erasure import delete_expired, delete_untouched

logger = logging.getLogger(__name__)

# A batch that loses its connection is sent once more.
BATCH_TAKES_S = 2 * READ_TIMEOUT_S


class CleanUp:
    """`retention_days`: 0 keeps conversations for ever."""

    def __init__(self, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention_days = retention_days

    def run(self, remaining_s: Callable[[], float]) -> None:
        """Delete what is due, batch by batch, while there is time. The next run goes on.

        Raises ProblemError.
        """
        expired = delete_expired(self._database)
        conversations, is_more = 0, self._retention_days > 0
        while is_more and remaining_s() > BATCH_TAKES_S:
            batch = delete_untouched(self._database, self._retention_days)
            conversations, is_more = conversations + batch, batch > 0
        deleted = {"conversations": conversations, "expired": expired, "is_more": is_more}
        logger.info("cleaned_up", extra=deleted)
