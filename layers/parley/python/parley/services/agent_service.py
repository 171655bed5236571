"""The Agents SDK's Runner against the configured model. Knows nothing of users or the database."""

import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import agents
import openai
from agents import (
    Agent,
    ItemHelpers,
    ModelSettings,
    OpenAIProvider,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    ToolErrorFormatterArgs,
)
from agents.items import ToolApprovalItem, ToolCallItem, ToolCallOutputItem, TResponseInputItem
from agents.result import RunResultStreaming
from agents.run_state import RunState
from agents.tool_context import ToolContext
from openai.types.responses import ResponseFunctionToolCall

from parley.config import ConfigError, Settings
from parley.errors import (
    AgentExhausted,
    ContentRefused,
    DeadlineExceeded,
    ModelBusy,
    ProblemError,
    UpstreamFailed,
)
from parley.logs import describe_error
from parley.services.history import OUTCOME, InputItem
from parley.services.model_client import ModelClient
from parley.tools.api_client import ApiClient
from parley.tools.failure import ToolFailure
from parley.tools.remote import RemoteServer

logger = logging.getLogger(__name__)

# Bounds of one turn: how often the model is asked, and how many tokens it reads and writes in all.
MAX_TURNS = 10
MAX_TURN_TOKENS = 200_000
# Models that think: without the encrypted reasoning in the replayed items they would lose it, since nothing
# is stored on the model's side.
REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")


@dataclass(frozen=True, slots=True)
class TextDelta:
    delta: str


@dataclass(frozen=True, slots=True)
class ToolProgress:
    """A tool call began (`in_progress`), or ended: `completed`, `failed`, or not made since `rejected`."""

    call_id: str
    name: str
    arguments: str
    output: str | None = None
    status: str = "in_progress"
    duration_ms: int | None = None


@dataclass(slots=True)
class Run:
    """What a run has produced so far; whole once its stream has ended, and of use when it broke off."""

    text: str = ""
    run_items: list[InputItem] | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    calls: dict[str, ToolProgress] = field(default_factory=dict)
    # Where it stopped, when it stopped to wait for approval: of the SDK's making, and `calls` beside it.
    state: dict[str, Any] | None = None

    def call_items(self) -> list[InputItem] | None:
        """The tool calls so far, as run items."""
        items: list[InputItem] = []
        for call in self.calls.values():
            ids = {"call_id": call.call_id}
            item = {"type": "function_call", **ids, "name": call.name, "arguments": call.arguments}
            items.append(self.noted(item))
            if call.output is not None:
                items.append({"type": "function_call_output", **ids, "output": call.output})
        return items or None

    def noted(self, item: InputItem) -> InputItem:
        """A run item with how its call went, if it is a call."""
        call = self.calls.get(item.get("call_id", ""))
        if item.get("type") != "function_call" or call is None or call.status == "in_progress":
            return item
        return item | {OUTCOME: {"status": call.status, "duration_ms": call.duration_ms}}


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about the tool calls that a turn waits for: about `calls` of them, or about all.

    `outputs`: by call, what the user's page gave for a tool that it carries out itself.
    """

    approved: bool
    calls: frozenset[str] | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)

    def covers(self, call_id: str | None) -> bool:
        return self.calls is None or call_id in self.calls


@dataclass(frozen=True, slots=True)
class Resumption:
    """A run that waited, and what was decided. It goes on waiting for what was not."""

    state: dict[str, Any]
    decision: Decision


class TokenBudgetExceeded(agents.AgentsException):
    pass


class RunWatch(RunHooks[Any]):
    """Ends a run that costs too much, before the model is asked once more. Times its tools."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._started: dict[str, float] = {}

    async def on_tool_start(self, context: RunContextWrapper[Any], *_: Any) -> None:
        if isinstance(context, ToolContext):
            self._started[context.tool_call_id] = time.monotonic()

    async def on_tool_end(self, context: RunContextWrapper[Any], *_: Any) -> None:
        if isinstance(context, ToolContext) and (call := self._run.calls.get(context.tool_call_id)):
            took_s = time.monotonic() - self._started[call.call_id]
            self._run.calls[call.call_id] = replace(call, duration_ms=round(took_s * 1000))

    async def on_llm_start(self, context: RunContextWrapper[Any], *_: Any) -> None:
        if context.usage.total_tokens > MAX_TURN_TOKENS:
            raise TokenBudgetExceeded


