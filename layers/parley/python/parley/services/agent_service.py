"""The Agents SDK's Runner against the configured model. Knows nothing of users or the database."""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import agents
import httpx2
import openai
from agents import Agent, ModelSettings, RunContextWrapper
from agents.run_config import CallModelData, CallModelInputFilter, ModelInputData
from agents.tool_context import ToolContext
from openai.types.responses import ResponseFunctionToolCall

from parley import errors, tracing
from parley.config import ConfigError, Settings, suspect_secret
from parley.logs import describe_error
from parley.models.tool_call import CALL, OUTPUT, RunItem, ToolCall, with_outcome
from parley.models.turn import Decision
from parley.services import model_stops
from parley.services.history import message_text, plain, with_instructions
from parley.services.model_client import ModelClient
from parley.services.model_report import ModelReport, Spent, current_report
from parley.services.model_stops import RequestRefused
from parley.text import clean, clean_text, is_visible, json_size
from parley.tools.api_client import ApiClient, ToolFailure
from parley.tools.remote import RemoteServer

logger = logging.getLogger(__name__)

# Bounds of one turn: how often the model is called, and how many tokens it reads and writes in all.
MAX_MODEL_CALLS = 10
MAX_TURN_TOKENS = 200_000
MAX_STATE_DEPTH = 500
# In characters, of what a guardrail says to people.
MAX_REASON = 1_000
# Models that think. Nothing is stored on the model's side, so they would lose their reasoning if the replayed
# items did not hold it, encrypted.
REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")
UNJUDGED = "Your message could not be checked. It is kept. Please try again."
EMPTY = "The model's answer was empty. Please try again."
EMPTY_AND_CUT_OFF = "The model reached its limit before it answered. Please try again, or ask for less."


@dataclass(frozen=True, slots=True)
class TextDelta:
    delta: str


@dataclass(slots=True)
class AgentOutput:
    """What the agent has produced so far. Whole once its stream has ended; still of use if that broke off."""

    text: str = ""
    run_items: list[RunItem] | None = None
    incomplete: Literal["length"] | None = None
    calls: dict[str, ToolCall] = field(default_factory=dict)
    # Set when the agent waits for approval: the SDK's RunState, and `calls` beside it.
    state: dict[str, Any] | None = None
    # All input guardrails have let the question pass.
    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    # Set once the model is to be asked.
    report: ModelReport | None = None

    def spent(self) -> Spent:
        """So far, since a turn that breaks off has cost something too."""
        return self.report.spent() if self.report else Spent(0, 0, 0, False)

    def call_items(self) -> list[RunItem]:
        """The tool calls so far, as run items."""
        return [item for call in self.calls.values() for item in call.run_items()]


@dataclass(frozen=True, slots=True)
class Resumption:
    """A run that waited, and the decision. What is not decided waits on."""

    state: dict[str, Any]
    decision: Decision


class _RunWatch(agents.RunHooks[Any]):
    """Ends a run before it calls the model again with its token budget used up. Times the tools.

    `judged_before`: once the model is called, all input guardrails have let the question pass.
    """

    def __init__(self, output: AgentOutput, report: ModelReport, judged_before: bool) -> None:
        self._output = output
        self._judged_before = judged_before
        self._report = report
        self._started: dict[str, float] = {}

    async def on_tool_start(self, context: RunContextWrapper[Any], *_: Any) -> None:
        if isinstance(context, ToolContext):
            self._started[context.tool_call_id] = time.monotonic()
            tracing.note({"gen_ai.tool.call.id": context.tool_call_id})

    async def on_tool_end(
        self, context: RunContextWrapper[Any], _agent: Any, _tool: Any, result: object
    ) -> None:
        if isinstance(result, ToolFailure):
            tracing.fail(ToolFailure.__name__)
        # The SDK does not say that a tool starts where it resumes an agent that is a tool itself.
        if not isinstance(context, ToolContext) or context.tool_call_id not in self._started:
            return
        took_s = time.monotonic() - self._started[context.tool_call_id]
        if call := self._output.calls.get(context.tool_call_id):
            self._output.calls[call.call_id] = call.updated(duration_ms=round(took_s * 1000))

    async def on_llm_start(self, *_: Any) -> None:
        if self._judged_before:
            self._output.accepted.set()
        spent = self._report.spent()
        if spent.input_tokens + spent.output_tokens > MAX_TURN_TOKENS:
            raise errors.AgentExhausted


