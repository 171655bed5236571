"""What no guardrail has accepted reaches no model by another way, however the turn ended."""

import asyncio
import json
import random
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from agents import Agent, GuardrailFunctionOutput, function_tool, input_guardrail, output_guardrail
from sqlalchemy import text

from parley.database import Database
from parley.repositories import follow_ups
from parley.tools.for_agents import conversation_tools
from tests.conftest import ApiUser
from tests.integration import test_mcp
from tests.integration.test_history import WINDOW
from tests.integration.test_turns import Writing, wait_for
from tests.scripted_model import Answer, Failed, Said, Script, ScriptedModel, serve_scripted_model

CASES = 120
AT_ONCE = 8
DEADLINE_S = 8.0
ERRORS: dict[str, Callable[[], BaseException]] = {
    "raises": lambda: ValueError("no verdict"),
    "is cancelled": asyncio.CancelledError,
    "raises a group": lambda: BaseExceptionGroup("both", [KeyboardInterrupt(), ValueError()]),
    "exits": lambda: SystemExit(1),
    "interrupts": KeyboardInterrupt,
    "closes": GeneratorExit,
}
# How a guardrail judges, and how a turn ends in which it does not.
FAULTS = (*ERRORS, "says nothing", "refuses", "refuses late")
HANGS = ("deadline", "cancel", "kill")
# By person. Who is not named here is let pass.
JUDGEMENTS: dict[str, str] = {}


async def judge(given: Any) -> Any:
    judgement = next((how for who, how in JUDGEMENTS.items() if who in str(given)), "passes")
    if judgement in ERRORS:
        raise ERRORS[judgement]()
    if judgement == "says nothing":
        return None
    if judgement in HANGS:
        await asyncio.sleep(DEADLINE_S * 3)
    if judgement == "refuses late":
        await asyncio.sleep(0.5)
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=judgement.startswith("refuses"))


@input_guardrail(run_in_parallel=False)
async def before(_context: Any, _agent: Any, given: Any) -> Any:
    return await judge(given if isinstance(given, str) else given[-1])


@input_guardrail
async def meanwhile(_context: Any, _agent: Any, given: Any) -> Any:
    return await judge(given if isinstance(given, str) else given[-1])


@function_tool
def look_up(word: str) -> str:
    """Say what it is given."""
    return word


@function_tool(needs_approval=True)
def pay() -> str:
    """Pay."""
    return "paid"


@input_guardrail
def passes(_context: Any, _agent: Any, _given: Any) -> GuardrailFunctionOutput:
    """Of two guardrails, both have to accept."""
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


@output_guardrail
async def after(_context: Any, _agent: Any, said: str) -> Any:
    return await judge(said)


GUARDRAILS: dict[str, dict[str, Any]] = {
    "before": {"input_guardrails": [before, passes]},
    "meanwhile": {"input_guardrails": [passes, meanwhile]},
    "after": {"output_guardrails": [after]},
    "held": {"output_guardrails": [after]},
}
PROTOCOLS = ("responses", "chat_completions")


@dataclass
class Servers:
    model: ScriptedModel
    base_url: str
    urls: dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def servers(serve_api: Callable[..., str]) -> Iterator[Servers]:
    with serve_scripted_model() as (url, model):
        changes = {"openai_base_url": url, "turn_deadline_s": DEADLINE_S, "history_tokens": WINDOW}
        yield Servers(
            model,
            url,
            {
                (when, protocol): serve_api(
                    Agent[Any](name="Parley", tools=[*conversation_tools, pay], **guardrails),
                    openai_api=protocol,
                    hold_answers=when == "held",
                    **changes,
                )
                for when, guardrails in GUARDRAILS.items()
                for protocol in PROTOCOLS
            },
        )


