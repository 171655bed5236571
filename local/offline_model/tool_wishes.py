"""What people can ask the agent's tools for, and what is said about what the tools found."""

import html
import json
import re

from local.offline_model.places import zone_of
from local.offline_model.prompt import Json, Prompt, Result, ToolCall
from local.offline_model.wish import (
    DECIDE,
    ON,
    SPOKE,
    TALK,
    THIS,
    TOOLS,
    TROUBLE,
    WANT,
    Match,
    Wish,
    any_of,
    trimmed,
)


def _call(tool: str, **arguments: object) -> ToolCall:
    return ToolCall(tool, json.dumps(arguments))


def _told(_: Match, prompt: Prompt) -> str:
    return "\n\n".join(map(_of_result, prompt.results))


def _of_result(result: Result) -> str:
    if result.text == "Tool execution was not approved.":
        return "You did not allow it, so I left it."
    return result.text


def _time_calls(match: Match) -> list[ToolCall]:
    zones = [zone for place in _places(match) if (zone := zone_of(place))]
    if not zones and not _places(match):
        zones = ["UTC"]
    return [_call("current_time", timezone=zone) for zone in zones]


def _places(match: Match) -> list[str]:
    asked = re.search(r"\b(?:in|at)\s+([^.?!\n]+)", match.string, re.I)
    between = r"[\s,]+(?:and|or)[\s,]+(?:in\s+)?|,\s*(?:in\s+)?|\s*&\s*|\s*/\s*"
    named = re.split(between, asked[1], flags=re.I) if asked else []
    return [trimmed(place) for place in named if trimmed(place)]


def _times(match: Match, prompt: Prompt) -> str:
    unknown = [place for place in _places(match) if zone_of(place) is None]
    lines = [_time(result) for result in prompt.results]
    if unknown:
        lines.append(f"I do not know the time zone of {', '.join(unknown)}. Name a larger city near it.")
    return "\n".join(lines if len(lines) < 2 else [f"- {line}" for line in lines])


def _time(result: Result) -> str:
    zone = str(result.arguments.get("timezone"))
    if not re.search(r"\d:\d", result.text):
        return result.text
    where = "In UTC" if zone == "UTC" else f"In {zone.rpartition('/')[2].replace('_', ' ')}"
    return f"{where} it is {result.text}."


def _three_times(_: Match) -> list[ToolCall]:
    zones = ("Europe/Berlin", "Asia/Tokyo", "America/New_York")
    return [_call("current_time", timezone=zone) for zone in zones]


def _search_calls(match: Match) -> list[ToolCall]:
    words = next((trimmed(group) for group in match.groups() if group and trimmed(group)), "")
    return [_call("search_conversations", words=words)] if words else []


def _found(_: Match, prompt: Prompt) -> str:
    """Links to what was found elsewhere. The present conversation is found as well, and left out."""
    here = _squeezed("\n".join(prompt.texts("user") + prompt.texts("assistant")))
    answers = [result.text for result in prompt.results]
    try:
        hits: list[Json] = [hit for answer in answers for hit in json.loads(answer)]
    except ValueError:
        return "\n\n".join(answers)
    lines = []
    for hit in hits:
        matched = html.unescape(str(hit.get("matched") or ""))
        # Without a message that matches, it was found by its title.
        said = _squeezed(re.sub(r"</?mark>", "", matched) or str(hit.get("title")))
        if said not in here:
            lines.append(_link(hit, re.sub(r"</?mark>", "**", matched)))
    if not lines:
        return "I found nothing about that in your other conversations."
    count = "one conversation" if len(lines) == 1 else f"{len(lines)} conversations"
    return f"I found {count}:\n\n" + "\n".join(lines)


def _squeezed(text: str) -> str:
    return " ".join(text.strip("… \n").lower().split())


def _link(hit: Json, excerpt: str) -> str:
    title = re.sub(r"([\\\[\]*_`<])", r"\\\1", str(hit.get("title")))
    excerpt = " ".join(excerpt.split())
    return f"- [{title}](/chat/{hit.get('id')})" + (f": {excerpt}" if excerpt else "")


def _recent(_: Match, prompt: Prompt) -> str:
    answers = [result.text for result in prompt.results]
    try:
        hits: list[Json] = [hit for answer in answers for hit in json.loads(answer)]
    except ValueError:
        return "\n\n".join(answers)
    return "Your latest conversations:\n\n" + "\n".join(_link(hit, "") for hit in hits)


