"""Search: what one sees is found, in every script, both among the newest messages and by the index."""

import hashlib
import random
import re
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.expression import bindparam

from parley.database import Database
from parley.repositories.search import as_json, search_conversations
from parley.search_words import HIT_END, HIT_START, Wanted, as_pattern, parse, searchable, snippet
from tests.search_pairs import PAIRS

# More messages than are looked through one by one.
MANY = 600
UNSPACED = {"Chinese", "Japanese", "Korean", "Thai", "Khmer", "Lao and Burmese"}

_STORE_CONVERSATIONS = text("""
    with stored as (
        insert into conversation (id, user_id, title, titled, last_seq, message_count, updated_at)
        select id, :user_id, title, true, 1, 1, timestamptz '2026-01-01' + number * interval '1 s'
        from jsonb_to_recordset(:made) as made (id uuid, title text, number int) returning 1
    )
    select count(*) from stored
""").bindparams(bindparam("made", type_=JSONB))
_STORE_MESSAGES = text("""
    with stored as (
        insert into message (id, conversation_id, user_id, seq, role, status, tokens, version_of, content)
        select id, id, :user_id, 1, 'user', 'completed', 1, id, content
        from jsonb_to_recordset(:made) as made (id uuid, content text) returning 1
    )
    select count(*) from stored
""").bindparams(bindparam("made", type_=JSONB))
_STORE_STRAW = text("""
    with stored as (
        insert into message (id, conversation_id, user_id, seq, role, status, tokens, version_of, content)
        select id, :conversation_id, :user_id, seq, 'user', 'completed', 1, id, 'straw'
        from (select gen_random_uuid() as id, generate_series(2, :many) as seq) as made returning 1
    ), counted as (
        update conversation set last_seq = :many where id = :conversation_id
    )
    select count(*) from stored
""")
_SEARCH = text("""
    select number - 1, conversation_id, excerpt
    from jsonb_array_elements(:searches) with ordinality as search (words, number),
        lateral search_conversations(words, false, null, null, 1000)
""").bindparams(bindparam("searches", type_=JSONB))


def store(database: Database, user_id: str, texts: list[str], title: str = "-") -> list[uuid.UUID]:
    """Each text in a conversation of its own, the last one the newest."""
    ids = [uuid.uuid4() for _ in texts]
    made = [
        {"id": str(each), "title": title, "content": content, "number": number}
        for number, (each, content) in enumerate(zip(ids, texts, strict=True))
    ]
    for statement in (_STORE_CONVERSATIONS, _STORE_MESSAGES):
        database.rows(user_id, statement, {"user_id": user_id, "made": made})
    return ids


def store_straw(database: Database, user_id: str) -> None:
    """A newest conversation that is too long to be looked through."""
    made = [{"id": str(uuid.uuid4()), "title": "-", "content": "straw", "number": 1_000_000}]
    for statement in (_STORE_CONVERSATIONS, _STORE_MESSAGES):
        database.rows(user_id, statement, {"user_id": user_id, "made": made})
    database.rows(user_id, _STORE_STRAW, {"user_id": user_id, "conversation_id": made[0]["id"], "many": MANY})


def find(database: Database, user_id: str | None, searches: list[str]) -> list[dict[uuid.UUID, str]]:
    """For each search, the conversations and the snippets."""
    words = [parse(search) for search in searches]
    found: list[dict[uuid.UUID, str]] = [{} for _ in searches]
    for number, conversation_id, excerpt in database.rows(
        user_id, _SEARCH, {"searches": [as_json(each) for each in words]}
    ):
        found[number][conversation_id] = snippet(excerpt or "", words[number])
    return found


@pytest.fixture(params=["walk", "index"])
def reader(request: pytest.FixtureRequest, database: Database) -> str:
    """A user for whom a search goes one of its two ways."""
    user_id = f"reader-{uuid.uuid4().hex[:8]}"
    if request.param == "index":
        store_straw(database, user_id)
    return user_id


def test_the_table_is_found_and_rightly_not(database: Database, reader: str) -> None:
    texts = [content for pairs in PAIRS.values() for content, _, _ in pairs]
    ids = store(database, reader, texts)
    table = [
        (number, search, is_found)
        for number, (_, found, not_found) in enumerate(pair for pairs in PAIRS.values() for pair in pairs)
        for is_found, searches in ((True, found), (False, not_found))
        for search in searches.split("|")
    ]
    assert len(table) >= 200
    found = find(database, reader, [search for _, search, _ in table])
    wrong = [
        (texts[number], search, is_found)
        for (number, search, is_found), hits in zip(table, found, strict=True)
        if (ids[number] in hits) != is_found
    ]
    assert wrong == []
    unmarked = [
        (texts[number], search)
        for (number, search, is_found), hits in zip(table, found, strict=True)
        if is_found and not re.search(f"{HIT_START}.+{HIT_END}", hits[ids[number]])
    ]
    assert unmarked == []