@dataclass
class Talk:
    """A person's conversation, in which `canary` is said under `topic`, and all that the model was asked."""

    servers: Servers
    url: str
    user: ApiUser
    database: Database
    canary: str = field(default_factory=lambda: f"canary{uuid.uuid4().hex}")
    topic: str = field(default_factory=lambda: f"topic{uuid.uuid4().hex}")
    scripts: list[Script] = field(default_factory=list)
    # Of a turn whose process counts as dead. It learns that at its next checkpoint.
    dying: Writing | None = None

    def answers(self, *answers: Answer) -> None:
        """What the model says from now on."""
        self.scripts.append(Script(list(answers)))
        self.servers.model.scripts[self.user.id] = self.scripts[-1]

    def question(self, words: str) -> str:
        return f"{self.topic} {words} {self.user.id}"

    def say(self, words: str, where: str | None = None, **headers: str) -> httpx.Response:
        return self.user.say(self.question(words), where, **headers)

    @property
    def first(self) -> str:
        """The conversation in which the canary was said."""
        return str(self.user.http.get("/conversations").json()["data"][-1]["id"])

    def messages(self) -> list[dict[str, Any]]:
        return self.user.messages(self.first)

    def kill(self) -> None:
        """What is left of a turn when its process dies, as soon as its lease has run out."""
        died = text("""
            update message set lease_expires_at = now() - interval '1 second'
            where user_id = :user and status = 'in_progress' returning 1
        """)
        assert self.database.rows(self.user.id, died, {"user": self.user.id})

    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        return [(kind, body) for each in self.scripts for kind, of in each.asked.items() for body in of]

    def leaks(self, own_turn: bool) -> list[str]:
        """The model's requests that hold the canary. `own_turn`: it may be what is asked last."""
        leaked = []
        for kind, body in self.asked():
            items = list(body.get("input") or body["messages"])
            last = max((n for n, item in enumerate(items) if item.get("role") == "user"), default=0)
            if own_turn and kind == "answer":
                del items[last]
            rest = json.dumps([items, body.get("instructions")])
            if self.canary in rest:
                leaked.append(f"{kind}: {rest}")
        return leaked


@dataclass(frozen=True)
class Case:
    when: str
    fault: str
    then: str
    protocol: str


def drawn(draw: random.Random, whens: tuple[str, ...]) -> Iterator[Case]:
    """Every fault at least once with each guardrail, and otherwise at random."""
    for when in whens:
        for fault in (*FAULTS, *HANGS):
            yield Case(when, fault, draw.choice(THEN), draw.choice(PROTOCOLS))
    while True:
        fault = draw.choice((*FAULTS, *HANGS))
        yield Case(draw.choice(whens), fault, draw.choice(THEN), draw.choice(PROTOCOLS))


@pytest.fixture
def talk(
    servers: Servers, new_user: Callable[..., ApiUser], database: Database
) -> Iterator[Callable[..., Talk]]:
    made: list[Talk] = []

    def make(when: str, protocol: str = "responses") -> Talk:
        url = servers.urls[when, protocol]
        made.append(Talk(servers, url, new_user(api_url=url), database))
        return made[-1]

    for when, protocol in servers.urls:
        # One after the other: apps that take their first request at once get in each other's way.
        first = make(when, protocol)
        first.answers(Said.text("An answer."))
        assert first.say("Hello").status_code == 200
    yield make
    for each in made:
        if each.dying is not None:
            each.dying.wait_for_reply()


def fail(talk: Talk, fault: str, words: str, **headers: str) -> None:
    """A turn that the guardrail does not accept."""
    JUDGEMENTS[talk.user.id] = fault
    if fault in ("cancel", "kill"):
        writing = Writing(talk.user, talk.question(words), **headers)
        if fault == "kill":
            talk.dying = writing
            talk.kill()
        else:
            path = f"/conversations/{writing.conversation_id}/messages/{writing.message_id}/cancel"
            assert talk.user.http.post(path).json()["status"] == "cancelled"
            writing.wait()
        return
    reply = talk.say(words, **headers)
    assert reply.status_code in (422, 502, 504), (fault, reply.text)
    assert (reply.status_code == 422) is fault.startswith("refuses"), (fault, reply.text)
    assert (reply.status_code == 504) is (fault == "deadline"), (fault, reply.text)


