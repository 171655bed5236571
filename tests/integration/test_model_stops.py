"""How a model's stop reaches clients, in both protocols."""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from agents import Agent, function_tool

from tests.chatkit_client import ChatKitClient
from tests.conftest import ApiUser
from tests.integration.test_chat import events
from tests.scripted_model import Answer, Compressed, Failed, Said, Script, ScriptedModel, serve_scripted_model

KEY = {"Idempotency-Key": "k"}
STREAM = {"Accept": "text/event-stream"}
PROTOCOLS = ["responses", "chat_completions"]
made: list[str] = []


@function_tool
def look_up(word: str) -> str:
    """Look a word up."""
    made.append(word)
    return f"{word} is a word"


AGENT = Agent[Any](name="Parley", instructions="Answer.", tools=[look_up])


@pytest.fixture(scope="module")
def model_and_urls(serve_api: Callable[..., str]) -> Iterator[tuple[ScriptedModel, dict[str, str]]]:
    with serve_scripted_model() as (url, model):
        yield model, {name: serve_api(AGENT, openai_base_url=url, openai_api=name) for name in PROTOCOLS}


class Talk:
    """A conversation of somebody new, with a model that follows a script."""

    def __init__(self, user: ApiUser, model: ScriptedModel, *answers: Answer) -> None:
        self.user = user
        self.script = model.scripts[user.id] = Script(list(answers))
        self.id: str | None = None

    def say(self, message: str = "Hello", **headers: str) -> httpx.Response:
        reply = self.user.say(f"{message} {self.user.id}", self.id, **headers)
        listed = self.user.http.get("/conversations").json()["data"]
        self.id = listed[0]["id"]
        return reply

    def messages(self) -> list[dict[str, Any]]:
        assert self.id is not None
        return self.user.messages(self.id)

    def shown(self, number: int = -1) -> list[tuple[str, str]]:
        """What the model was shown in a request: roles and texts, or kinds."""
        body = self.script.asked["answer"][number]
        items = body.get("input") or body["messages"][1:]
        return [(item.get("role") or item["type"], str(item.get("content"))) for item in items]


@pytest.fixture(params=PROTOCOLS)
def talk(
    request: pytest.FixtureRequest,
    model_and_urls: tuple[ScriptedModel, dict[str, str]],
    new_user: Callable[..., ApiUser],
) -> Callable[..., Talk]:
    model, urls = model_and_urls
    return lambda *answers: Talk(new_user(api_url=urls[request.param]), model, *answers)


Talks = Callable[..., Talk]


