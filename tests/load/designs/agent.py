"""The agent and the run configuration that all designs on the Agents SDK share."""

import openai
from agents import Agent, ModelSettings, OpenAIProvider, RunConfig, function_tool

from tests.load.conversations import INSTRUCTIONS

MODEL = "offline"


@function_tool
def page_count(book: str) -> int:
    """How many pages a book has."""
    return len(book)


def make_agent() -> Agent[None]:
    return Agent[None](name="Bench", instructions=INSTRUCTIONS, tools=[page_count])


def run_config(model_url: str) -> RunConfig:
    client = openai.AsyncOpenAI(api_key="offline", base_url=f"{model_url}/v1", max_retries=1)
    return RunConfig(
        model=MODEL,
        model_provider=OpenAIProvider(openai_client=client),
        model_settings=ModelSettings(store=False),
        # The exporter would post to OpenAI's own address.
        tracing_disabled=True,
    )