def go_on(talk: Talk) -> None:
    assert talk.say("And now?", talk.first).status_code == 200


def look_elsewhere(talk: Talk) -> None:
    """In another conversation, the agent lists, searches and reads."""
    calls = (
        ("list_recent_conversations", "{}"),
        ("search_conversations", json.dumps({"words": talk.topic})),
        ("read_conversation", json.dumps({"conversation_id": talk.first})),
    )
    talk.answers(Said(calls=calls), Said.text("Done."))
    reply = talk.say("Look around")
    assert reply.status_code == 200, reply.text
    listed, _, read = reply.json()["tool_calls"]
    assert talk.first in listed["output"]
    assert read["status"] == "completed"


def look_over_mcp(talk: Talk) -> None:
    for tool, arguments in (
        ("list_recent_conversations", {}),
        ("search_conversations", {"words": talk.topic}),
        ("read_conversation", {"conversation_id": talk.first}),
    ):
        assert talk.canary not in test_mcp.text(test_mcp.use(talk.url, talk.user, tool, **arguments))


def edit(talk: Talk) -> None:
    question = talk.messages()[0]["id"]
    path = f"/conversations/{talk.first}/messages/{question}/edit"
    assert talk.user.http.post(path, json={"message": talk.question("Forget it")}).status_code == 200
    go_on(talk)


def fill_the_window(talk: Talk) -> None:
    for _ in range(30):
        assert talk.say("long " * WINDOW, talk.first).status_code == 200
        if any(kind == "summary" for kind, _ in talk.asked()):
            return
    pytest.fail("There was no summary.")


def regenerate(talk: Talk) -> httpx.Response:
    answer = talk.messages()[1]["id"]
    return talk.user.http.post(f"/conversations/{talk.first}/messages/{answer}/regenerate")


def try_again_in_vain(talk: Talk) -> None:
    JUDGEMENTS[talk.user.id] = "raises"
    assert regenerate(talk).status_code == 502
    del JUDGEMENTS[talk.user.id]
    go_on(talk)


STEPS: dict[str, Callable[[Talk], None]] = {
    "go on": go_on,
    "look elsewhere": look_elsewhere,
    "look over MCP": look_over_mcp,
    "edit": edit,
    "fill the window": fill_the_window,
    "try again in vain": try_again_in_vain,
}
THEN = tuple(STEPS)


def run_cases(whens: tuple[str, ...], try_case: Callable[[Case], None]) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    cases = drawn(random.Random(seed), whens)
    chosen = [next(cases) for _ in range(CASES)]
    failed: dict[Case, BaseException] = {}

    def attempt(case: Case) -> None:
        try:
            try_case(case)
        except (Exception, pytest.fail.Exception) as error:
            failed[case] = error

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(attempt, chosen))
    assert not failed, "\n".join(f"{case}: {str(error)[:500]}" for case, error in failed.items())


def test_a_question_that_no_guardrail_accepted_reaches_no_model_by_another_way(
    talk: Callable[..., Talk],
) -> None:
    def try_case(case: Case) -> None:
        talking = talk(case.when, case.protocol)
        talking.answers(Said.text("An answer."))
        fail(talking, case.fault, talking.canary)
        JUDGEMENTS.pop(talking.user.id)
        question, answer = talking.messages()
        assert talking.canary in question["content"]
        assert question["withheld"], "no model is to read it"
        assert answer["withheld"]
        assert answer["status"] in ("failed", "cancelled", "interrupted")
        STEPS[case.then](talking)
        go_on(talking)
        look_elsewhere(talking)
        assert talking.leaks(own_turn=case.when == "meanwhile") == []

    run_cases(("before", "meanwhile"), try_case)


