"""Work after a reply: the title, and the rolling summary of what leaves the window.

If it never runs, nothing is lost. The conversation keeps its first title, the window leaves old turns out,
and the next turn requests a follow-up again.
"""

import asyncio
import json
import logging
import uuid

from parley import tracing
from parley.config import Settings
from parley.database import Database
from parley.errors import ContentRefused, ContextTooLong, ProblemError, UpstreamFailed
from parley.logs import describe_error
from parley.repositories import follow_ups
from parley.repositories.follow_ups import Pending, TokenUsage
from parley.services.agent_service import AgentOutput, AgentService
from parley.services.refusals import is_refusal
from parley.text import is_visible

logger = logging.getLogger(__name__)

TITLE_INSTRUCTIONS = """\
Write a title for the conversation that begins with the message below: at most six words, in the language of
the message, without quotation marks and without a full stop. Reply with the title alone.
"""
SUMMARY_INSTRUCTIONS = """\
Write a summary of the conversation below, for the assistant to go on from: who the user is, what they want,
facts, names, numbers, decisions and open questions. At most 300 words. It replaces the earlier summary at the
top, if there is one, so carry over what still matters. Reply with the summary alone.
"""
# In characters: of the first message that a title is made from, of a title, and of a summary.
OPENING_LENGTH = 2_000
TITLE_LENGTH = 80
SUMMARY_LENGTH = 8_000
# A summary takes the place of what it folds for good. A word or two cannot.
MIN_LETTERS = 20
# Until a title or summary that failed is tried again.
POSTPONED_MESSAGES = 20
# What models write where they have nothing to say.
NOTHING = {
    "none",
    "null",
    "undefined",
    "n/a",
    "na",
    "nan",
    "title",
    "untitled",
    "no title",
    "summary",
    "error",
}


class FollowUpService:
    def __init__(self, database: Database, agent_service: AgentService, settings: Settings) -> None:
        self._database = database
        self._agent_service = agent_service
        self._history_tokens = settings.history_tokens
        self._deadline_s = settings.turn_deadline_s
        # The event loop itself keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    async def write_due(self, user_id: str, conversation_id: uuid.UUID, accepted_id: uuid.UUID) -> None:
        """Make the title and the summary that are due. Safe to run twice, or never. Raises ProblemError.

        `accepted_id`: the answer being written, whose question the guardrails have accepted.
        """
        ids = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.conversation.id": str(conversation_id)}
        try:
            with tracing.span("invoke_workflow follow_up", ids):
                await self._write_due(user_id, conversation_id, accepted_id)
        finally:
            await tracing.flush()

    async def _write_due(self, user_id: str, conversation_id: uuid.UUID, accepted_id: uuid.UUID) -> None:
        pending = await self._database.call(
            follow_ups.read_pending, user_id, conversation_id, accepted_id, self._history_tokens
        )
        if pending is None:
            return
        if pending.opening is not None:
            opening = pending.opening[:OPENING_LENGTH]
            said, spent = await self._complete(user_id, conversation_id, TITLE_INSTRUCTIONS, opening)
            if title := read_title(said):
                await self._database.call(follow_ups.store_title, user_id, conversation_id, title, spent)
            else:
                await self._postpone(user_id, conversation_id, spent)
        if pending.to_fold:
            transcript = _transcript(pending)
            said, spent = await self._complete(user_id, conversation_id, SUMMARY_INSTRUCTIONS, transcript)
            if summary := read_summary(said, transcript):
                await self._database.call(
                    follow_ups.store_summary, user_id, conversation_id, pending, summary, spent
                )
            else:
                await self._postpone(user_id, conversation_id, spent)

    async def start(self, user_id: str, conversation_id: uuid.UUID, accepted_id: uuid.UUID) -> None:
        """`write_due` in a task of this process. A failure is logged; the next follow-up makes up for it."""
        task = asyncio.create_task(self._write_logged(user_id, conversation_id, accepted_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self) -> None:
        """Let the follow-ups end that were started."""
        await asyncio.gather(*self._tasks)

    async def _write_logged(self, user_id: str, conversation_id: uuid.UUID, accepted_id: uuid.UUID) -> None:
        try:
            await self.write_due(user_id, conversation_id, accepted_id)
        except Exception as error:
            logger.warning("follow_up_failed", extra=describe_error(error))

    async def _complete(
        self, user_id: str, conversation_id: uuid.UUID, instructions: str, text: str
    ) -> tuple[str, TokenUsage]:
        """What the model says, which is nothing if it does not answer as it should."""
        output = AgentOutput()
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._agent_service.complete(instructions, text, output)
        except (ContentRefused, ContextTooLong, UpstreamFailed, TimeoutError) as error:
            logger.warning("follow_up_unanswered", extra=describe_error(error))
            output.text = ""
        except ProblemError:
            # The next turn asks again.
            await self._postpone(user_id, conversation_id, self._usage(output), messages=0)
            raise
        return "" if output.incomplete else output.text, self._usage(output)

    def _usage(self, output: AgentOutput) -> TokenUsage:
        spent = output.spent()
        return TokenUsage(
            self._agent_service.model, spent.input_tokens, spent.output_tokens, spent.cached_tokens
        )

    async def _postpone(
        self,
        user_id: str,
        conversation_id: uuid.UUID,
        spent: TokenUsage,
        messages: int = POSTPONED_MESSAGES,
    ) -> None:
        await self._database.call(follow_ups.postpone, user_id, conversation_id, messages, spent)


def read_title(said: str) -> str | None:
    """The title in a model's answer; None if that is a refusal, or anything else that is no title."""
    title = " ".join(said.split()).strip("\"'“”‘’«»„「」『』*#` ")
    if len(said.strip().splitlines()) > 1 or len(title) > TITLE_LENGTH or title[:1] in ("{", "[", "<"):
        return None
    is_title = is_visible(title) and _letters(title) and title.lower().strip(".:") not in NOTHING
    return title if is_title and not is_refusal(title) else None


def read_summary(said: str, transcript: str) -> str | None:
    """The summary in a model's answer; None if that is a refusal, or cannot stand for `transcript`."""
    summary = said.strip()
    longest = min(max(len(transcript), SUMMARY_LENGTH // 8), SUMMARY_LENGTH)
    if is_refusal(summary) or _letters(summary) < MIN_LETTERS or len(summary) > longest:
        return None
    return None if _is_markup(summary) else summary


def _is_markup(text: str) -> bool:
    """Whether `text` is JSON or HTML, and no prose."""
    text = text.removeprefix("```").removeprefix("json").strip("` \n")
    if text.startswith("<"):
        return True
    if not text.startswith(("{", "[")):
        return False
    try:
        json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return text.startswith("{")
    return True


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _transcript(pending: Pending) -> str:
    parts = [f"Earlier summary:\n{pending.summary}"] if pending.summary else []
    parts += [f"{message['role']}:\n{message['content']}" for message in pending.to_fold]
    return "\n\n".join(parts)


async def invoke_follow_up(
    function: str | None, user_id: str, conversation_id: uuid.UUID, accepted_id: uuid.UUID
) -> None:
    """Invoke the Lambda `function` asynchronously. Its event holds ids only; the platform retries it."""
    ids = {"user_id": user_id, "conversation_id": str(conversation_id), "accepted_id": str(accepted_id)}
    if function is not None:
        await asyncio.to_thread(_invoke, function, ids)


def _invoke(function: str, event: dict[str, str]) -> None:
    # Imported here: boto3 takes 0.4 s, and few turns have a follow-up.
    import boto3  # noqa: PLC0415

    client = boto3.client("lambda")
    client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))
