"""What the model answers: the first rule that has something to say does."""

import json
import re
from collections.abc import Callable

from local.offline_model import samples
from local.offline_model.commands import Commands, read_commands, without_commands
from local.offline_model.prompt import Json, Prompt, Reply, ToolCall
from local.offline_model.wish import DECIDE, SHOW, TOOLS
from local.offline_model.wishes import Wished, examples, wish_in

REFUSAL = "I'm sorry, but I can't help with that."


def answer(prompt: Prompt, commands: Commands) -> Reply:
    if commands.rubbish == "empty":
        return Reply()
    if commands.refusal:
        return Reply(refusal=REFUSAL)
    if calls := _tool_calls(prompt, commands):
        return Reply(tool_calls=calls)
    text = samples.filler(commands.words) if commands.words is not None else _text(prompt)
    if commands.incomplete or commands.error:
        text = text[: len(text) // 2]
    return Reply(text, incomplete=commands.incomplete, error=commands.error)


def commands_in_words(message: str) -> Commands:
    """What a person asks to see go wrong, or slowly."""
    wished = _wish(message)
    return read_commands("", wished.wish.commands if wished else "", "")


def _text(prompt: Prompt) -> str:
    if task := _task(prompt):
        return task(prompt)
    message = _message(prompt)
    if echo := _ECHO.match(message):
        return echo[1]
    wished = _wish(message)
    if prompt.results and not (wished and wished.wish.calls):
        return _tool_outputs(prompt)
    return wished.text(prompt) if wished else _by_rule(message, prompt)


def _message(prompt: Prompt) -> str:
    said = prompt.texts("user")
    return without_commands(said[-1]).strip() if said else ""


def _wish(message: str) -> Wished | None:
    """None if the message is to be taken literally, or another rule is meant for it."""
    literal = any(pattern.search(message) for pattern in (_USE_TOOL, _QUESTION, _COUNT))
    return None if literal or _ECHO.match(message) else wish_in(message)


def _by_rule(message: str, prompt: Prompt) -> str:
    for pattern, rule in _RULES:
        if match := pattern.search(message):
            return rule(match, prompt)
    one, other = _suggestions(prompt)
    return (
        f"You wrote: “{_shortened(message, 80)}” I have no rule for that. Ask “What can you do?” for all "
        f"that I have, or try “{one}” or “{other}”."
    )


def _suggestions(prompt: Prompt) -> tuple[str, str]:
    """Others each time."""
    known = examples(prompt, SHOW, TOOLS, DECIDE)
    place = len(prompt.texts("user")) * 2
    return known[place % len(known)], known[(place + len(known) // 2) % len(known)]


# Follow-ups


_TITLE_TASK = re.compile(
    r"\b(write|give|make|create|suggest|generate|produce|find|choose)\b.*\btitle\b|^title\b", re.I
)
_SUMMARY_TASK = re.compile(
    r"\b(write|give|make|create|generate|produce|update)\b.*\bsummary\b|\bsummari[sz]e\b", re.I
)


# A title that ends with one of these looks cut off.
_LEADING_ON = {
    "a",
    "an",
    "and",
    "at",
    "by",
    "for",
    "from",
    "in",
    "is",
    "my",
    "of",
    "on",
    "or",
    "the",
    "to",
    "with",
}


def is_follow_up(prompt: Prompt) -> bool:
    return _task(prompt) is not None


def _task(prompt: Prompt) -> Callable[[Prompt], str] | None:
    """A title or a summary is wanted when the first sentence of the instructions says so."""
    first_sentence = re.split(r"(?<=\.)\s|\n", prompt.instructions.strip(), maxsplit=1)[0]
    if _TITLE_TASK.search(first_sentence):
        return _title
    if _SUMMARY_TASK.search(first_sentence):
        return _summary
    return None


def _title(prompt: Prompt) -> str:
    words = re.findall(r"[\w'’+-]+", _users_words(prompt)[0])[:6] if _users_words(prompt) else []
    while len(words) > 1 and words[-1].lower() in _LEADING_ON:
        words.pop()
    title = " ".join(words)[:60].strip()
    return title[:1].upper() + title[1:] or "A conversation"


def _summary(prompt: Prompt) -> str:
    """What the user said, what an earlier summary at the top had of it, and facts longer than the rest."""
    before = re.split(r"^user:", "\n".join(prompt.texts("user")), maxsplit=1, flags=re.I | re.M)[0]
    earlier = re.findall("“([^”]+)”", before)
    said = [_shortened(text, 160) for text in (*earlier, *_users_words(prompt))]
    facts = [text for text in said if _FACT.search(text)]
    others = [text for text in said if text not in facts]
    return "The user said: " + " ".join(f"“{text}”" for text in (*facts[-20:], *others[-10:]))


def _users_words(prompt: Prompt) -> list[str]:
    """What the user said, given as messages or as one transcript with speakers' names."""
    said = [without_commands(text).strip() for text in prompt.texts("user")]
    spoken = [line for text in said for line in re.findall(r"^user:\s*(.+)$", text, re.I | re.M)]
    return [text for text in spoken or said if text]


# Tools


_USE_TOOL = re.compile(r"\buse the tool (?P<name>[\w.-]+)(?: with (?=\{))?", re.I)
_THEN = re.compile(r"[,;.]?\s*(?:and\s+)?\bthen\s+(?=use the tool )", re.I)


def _tool_calls(prompt: Prompt, commands: Commands) -> list[ToolCall]:
    if commands.loop and prompt.tools:
        return [_call(commands.tool or next(iter(prompt.tools)), prompt)]
    last = prompt.last
    if last is None or last.kind not in ("user", "output"):
        return []
    if last.kind == "user" and commands.tool:
        return [_call(commands.tool, prompt)]
    said = prompt.texts("user")[-1:]
    steps = _THEN.split(said[0]) if said else []
    taken = _steps_taken(prompt)
    if taken >= len(steps):
        return []
    wished = _wish(_message(prompt)) if taken == 0 else None
    return _tools_named_in(steps[taken], prompt) or (wished.calls(prompt) if wished else [])


def _steps_taken(prompt: Prompt) -> int:
    """How often tools were called since the user spoke; calls made at once are one step."""
    kinds = [entry.kind for entry in prompt.entries]
    since = kinds[len(kinds) - kinds[::-1].index("user") :] if "user" in kinds else kinds
    return sum(kind == "call" and before != "call" for before, kind in zip(["", *since], since, strict=False))


def _tools_named_in(text: str, prompt: Prompt) -> list[ToolCall]:
    found = [match for match in _USE_TOOL.finditer(text) if match["name"] in prompt.tools]
    return [_call(match["name"], prompt, _json_at(text, match.end())) for match in found]


def _json_at(text: str, start: int) -> str:
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError:
        return ""
    return text[start:end]


def _call(name: str, prompt: Prompt, arguments: str = "") -> ToolCall:
    """By default with arguments that satisfy a simple schema."""
    schema = prompt.tools.get(name, {})
    properties: dict[str, Json] = schema.get("properties", {})
    samples = {each: _sample(properties.get(each, {})) for each in schema.get("required", [])}
    return ToolCall(name, arguments or json.dumps(samples))


def _sample(schema: Json) -> object:
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    samples = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}, "null": None}
    return samples.get(kind, "x")


# Rules, in the order in which they are tried


_ECHO = re.compile(r"(?:please\s+)?(?:say exactly|repeat)\s*:\s*(.+)", re.I | re.S)
_QUESTION = re.compile(r"\bwhat(?:'s|’s| is) my ([\w ]{1,40}?)\s*\?", re.I)
_FACT = re.compile(r"\bmy ([\w ]{1,40}?) is ([^.,;!?\n”]+?)(?= and |[.,;!?\n”]|$)", re.I)
_COUNT = re.compile(r"\bhow many messages\b", re.I)
_GREETING = re.compile(r"^(?:hi|hello|hey|good (?:morning|afternoon|evening))\b", re.I)


def _tool_outputs(prompt: Prompt) -> str:
    return "\n\n".join(f"The tool {result.name} says: {result.text}" for result in prompt.results)


def _unknown_tool(match: re.Match[str], prompt: Prompt) -> str:
    known = ", ".join(prompt.tools) or "none"
    return f"I have no tool called {match['name']}. The tools I have: {known}."


def _question(match: re.Match[str], prompt: Prompt) -> str:
    name = match[1].lower()
    value = _facts(prompt).get(name)
    return f"Your {name} is {value}." if value else f"You have not told me your {name} yet."


def _facts(prompt: Prompt) -> dict[str, str]:
    """What the user said, an earlier summary in the instructions included. What was said last counts."""
    texts = (prompt.instructions, *prompt.texts("user"))
    return {thing.lower(): value.strip() for text in texts for thing, value in _FACT.findall(text)}


def _count(_: re.Match[str], prompt: Prompt) -> str:
    count = len(prompt.texts("user"))
    return f"You have sent me {count} message{'' if count == 1 else 's'}."


def _fact(match: re.Match[str], _: Prompt) -> str:
    thing, value = match[1].lower(), match[2].strip()
    return (
        f"Nice to meet you, {value}." if thing == "name" else f"I will remember that your {thing} is {value}."
    )


def _greeting(_: re.Match[str], prompt: Prompt) -> str:
    name = _facts(prompt).get("name")
    return f"Hello{f', {name}' if name else ''}! Ask me what I can do."


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Prompt], str]], ...] = (
    (_USE_TOOL, _unknown_tool),
    (_QUESTION, _question),
    (_COUNT, _count),
    (_FACT, _fact),
    (_GREETING, _greeting),
)


def _shortened(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