def _rename_calls(match: Match) -> list[ToolCall]:
    title = next((_trimmed_title(group) for group in match.groups() if group), "")
    return [_call("rename_conversation", conversation_id="this", title=title[:200])]


def _trimmed_title(title: str) -> str:
    return re.sub(r",?\s*(?:please|thanks|thank you)$", "", title.strip(), flags=re.I).strip(
        " \"'“”‘’«».,;:!"
    )


def _postcards(*people: str) -> list[ToolCall]:
    return [_call("send_postcard", to=person, text="Wish you were here.") for person in people[:4]]


def _addressed(match: Match) -> list[ToolCall]:
    named = re.split(r"\W+and\W+|,\s*|\s*&\s*", match["to"], flags=re.I)
    people = (re.sub(r"^(?:and |one |another |to |my )+", "", person.strip(), flags=re.I) for person in named)
    return _postcards(*(person[:1].upper() + person[1:] for person in people if person))


def _nap(match: Match) -> list[ToolCall]:
    seconds = re.search(r"(\d{1,2}) ?s(?:ec|econds?)?\b", match.string)
    return [_call("take_a_nap", seconds=min(int(seconds[1]) if seconds else 8, 14))]


def _question(_: Match) -> list[ToolCall]:
    question = {"question": "Where do you like to be?", "options": ["At sea", "In the mountains"]}
    return [_call("ask_user", questions=[question | {"multiple": False}])]


def _answered(match: Match, prompt: Prompt) -> str:
    """The output is a list of questions with their answers, each a list or "skipped"."""
    try:
        given: list[Json] = json.loads(prompt.results[-1].text)
        answers = [each["answer"] for each in given]
    except (ValueError, TypeError, KeyError):
        return _told(match, prompt)
    said = ", ".join(answer if isinstance(answer, str) else ", ".join(answer) for answer in answers)
    return "You did not want to answer. That is fine." if said == "skipped" else f"So you like: {said}."


def _picked(_: Match, prompt: Prompt) -> str:
    return "\n\n".join(f"Your page says: {_of_result(result)}" for result in prompt.results)


def _tools(_: Match, prompt: Prompt) -> str:
    if not prompt.tools:
        return "This agent has no tools."
    lines = (f"- `{name}`" for name in prompt.tools)
    return "The tools of this agent:\n\n" + "\n".join(lines) + "\n\nI obey `use the tool NAME with {…}`."