def problem(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json().get("type")


REFUSED = (422, "/problems/content-refused")
BUSY = (503, "/problems/model-busy")
FAILED = (502, "/problems/model-failed")
TOO_LONG = (422, "/problems/context-too-long")


# By length


def test_an_answer_cut_off_by_length_is_completed_and_marked(talk: Talks) -> None:
    talking = talk(Said.text("Half an ans", reason="length"))
    reply = talking.say()
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert (body["status"], body["incomplete"], body["response"]) == ("completed", "length", "Half an ans")
    assert body["usage"] == {"input_tokens": 70, "output_tokens": 30, "model": "offline", "estimated": False}
    stored = talking.messages()[-1]
    assert (stored["status"], stored["incomplete"], stored["usage"]) == (
        "completed",
        "length",
        body["usage"],
    )


def test_an_answer_cut_off_by_length_is_marked_at_the_streams_end(talk: Talks) -> None:
    talking = talk(Said.text("Half an ans", reason="length"), Said.text("wer."))
    name, completed = events(talking.say(**STREAM))[-1]
    assert (name, completed["incomplete"], completed["response"]) == (
        "turn.completed",
        "length",
        "Half an ans",
    )
    name, completed = events(talking.say("Go on", **STREAM))[-1]
    assert (name, completed["incomplete"], completed["response"]) == ("turn.completed", None, "wer.")
    assert [message["incomplete"] for message in talking.messages()] == [None, "length", None, None]


def test_chatkit_says_that_an_answer_was_cut_off(talk: Talks) -> None:
    talking = talk(Said.text("Half an ans", reason="length"), Said.text("wer."))
    base_url = str(talking.user.http.base_url).split("/api/")[0]
    client = ChatKitClient(base_url, talking.user.token)
    with client.http:
        streamed = client.create(f"Hello {talking.user.id}")
        (thread_id,) = [event.thread.id for event in streamed if event.type == "thread.created"]
        ended = [event.item for event in streamed if event.type == "thread.item.done"]
        assert [item.type for item in ended] == ["user_message", "assistant_message", "task"]
        assert "Cut off" in ended[-1].task.title
        assert client.items(thread_id)[-1].task == ended[-1].task
        client.add(thread_id, "Go on")
        assert [item.type for item in client.items(thread_id)] == [
            *("user_message", "assistant_message", "task"),
            *("user_message", "assistant_message"),
        ]


@pytest.mark.parametrize("said", [(), ("",), ("\n", "\n"), ("\u200b",)], ids=repr)
def test_a_limit_reached_before_anything_can_be_seen_is_a_failure(talk: Talks, said: tuple[str, ...]) -> None:
    talking = talk(Said(said, reason="length"), Said.text("Better"))
    assert problem(talking.say()) == FAILED
    assert talking.messages()[-1]["incomplete"] is None
    assert talking.say("Again").json()["response"] == "Better"


def test_calls_of_an_answer_cut_off_by_length_are_not_made(talk: Talks) -> None:
    talking = talk(Said(("Looking",), reason="length", calls=(("look_up", '{"word": "cut-off"}'),)))
    body = talking.say().json()
    assert (body["incomplete"], body["tool_calls"]) == ("length", [])
    assert "cut-off" not in made
    assert len(talking.script.asked["answer"]) == 1


# Refusals


@pytest.mark.parametrize(
    "answer",
    [
        Said.text("I may not", reason="content_filter"),
        Said(reason="content_filter"),
        Said(refusal="I cannot help with that."),
        Said.text("Well", refusal="no"),
        Said(error={"code": "content_filter", "message": "filtered"}),
        Said.text("Well", error={"code": "content_policy_violation", "message": "x"}),
        Failed(400, {"code": "content_filter", "message": "x", "type": None}),
        Failed(400, {"type": "invalid_request_error", "code": "invalid_prompt", "message": "x"}),
        Failed(400, {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}),
    ],
    ids=lambda answer: str(answer)[:60],
)
def test_a_refusal_is_told_as_one_and_replayed_to_no_model(talk: Talks, answer: Answer) -> None:
    talking = talk(answer, Said.text("Better"))
    assert problem(talking.say("A delicate question")) == REFUSED
    question, answered = talking.messages()
    assert "A delicate question" in question["content"]
    assert (question["withheld"], answered["withheld"], answered["status"]) == (True, True, "failed")
    assert talking.say("Another one").json()["response"] == "Better"
    assert "delicate" not in str(talking.script.asked["answer"][-1])


# Streams that break off


@pytest.mark.parametrize("said", [Said.text("Half", reason=None), Said(reason=None)], ids=["text", "nothing"])
def test_a_stream_without_its_end_is_a_failure_and_may_be_sent_again(talk: Talks, said: Said) -> None:
    talking = talk(Said.text("Hello"), said, Said.text("Whole"))
    talking.say()
    assert problem(talking.say(**KEY)) == FAILED
    again = talking.say(**KEY)
    assert again.status_code == 200, again.text
    assert again.json()["response"] == "Whole"
    assert talking.say(**KEY).headers["idempotency-replayed"] == "true"
    assert [message["content"] for message in talking.messages()][1::2] == ["Hello", "Whole"]


# Too busy


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Failed(429, {"code": "rate_limit_exceeded", "message": "x"}, {"Retry-After": "30"}), "30"),
        (Failed(429, {"code": "insufficient_quota", "message": "x"}, {"Retry-After": "3600"}), "60"),
        (Failed(503, None, {"Retry-After": "1"}), "1"),
        (Failed(529, {"type": "overloaded_error", "message": "x"}), "2"),
        (Said(error={"code": "rate_limit_exceeded", "message": "x"}), "2"),
        (Said.text("Half", error={"type": "overloaded_error", "code": None, "message": "x"}), "2"),
        (Said(error={"code": 429, "message": "x"}), "2"),
        (Said(error={"code": "503", "message": "x"}), "2"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_busy_model_is_told_as_such_with_a_time(talk: Talks, answer: Answer, seconds: str) -> None:
    started = time.monotonic()
    talking = talk(answer)
    reply = talking.say()
    assert problem(reply) == BUSY, reply.text
    assert reply.headers["retry-after"] == seconds
    assert time.monotonic() - started < 5, "a long pause is the client's to make"


# Too long


@pytest.mark.parametrize(
    "answer",
    [
        Failed(400, {"code": "context_length_exceeded", "message": "x"}),
        Failed(413, {"type": "request_too_large", "message": "x"}),
        Failed(400, {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}),
        Failed(500, {"message": "the request exceeds the available context size"}),
        Said(error={"code": "context_length_exceeded", "message": "x"}),
        Said(error={"message": "This model's maximum context length is 8192 tokens."}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_history_too_long_for_the_model_is_told_as_such(talk: Talks, answer: Answer) -> None:
    assert problem(talk(answer).say()) == TOO_LONG


# Usage


def test_usage_that_the_model_tells_is_not_estimated(talk: Talks) -> None:
    usage = talk(Said.text("Hello", usage=(11, 7))).say().json()["usage"]
    assert usage == {"input_tokens": 11, "output_tokens": 7, "model": "offline", "estimated": False}


@pytest.mark.parametrize(
    "usage", [None, (-1, -1), (10, 10**400), (None, "7")], ids=lambda usage: str(usage)[:9]
)
def test_usage_that_is_not_told_is_estimated_and_marked(talk: Talks, usage: Any) -> None:
    talking = talk(Said.text("Hello, a few words", usage=usage))
    told = talking.say().json()["usage"]
    stored = talking.messages()[-1]["usage"]
    assert told == stored
    assert 0 < told["input_tokens"] < 10_000_000
    assert 0 < told["output_tokens"] <= 10_000_000
    assert told["estimated"] is (usage != (10, 10**400))


# Sizes


@pytest.mark.parametrize("part", ["a", "é", "a\n", "😀", '"'], ids=repr)
def test_an_answer_beyond_a_megabyte_ends_there_and_can_be_read_again(talk: Talks, part: str) -> None:
    delta = part * (50_000 // len(part.encode()))
    talking = talk(Said((delta,) * 30), Said.text("And on"))
    reply = talking.say()
    assert reply.status_code == 200, reply.text[:300]
    assert reply.json()["incomplete"] == "length"
    assert 900_000 < len(reply.content) < 1_010_000
    stored = talking.messages()[-1]
    assert (stored["content"], stored["incomplete"]) == (reply.json()["response"], "length")
    assert talking.say("And?").json()["response"] == "And on"


@pytest.mark.parametrize("character", ["\x01", "é", "\u2028"], ids=ascii)
def test_whatever_tools_return_every_reply_stays_below_five_megabytes(
    character: str, serve_api: Callable[..., str], new_user: Callable[..., ApiUser]
) -> None:
    @function_tool
    def fill() -> str:
        """Return far too much."""
        return character * 100_000

    with serve_scripted_model() as (model_url, model):
        user = new_user(api_url=serve_api(Agent[Any](name="Parley", tools=[fill]), openai_base_url=model_url))
        sizes = sizes_of_replies(user, model, character)
    assert 1_000_000 < max(sizes) < 5_000_000, sizes


def sizes_of_replies(user: ApiUser, model: ScriptedModel, character: str) -> list[int]:
    calls = Said((character * 30_000,), calls=(("fill", "{}"),) * 50)
    talking = Talk(user, model, *[calls, Said.text("Done.")] * 4)
    sizes = []
    for number in range(4):
        reply = talking.say(f"Turn {number}", **(STREAM if number % 2 else {}))
        sizes.append(len(reply.content))
        ended = events(reply)[-1][1] if number % 2 else reply.json()
        assert ended["status"] == "completed", ended
        assert len(ended["tool_calls"]) == 50
    listed = user.http.get(f"/conversations/{talking.id}/messages")
    sizes.append(len(listed.content))
    assert listed.json()["has_more"]
    request = {"type": "threads.get_by_id", "params": {"thread_id": talking.id}}
    chatkit = str(user.http.base_url).split("/api/")[0] + "/api/chatkit"
    sizes.append(len(user.http.post(chatkit, json=request).content))
    return sizes


# Compressed answers, which nobody asked for


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
def test_a_compressed_answer_is_read_like_any_other(talk: Talks, encoding: Any) -> None:
    busy = Failed(429, {"code": "rate_limit_exceeded", "message": "Wait."}, {"Retry-After": "30"})
    said = Said(("Hello, ", "all"), calls=(("look_up", '{"word": "compressed"}'),))
    talking = talk(
        Compressed(said, encoding), Compressed(Said.text("Found."), encoding), Compressed(busy, encoding)
    )
    first = talking.say()
    assert first.json()["response"] == "Hello, all\n\nFound.", first.text
    assert first.json()["usage"]["input_tokens"] == 140
    refused = talking.say("Again")
    assert (problem(refused), refused.headers["retry-after"]) == (BUSY, "30")


@pytest.fixture(scope="module")
def hurried(serve_api: Callable[..., str]) -> Iterator[tuple[ScriptedModel, str]]:
    """A model, and an API whose turns have 3 s."""
    with serve_scripted_model() as (url, model):
        yield model, serve_api(AGENT, openai_base_url=url, turn_deadline_s=3)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("line", [b": x\n", b"data: x", b"data: {}\n\n", b"\n"], ids=repr)
def test_what_a_small_answer_turns_into_ends_in_time_and_lets_others_go_on(
    line: bytes, status: int, hurried: tuple[ScriptedModel, str], new_user: Callable[..., ApiUser]
) -> None:
    model, url = hurried
    bomb = Compressed(line * (40_000_000 // len(line)), status=status)
    talking = Talk(new_user(api_url=url), model, bomb)
    with ThreadPoolExecutor(1) as threads:
        started = time.monotonic()
        bombed = threads.submit(talking.say)
        waits = []
        while not bombed.done():
            asked = time.monotonic()
            assert httpx.get(f"{url}/api/health").status_code == 200
            waits.append(time.monotonic() - asked)
            time.sleep(0.02)
        assert bombed.result().status_code in (502, 504)
        # Compressing and sending it takes time as well.
        assert time.monotonic() - started < 3 + 2 + 2
        assert max(waits) < 2
    assert talking.messages()[-1]["status"] == "failed"


# Blanks, and characters that cannot be stored


@pytest.mark.parametrize(
    "said",
    [(), ("",), ("\n\n",), (" ", "\t"), ("\u200b",), ("\ufeff\u2060",), ("\u3164",), ("\u00ad", "\x07")],
    ids=ascii,
)
def test_an_answer_in_which_nothing_can_be_seen_is_a_failure(talk: Talks, said: tuple[str, ...]) -> None:
    talking = talk(Said(said), Said.text("Better"))
    assert problem(talking.say("First")) == FAILED
    assert talking.messages()[-1]["content"] == ""
    assert talking.say("Second").json()["response"] == "Better"
    roles, texts = zip(*talking.shown(), strict=True)
    assert roles == ("user", "assistant", "user")
    assert "First" in texts[0]
    assert "ended without an answer" in texts[1], "and not what the model said"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (("Look: \ud83d", "\ude00!"), "Look: 😀!"),
        (("\ud83d", "\ude00", "\ud83d", "\ude00"), "😀😀"),
        (("a\ud83d", "b"), "a\ufffdb"),
        (("a", "\ude00b"), "a\ufffdb"),
        (("a", "\ud83d"), "a\ufffd"),
        (("a\x00", "\x00b"), "a\ufffd\ufffdb"),
    ],
    ids=ascii,
)
def test_text_is_made_storable_with_split_pairs_joined(talk: Talks, said: tuple[str, ...], text: str) -> None:
    talking = talk(Said(said))
    streamed = events(talking.say(**STREAM))
    assert streamed[-1][0] == "turn.completed"
    assert "".join(data["delta"] for name, data in streamed if name == "turn.output_text.delta") == text
    assert streamed[-1][1]["response"] == talking.messages()[-1]["content"] == text


# Histories that a provider does not take


INVALID = {"type": "invalid_request_error", "message": "there is something about this call", "code": None}


@pytest.mark.parametrize(
    "refusal", [Failed(400, INVALID), Failed(422, INVALID), Said(error=INVALID)], ids=["400", "422", "stream"]
)
def test_a_history_that_is_refused_is_tried_once_more_as_words_alone(talk: Talks, refusal: Answer) -> None:
    word = uuid.uuid4().hex
    called = Said(("Looking.",), calls=(("look_up", f'{{"word": "{word}"}}'),))
    talking = talk(called, Said.text("Found."), refusal, Said.text("And on."))
    assert talking.say("First").json()["tool_calls"][0]["status"] == "completed"
    assert word in made
    reply = talking.say("Second")
    assert (reply.status_code, reply.json()["response"]) == (200, "And on.")
    refused, words = talking.shown(-2), talking.shown(-1)
    assert len(refused) > len(words)
    assert [role for role, _ in words] == ["user", "assistant", "user"]
    assert "Found." in words[1][1]
    assert "look_up" not in str(talking.script.asked["answer"][-1].get("input", words))


def test_a_history_of_words_alone_that_is_refused_is_not_tried_again(talk: Talks) -> None:
    talking = talk(Said.text("Hello"), Failed(400, INVALID), Said.text("Never asked for"))
    talking.say("First")
    assert problem(talking.say("Second")) == FAILED
    assert len(talking.script.asked["answer"]) == 2


def test_a_wrong_key_is_not_taken_for_an_invalid_history(talk: Talks) -> None:
    word = uuid.uuid4().hex
    called = Said(calls=(("look_up", f'{{"word": "{word}"}}'),))
    wrong = Failed(401, {"type": "invalid_request_error", "code": "invalid_api_key", "message": "x"})
    talking = talk(called, Said.text("Found."), wrong)
    talking.say("First")
    assert problem(talking.say("Second")) == FAILED
    assert len(talking.script.asked["answer"]) == 3
