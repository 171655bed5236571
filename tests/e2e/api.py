"""The API for the end-to-end tests, with their agent."""

from functools import partial
from pathlib import Path

from parley import main

create_app = partial(main.create_app, agent_file=Path(__file__).with_name("agent.py"))