@dataclass
class Drawn:
    """A text, and what is visible in it from a word's beginning or, without spaces, from anywhere."""

    text: str
    search: str


SEPARATORS = ["-", ".", "@", "_", "/", "’", ", ", " ", "\n", "… "]
WAYS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.lower,
    lambda run: unicodedata.normalize("NFD", run),
    lambda run: unicodedata.normalize("NFKC", run),
]


def draw_texts(draw: random.Random, language: str) -> Drawn:
    letters = sorted(
        {
            character
            for content, _, _ in PAIRS[language]
            for character in unicodedata.normalize("NFC", content)
            if unicodedata.category(character) in ("Lu", "Ll", "Lo", "Mn", "Mc")
            and not (language in UNSPACED and unicodedata.normalize("NFKC", character).isascii())
        }
    )
    starts = [letter for letter in letters if unicodedata.category(letter)[0] == "L"]

    def word(length: int) -> str:
        drawn = draw.choice(starts) + "".join(draw.choices(letters, k=length))
        return unicodedata.normalize("NFC", drawn)

    words = [word(draw.randrange(40 if language in UNSPACED else 8)) for _ in range(draw.randrange(1, 12))]
    between = [draw.choice(SEPARATORS) for _ in words]
    content = "".join(part for pair in zip(words, between, strict=True) for part in pair)
    at = draw.randrange(len(words))
    cuts = [cut for cut in range(len(words[at]) + 1) if is_cut(words[at], cut)]
    if language in UNSPACED:
        start, end = sorted(draw.sample(cuts, 2))
        run = words[at][start:end]
    else:
        run = words[at][: draw.choice(cuts[1:])]
        if at and not between[at - 1][-1].isspace():
            run = words[at - 1] + between[at - 1] + run
    return Drawn(content, draw.choice(WAYS)(run))


def is_cut(word: str, at: int) -> bool:
    return at == len(word) or unicodedata.category(unicodedata.normalize("NFKD", word[at])[0])[0] != "M"


def test_any_run_of_visible_characters_is_found(database: Database, reader: str) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    drawn = [
        draw_texts(draw, language) for language in PAIRS if language != "Signs and mixtures" for _ in range(5)
    ]
    ids = store(database, reader, [each.text for each in drawn])
    searches = [each.search for each in drawn]
    for each, conversation_id, hits in zip(drawn, ids, find(database, reader, searches), strict=True):
        assert conversation_id in hits, (each, seed)
        assert HIT_START in hits[conversation_id], (each, seed)
    other = f"other-{uuid.uuid4().hex[:8]}"
    store(database, other, ["0"])
    assert find(database, other, searches) == [{}] * len(searches)
    assert find(database, None, searches) == [{}] * len(searches)


PIECES = [
    "to",
    "do",
    "be",
    "the",
    "server",
    "sérver",
    "公",
    "公园",
    "園公园",
    "한국은행",
    "ЙОД",
    "n" * 39,
    "n" * 45,
]


def draw_phrase(draw: random.Random) -> str:
    """Words that the texts have too, seldom in this order; the last may be a beginning."""
    pieces = draw.choices(PIECES, k=draw.randrange(1, 5))
    way = draw.randrange(4)
    if way == 0:
        return f'"{" ".join(pieces)}"'
    if way == 1:
        return f'{draw.choice(PIECES)} -"{" ".join(pieces)}"'
    joined = draw.choice("-/.").join(pieces)
    return joined if way == 2 else joined[: draw.randrange(1, len(joined) + 1)]


def is_match(search: str, seen: str) -> bool:
    words = parse(search)
    wanted = [pattern for each in words.wanted if (pattern := as_pattern(each))]
    unwanted = [pattern for each in words.unwanted if (pattern := as_pattern(Wanted(each, whole=True)))]
    return (
        bool(wanted)
        and all(pattern in seen for pattern in wanted)
        and not any(pattern in seen for pattern in unwanted)
    )


def test_phrases_are_found_where_they_stand_and_nowhere_else(database: Database, reader: str) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    texts = [
        "".join(draw.choice(PIECES) + draw.choice([" ", "-", ", ", ""]) for _ in range(draw.randrange(1, 15)))
        for _ in range(100)
    ]
    ids = store(database, reader, texts)
    searches = [draw_phrase(draw) for _ in range(150)]
    seen = [searchable(content)[0] for content in texts]
    for search, hits in zip(searches, find(database, reader, searches), strict=True):
        expected = {each for each, content in zip(ids, seen, strict=True) if is_match(search, content)}
        # Without the straw, which begins with an "s".
        assert set(hits) & set(ids) == expected, (search, seed)


