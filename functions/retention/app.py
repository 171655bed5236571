"""The retention function: deletes what is older than it may get. Invoked once a night."""

from typing import Any

from parley.main import create_clean_up

clean_up = create_clean_up()


def handler(_event: Any, context: Any) -> None:
    clean_up.run(lambda: context.get_remaining_time_in_millis() / 1000)
