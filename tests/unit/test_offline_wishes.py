"""What people can ask the offline model for, in whichever words, over both protocols."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest

from functions.chat.agent import agent as forked
from local.demo.agent import agent, demo_tools
from local.offline_model import serve
from local.offline_model.answers import answer, commands_in_words
from local.offline_model.commands import Commands, read_commands
from local.offline_model.places import zone_of
from local.offline_model.prompt import Entry, Prompt
from local.offline_model.wishes import MEMORY, WISHES, wish_in

PROTOCOLS = ["responses", "chat/completions"]
TOOLS: dict[str, Any] = {tool.name: {"type": "object"} for tool in agent.tools}
HTTP = httpx.Client(verify=False, headers={"authorization": "Bearer key"})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve() as url, HTTP:
        yield url


def ask(url: str, protocol: str, message: str) -> tuple[str, list[tuple[str, Any]]]:
    """The text and the tool calls of the answer."""
    if protocol == "responses":
        tools: list[Any] = [{"type": "function", "name": name, "parameters": TOOLS[name]} for name in TOOLS]
        body = {"model": "offline", "input": message, "tools": tools}
        output = HTTP.post(f"{url}/v1/{protocol}", json=body).raise_for_status().json()["output"]
        texts = [item["content"][0]["text"] for item in output if item["type"] == "message"]
        calls = [item for item in output if item["type"] == "function_call"]
    else:
        tools = [
            {"type": "function", "function": {"name": name, "parameters": TOOLS[name]}} for name in TOOLS
        ]
        messages = [{"role": "user", "content": message}]
        body = {"model": "offline", "messages": messages, "tools": tools}
        choice = HTTP.post(f"{url}/v1/{protocol}", json=body).raise_for_status().json()["choices"][0]
        texts = [choice["message"]["content"] or ""]
        calls = [call["function"] for call in choice["message"].get("tool_calls", [])]
    return "".join(texts), [(call["name"], json.loads(call["arguments"])) for call in calls]


def time_in(*zones: str) -> list[tuple[str, Any]]:
    return [("current_time", {"timezone": zone}) for zone in zones]


def search(words: str) -> list[tuple[str, Any]]:
    return [("search_conversations", {"words": words})]


def renamed(title: str) -> list[tuple[str, Any]]:
    return [("rename_conversation", {"conversation_id": "this", "title": title})]


def postcards(*people: str) -> list[tuple[str, Any]]:
    return [("send_postcard", {"to": person, "text": "Wish you were here."}) for person in people]


TEXTS = [
    ("What can you do?", "- Show me a table"),
    ("What can you help me with?", "- What time is it in Berlin?"),
    ("help", "- Ask for two approvals at once"),
    ("Show me what you can do", "- Refuse to answer"),
    ("Plan a three-day walk in the mountains", "| 3 |"),
    ("Can you plan a weekend in Rome?", "## Weekend in Rome"),
    ("Explain how two people can share a secret in public", "$B^a \\bmod p$"),
    ("Draft a kind reply that declines an invitation", "I cannot make it"),
    ("Write a thank-you note to my aunt", "thank you for your help"),
    ("Hello! Show me a table, please", "| Planet |"),
    ("could I have a table", "| Planet |"),
    ("Write some code in Rust", "```rust"),
    ("I'd like to see some code", "```python"),
    ("code in COBOL?", "I know no COBOL."),
    ("Show me some maths", "\\frac"),
    ("an equation", "\\frac"),
    ("MAKE A LIST", "1. "),
    ("Give me a to-do list", "- [x]"),
    ("Write a long answer about tables in Rome", "# A long answer about tables in Rome"),
    ("Answer slowly", "quick brown fox"),
    ("What is 12 * 7?", "**84**"),
    ("how much is 17 times 23", "**391**"),
    ("What is 1 / 0?", "zero"),
    ("Which tools do you have?", "- `current_time`"),
    ("What time is it in Ponyville?", "I do not know the time zone of Ponyville"),
    ("Say exactly: show me an error", "show me an error"),
    ("My favourite table is oak.", "your favourite table is oak"),
    ("Use the tool dance", "I have no tool called dance"),
]
CALLS = [
    ("What time is it in Berlin?", time_in("Europe/Berlin")),
    ("what's the time in Tokyo and São Paulo, please?", time_in("Asia/Tokyo", "America/Sao_Paulo")),
    ("Could you tell me what time it is in Munich right now?", time_in("Europe/Berlin")),
    ("time in New York", time_in("America/New_York")),
    ("What day is it?", time_in("UTC")),
    ("Make three calls at once", time_in("Europe/Berlin", "Asia/Tokyo", "America/New_York")),
    ("find my talk about boats", search("boats")),
    ("Where did we talk about the lighthouse?", search("lighthouse")),
    ("Please search my conversations for wooden boats.", search("wooden boats")),
    ("Look for boats in my chats", search("boats")),
    ("What did we decide about the ferry last week?", search("ferry")),
    ("List my latest conversations", [("list_recent_conversations", {})]),
    ("call this Sea trip", renamed("Sea trip")),
    ("Rename this conversation to “Sea trip”, please", renamed("Sea trip")),
    ("Change the title to Sea trip.", renamed("Sea trip")),
    ("Do something that needs my approval", postcards("Grace")),
    ("I want to approve something", postcards("Grace")),
    ("Send a postcard to Ada and one to Bob", postcards("Ada", "Bob")),
    ("Ask for two approvals", postcards("Grace", "Bob")),
    ("Use a slow tool", [("take_a_nap", {"seconds": 8})]),
    ("Take a nap for 3 seconds", [("take_a_nap", {"seconds": 3})]),
    ("Use a tool that fails", [("break_down", {})]),
    ("Use a client tool", [("pick_a_day", {"reason": "You asked for a tool of the page."})]),
]
COMMANDS = {
    "error=server_error,first=1": ["Fail", "Show me an error, please", "Could you fail in the middle?"],
    "cut=16,first=1": ["Lose the connection"],
    "status=429,retry_after=5,first=1": ["Be too busy to answer", "hit a rate limit"],
    "status=500,first=2": ["Be unavailable", "pretend to be down"],
    "refusal,first=1": ["Refuse to answer", "please refuse"],
    "context=1": ["Say that this is too long for you"],
    "incomplete=max_output_tokens": ["Cut off your answer", "give me an incomplete answer"],
    "rubbish=empty,first=1": ["Say nothing", "I want an empty answer"],
    "rubbish=json,first=1": ["Talk nonsense"],
    "hang=16,first=1": ["Fall silent in the middle"],
    "hang,first=1": ["Never answer", "Don't answer"],
    "slow=3,word=150": ["Be slow", "answer slowly, please", "Show me slowness"],
    "tool=no_such_tool": ["Call a tool that doesn't exist"],
    "loop": ["Never stop calling tools"],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("message", "expected"), TEXTS)
def test_what_is_asked_for_is_written(url: str, protocol: str, message: str, expected: str) -> None:
    text, calls = ask(url, protocol, message)
    assert expected in text
    assert not calls


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("message", "expected"), CALLS)
def test_tools_are_called(url: str, protocol: str, message: str, expected: list[tuple[str, Any]]) -> None:
    assert ask(url, protocol, message)[1] == expected


def test_a_question_is_asked_with_choices(url: str) -> None:
    [(name, arguments)] = ask(url, "responses", "Ask me something")[1]
    assert name == "ask_user"
    assert len(arguments["questions"][0]["options"]) == 2


@pytest.mark.parametrize(
    ("commands", "message"), [(commands, text) for commands in COMMANDS for text in COMMANDS[commands]]
)
def test_what_is_to_go_wrong_goes_wrong(commands: str, message: str) -> None:
    assert commands_in_words(message) == read_commands("", commands, "")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_went_wrong_goes_well_when_it_is_tried_again(url: str, protocol: str) -> None:
    def status() -> int:
        messages = [{"role": "user", "content": "Be unavailable"}]
        given = {"input": messages} if protocol == "responses" else {"messages": messages}
        return HTTP.post(f"{url}/v1/{protocol}", json={"model": "offline", **given}).status_code

    assert [status() for _ in range(6)] == [500, 500, 200, 500, 500, 200]


@pytest.mark.parametrize("wish", [wish for wish in WISHES if wish.example], ids=lambda wish: wish.example)
def test_each_example_is_told_and_leads_to_its_wish(wish: Any) -> None:
    wished = wish_in(wish.example)
    assert wished
    assert wished.wish is wish
    assert f"- {wish.example}\n" in say("What can you do?")
    assert f"- {wish.example}\n" not in say("What can you do?", {}) or not wish.tool


NOUNS = {"table": "Show me a table", "code": "Write some code in Python", "maths": "Show me some maths"}
NOUNS |= {"list": "Make a list", "joke": "Tell me a joke", "error": "Fail in the middle of your answer"}
BEFORE = ["", "Please ", "Hello! ", "Can you ", "could you please ", "I'd like you to ", "And now ", "Ada, "]
VERBS = ["show me", "Give me", "MAKE", "write", "let me see"]


def test_a_wish_is_known_in_many_forms() -> None:
    forms = product(BEFORE, VERBS, ["", "a ", "some ", "another small "], NOUNS, ["", "!", ", please.", "?"])
    for before, verb, article, noun, after in forms:
        message = f"{before}{verb} {article}{noun}{after}"
        wished = wish_in(message)
        assert wished, message
        assert wished.wish.example == NOUNS[noun], message


@pytest.mark.parametrize(
    "message",
    [
        "Do trees sleep at night?",
        "I have an error in my code",
        "What is the time complexity of quicksort?",
        "The service was slow",
        "We decided to wait",
        "I like lists",
        "Are you there?",
        "Say hello.",
    ],
)
def test_other_messages_are_no_wishes_and_get_help(message: str) -> None:
    assert wish_in(message) is None
    text = say(message)
    assert f"You wrote: “{message}”" in text
    assert "“What can you do?”" in text


def test_who_says_something_else_again_gets_other_suggestions() -> None:
    entries = [Entry("user", "Trees"), Entry("assistant", "x"), Entry("user", "Trees")]
    first, second = (answer(Prompt("", entries[start:], TOOLS), Commands()).text for start in (2, 0))
    assert first != second


def test_a_long_text_is_no_wish() -> None:
    assert wish_in("show me " * 4_000 + "a table") is None


def say(message: str, tools: dict[str, Any] = TOOLS) -> str:
    return answer(Prompt("Be helpful.", [Entry("user", message)], tools), Commands()).text


def told(message: str, *results: tuple[str, dict[str, Any], str]) -> str:
    """What is said when the tools that it calls have these arguments and outputs."""
    entries = [Entry("user", message)]
    for number, (name, arguments, _) in enumerate(results):
        entries.append(Entry("call", json.dumps(arguments), str(number), name))
    for number, (_, _, output) in enumerate(results):
        entries.append(Entry("output", output, str(number)))
    return answer(Prompt("Be helpful.", entries, TOOLS), Commands()).text


def test_the_time_is_told() -> None:
    output = "Tuesday, 01 December 2026, 14:05 CET"
    berlin = ("current_time", {"timezone": "Europe/Berlin"}, output)
    assert told("What time is it in Berlin?", berlin) == f"In Berlin it is {output}."
    rome = ("current_time", {"timezone": "Europe/Rome"}, output)
    both = told("What time is it in Berlin, Rome and Ponyville?", berlin, rome).splitlines()
    assert both[:2] == [f"- In Berlin it is {output}.", f"- In Rome it is {output}."]
    assert "Ponyville" in both[2]


def test_what_was_found_is_linked_and_the_present_conversation_is_not() -> None:
    hits = [
        {"id": "1", "title": "find my talk about boats", "matched": "find my talk about <mark>boats</mark>"},
        {"id": "2", "title": "Sea [trip]", "matched": "… wooden <mark>boats</mark> &amp; oars …"},
    ]
    call = ("search_conversations", {"words": "boats"}, json.dumps(hits))
    expected = "I found one conversation:\n\n- [Sea \\[trip\\]](/chat/2): … wooden **boats** & oars …"
    assert told("find my talk about boats", call) == expected
    nothing = ("search_conversations", {"words": "boats"}, "Nothing was found.")
    assert told("find my talk about boats", nothing) == "Nothing was found."
    only_this = ("search_conversations", {"words": "boats"}, json.dumps(hits[:1]))
    assert told("find my talk about boats", only_this).startswith("I found nothing")


def test_what_was_rejected_is_left() -> None:
    call = ("send_postcard", {"to": "Grace", "text": "Hi"}, "Tool execution was not approved.")
    assert told("Send a postcard to Grace", call) == "You did not allow it, so I left it."


@pytest.mark.parametrize(
    ("given", "expected"), [(["At sea"], "So you like: At sea."), ("skipped", "That is fine.")]
)
def test_an_answer_is_taken_up(given: object, expected: str) -> None:
    call: tuple[str, dict[str, Any], str] = (
        "ask_user",
        {},
        json.dumps([{"question": "Where?", "answer": given}]),
    )
    assert expected in told("Ask me a question", call)


def test_an_answer_that_was_cut_off_goes_on_where_it_ended() -> None:
    cut = read_commands("", "incomplete=max_output_tokens", "")
    entries = [Entry("user", "Cut off your answer")]
    half = answer(Prompt("", entries, {}), cut).text
    entries += [Entry("assistant", half), Entry("user", "Go on.")]
    assert half + answer(Prompt("", entries, {}), Commands()).text == say("Cut off your answer")


def test_without_the_tool_it_says_so() -> None:
    assert (
        say("Send a postcard to Grace", {})
        == "That needs a tool called `send_postcard`, and this agent has none."
    )


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("Berlin", "Europe/Berlin"),
        ("münchen", "Europe/Berlin"),
        ("the UK", "Europe/London"),
        ("SAN FRANCISCO", "America/Los_Angeles"),
        ("Ho Chi Minh", "Asia/Ho_Chi_Minh"),
        ("Ponyville", None),
    ],
)
def test_a_place_has_its_time_zone(place: str, zone: str | None) -> None:
    assert zone_of(place) == zone


def test_the_agent_of_make_dev_is_the_agent_with_more_tools() -> None:
    assert [*forked.tools, *demo_tools] == agent.tools
    assert agent.instructions == forked.instructions
    assert agent.input_guardrails == forked.input_guardrails
    assert not {tool.name for tool in demo_tools} & {tool.name for tool in forked.tools}


def test_what_it_remembers_is_told() -> None:
    for example in MEMORY:
        assert f"- {example}\n" in say("What can you do?")
        assert "I have no rule" not in say(example)
