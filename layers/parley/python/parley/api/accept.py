"""What the header `Accept` asks for, by RFC 9110, section 12.5.1."""

import re

EVENTS = "text/event-stream"
JSON = "application/json"

# It may hold a comma or a semicolon. One that does not end takes the rest with it.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?$)')
_WEIGHT = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def wants_events(accept: str) -> bool:
    """Whether it names events, and wants nothing more than them. Anybody else is sent JSON."""
    events, json = _weight(accept, EVENTS), _weight(accept, JSON)
    quality, exactness = events
    return quality > 0 and exactness > 0 and events >= json


def _weight(accept: str, media_type: str) -> tuple[float, int]:
    """The quality that the range which names `media_type` most exactly gives it, and how exactly."""
    names = ["*/*", media_type.partition("/")[0] + "/*", media_type]
    found = {}
    for each in _QUOTED.sub("", accept.lower()).split(","):
        name, *parameters = map(str.strip, each.split(";"))
        if name in names:
            weights = [weight[1] for part in parameters if (weight := _WEIGHT.fullmatch(part))]
            found[names.index(name)] = float(weights[0]) if weights else 1.0
    exactness = max(found, default=-1)
    return found.get(exactness, 0.0), exactness
