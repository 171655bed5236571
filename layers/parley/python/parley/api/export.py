"""`/api/{user_id}/export` and `…/conversations/{id}/export`: what the user has, as files, in parts.

Parts of JSON Lines or Markdown that are appended to each other are one file. Of JSON, each is a document.
docs/export.md describes them.
"""

import uuid
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from pydantic import Field

from parley.api.dependencies import AppDatabase, ConversationId, OwnerId, Share
from parley.api.pages import Cursor
from parley.api.problems import describe
from parley.errors import DATA_ERRORS
from parley.paths import user_path
from parley.repositories import exports, user_settings
from parley.repositories.exports import START, ExportKey
from parley.services.export import json_document, json_lines, markdown, records
from parley.services.ownership import own_conversation
from parley.services.records import header, settings_record, usage_record

router = APIRouter(prefix="/api/{user_id}", tags=["export"], dependencies=[Share])

JSON_LINES, MARKDOWN = "application/jsonl", "text/markdown; charset=utf-8"
_LINK = {"description": 'The next part, `rel="next"`. The last part has none', "schema": {"type": "string"}}
_DISPOSITION = {"description": "A name for the file", "required": True, "schema": {"type": "string"}}
_HEADERS = {"Link": _LINK, "Content-Disposition": _DISPOSITION}
_CURSOR = Cursor[ExportKey]("cursor", tuple[uuid.UUID, Annotated[int, Field(ge=0, lt=2**31)]])
_CursorText = Annotated[str | None, Query(max_length=200)]


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {
            "content": {JSON_LINES: {"schema": {"type": "string"}}},
            "description": "Records, one a line",
            "headers": _HEADERS,
        },
        **describe(*DATA_ERRORS),
    },
    summary="Everything you have, as JSON Lines",
)
def export_everything(user_id: OwnerId, database: AppDatabase, cursor: _CursorText = None) -> Response:
    after = _CURSOR.decode(cursor)
    last: ExportKey | None = START
    if after is None:
        settings = user_settings.get_settings(database, user_id)
        rows = [settings_record(settings)] if settings else []
        rows += map(usage_record, exports.list_usage(database, user_id))
        body = json_lines([header(), *rows])
    else:
        part, last = exports.read_part(database, user_id, after)
        body = json_lines(records(part, after[0]))
    return _file(body, JSON_LINES, "parley-export.jsonl", _link(f"{user_path(user_id)}/export?", last))


@router.get(
    "/conversations/{conversation_id}/export",
    response_class=Response,
    responses={
        200: {
            "content": {
                "text/markdown": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
            },
            "description": "The conversation, or a part of it",
            "headers": _HEADERS,
        },
        **describe(*DATA_ERRORS),
    },
    summary="One conversation as a file",
)
def export_conversation(
    user_id: OwnerId,
    conversation_id: ConversationId,
    database: AppDatabase,
    kind: Annotated[
        Literal["markdown", "json"],
        Query(alias="format", description="markdown: to read, without superseded versions"),
    ] = "markdown",
    cursor: _CursorText = None,
) -> Response:
    after = _CURSOR.decode(cursor)
    part, last = exports.read_part(
        database,
        user_id,
        after or START,
        conversation_id=conversation_id,
        superseded=kind == "json",
    )
    if not part:
        own_conversation(database, user_id, conversation_id)
    path = f"{user_path(user_id)}/conversations/{conversation_id}/export?format={kind}&"
    title = part[0].conversation.title if part else "conversation"
    if kind == "json":
        body = json_document(records(part, after and after[0]))
        return _file(body, "application/json", f"{title}.json", _link(path, last))
    body = markdown(part, is_first=after is None) if part else b""
    return _file(body, MARKDOWN, f"{title}.md", _link(path, last))


def _link(path: str, last: ExportKey | None) -> str | None:
    return f'<{path}cursor={_CURSOR.encode(last)}>; rel="next"' if last else None


def _file(body: bytes, media_type: str, name: str, link: str | None) -> Response:
    ending = name.rpartition(".")[2]
    # By RFC 6266: older clients read the first name.
    disposition = f"attachment; filename=\"parley.{ending}\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Content-Disposition": disposition} | ({"Link": link} if link else {})
    return Response(body, media_type=media_type, headers=headers)
