"""The table of messages. An assistant's message is also the record of its turn."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, UUID
from sqlmodel import Field, SQLModel


class Message(SQLModel, table=True):
    """`seq` orders the messages of a conversation as they were stored, whatever the clocks say.

    A user's message is `completed` from the start. An assistant's starts as `in_progress` with a lease
    (`lease_id` is the fencing id) and ends as completed, failed, cancelled or interrupted, or stops as
    waiting_approval until the user has decided about a tool call. A row that still says `in_progress` after
    its lease has run out is interrupted: see `repositories.messages.STATUS`.
    """

    __tablename__ = "message"

    id: uuid.UUID = Field(primary_key=True)
    conversation_id: uuid.UUID = Field(
        sa_column=Column(UUID, ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False)
    )
    user_id: str
    seq: int
    role: str
    status: str
    content: str = ""
    # The Responses API's input items of a turn that did more than answer; None where `content` says it all.
    run_items: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    # The Agents SDK's RunState. Set while the turn waits for approval; any process can resume from it.
    run_state: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    # For the search; nothing reads it, so selects leave it out.
    search: str | None = Field(default=None, sa_column=Column(TSVECTOR))
    # A problem document, without request_id, of a turn that did not complete.
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    # {"rating": "up" | "down", "comment"} of an assistant's message.
    feedback: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    # Estimated, for the history window; `input_tokens` and `output_tokens` are what the model charged, and
    # `cached_tokens` what its prompt cache had of the input.
    tokens: int
    model: str | None = None
    # "length": the answer was cut off at the model's limit, or at ours.
    incomplete: str | None = None
    input_tokens: int | None = None
    cached_tokens: int = 0
    output_tokens: int | None = None
    # The model did not say all that it read and wrote.
    estimated: bool = False
    # While the turn runs: what it may cost beside `input_tokens` and `output_tokens`, which it cost before.
    # Charged if its worker is not heard of again.
    reserved_input: int | None = None
    reserved_output: int | None = None
    # No model reads question and answer again, nor by another way: a guardrail or the model's provider
    # refused the question, or the guardrails have not accepted it yet.
    withheld: bool = False
    # Assistant's message only: the user's message that it answers.
    reply_to: uuid.UUID | None = None
    # The first of the versions of this message, and which of them this is; one is not superseded.
    version_of: uuid.UUID
    version: int = 1
    superseded: bool = False
    # Came from elsewhere. Its tool calls are shown, and not replayed to the model.
    imported: bool = False
    idempotency_key: str | None = Field(default=None, max_length=255)
    request_hash: str | None = None
    # The key of the request that last resumed the turn, after it had waited for approval.
    resume_key: str | None = Field(default=None, max_length=255)
    resume_hash: str | None = None
    lease_id: uuid.UUID | None = None
    lease_expires_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    cancel_requested: bool = False
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    completed_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