def test_an_answer_that_no_guardrail_accepted_is_neither_kept_nor_read_again(
    talk: Callable[..., Talk],
) -> None:
    def try_case(case: Case) -> None:
        talking = talk(case.when, case.protocol)
        talking.answers(Said.text(f"{talking.topic} {talking.canary} {talking.user.id}"))
        fail(talking, case.fault, "Tell me")
        JUDGEMENTS.pop(talking.user.id)
        talking.answers(Said.text(f"An answer to {talking.user.id}."))
        assert talking.canary not in json.dumps(talking.messages())
        STEPS[case.then](talking)
        go_on(talking)
        look_elsewhere(talking)
        assert talking.leaks(own_turn=False) == []
        assert talking.canary not in json.dumps(talking.messages())
        found = talking.user.http.get("/conversations", params={"q": talking.canary}).json()["data"]
        assert found == []

    run_cases(("after", "held"), try_case)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_while_a_question_is_judged_its_author_alone_reads_it(
    when: str, protocol: str, talk: Callable[..., Talk]
) -> None:
    talking = talk(when, protocol)
    talking.answers(Said.text("An answer."))
    JUDGEMENTS[talking.user.id] = "deadline"
    writing = Writing(talking.user, talking.question(talking.canary))
    del JUDGEMENTS[talking.user.id]
    look_over_mcp(talking)
    look_elsewhere(talking)
    assert talking.leaks(own_turn=when == "meanwhile") == []
    conversation = talking.user.http.get(f"/conversations/{writing.conversation_id}").json()
    assert conversation["running"]
    assert conversation["title"].startswith(talking.topic)
    assert talking.canary in talking.messages()[0]["content"]
    writing.wait()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("way", ["same key", "regenerate"])
@pytest.mark.parametrize("fault", ["raises", "refuses", "cancel", "kill"])
def test_a_question_that_is_accepted_in_the_end_is_read_again(
    fault: str, way: str, when: str, talk: Callable[..., Talk]
) -> None:
    talking = talk(when)
    talking.answers(Said.text("An answer."))
    fail(talking, fault, talking.canary, **{"Idempotency-Key": "k"})
    del JUDGEMENTS[talking.user.id]
    if way == "regenerate" or fault == "cancel":
        assert regenerate(talking).status_code == 200
    else:
        assert talking.say(talking.canary, **{"Idempotency-Key": "k"}).status_code == 200
    assert [message["withheld"] for message in talking.messages()] == [False, False]
    go_on(talking)
    assert len(talking.leaks(own_turn=True)) >= 1


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_question_that_was_accepted_is_read_again_though_its_turn_failed(
    when: str, talk: Callable[..., Talk]
) -> None:
    talking = talk(when)
    talking.answers(Failed(500, {"message": "x"}))
    assert talking.say(talking.canary).status_code == 502
    talking.answers(Said.text("An answer."))
    assert [message["withheld"] for message in talking.messages()] == [False, False]
    JUDGEMENTS[talking.user.id] = "raises"
    assert regenerate(talking).status_code == 502
    del JUDGEMENTS[talking.user.id]
    go_on(talking)
    assert len(talking.leaks(own_turn=True)) >= 1


