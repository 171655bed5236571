"""What a user searches for, and where it stands in a text as it was written."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Mark a hit in a snippet: control characters, which no snippet holds otherwise.
HIT_START, HIT_END = "\x02", "\x03"
SNIPPET_LENGTH, BEFORE_HIT = 240, 60

# The same as in the migration 0010_search: `searchable` does what its function search_text does.
_DROPPED = re.compile(
    r"["
    r"\u00AD\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1-\u05C2\u05C4-\u05C5\u05C7\u0610-\u061A\u061C"
    r"\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E8\u06EA-\u06ED\u093C\u180B-\u180F\u1AB0-\u1AFF\u1DC0-\u1DFF"
    r"\u200B\u200D-\u200F\u202A-\u202E\u2060-\u206F\u20D0-\u20FF\uFE00-\uFE0F\uFE20-\uFE2F\uFEFF"
    r"\U000E0000-\U000E0FFF"
    r"]"
)
_BETWEEN = re.compile(
    r"["
    r"\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u00D7\u00F7\u055A-\u055F\u0589-\u058A\u05BE\u05C0"
    r"\u05C3\u05C6\u05F3-\u05F4\u0609-\u060D\u061B-\u061F\u066A-\u066D\u06D4\u0700-\u070D\u07F7-\u07F9"
    r"\u0964-\u0965\u0970\u0DF4\u0E4F\u0E5A-\u0E5B\u0F04-\u0F14\u0F3A-\u0F3D\u0F85\u104A-\u104F\u10FB"
    r"\u1360-\u1368\u1400\u166E\u1680\u17D4-\u17DA\u1800-\u180A\u1944-\u1945\u1AA0-\u1AAD\u1B5A-\u1B60"
    r"\u1C3B-\u1C3F\u2000-\u205F\u2308-\u230B\u2768-\u2775\u27E6-\u27EF\u2983-\u2998\u2E00-\u2E5D\u3000-\u3004"
    r"\u3008-\u3020\u3030\u303D\u30A0\u30FB\uA4FE-\uA4FF\uA8CE-\uA8CF\uA9C1-\uA9CD\uFD3E-\uFD3F\uFE45-\uFE46"
    r"]"
)
_UNSPACED = re.compile(
    r"["
    r"\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u1950-\u1AAF\u20A0-\u20CF\u2190-\u2BFF\u2E80-\u31FF\u3400-\uA4CF"
    r"\uA9E0-\uA9FF\uAA60-\uAADF\uAC00-\uD7A3\uF900-\uFAFF\U0001B000-\U0001B16F\U0001F000-\U0001FAFF"
    r"\U00020000-\U0003FFFF"
    r"]"
)
_LETTERS = str.maketrans(
    dict(zip("ςøłđðħŧıيىك٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "σolddhtiییک01234567890123456789", strict=True))
    | {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
)
# A phrase with its quotation marks, the last of which may be missing yet, or what stands between spaces.
_PART = re.compile(r'(?<!\S)(-?)"([^"]*)("?)|(\S+)')


@dataclass(frozen=True, slots=True)
class Wanted:
    """`whole`: the last word is not just the beginning of one."""

    text: str
    whole: bool


@dataclass(frozen=True, slots=True)
class SearchWords:
    """A text must hold all that is wanted and nothing that is unwanted."""

    wanted: list[Wanted]
    unwanted: list[str]


def parse(query: str) -> SearchWords:
    """What stands in quotation marks is a phrase of whole words; what follows a hyphen is unwanted."""
    words = SearchWords([], [])
    for hyphen, phrase, closed, part in _PART.findall(query):
        if part.startswith("-") or hyphen:
            words.unwanted.append(part[1:] or phrase)
        else:
            words.wanted.append(Wanted(part or phrase, whole=bool(closed)))
    return words


def snippet(text: str, words: SearchWords) -> str:
    """About SNIPPET_LENGTH characters of `text`, each hit between HIT_START and HIT_END."""
    text = text.replace(HIT_START, " ").replace(HIT_END, " ")
    hits = _hits(text, words)
    start, end = _window(text, hits)
    parts, at = [], start
    for left, right in hits:
        if start <= left and right <= end:
            parts += [text[at:left], HIT_START, text[left:right], HIT_END]
            at = right
    return "".join([*parts, text[at:end]])


def searchable(text: str) -> tuple[str, list[tuple[int, int]]]:
    """What a search sees of `text`, and for each character of it from where to where in `text` it stands."""
    found, places = [" "], [(0, 0)]

    def add(character: str, place: tuple[int, int]) -> None:
        is_space = bool(_BETWEEN.match(character))
        if found[-1] != " " and (is_space or _is_unspaced(found[-1]) != _is_unspaced(character)):
            found.append(" ")
            places.append((place[0], place[0]))
        if not is_space:
            found.append(character)
            places.append(place)

    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or not _joins(text[end]):
            for character in _fold(text[start:end]):
                add(character, (start, end))
            start = end
    add(" ", (len(text), len(text)))
    return "".join(found), places


def _hits(text: str, words: SearchWords) -> list[tuple[int, int]]:
    """Where the words stand in `text`, in order; hits that overlap are one."""
    content, places = searchable(text)
    hits: list[tuple[int, int]] = []
    for wanted in words.wanted:
        pattern = as_pattern(wanted)
        at = content.find(pattern) if pattern else -1
        while at >= 0:
            first = at + (pattern[0] == " ")
            last = at + len(pattern) - 1 - (pattern[-1] == " ")
            hits.append((places[first][0], places[last][1]))
            at = content.find(pattern, at + 1)
    merged: list[tuple[int, int]] = []
    for hit in sorted(hits):
        if merged and hit[0] < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(hit[1], merged[-1][1]))
        else:
            merged.append(hit)
    return merged


def as_pattern(wanted: Wanted) -> str:
    """As search_pattern in search.sql."""
    words = searchable(wanted.text)[0].strip(" ")
    if not words:
        return ""
    before = "" if _is_unspaced(words[0]) else " "
    after = " " if wanted.whole and not _is_unspaced(words[-1]) else ""
    return before + words + after


def _window(text: str, hits: list[tuple[int, int]]) -> tuple[int, int]:
    """From where to where the snippet goes: from a space to a space where there is one near."""
    left, right = hits[0] if hits else (0, 0)
    start = max(0, left - BEFORE_HIT)
    if start:
        start = text.find(" ", start, left) + 1 or start
    end = max(right, start + SNIPPET_LENGTH)
    if end < len(text):
        space = text.rfind(" ", right, end)
        end = space if space >= 0 else end
    return start, min(end, len(text))


@lru_cache(4096)
def _joins(character: str) -> bool:
    """Whether it may become one character with what is before it."""
    return (
        unicodedata.category(character)[0] == "M" or unicodedata.normalize("NFKD", character)[0] in _JOINING
    )


_JOINING = frozenset(map(chr, (*range(0x1160, 0x1200), 0x3099, 0x309A)))


@lru_cache(4096)
def _fold(cluster: str) -> str:
    folded = _DROPPED.sub("", unicodedata.normalize("NFKD", cluster)).lower()
    return unicodedata.normalize("NFC", folded.translate(_LETTERS)).lower()


@lru_cache(4096)
def _is_unspaced(character: str) -> bool:
    return bool(_UNSPACED.match(character))
