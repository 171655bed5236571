"""What people can ask to see, and what the offline model can write."""

import re

from local.offline_model import samples
from local.offline_model.prompt import Prompt
from local.offline_model.wish import SHOW, WANT, Match, Wish, any_of, say, trimmed

_NUMBER = r"-?\d[\d,]{0,12}(?:\.\d{1,6})?"


def _long(match: Match, _: Prompt) -> str:
    return samples.long_answer((match[1] or "nothing in particular").strip())


def _code(match: Match, _: Prompt) -> str:
    return samples.code(match["after"] or match["before"] or "")


def _plan(match: Match, _: Prompt) -> str:
    return samples.plan(match["days"] or "", trimmed(match["subject"] or ""))


def _letter(match: Match, _: Prompt) -> str:
    said = match[0].lower()
    if re.search(r"thank|grat", said):
        return samples.THANKS
    return samples.APOLOGY if re.search(r"apolog|sorry", said) else samples.DECLINE


def _sum(match: Match, _: Prompt) -> str:
    left, right = (float(match[side].replace(",", "")) for side in ("left", "right"))
    sign = match["sign"].lower()
    if sign in ("/", "÷", ":", "divided by") and right == 0:
        return "Nothing can be divided by zero."
    value = {"+": left + right, "-": left - right, "*": left * right}.get(_SIGNS.get(sign, sign))
    result = left / right if value is None else value
    return f"{match['left']} {match['sign']} {match['right']} = **{result:,.10g}**"


_SIGNS = {
    "plus": "+",
    "minus": "-",
    "−": "-",
    "–": "-",
    "times": "*",
    "x": "*",
    "×": "*",
    "multiplied by": "*",
}


TEXT_WISHES = (
    Wish(
        SHOW,
        "Write a long answer about rivers",
        any_of(r"\blong (?:answer|text|story|reply|essay)\b(?: (?:about|on) ([^.?!\n]{1,60}))?"),
        _long,
    ),
    Wish(
        SHOW,
        "Answer slowly",
        any_of(
            r"\b(?:answer|reply|respond|write|speak|talk|type|be|go)\b(?:\s+\w+){0,2}?\s+slow(?:ly|er)?\b",
            rf"{WANT}slow (?:answer|reply)\b",
            r"^\W*slow(?:ly|er)?\W*$",
            r"^\W*(?:show|demonstrate) (?:me )?(?:\w+ )?slowness\b",
        ),
        say(samples.filler(40)),
        commands="slow=3,word=150",
    ),
    Wish(
        SHOW,
        "Tick off a to-do list",
        any_of(rf"{WANT}(?:to-?do|task|packing|shopping|check) ?lists?\b", r"\bchecklist\b|\bto-?do list\b"),
        say(samples.TASKS),
    ),
    Wish(SHOW, "Show me a table", any_of(rf"{WANT}tables?\b", r"\bas a table\b"), say(samples.TABLE)),
    Wish(
        SHOW,
        "Write some code in Python",
        any_of(
            rf"{WANT}(?P<before>python|typescript|javascript|rust|sql|bash|go|java|ruby|c\+\+|php|swift|kotlin)?\s*"
            r"(?:code|programs?|functions?|scripts?|snippets?)\b(?:(?:\s+\w+){0,3}?\s+in (?P<after>[\w+#]+))?"
        ),
        _code,
    ),
    Wish(
        SHOW,
        "Show me some maths",
        any_of(rf"{WANT}(?:maths?|mathematics|formulae?|formulas|equations?|integrals?|latex|theorems?)\b"),
        say(samples.MATHS),
    ),
    Wish(
        SHOW,
        "Make a list",
        any_of(rf"{WANT}(?:lists?|bullets?|bullet points)\b", r"\bas a list\b"),
        say(samples.LIST),
    ),
    Wish(
        SHOW,
        "Write something in Arabic",
        any_of(r"\b(?:in|some|write|speak|say) (?:arabic|hebrew)\b", r"\bright[- ]to[- ]left\b"),
        say(samples.OTHER_WAY),
    ),
    Wish(
        SHOW,
        "Plan a three-day walk in the mountains",
        any_of(
            r"\b(?:plan|organi[sz]e|prepare|propose)\b(?:\s+(?:me|us|out))?"
            r"(?:\s+(?:an?|my|our|the))?\s+"
            r"(?:(?P<days>\w+)[- ]days?(?:['’]s?)?\s+)?(?P<subject>[^.?!\n]{2,80})"
        ),
        _plan,
    ),
    Wish(
        SHOW,
        "Explain how two people can share a secret in public",
        any_of(r"\bshare a (?:secret|key)\b|\bkey exchange\b|\bdiffie\b|\bsecret in public\b"),
        say(samples.KEY_EXCHANGE),
    ),
    Wish(
        SHOW,
        "Draft a kind reply that declines an invitation",
        any_of(
            r"\b(?:draft|write|compose|help me (?:write|answer|with)|give me|i need|make)\b[^.?!]*"
            r"\b(?:reply|letter|e-?mail|mail|message|note|answer|response|invitation|apology)\b[^.?!]*"
            r"\b(?:declin\w+|refus\w+|invit\w+|turn\w* down|thank\w*|grat\w+|apolog\w+|sorry)\b[^.?!]*",
            r"\b(?:draft|write|compose)\b[^.?!]*\b(?:apolog\w+|thank\w*|invitation)\b[^.?!]*",
        ),
        _letter,
    ),
    Wish(
        SHOW,
        "What is 12 times 34?",
        any_of(
            r"(?:\b(?:what|how much)(?:'s|’s| is)\s+|^\W*(?:calculate |compute )?)"
            rf"(?P<left>{_NUMBER})\s*(?P<sign>[-+*/x×÷−–]|plus|minus|times|multiplied by|divided by)\s*"
            rf"(?P<right>{_NUMBER})(?![\w/.-]*\w)"
        ),
        _sum,
    ),
    Wish(SHOW, "Tell me a joke", any_of(rf"{WANT}jokes?\b"), say(samples.JOKE)),
)