@pytest.mark.parametrize("fault", ["raises", "refuses", "cancel", "kill"])
def test_what_a_tool_returns_as_the_answer_is_judged_like_one(
    fault: str, servers: Servers, serve_api: Callable[..., str], talk: Callable[..., Talk]
) -> None:
    agent = Agent[Any](
        name="Parley", tools=[look_up], output_guardrails=[after], tool_use_behavior="stop_on_first_tool"
    )
    talking = talk("after")
    url = serve_api(agent, openai_base_url=servers.base_url, turn_deadline_s=DEADLINE_S)
    talking.user.http.base_url = f"{url}/api/{talking.user.id}"
    talking.answers(Said(calls=(("look_up", json.dumps({"word": talking.user.id})),)))
    fail(talking, fault, "Tell me")
    del JUDGEMENTS[talking.user.id]
    assert all(call["output"] is None for call in talking.messages()[1]["tool_calls"])
    talking.answers(Said.text("An answer."))
    go_on(talking)
    assert "function_call_output" not in json.dumps(talking.scripts[-1].asked)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_question_is_judged_once_though_its_turn_waits_for_approval(
    when: str, talk: Callable[..., Talk]
) -> None:
    talking = talk(when)
    talking.answers(Said(calls=(("pay", "{}"),)), Said.text("Done."))
    reply = talking.say(talking.canary)
    assert reply.json()["status"] == "waiting_approval", reply.text
    assert [message["withheld"] for message in talking.messages()] == [False, False]
    JUDGEMENTS[talking.user.id] = "raises"
    path = f"/conversations/{talking.first}/messages/{reply.json()['message_id']}/approval"
    assert talking.user.http.post(path, json={"approved": True}).json()["status"] == "completed"
    del JUDGEMENTS[talking.user.id]
    assert [message["withheld"] for message in talking.messages()] == [False, False]


def test_what_was_accepted_before_the_process_died_is_read_again(
    model_url: str, serve_api: Callable[..., str], talk: Callable[..., Talk]
) -> None:
    agent = Agent[Any](name="Parley", input_guardrails=[before, meanwhile])
    talking = talk("before")
    talking.user.http.base_url = f"{serve_api(agent)}/api/{talking.user.id}"
    writing = Writing(talking.user, f"[offline: word=100,words=80] {talking.canary}")
    wait_for(lambda: not talking.messages()[0]["withheld"])
    talking.kill()
    assert talking.user.say(f"And now, {talking.user.id}?", talking.first).status_code == 200
    log = httpx.get(f"{model_url}/log").json()["requests"]
    asked = [json.dumps(each["body"]) for each in log if f"And now, {talking.user.id}?" in str(each["body"])]
    assert talking.canary in asked[-1]
    writing.wait()


def test_a_follow_up_that_comes_late_does_not_read_what_was_refused_since(talk: Callable[..., Talk]) -> None:
    talking = talk("before")
    talking.answers(Said.text("An answer."))
    talking.scripts[-1].title = Said.text("")
    accepted = talking.say(talking.canary).json()["message_id"]

    def opening() -> str | None:
        ids = (uuid.UUID(talking.first), uuid.UUID(accepted))
        pending = follow_ups.read_pending(talking.database, talking.user.id, *ids, WINDOW)
        assert pending is not None
        return pending.opening

    assert talking.canary in str(opening())
    JUDGEMENTS[talking.user.id] = "refuses"
    assert regenerate(talking).status_code == 422
    assert opening() is None


@pytest.mark.parametrize("fault", ERRORS)
def test_a_guardrail_of_an_agent_that_is_used_as_a_tool_ends_no_more_than_the_tool(
    fault: str, servers: Servers, serve_api: Callable[..., str], talk: Callable[..., Talk]
) -> None:
    inner = Agent[Any](name="Inner", input_guardrails=[before], output_guardrails=[after])
    agent = Agent[Any](name="Parley", tools=[inner.as_tool("ask", "Ask another agent.")])
    talking = talk("before")
    url = serve_api(agent, openai_base_url=servers.base_url, turn_deadline_s=DEADLINE_S)
    talking.user.http.base_url = f"{url}/api/{talking.user.id}"
    JUDGEMENTS[talking.user.id] = fault
    ask = ("ask", json.dumps({"input": talking.user.id}))
    talking.answers(Said(calls=(ask,)), Said.text("An answer."))
    reply = talking.say("Ask the other one")
    assert reply.status_code == 200, reply.text
    assert reply.json()["tool_calls"][0]["output"] != "An answer."
    assert talking.say("And now?", reply.json()["conversation_id"]).status_code == 200
