"""The streaming function: the chat function's app under uvicorn, behind the Lambda Web Adapter."""

from pathlib import Path

from parley.main import create_app
from parley.priming import prime

app = create_app(agent_file=Path(__file__).with_name("agent.py"))
prime(app)