TOOL_WISHES = (
    Wish(
        TROUBLE,
        "Use a tool that fails",
        any_of(
            rf"{WANT}tool (?:call )?(?:that|which|to) (?:fails?|breaks?|errs?|crash\w*|goes wrong)\b",
            rf"{WANT}(?:failing|broken|faulty) tool\b",
            rf"{WANT}break[- ]?down\b",
        ),
        _told,
        "break_down",
        lambda _: [_call("break_down")],
    ),
    Wish(
        DECIDE,
        "Ask for two approvals at once",
        any_of(
            rf"{WANT}(?:two|2|both|several|more than one)\b[^.?!]*"
            r"\b(?:approv\w+|permissions?|confirmations?|postcards)\b"
        ),
        _told,
        "send_postcard",
        lambda _: _postcards("Grace", "Bob"),
    ),
    Wish(
        DECIDE,
        "Send a postcard to Grace",
        any_of(
            r"\b(?:send|write|post|mail)\b[^.?!]*\b(?:post)?cards?\b[^.?!]*?\bto (?P<to>[^.?!:;]{1,80}?)"
            r"(?: saying\b.*| that\b.*|[.?!:;]|\s*$)"
        ),
        _told,
        "send_postcard",
        _addressed,
    ),
    Wish(
        DECIDE,
        "Do something that needs my approval",
        any_of(
            rf"{WANT}(?:approvals?|permission|consent|confirmation)\b",
            r"\b(?:needs?|requires?|wants?|for) (?:my |an? )?(?:approval|permission|consent|confirmation)\b",
            r"\b(?:must|have to|can|could|may|let me|should|to) (?:first )?approve\b",
            r"\b(?:send|write|post) (?:me |us )?(?:an? |another )?postcard\b",
        ),
        _told,
        "send_postcard",
        lambda _: _postcards("Grace"),
    ),
    Wish(
        DECIDE,
        "Call this Sea trip",
        any_of(
            rf"\b(?:re)?name {THIS}(?: to| as| into)?\s*[:,]?\s+([^\n]+)",
            rf"\b(?:call|entitle) {THIS}\s*[:,]?\s+([^\n?]+)",
            r"\b(?:change|set) (?:the|this|its|our) (?:\w+['’]s )?(?:title|name)(?: of this(?: \w+)?)?"
            r" (?:to|into|as)\s*:?\s+([^\n]+)",
            rf"\bgive {THIS} (?:the|a new) (?:title|name)\s*:?\s+([^\n]+)",
            rf"\btitle {THIS}\s*:?\s+([^\n]+)",
        ),
        _told,
        "rename_conversation",
        _rename_calls,
    ),
    Wish(
        DECIDE,
        "Ask me a question",
        any_of(
            r"\bask me (?:something|anything|an?\b|one|some|questions?)",
            rf"{WANT}(?:a )?question (?:to|for) me\b",
            r"\blet me (?:choose|answer)\b",
        ),
        _answered,
        "ask_user",
        _question,
    ),
    Wish(
        DECIDE,
        "Let me pick a day",
        any_of(
            rf"{WANT}(?:client|page|browser)(?:['’]s|[- ]side)? tool\b",
            r"\b(?:let me|i want to|can i|may i) (?:pick|choose|select) (?:a|the) (?:day|date)\b",
            r"\b(?:open|show(?: me)?) (?:a|the) calendar\b",
        ),
        _picked,
        "pick_a_day",
        lambda _: [_call("pick_a_day", reason="You asked for a tool of the page.")],
    ),
    Wish(
        TOOLS,
        "Make three tool calls at once",
        any_of(
            rf"{WANT}(?:two|three|four|several|many|some|[2-9])\b[^.?!]*\b(?:calls?|tools?)\b",
            r"\b(?:calls|tools) (?:at once|in parallel|at the same time|together)\b",
        ),
        _times,
        "current_time",
        _three_times,
    ),
    Wish(
        TOOLS,
        "Use a slow tool",
        any_of(
            r"\b(?:slow|lazy|long-running) tool(?: call)?\b",
            r"\btool (?:call )?(?:that|which) (?:is slow|takes (?:\w+ )?(?:time|while|long|longer))\b",
            r"\b(?:take|have) (?:a |another |your )?nap\b",
        ),
        _told,
        "take_a_nap",
        _nap,
    ),
    Wish(
        TOOLS,
        "What time is it in Berlin?",
        any_of(
            r"\b(?:what(?:'s|’s| is)|tell me|give me|show me|know|say|have)\s+(?:what\s+)?(?:the\s+)?"
            r"(?:time|date)\b(?!\s+(?:complexity|zone|of|to|line|for)\b)",
            r"\b(?:what|which)\s+(?:time|day|date)\s+(?:is\s+it|do\s+we\s+have|it\s+is|is\s+today)\b",
            r"\bhow\s+late\s+is\s+it\b",
            r"\b(?:current|local)\s+(?:time|date)\b",
            r"^\W*(?:the\s+)?time(?:\s+now)?(?:\W*$|\s+in\b)",
            r"\b(?:use|call)\s+(?:your|the|an?|one of (?:your|the))\s+(?:own\s+)?(?:tools?|clock)\W*$",
        ),
        _times,
        "current_time",
        _time_calls,
    ),
    Wish(
        TOOLS,
        "Find my talk about boats",
        any_of(
            r"\b(?:find|search|look|open|where|which|what|when|did|show|get|is there)\b[^.?!]*?"
            rf"\b(?:{TALK}|{SPOKE})\b[^.?!]*?\b{ON} ([^.?!\n]+)",
            rf"\b(?:where|when|what) (?:did|have|had) (?:i|we) (?:ever )?{SPOKE} ([^.?!\n]+)",
            r"\b(?:find|search(?: for)?|look for|look up) ([^.?!\n]+?)"
            rf" (?:in|among|through) (?:my|our|the|all) (?:\w+ )?{TALK}\b",
            r"^\W*(?:please |can you |could you )*(?:search|look)(?: my \w+)? (?:for|up) ([^.?!\n]+)",
        ),
        _found,
        "search_conversations",
        _search_calls,
    ),
    Wish(
        TOOLS,
        "List my latest conversations",
        any_of(
            rf"{WANT}(?:my|our|all|the)?\s*(?:\w+ )?(?:conversations|chats|talks)\b",
            r"\bwhat (?:have|did) (?:we|i) talk(?:ed)? about\b",
        ),
        _recent,
        "list_recent_conversations",
        lambda _: [_call("list_recent_conversations")],
    ),
    Wish(
        TOOLS,
        "Which tools do you have?",
        any_of(r"\b(?:what|which) tools\b", r"\b(?:your|list (?:the|all)?|all|agent['’]s) tools\b"),
        _tools,
    ),
)
