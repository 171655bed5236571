"""What a message of ChatGPT's export says, as text. Images and files, which are elsewhere, are named."""

import re
from typing import Any

_CONTEXT = ("user_editable_context", "model_editable_context")
_REASONING = ("thoughts", "reasoning_recap")
# Of one message.
_MAX_FILES = 100
# Where its page shows a link to a source, of which the text itself knows nothing.
_CITATION = re.compile("\ue200[^\ue200\ue201]*\ue201")
# Where contents other than `parts` have their text.
_TEXTS = ("title", "text", "result", "summary", "content", "url")


def role_of(message: dict[str, Any]) -> Any:
    author = message.get("author")
    return author.get("role") if isinstance(author, dict) else None


def hidden_reason(role: Any, message: dict[str, Any]) -> str | None:
    """Why a message is not shown to people, or None where it is."""
    content, metadata = message.get("content"), message.get("metadata")
    kind = content.get("content_type") if isinstance(content, dict) else None
    if role not in ("user", "assistant", "tool", "system"):
        return "Nobody who is known here wrote it."
    is_hidden = isinstance(metadata, dict) and metadata.get("is_visually_hidden_from_conversation") is True
    if role == "system" or is_hidden or kind in _CONTEXT:
        return "It is context for the model, which is not shown."
    if kind in _REASONING:
        return "It is the model's reasoning."
    return None


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    said: list[str] = []
    if isinstance(content, str):
        said.append(content)
    elif isinstance(content, dict):
        files = _file_names(message)
        parts = content.get("parts")
        said += [_part(part, files) for part in parts] if isinstance(parts, list) else []
        said += [content[name] for name in _TEXTS if isinstance(content.get(name), str)]
        said += [
            f"[File: {name}]"
            for id_, name in files.items()
            if not any(id_ in str(part) for part in parts or [])
        ]
    return "\n\n".join(text for text in (_CITATION.sub("", each) for each in said) if text)


def _part(part: Any, files: dict[str, str]) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    pointer = part.get("asset_pointer")
    kind = str(part.get("content_type") or "file")
    if isinstance(pointer, str) or "image" in kind:
        address = str(pointer or "")
        name = next((name for id_, name in files.items() if id_ in address), address.rpartition("/")[2])
        return f"[{'Image' if 'image' in kind else 'File'}: {name or 'without a name'}]"
    text = part.get("text")
    return text if isinstance(text, str) else f"[{kind[:100]}]"


def _file_names(message: dict[str, Any]) -> dict[str, str]:
    """By id, the names of the files that were sent with the message."""
    metadata = message.get("metadata")
    attachments = metadata.get("attachments") if isinstance(metadata, dict) else None
    return {
        str(each["id"]): str(each["name"])
        for each in (attachments[:_MAX_FILES] if isinstance(attachments, list) else [])
        if isinstance(each, dict) and each.get("id") and each.get("name")
    }
