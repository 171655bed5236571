"""Work after a reply: the title, and the rolling summary of what leaves the window.

If it never runs, nothing is lost. The conversation keeps its first title, the window leaves old turns out,
and the next turn requests a follow-up again.
"""

import asyncio
import json
import logging
import uuid

from parley.config import Settings
from parley.database import Database
from parley.logs import describe_error
from parley.repositories import follow_ups
from parley.repositories.follow_ups import Pending, Spent
from parley.services.agent_service import AgentService

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
# Characters of the first message that a title is made from.
OPENING_LENGTH = 2_000
TITLE_LENGTH = 80


class FollowUpService:
    def __init__(self, database: Database, agent_service: AgentService, settings: Settings) -> None:
        self._database = database
        self._agent_service = agent_service
        self._history_tokens = settings.history_tokens
        # The event loop itself keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, user_id: str, conversation_id: uuid.UUID) -> None:
        """Make the title and the summary that are due. Safe to run twice, or never. Raises ProblemError."""
        pending = await self._database.call(
            follow_ups.read_pending, user_id, conversation_id, self._history_tokens
        )
        if pending is None:
            return
        if pending.opening is not None:
            title, spent = await self._complete(TITLE_INSTRUCTIONS, pending.opening[:OPENING_LENGTH])
            title = " ".join(title.split()).strip("\"'")[:TITLE_LENGTH]
            await self._database.call(follow_ups.store_title, user_id, conversation_id, title, spent)
        if pending.to_fold:
            summary, spent = await self._complete(SUMMARY_INSTRUCTIONS, _transcript(pending))
            await self._database.call(
                follow_ups.store_summary, user_id, conversation_id, pending, summary, spent
            )

    async def start(self, user_id: str, conversation_id: uuid.UUID) -> None:
        """`run` in a task of this process. A failure is logged; the next follow-up makes up for it."""
        task = asyncio.create_task(self._run_logged(user_id, conversation_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks)

    async def _run_logged(self, user_id: str, conversation_id: uuid.UUID) -> None:
        try:
            await self.run(user_id, conversation_id)
        except Exception as error:
            logger.warning("follow_up_failed", extra=describe_error(error))

    async def _complete(self, instructions: str, text: str) -> tuple[str, Spent]:
        output = await self._agent_service.complete(instructions, text)
        return output.text, Spent(self._agent_service.model, output.input_tokens, output.output_tokens)


def _transcript(pending: Pending) -> str:
    parts = [f"Earlier summary:\n{pending.summary}"] if pending.summary else []
    parts += [f"{message['role']}:\n{message['content']}" for message in pending.to_fold]
    return "\n\n".join(parts)


async def invoke_follow_up(function: str | None, user_id: str, conversation_id: uuid.UUID) -> None:
    """Invoke the Lambda `function` asynchronously. Its event holds ids only; the platform retries it."""
    if function is not None:
        await asyncio.to_thread(
            _invoke, function, {"user_id": user_id, "conversation_id": str(conversation_id)}
        )


def _invoke(function: str, event: dict[str, str]) -> None:
    # Imported here: boto3 takes 0.4 s, and few turns have a follow-up.
    import boto3  # noqa: PLC0415

    client = boto3.client("lambda")
    client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))
