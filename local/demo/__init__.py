"""The API of `make dev` with the offline model: the agent has more tools, to try what a page can show."""

from functools import partial
from pathlib import Path

from parley import main

create_app = partial(main.create_app, agent_file=Path(__file__).with_name("agent.py"))
