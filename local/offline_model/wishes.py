"""All that people can ask the model for, each in many forms. The first wish whose pattern fits counts."""

from dataclasses import dataclass

from local.offline_model.fault_wishes import FAULT_WISHES
from local.offline_model.prompt import Prompt, ToolCall
from local.offline_model.text_wishes import TEXT_WISHES
from local.offline_model.tool_wishes import TOOL_WISHES
from local.offline_model.wish import DECIDE, SHOW, TOOLS, TROUBLE, WANT, Match, Wish, any_of, say

# A wish is short. Longer texts are not searched for one, because that takes too long.
MAX_LENGTH = 400
# For these there are rules in answers.py.
MEMORY = (
    "My name is Ada",
    "What is my name?",
    "How many messages have I sent?",
    "Repeat: the sea is wide",
)


@dataclass(frozen=True)
class Wished:
    wish: Wish
    match: Match

    def calls(self, prompt: Prompt) -> list[ToolCall]:
        wish = self.wish
        return wish.calls(self.match) if wish.calls and wish.tool in prompt.tools else []

    def text(self, prompt: Prompt) -> str:
        if self.wish.tool and self.wish.tool not in prompt.tools:
            return f"That needs a tool called `{self.wish.tool}`, and this agent has none."
        return self.wish.text(self.match, prompt)


def wish_in(message: str) -> Wished | None:
    if len(message) > MAX_LENGTH:
        return None
    found = ((wish, wish.pattern.search(message)) for wish in WISHES)
    return next((Wished(wish, match) for wish, match in found if match), None)


def examples(prompt: Prompt, *groups: str) -> list[str]:
    """The wishes of these groups that the agent's tools allow."""
    possible = (wish for wish in WISHES if not wish.tool or wish.tool in prompt.tools)
    return [wish.example for wish in possible if wish.group in groups]


def _help(_: Match, prompt: Prompt) -> str:
    told = {group: examples(prompt, group) for group in (SHOW, TOOLS, DECIDE)}
    told |= {"What I remember": [*MEMORY], TROUBLE: examples(prompt, TROUBLE)}
    groups = (
        f"**{group}**\n\n" + "\n".join(f"- {example}" for example in sentences)
        for group, sentences in told.items()
        if sentences
    )
    return (
        "\n\n".join(["Try one of these, or say it in your own words:", *groups])
        + "\n\nI also obey commands such as `[offline: slow=3, words=200]` at the start of a message; "
        "`local/offline_model/commands.py` lists them."
    )


_HELP = Wish(
    "",
    "",
    any_of(
        r"\bwhat (?:else )?(?:can|could|do|would|will) (?:you|i|we) (?:do|help|know|offer|ask|try|say)\b",
        r"\bhow (?:can|could|do) (?:you help|i (?:use|try) (?:you|this))",
        rf"^\W*(?:please )?help(?: me)?\W*$|{WANT}help\W*$",
        r"\b(?:your|you have) (?:\w+ )?(?:abilities|capabilities|features|skills|commands|functions)\b",
        r"\b(?:what|everything|all|things)(?: that)? you can (?:do|show)\b",
        r"\bwhat are you (?:able|capable|good)\b|\bwhat works here\b",
    ),
    _help,
)
_SMALL_TALK = (
    Wish(
        "",
        "",
        any_of(r"^\W*(?:ok[, ]*|great[, ]*)*(?:thanks|thank you|thx|cheers)\b"),
        say("You are welcome."),
    ),
    Wish(
        "",
        "",
        any_of(r"\bhow are you\b|\bhow do you do\b"),
        say("Well, thank you. What would you like to try?"),
    ),
    Wish(
        "",
        "",
        any_of(r"\b(?:who|what)(?: kind of)? (?:are you|model|llm|ai)\b"),
        say(
            "I am Parley's offline model. I follow rules instead of thinking, so that everything here can be "
            "tried without a key and without a network."
        ),
    ),
)
WISHES = (_HELP, *FAULT_WISHES, *TOOL_WISHES, *TEXT_WISHES, *_SMALL_TALK)