class AgentService:
    """Runs agents against the model that the settings name. Raises ConfigError when none is configured."""

    def __init__(
        self,
        settings: Settings,
        mcp_servers: Sequence[RemoteServer] = (),
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        if settings.openai_api_key is None:
            raise ConfigError("OPENAI_API_KEY: is not set")
        self.model = settings.models[0]
        self._mcp_servers = mcp_servers
        self._client = ModelClient(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            timeout=settings.turn_deadline_s,
            max_retries=1,
            http_client=http_client,
        )
        self._responses = settings.openai_api == "responses"
        secret = f"{settings.openai_base_url} {settings.openai_api_key.get_secret_value()}"
        self._key_name = hashlib.sha256(secret.encode()).hexdigest()[:12]
        self._provider = agents.OpenAIProvider(openai_client=self._client, use_responses=self._responses)
        if tracing.is_on():
            from parley.services.run_spans import RunSpans  # noqa: PLC0415

            # In place of the SDK's own, which posts to OpenAI's address, whatever the base URL.
            agents.set_trace_processors([RunSpans()])

    async def complete(self, instructions: str, text: str, output: AgentOutput) -> None:
        """Answer once, without tools, into `output`. Raises ProblemError."""
        agent = Agent[None](name="Follow-up", instructions=instructions)
        async for _ in self.stream(agent, [{"role": "user", "content": text}], output):
            pass

    async def close(self) -> None:
        await self._client.close()

    async def stream(
        self,
        agent: Agent[Any],
        given: list[RunItem] | Resumption,
        output: AgentOutput,
        *,
        api_client: ApiClient | None = None,
        model: str | None = None,
        own_instructions: str | None = None,
    ) -> AsyncIterator[TextDelta | ToolCall]:
        """Let `agent` answer `given`, filling `output` as it goes. Its tools call the API with `api_client`.

        `own_instructions`: the user's, which are told after the agent's. Raises ProblemError.
        """
        config = self._run_config(model or self.model, api_client, own_instructions)
        # What a turn said before it waited counts as well: all of it is one message.
        earlier = [] if isinstance(given, list) else given.state["calls"]
        report = ModelReport(_call_ids(given), json_size([output.text, earlier]))
        output.report = report
        current_report.set(report)
        try:
            async for progress in self._attempt(agent, given, output, report, api_client, config):
                yield progress
        except RequestRefused as error:
            # Something of what was said before is not valid for this model. The words alone always are.
            if not isinstance(given, list) or output.text or output.calls or plain(given) == given:
                raise
            logger.warning("history_refused", extra=describe_error(error))
            async for progress in self._attempt(agent, plain(given), output, report, api_client, config):
                yield progress
        finally:
            output.incomplete = report.incomplete
        if output.state is None and not is_visible(output.text):
            raise errors.UpstreamFailed(EMPTY_AND_CUT_OFF if output.incomplete else EMPTY)

    async def _attempt(
        self,
        agent: Agent[Any],
        given: list[RunItem] | Resumption,
        output: AgentOutput,
        report: ModelReport,
        api_client: ApiClient | None,
        config: agents.RunConfig,
    ) -> AsyncIterator[TextDelta | ToolCall]:
        whole, kept = False, True
        result: agents.RunResultStreaming | None = None
        if not isinstance(given, list):
            output.accepted.set()  # before the run waited
        try:
            async with self._with_remote_tools(agent, api_client) as equipped:
                judged_before = not any(each.run_in_parallel for each in agent.input_guardrails)
                result = agents.Runner.run_streamed(
                    equipped,
                    await _runner_input(equipped, given, api_client, output),
                    context=api_client,
                    max_turns=MAX_MODEL_CALLS,
                    hooks=_RunWatch(output, report, judged_before),
                    run_config=config,
                )
                async for event in result.stream_events():
                    _note_accepted(result, agent, output)
                    if (progress := _progress(event, output, report)) is not None:
                        yield progress
            _note_accepted(result, agent, output)
            _require_verdict(output)
            whole = True
            if result.interruptions:
                output.state = _waiting_state(result, output, report)
        except (agents.InputGuardrailTripwireTriggered, agents.OutputGuardrailTripwireTriggered) as error:
            kept = False
            raise _problem(error) from error
        except Exception as error:
            # The SDK fails in many ways on a malformed answer. The log line keeps the cause for the operator.
            logger.warning("run_failed", extra=describe_error(error))
            # An error that is its own cause would be a circle.
            raise _problem(error) from (None if isinstance(error, errors.ProblemError) else error)
        finally:
            if result is not None:
                result.cancel()
                _note_accepted(result, agent, output)
                _collect(result, output, whole, self.origin(str(config.model)))
                if not kept:
                    # The calls were made and are told of. What a guardrail refused is not.
                    output.text, output.run_items = "", output.call_items() or None

    def origin(self, model: str) -> str:
        """Who wrote a reasoning item, and alone can read it: this model, with this key, at this address."""
        return f"{self._key_name}:{model}"

    def _run_config(
        self, model: str, api_client: ApiClient | None, own_instructions: str | None
    ) -> agents.RunConfig:
        responses = self._responses
        reasons = responses and model.startswith(REASONING_MODELS)
        group = str(api_client.conversation_id) if api_client else None
        return agents.RunConfig(
            model=model,
            model_provider=self._provider,
            model_settings=ModelSettings(
                store=False if responses else None,
                include_usage=None if responses else True,
                response_include=["reasoning.encrypted_content"] if reasons else None,
            ),
            # The SDK derives the key of the model's prompt cache from the group.
            group_id=group,
            # A call of a tool that does not exist is for the model to correct. It does not end the turn.
            tool_not_found_behavior="return_error_to_model",
            tool_error_formatter=_as_failure,
            call_model_input_filter=_telling(own_instructions) if own_instructions else None,
            tracing_disabled=not tracing.is_on(),
            trace_include_sensitive_data=False,
            trace_metadata={"gen_ai.request.model": model}
            | ({"gen_ai.conversation.id": group} if group else {}),
            tracing={"include_task_and_turn_spans": False},
        )

    def _with_remote_tools(
        self, agent: Agent[Any], api_client: ApiClient | None
    ) -> AbstractAsyncContextManager[Agent[Any]]:
        if api_client is None or not self._mcp_servers:
            return nullcontext(agent)
        # Imported here: it takes a second, which only an agent with remote servers has to spend.
        from parley.tools.remote_tools import with_remote_tools  # noqa: PLC0415

        return with_remote_tools(agent, self._mcp_servers, api_client)


def _telling(own_instructions: str) -> CallModelInputFilter:
    """Whichever agent has the conversation is told them. One that is used as a tool has a run of its own."""

    def tell(call: CallModelData[Any]) -> ModelInputData:
        given = call.model_data
        return ModelInputData(given.input, with_instructions(given.instructions, own_instructions))

    return tell


async def _runner_input(
    agent: Agent[Any],
    given: list[RunItem] | Resumption,
    api_client: ApiClient | None,
    output: AgentOutput,
) -> list[agents.TResponseInputItem] | agents.RunState[Any, Agent[Any]]:
    if isinstance(given, list):
        return cast("list[agents.TResponseInputItem]", given)
    context = RunContextWrapper(api_client)
    state = await agents.RunState.from_json(agent, _as_given(given.state["run"]), context_override=context)
    output.calls = {call["call_id"]: ToolCall(**call) for call in given.state["calls"]}
    decision = given.decision
    if api_client is not None:
        api_client.answers.update(decision.outputs)
    for waiting in filter(lambda waiting: decision.covers(waiting.call_id), state.get_interruptions()):
        if call := output.calls.get(waiting.call_id or ""):
            status = "in_progress" if decision.approved else "rejected"
            output.calls[call.call_id] = call.updated(status=status)
        if decision.approved:
            state.approve(waiting)
        else:
            state.reject(waiting)
    return state


def _as_given(run: dict[str, Any]) -> dict[str, Any]:
    """A stored run with its input as it was given: the SDK's form of it is only for the Responses API."""
    items = [
        {"role": "assistant", "content": message_text(item)} if item.get("role") == "assistant" else item
        for item in run["original_input"]
    ]
    return run | {"original_input": items}


def _note_accepted(result: agents.RunResultStreaming, agent: Agent[Any], output: AgentOutput) -> None:
    if output.accepted.is_set():
        return
    # Of the first agent, which alone has them run, each once. One that breaks off has no result.
    results = result.input_guardrail_results
    tripped = any(each.output.tripwire_triggered for each in results)
    if len(results) == len(agent.input_guardrails) and not tripped:
        output.accepted.set()


def _require_verdict(output: AgentOutput) -> None:
    # The SDK lets a run end well though a parallel guardrail broke off.
    if not output.accepted.is_set():
        raise errors.UpstreamFailed(UNJUDGED)


def _call_ids(given: list[RunItem] | Resumption) -> set[str]:
    """The ids that a new call must not have."""
    if not isinstance(given, list):
        return set(given.state["call_ids"])
    return {item["call_id"] for item in given if "call_id" in item}


def _waiting_state(
    result: agents.RunResultStreaming, output: AgentOutput, report: ModelReport
) -> dict[str, Any]:
    for waiting in result.interruptions:
        call_id = waiting.call_id or ""
        call = output.calls.get(call_id)
        # The SDK does not stream the calls of an agent that is used as a tool.
        if call is None and (made := report.calls.get(call_id)):
            call = ToolCall(**made._asdict(), status="in_progress", duration_ms=None)
        if call is not None:
            output.calls[call_id] = call.updated(status="waiting_approval")
    # Without the API client: the request with the decision brings a token of its own.
    state = result.to_state().to_json(context_serializer=lambda _: {})
    return {
        "run": clean(state, MAX_STATE_DEPTH),
        "calls": [call.model_dump() for call in output.calls.values()],
        "call_ids": sorted(report.taken),
    }


def _as_failure(error: agents.ToolErrorFormatterArgs[Any]) -> str:
    """What the model reads when a tool raised or does not exist, marked as a failure."""
    return ToolFailure(error.default_message)


def _progress(
    event: agents.StreamEvent, output: AgentOutput, report: ModelReport
) -> TextDelta | ToolCall | None:
    """What a client wants to see of an event, noted in `output` as well."""
    if event.type == "raw_response_event":
        if event.data.type == "response.output_text.delta":
            output.text += event.data.delta
            return TextDelta(event.data.delta)
        # Text after a tool call is a paragraph of its own.
        if (
            event.data.type == "response.output_item.added"
            and event.data.item.type == "message"
            and output.text
        ):
            output.text += "\n\n"
            return TextDelta("\n\n")
    elif event.type == "run_item_stream_event":
        return _call_progress(event.item, output, report)
    return None


def _call_progress(item: agents.RunItem, output: AgentOutput, report: ModelReport) -> ToolCall | None:
    call: ToolCall | None = None
    if isinstance(item, agents.ToolCallItem) and isinstance(item.raw_item, ResponseFunctionToolCall):
        made = item.raw_item
        # As the model wrote it: what the SDK has was made valid.
        written = report.calls.get(made.call_id) or output.calls.get(made.call_id) or made
        call = ToolCall(
            call_id=made.call_id,
            name=written.name,
            arguments=written.arguments,
            status="in_progress",
            duration_ms=None,
        )
    elif isinstance(item, agents.ToolCallOutputItem) and (call := output.calls.get(item.call_id or "")):
        status = "failed" if isinstance(item.output, ToolFailure) else "completed"
        rejected = call.status == "rejected"
        call = call.updated(output=str(item.output), status="rejected" if rejected else status)
    if call is not None:
        output.calls[call.call_id] = call
    return call


def _collect(result: agents.RunResultStreaming, output: AgentOutput, whole: bool, origin: str) -> None:
    """Note what the run leaves behind, whole or broken off."""
    items = [
        _stored(item, output, origin)
        for item in result.new_items
        if not isinstance(item, agents.ToolApprovalItem)
    ]
    if not whole:
        # The SDK's items lack the text of the last, unfinished part, and reasoning what it was to lead to.
        items = [item for item in items if item.get("type") in (CALL, OUTPUT)]
        items += [{"role": "assistant", "content": output.text}] if output.text else []
    items = _with_inner_calls(items, output, whole)
    # The text alone is all there is to a plain answer. Anything more is kept, and replayed, item by item.
    output.run_items = items if any("role" not in item for item in items) else None
    output.text = output.text or agents.ItemHelpers.text_message_outputs(result.new_items)


def _with_inner_calls(items: list[RunItem], output: AgentOutput, whole: bool) -> list[RunItem]:
    """With the calls that people decided about and that an agent made which is used as a tool."""
    made = {item["call_id"] for item in items if item.get("type") == CALL}
    inner: dict[str, list[RunItem]] = {}
    last = ""
    for call in output.calls.values():
        if call.call_id in made:
            last = call.call_id
            continue
        # The SDK does not say what became of it, but it goes on only when it is done.
        done = whole and call.status == "in_progress"
        inner.setdefault(last, []).extend((call.updated(status="completed") if done else call).run_items())
    return inner.get("", []) + [
        each
        for item in items
        for each in [item, *(inner.get(item["call_id"], []) if item.get("type") == CALL else [])]
    ]


def _stored(item: agents.RunItem, output: AgentOutput, origin: str) -> RunItem:
    """A run item as it is kept: made for any model to read, but for what only the one of `origin` can."""
    if isinstance(item, agents.MessageOutputItem):
        return {"role": "assistant", "content": agents.ItemHelpers.text_message_output(item)}
    stored = with_outcome(cast("RunItem", item.to_input_item()), output.calls)
    return stored if stored["type"] in (CALL, OUTPUT) else stored | {"origin": origin}


def _problem(error: Exception) -> errors.ProblemError:
    match error:
        case errors.ProblemError():
            return error
        case openai.APITimeoutError() | agents.ModelTimeoutError():
            return errors.DeadlineExceeded()
        case openai.APIStatusError():
            if isinstance(error, openai.AuthenticationError):
                suspect_secret()
            return model_stops.of_error(error.body, error.status_code, error.response.headers)
        case agents.ModelRefusalError():
            return errors.ContentRefused()
        case agents.MaxTurnsExceeded():
            return errors.AgentExhausted()
        case agents.InputGuardrailTripwireTriggered() | agents.OutputGuardrailTripwireTriggered():
            reason = error.guardrail_result.output.output_info
            return errors.ContentRefused(clean_text(reason[:MAX_REASON]) if isinstance(reason, str) else None)
        case _:
            return errors.UpstreamFailed()
