"""The streaming Lambda: the app of the chat Lambda under uvicorn, which the Lambda Web Adapter calls."""

from pathlib import Path

from parley.main import create_app
from parley.priming import prime

app = create_app(agent_file=Path(__file__).with_name("agent.py"))
prime(app)