def test_what_the_index_does_not_decide_is_read_up_to_a_limit(database: Database, reader: str) -> None:
    # The index has every two of these words next to each other in all texts.
    between = ["oak ash, fir, ash elm " + "y" * 90_000] * 15
    [old, *_, new] = store(database, reader, ["oak ash elm", *between, "oak ash elm"])
    assert set(find(database, reader, ['"oak ash elm"'])[0]) == {new}
    assert {old, new} <= set(find(database, reader, ['"oak ash"'])[0])


def test_the_snippets_read_a_text_as_the_database_does(database: Database) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    characters = sorted(
        {character for pairs in PAIRS.values() for pair in pairs for character in "".join(pair)}
    )
    texts = [pair[0] for pairs in PAIRS.values() for pair in pairs]
    texts += ["".join(draw.choices(characters, k=draw.randrange(40))) for _ in range(300)]
    statement = text("""
        select search_text(content)
        from jsonb_array_elements_text(:texts) with ordinality as each (content, number) order by number
    """).bindparams(bindparam("texts", type_=JSONB))
    rows = database.rows("anyone", statement, {"texts": texts})
    for content, [seen] in zip(texts, rows, strict=True):
        assert searchable(content)[0] == seen, (content, seed)


def test_no_text_is_too_much_for_the_index(database: Database, reader: str) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)

    def anything(length: int, low: int = 1, high: int = 0x10FFFF) -> str:
        drawn = (draw.randrange(low, high) for _ in range(length))
        return "".join(chr(each) for each in drawn if not 0xD800 <= each < 0xE000)

    texts = [
        "x" * 200_000,
        anything(120_000, 0x20000, 0x2A000),
        anything(32_000),
        anything(55_000, 0x20000, 0x2A000) + " ".join(anything(2, 0x16000, 0x18000) for _ in range(30_000)),
        "\ufdfa" * 32_000,
        "' \\ & | ! ( ) :* <-> \x01 \x7f" * 1_000,
    ]
    ids = store(database, reader, texts)
    searches = ["x" * 150, texts[1][30_000:30_009], "\ufdfa"]
    assert [list(hits) for hits in find(database, reader, searches)] == [[ids[0]], [ids[1]], [ids[4]]]


def test_users_whose_keys_are_the_same_find_nothing_of_each_other(database: Database) -> None:
    keys: dict[str, str] = {}
    salt = uuid.uuid4().hex
    for number in count():
        user_id = f"{salt}-{number}"
        twin = keys.setdefault(hashlib.md5(user_id.encode()).hexdigest()[:6], user_id)
        if twin != user_id:
            break
    for each in (user_id, twin):
        store_straw(database, each)
    [mine], [theirs] = (
        store(database, user_id, ["treasure"], "gold"),
        store(database, twin, ["treasure"], "gold"),
    )
    for search in ("treasure", "gold", "treas"):
        assert [set(find(database, each, [search])[0]) for each in (user_id, twin)] == [{mine}, {theirs}]


def test_pages_are_all_that_matches_in_order(database: Database, reader: str) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    texts = [" ".join(draw.sample(["oak", "ash", "elm", "fir", "公园", "园公"], 2)) for _ in range(150)]
    ids = store(database, reader, texts)
    for search, matches in (
        ("oak", "oak"),
        ("公园", "公园"),
        ("oak el", "oak.*elm|elm.*oak"),
        ("birch", "birch"),
    ):
        pages, after = [], None
        while True:
            page, after = search_conversations(database, reader, search, limit=7, after=after, archived=False)
            pages += [state.conversation.id for state in page]
            if after is None:
                break
        expected = [each for each, content in zip(ids, texts, strict=True) if re.search(matches, content)]
        assert pages == expected[::-1], (search, seed)


def test_what_is_no_longer_there_is_not_found(database: Database, reader: str) -> None:
    [archived, superseded, withheld] = store(database, reader, ["needle"] * 3)
    for statement, each in (
        ("update conversation set archived = true where id = :id returning 1", archived),
        ("update message set superseded = true where id = :id returning 1", superseded),
        ("update message set withheld = true where id = :id returning 1", withheld),
    ):
        assert database.rows(reader, text(statement), {"id": each})
    assert find(database, reader, ["needle"]) == [{}]
    page, _ = search_conversations(database, reader, "needle", limit=7, after=None, archived=True)
    assert [state.conversation.id for state in page] == [archived]


def test_a_snippet_is_where_the_hit_is_in_a_long_text(database: Database, reader: str) -> None:
    straw = "So stéht es geschrieben, und so bleibt es. " * 400
    [found] = store(database, reader, [f"{straw}Die Nadel im HEUHAUFEN, Straße 7. {straw}"])
    for search, marked in (("heuhauf", "HEUHAUF"), ('"strasse 7"', "Straße 7"), ("nadel heu", "Nadel")):
        [hits] = find(database, reader, [search])
        assert f"{HIT_START}{marked}{HIT_END}" in hits[found]
        assert len(hits[found]) < 300
