"""The chat function: the whole API behind the HTTP API. Replies are sent whole."""

from functools import partial
from pathlib import Path

from parley.lambda_handler import LambdaHandler
from parley.main import create_app

handler = LambdaHandler(partial(create_app, agent_file=Path(__file__).with_name("agent.py")))