class AgentService:
    """Runs agents against the model that the settings name. Raises ConfigError when none is configured."""

    def __init__(self, settings: Settings, mcp_servers: Sequence[RemoteServer] = ()) -> None:
        if settings.openai_api_key is None:
            raise ConfigError("OPENAI_API_KEY: is not set")
        self.model = settings.models[0]
        self._mcp_servers = mcp_servers
        self._client = ModelClient(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            timeout=settings.turn_deadline_s,
            max_retries=1,
        )
        self._responses = responses = settings.openai_api == "responses"
        self._config = RunConfig(
            model_provider=OpenAIProvider(openai_client=self._client, use_responses=responses),
            model_settings=ModelSettings(
                store=False if responses else None,
                include_usage=None if responses else True,
            ),
            # A tool that does not exist is the model's mistake to mend, not the turn's end.
            tool_not_found_behavior="return_error_to_model",
            tool_error_formatter=_as_failure,
            # The trace exporter posts to OpenAI's own address, whatever the base URL.
            tracing_disabled=True,
        )

    async def complete(self, instructions: str, text: str) -> Run:
        """Answer once, without tools. Raises ProblemError."""
        agent = Agent[None](name="Clerk", instructions=instructions)
        run = Run()
        async for _ in self.stream(agent, [{"role": "user", "content": text}], run):
            pass
        return run

    async def close(self) -> None:
        await self._client.close()

    async def stream(
        self,
        agent: Agent[Any],
        asked: list[InputItem] | Resumption,
        run: Run,
        conversation_id: uuid.UUID | None = None,
        caller: ApiClient | None = None,
        model: str | None = None,
    ) -> AsyncIterator[TextDelta | ToolProgress]:
        """Let `agent` answer `asked`, filling `run` as it goes; its tools act as `caller`.

        Raises ProblemError.
        """
        config = self._run_config(model or self.model, conversation_id)
        whole = False
        result: RunResultStreaming | None = None
        try:
            async with self._equipped(agent, caller) as equipped:
                given = await _runner_input(equipped, asked, caller, run)
                result = Runner.run_streamed(
                    equipped,
                    given,
                    context=caller,
                    max_turns=MAX_TURNS,
                    hooks=RunWatch(run),
                    run_config=config,
                )
                async for event in result.stream_events():
                    if (progress := _progress(event, run)) is not None:
                        yield progress
            whole = True
            if result.interruptions:
                run.state = _waiting_state(result, run)
        except Exception as error:
            # Rubbish from the model comes as whatever tripped over it. The cause is for the operator.
            logger.warning("run_failed", extra=describe_error(error))
            raise _problem(error) from error
        finally:
            if result is not None:
                result.cancel()
                _collect(result, run, whole)
        if not run.text and run.state is None:
            raise UpstreamFailed("The model's answer was empty. Please try again.")

    def _run_config(self, model: str, conversation_id: uuid.UUID | None) -> RunConfig:
        settings = self._config.model_settings
        if self._responses and model.startswith(REASONING_MODELS):
            settings = replace(settings or ModelSettings(), response_include=["reasoning.encrypted_content"])
        # The SDK derives the key of the model's prompt cache from the group.
        group_id = str(conversation_id) if conversation_id else None
        return replace(self._config, model=model, model_settings=settings, group_id=group_id)

    def _equipped(
        self, agent: Agent[Any], caller: ApiClient | None
    ) -> AbstractAsyncContextManager[Agent[Any]]:
        if caller is None or not self._mcp_servers:
            return nullcontext(agent)
        # Imported here: it takes a second, which an agent without such servers need not spend.
        from parley.tools.remote_tools import with_remote_tools  # noqa: PLC0415

        return with_remote_tools(agent, self._mcp_servers, caller)


