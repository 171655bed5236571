"""A wish, and the words in which people make one."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from local.offline_model.prompt import Prompt, ToolCall

Match = re.Match[str]
# The groups in which wishes are told.
SHOW, TOOLS, DECIDE, TROUBLE = (
    "To look at",
    "The agent's tools",
    "What you decide about",
    "What can go wrong",
)

_VERBS = (
    "show|give|make|draw|write|create|produce|print|send|get|see|want|need|try|do|use|call|ask|tell|"
    "let|list|render|build|prepare|generate|demonstrate|say|cause|raise|simulate|provoke|answer|reply|respond|"
    "test|format|type|run|post|put|would like|['’]d like|(?:can|could|may) (?:i|we) have"
)
# What stands before the thing that is asked for: nothing, or a verb and a few words.
WANT = (
    r"(?:^\W*(?:(?:an?|the|some|please|now|and|another|one more)\W+)*"
    rf"|(?<!\w)(?:{_VERBS})\b(?:[\s,]+[\w'’-]+){{0,4}}?[\s,]+)"
)
_KIND = r"(?:conversation|chat|talk|thread)"
THIS = rf"(?:(?:this|it)(?: {_KIND})?|(?:the|our|this) (?:present |current )?{_KIND})"
TALK = r"(?:talks?|conversations?|chats?|threads?|messages?)"
SPOKE = (
    r"(?:talk(?:ed)?|speak|spoke|discuss(?:ed)?|mention(?:ed)?|chat(?:ted)?|sa(?:y|id)|decided?|agreed?|"
    r"wr(?:i|o)te)"
)
ON = r"(?:about|on|for|of|with|regarding|concerning|mentioning)"


@dataclass(frozen=True)
class Wish:
    """`text`: what is said, after the calls if there are some, or once the fault is over.

    `tool`: without it, the wish cannot be fulfilled.
    """

    group: str
    example: str
    pattern: re.Pattern[str]
    text: Callable[[Match, Prompt], str]
    tool: str = ""
    calls: Callable[[Match], list[ToolCall]] | None = None
    commands: str = ""


def any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.I)


def say(text: str) -> Callable[[Match, Prompt], str]:
    return lambda _match, _prompt: text


def trimmed(words: str) -> str:
    """Without what people say around the words that matter."""
    words = re.sub(r"\s+", " ", words).strip(" \"'“”‘’«».,;:!?")
    words = re.sub(r"^(?:the|a|an|my|our|any|some)\s+", "", words, flags=re.I)
    end = r"(?:\s+|^)(?:please|now|today|right now|yesterday|last \w+|recently|before|again|earlier)$"
    return re.sub(end, "", words, flags=re.I).strip(" \"'“”‘’«».,;:!?")
