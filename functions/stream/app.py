"""The streaming function: the chat function's app under uvicorn, behind the Lambda Web Adapter."""

from functools import partial
from pathlib import Path

from parley.main import create_app
from parley.web_adapter import SnapshotApp

app = SnapshotApp(partial(create_app, agent_file=Path(__file__).with_name("agent.py")))