async def _runner_input(
    agent: Agent[Any], asked: list[InputItem] | Resumption, caller: ApiClient | None, run: Run
) -> list[TResponseInputItem] | RunState[Any, Agent[Any]]:
    if isinstance(asked, list):
        return cast("list[TResponseInputItem]", asked)
    context = RunContextWrapper(caller)
    state = await RunState.from_json(agent, asked.state["run"], context_override=context)
    run.calls = {call["call_id"]: ToolProgress(**call) for call in asked.state["calls"]}
    if caller is not None:
        caller.answers.update(asked.decision.outputs)
    approved = asked.decision.approved
    for call in filter(lambda call: asked.decision.covers(call.call_id), state.get_interruptions()):
        if pending := run.calls.get(call.call_id or ""):
            run.calls[pending.call_id] = replace(pending, status="in_progress" if approved else "rejected")
        if approved:
            state.approve(call)
        else:
            state.reject(call)
    return state


def _waiting_state(result: RunResultStreaming, run: Run) -> dict[str, Any]:
    for waiting in result.interruptions:
        if call := run.calls.get(waiting.call_id or ""):
            run.calls[call.call_id] = replace(call, status="waiting_approval")
    # The caller is not part of it: whoever decides brings their own token.
    state = result.to_state().to_json(context_serializer=lambda _: {})
    return {"run": state, "calls": [asdict(call) for call in run.calls.values()]}


def _as_failure(error: ToolErrorFormatterArgs[Any]) -> str:
    """What the model is told of a tool that raised or does not exist, marked for whoever shows it."""
    return ToolFailure(error.default_message)


def _progress(event: agents.StreamEvent, run: Run) -> TextDelta | ToolProgress | None:
    """What a client wants to see of an event, noted in `run` as well."""
    if event.type == "raw_response_event":
        if event.data.type == "response.output_text.delta":
            run.text += event.data.delta
            return TextDelta(event.data.delta)
        if event.data.type == "response.output_item.added" and event.data.item.type == "message" and run.text:
            # The agent speaks again after a tool call: a paragraph of its own.
            run.text += "\n\n"
            return TextDelta("\n\n")
    elif event.type == "run_item_stream_event":
        item = event.item
        if isinstance(item, ToolCallItem) and isinstance(item.raw_item, ResponseFunctionToolCall):
            call = item.raw_item
            progress = ToolProgress(call.call_id, call.name, call.arguments)
            run.calls[call.call_id] = progress
            return progress
        if isinstance(item, ToolCallOutputItem) and item.call_id in run.calls:
            progress = _ended(run.calls[item.call_id], item.output)
            run.calls[item.call_id] = progress
            return progress
    return None


def _ended(call: ToolProgress, output: Any) -> ToolProgress:
    status = call.status
    if status != "rejected":
        status = "failed" if isinstance(output, ToolFailure) else "completed"
    return replace(call, output=str(output), status=status)


def _collect(result: RunResultStreaming, run: Run, whole: bool) -> None:
    """Note what the whole or broken-off run leaves behind."""
    items = [
        run.noted(cast("InputItem", item.to_input_item()))
        for item in result.new_items
        if not isinstance(item, ToolApprovalItem)
    ]
    if not whole and run.text:
        # Of the text of a run that was broken off, the SDK's items hold what came before the last part.
        items = [item for item in items if item.get("type") != "message"]
        items.append({"role": "assistant", "content": run.text})
    # A plain answer is told in full by its text; anything more is kept, and replayed, item by item.
    run.run_items = items if any(item.get("type", "message") != "message" for item in items) else None
    run.text = run.text or ItemHelpers.text_message_outputs(result.new_items)
    usage = result.context_wrapper.usage
    run.input_tokens, run.output_tokens = usage.input_tokens, usage.output_tokens


def _problem(error: Exception) -> ProblemError:
    match error:
        case openai.RateLimitError():
            return ModelBusy(retry_after_s=_retry_after(error.response.headers.get("retry-after")))
        case openai.APITimeoutError() | agents.ModelTimeoutError():
            return DeadlineExceeded()
        case openai.BadRequestError(code="content_filter") | agents.ModelRefusalError():
            return ContentRefused()
        case openai.APIStatusError(status_code=503):
            return ModelBusy()
        case agents.MaxTurnsExceeded() | TokenBudgetExceeded():
            return AgentExhausted()
        case agents.InputGuardrailTripwireTriggered() | agents.OutputGuardrailTripwireTriggered():
            reason = error.guardrail_result.output.output_info
            return ContentRefused(reason if isinstance(reason, str) else None)
        case _:
            return UpstreamFailed()


def _retry_after(header: str | None) -> int:
    return min(int(header), 60) if header and header.isdecimal() else 5
