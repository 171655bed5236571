"""What people can ask to see go wrong."""

from local.offline_model import samples
from local.offline_model.prompt import Prompt
from local.offline_model.wish import TROUBLE, WANT, Match, Wish, any_of, say

_WORKED = "This time it went well: you see the answer that failed before."

_WHOLE = f"{samples.filler(60)}\n\nThis is the end."


def _rest(_: Match, prompt: Prompt) -> str:
    said = prompt.texts("assistant")[-1:]
    if said and _WHOLE.startswith(said[0]):
        return _WHOLE[len(said[0]) :]
    return "I had come to the end."


FAULT_WISHES = (
    Wish(
        TROUBLE,
        "Call a tool that does not exist",
        any_of(
            rf"{WANT}(?:unknown|missing|non-?existent|imaginary) tool\b",
            r"\btool (?:that|which) (?:does not|doesn['’]t) exist\b",
        ),
        say(_WORKED),
        commands="tool=no_such_tool",
    ),
    Wish(
        TROUBLE,
        "Never stop calling tools",
        any_of(
            r"\b(?:call|use|run)(?:ing)? (?:\w+ )?tools? (?:again and again|for ?ever|endlessly)\b",
            r"\b(?:never|do not|don['’]t) stop (?:calling|using) (?:\w+ )?tools?\b",
            rf"{WANT}(?:endless|infinite) loop\b",
        ),
        say(_WORKED),
        commands="loop",
    ),
    Wish(
        TROUBLE,
        "Fail in the middle of your answer",
        any_of(
            r"^\W*(?:please |now |could you |can you )*(?:fail|crash|break)\b",
            rf"{WANT}(?:server |model )?(?:error|failure|crash|fault)\b(?! in\b)",
            r"\b(?:fail|break) in the middle\b",
        ),
        say(f"{_WORKED} {samples.FILLER}"),
        commands="error=server_error,first=1",
    ),
    Wish(
        TROUBLE,
        "Lose the connection in the middle",
        any_of(r"\b(?:lose|cut|drop|break|close) (?:the |your |our )?connection\b"),
        say(f"{_WORKED} {samples.FILLER}"),
        commands="cut=16,first=1",
    ),
    Wish(
        TROUBLE,
        "Be too busy to answer",
        any_of(
            r"\b(?:be|act|say (?:that )?you are|pretend to be) (?:too |very |so )?(?:busy|overloaded)\b",
            r"\brate.?limit(?!\w)",
        ),
        say(_WORKED),
        commands="status=429,retry_after=5,first=1",
    ),
    Wish(
        TROUBLE,
        "Be unavailable",
        any_of(
            r"\b(?:be|act|pretend to be) (?:unavailable|unreachable|down|offline|dead|broken|out of order)\b",
            r"\b(?:service|model) (?:is )?unavailable\b",
        ),
        say(_WORKED),
        commands="status=500,first=2",
    ),
    Wish(
        TROUBLE,
        "Refuse to answer",
        any_of(
            r"^\W*(?:please |now |could you |can you )*(?:refuse|decline)\b(?! (?:an|the|my) invit)",
            rf"{WANT}refusal\b",
            r"\brefuse to (?:answer|reply|help)\b",
        ),
        say(_WORKED),
        commands="refusal,first=1",
    ),
    Wish(
        TROUBLE,
        "Say that our talk is too long for you",
        any_of(r"\btoo long for (?:you|the model|your)\b", r"\bcontext (?:window|length)\b"),
        say(_WORKED),
        commands="context=1",
    ),
    Wish(
        TROUBLE,
        "Stop before the end of your answer",
        any_of(
            r"\bcut (?:off|short) (?:your|the|an) (?:answer|reply)\b",
            r"\bcut (?:your|the|an) (?:answer|reply) (?:off|short)\b",
            r"\b(?:stop|end) (?:before the end|half ?way|in the middle|too early|early)\b",
            rf"{WANT}(?:cut[- ]off|incomplete|unfinished|half an?) (?:answer|reply)\b",
        ),
        say(_WHOLE),
        commands="incomplete=max_output_tokens",
    ),
    Wish("", "", any_of(r"^\W*(?:please )?(?:go on|continue)\W*$"), _rest),
    Wish(
        TROUBLE,
        "Say nothing at all",
        any_of(r"\b(?:say|answer|reply)(?: with)? nothing\b", rf"{WANT}empty (?:answer|reply)\b"),
        say(_WORKED),
        commands="rubbish=empty,first=1",
    ),
    Wish(
        TROUBLE,
        "Talk rubbish",
        any_of(r"\b(?:talk|say|write|send|answer|speak) (?:with )?(?:some )?(?:rubbish|nonsense|garbage)\b"),
        say(_WORKED),
        commands="rubbish=json,first=1",
    ),
    Wish(
        TROUBLE,
        "Fall silent in the middle",
        any_of(r"\bfall silent\b|\bfreeze\b|\bget stuck\b"),
        say(f"{_WORKED} {samples.FILLER}"),
        commands="hang=16,first=1",
    ),
    Wish(
        TROUBLE,
        "Never answer",
        any_of(
            r"\bnever (?:answer|reply|respond)\b",
            r"\b(?:do not|don['’]t) (?:answer|reply|respond)\b",
            r"^\W*(?:please )?hang\b",
        ),
        say(_WORKED),
        commands="hang,first=1",
    ),
)
