"""Tools for the user's own conversations. The model reads each function's docstring."""

import json
import uuid
from typing import Any

from parley.tools.api_client import ApiClient, ToolError

LIMIT = 10
# Characters that one call may return: a tool's output is paid for again in every later turn.
MAX_TEXT = 6_000
UNTITLED = "New conversation"


async def list_recent_conversations(api_client: ApiClient) -> str:
    """List the user's most recent conversations: id, title and when they were last active."""
    page = await api_client.get("/conversations", limit=LIMIT)
    return json.dumps([_brief(conversation) for conversation in page["data"]])


async def search_conversations(api_client: ApiClient, words: str) -> str:
    """Search all of the user's conversations, titles and messages, and show the place that matched.

    Args:
        words: A few words, or beginnings of words, that must all occur, in any order.
    """
    page = await api_client.get("/conversations", q=words, limit=LIMIT)
    found = [_brief(each) | {"matched": each["snippet"]} for each in page["data"]]
    return json.dumps(found) if found else "Nothing was found. Try fewer or other words."


async def read_conversation(api_client: ApiClient, conversation_id: str) -> str:
    """Read the latest messages of one of the user's conversations.

    Args:
        conversation_id: The id, as the list or the search gives it.
    """
    page = await api_client.get(f"/conversations/{_id(conversation_id)}/messages", limit=30)
    lines = [
        f"{message['role']} ({message['created_at']}): {message['content']}"
        for message in page["data"]
        if not message["withheld"]
    ]
    text = "\n\n".join(lines)
    return text if len(text) <= MAX_TEXT else f"[…]\n{text[-MAX_TEXT:]}"


async def export_conversation(api_client: ApiClient, conversation_id: str, start: int) -> str:
    """Export one of the user's conversations whole, as Markdown, from its beginning.

    Args:
        conversation_id: The id, as the list or the search gives it.
        start: How many characters to leave out at the beginning: 0, and for more what the last output says.
    """
    wanted, left_out, skipped = "", max(start, 0), False
    async for part in api_client.get_parts(f"/conversations/{_id(conversation_id)}/export?format=json"):
        for record in part["records"]:
            # What is longer than one record goes on in the next ones.
            if record["kind"] != "text":
                skipped = record.get("superseded", False) or record.get("withheld", False)
            text = "" if skipped else _as_markdown(record)
            wanted += text[left_out:]
            left_out = max(left_out - len(text), 0)
            if len(wanted) > MAX_TEXT:
                return f"{wanted[:MAX_TEXT]}\n[… there is more: start={max(start, 0) + MAX_TEXT}]"
    return wanted


async def rename_conversation(api_client: ApiClient, conversation_id: str, title: str) -> str:
    """Give one of the user's conversations another title.

    Args:
        conversation_id: The id, as the list or the search gives it; "this" for the present one.
        title: The new title, at most 200 characters.
    """
    wanted = conversation_id
    if conversation_id == "this":
        if api_client.conversation_id is None:
            raise ToolError("There is no present conversation. Give an id.")
        wanted = str(api_client.conversation_id)
    renamed = await api_client.patch(f"/conversations/{_id(wanted)}", {"title": title})
    return f"The conversation is now called “{renamed['title']}”."


async def delete_conversation(api_client: ApiClient, conversation_id: str) -> str:
    """Delete one of the user's conversations for good, with all its messages. Not the present one.

    Args:
        conversation_id: The id, as the list or the search gives it.
    """
    wanted = _id(conversation_id)
    if wanted == api_client.conversation_id:
        raise ToolError("The present conversation cannot be deleted while you answer in it.")
    await api_client.delete(f"/conversations/{wanted}")
    return "The conversation is deleted."


READING_TOOLS = (list_recent_conversations, search_conversations, read_conversation, export_conversation)
# The user approves each call that the agent makes. A client over MCP is told, so that it can ask its user.
CHANGING_TOOLS = (rename_conversation, delete_conversation)
CONVERSATION_TOOLS = (*READING_TOOLS, *CHANGING_TOOLS)


def _id(text: str) -> uuid.UUID:
    """Parse the id, so that nothing else becomes part of a path."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ToolError("This is not the id of a conversation.") from None


def _as_markdown(record: dict[str, Any]) -> str:
    match record["kind"]:
        case "conversation":
            return f"# {UNTITLED if record['title_withheld'] else record['title']}"
        case "message":
            return f"\n\n## {record['role']}, {record['created_at']}\n\n{record['content']}"
        case "text":
            return str(record["text"])
        case _:
            return ""


def _brief(conversation: dict[str, Any]) -> dict[str, Any]:
    title = UNTITLED if conversation["title_withheld"] else conversation["title"]
    return {"id": conversation["id"], "title": title, "updated_at": conversation["updated_at"]}
