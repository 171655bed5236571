"""Search in every script: what is searched is normalised, and indexed a user at a time.

The index holds what these functions returned when a row was written. To change one, write a migration that
also writes the columns anew.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Nothing to see, or marks on letters of scripts that are read without them too, as the nukta. Vowels of Indic
# scripts, and what makes another letter of a kana, stay.
DROPPED = (
    r"\u00AD\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1-\u05C2\u05C4-\u05C5\u05C7\u0610-\u061A\u061C"
    r"\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E8\u06EA-\u06ED\u093C\u180B-\u180F\u1AB0-\u1AFF\u1DC0-\u1DFF"
    r"\u200B\u200D-\u200F\u202A-\u202E\u2060-\u206F\u20D0-\u20FF\uFE00-\uFE0F\uFE20-\uFE2F\uFEFF"
    r"\U000E0000-\U000E0FFF"
)
# Spaces, punctuation, and symbols of ASCII and Latin-1.
BETWEEN = (
    r"\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u00D7\u00F7\u055A-\u055F\u0589-\u058A\u05BE\u05C0"
    r"\u05C3\u05C6\u05F3-\u05F4\u0609-\u060D\u061B-\u061F\u066A-\u066D\u06D4\u0700-\u070D\u07F7-\u07F9"
    r"\u0964-\u0965\u0970\u0DF4\u0E4F\u0E5A-\u0E5B\u0F04-\u0F14\u0F3A-\u0F3D\u0F85\u104A-\u104F\u10FB"
    r"\u1360-\u1368\u1400\u166E\u1680\u17D4-\u17DA\u1800-\u180A\u1944-\u1945\u1AA0-\u1AAD\u1B5A-\u1B60"
    r"\u1C3B-\u1C3F\u2000-\u205F\u2308-\u230B\u2768-\u2775\u27E6-\u27EF\u2983-\u2998\u2E00-\u2E5D\u3000-\u3004"
    r"\u3008-\u3020\u3030\u303D\u30A0\u30FB\uA4FE-\uA4FF\uA8CE-\uA8CF\uA9C1-\uA9CD\uFD3E-\uFD3F\uFE45-\uFE46"
)
# Written without spaces, or, as Korean, without one at each place where a reader sees a word end: Thai, Lao,
# Myanmar, Khmer, Tai scripts, kana, Han, Bopomofo, Yi, Hangul. Pictures and currency signs too.
UNSPACED = (
    r"\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u1950-\u1AAF\u20A0-\u20CF\u2190-\u2BFF\u2E80-\u31FF\u3400-\uA4CF"
    r"\uA9E0-\uA9FF\uAA60-\uAADF\uAC00-\uD7A3\uF900-\uFAFF\U0001B000-\U0001B16F\U0001F000-\U0001FAFF"
    r"\U00020000-\U0003FFFF"
)

# One space before and after each word and each run of unspaced characters, so that a run is found wherever it
# occurs in a text, and a word's beginning with a space before it.
SEARCH_TEXT = rf"""
    create function search_text(p_text text) returns text
    language plpgsql immutable strict parallel safe as $$
    declare
        folded text := p_text;
    begin
        if octet_length(p_text) > length(p_text) then
            folded := regexp_replace(normalize(folded, nfkd), '[{DROPPED}]+', '', 'g');
            folded := translate(lower(folded <collation>), 'ςøłđðħŧıيىك', 'σolddhtiییک');
            folded := translate(folded, '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹', '01234567890123456789');
            folded := replace(replace(replace(replace(folded, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
            folded := regexp_replace(normalize(folded, nfc), '([{UNSPACED}]+)', ' \1 ', 'g');
        end if;
        return regexp_replace(' ' || lower(folded <collation>) || ' ', '[{BETWEEN}]+', ' ', 'g');
    end
    $$
"""

# What a user's rows are indexed by: each word; each unspaced character, and each three that follow each
# other, fewer at the end of a run; each two words that follow each other, as a phrase of words that are in
# every text would else have them all as candidates. Of a run beside a word, or another run, the pair has the
# character there. All of it begins with the user's key, so that the time of a search does not depend on what
# others have, nor tell about it. No text fails: all terms together must be below 1 MB, which 36,000
# characters never exceed.
SEARCH_VECTOR = r"""
    create function search_vector(p_user_id text, p_text text) returns tsvector
    language plpgsql immutable strict parallel safe as $$
    declare
        key constant text := public.search_key(p_user_id);
        content text := left(public.search_text(left(p_text, 100000)), 100000);
        characters text[];
        lefts text[];
        rights text[];
        terms text[];
    begin
        loop
            lefts := string_to_array(btrim(content), ' ');
            rights := lefts[2:];
            terms := null;
            if octet_length(content) > length(content) then
                characters := string_to_array(regexp_replace(content, '[^<unspaced>]+', ' ', 'g'), null);
                terms := array(
                    select key || term
                    from unnest(characters, characters[2:], characters[3:]) as three (this, next, third),
                        unnest(array[this, concat(this, split_part(concat(next, third), ' ', 1))]) as term
                    where this <> ' ');
                rights := array(
                    select case when public.is_unspaced(left(word, 1)) then left(word, 1) else word end
                    from unnest(rights) with ordinality as part (word, number) order by number);
                lefts := array(
                    select case when public.is_unspaced(left(word, 1)) then right(word, 1) else word end
                    from unnest(lefts) with ordinality as part (word, number) order by number);
            end if;
            terms := terms || array(
                select key || left(word, 40) from unnest(lefts) as word where word <> ''
                union all
                select key || ' ' || left(this, 40) || ' ' || left(next, 40)
                from unnest(lefts, rights) as pair (this, next) where next is not null);
            exit when octet_length(array_to_string(terms, '')) < 1048576;
            content := left(content, 36000);
        end loop;
        return array_to_tsvector(terms);
    end
    $$
""".replace("<unspaced>", UNSPACED)
SEARCH_KEY = """
    create function search_key(p_user_id text) returns text language sql immutable strict parallel safe
    return substr(md5(p_user_id), 1, 6)
"""
IS_UNSPACED = f"""
    create function is_unspaced(p_character text) returns boolean language sql immutable strict parallel safe
    return p_character ~ '[{UNSPACED}]'
"""
# What one search looks for. A pattern is a piece of search_text; exact: the query alone decides what matches.
SEARCH_REQUEST = """
    create type search_request as (
        user_id text, query tsquery, wanted text[], unwanted text[], exact boolean)
"""


def upgrade() -> None:
    for statement in (_search_text(), SEARCH_KEY, IS_UNSPACED, SEARCH_VECTOR, SEARCH_REQUEST):
        op.execute(statement)
    op.execute("alter table message drop column search")
    for table, column in (("message", "content"), ("conversation", "title")):
        op.execute(
            f"alter table {table} add column search tsvector "
            f"generated always as (search_vector(user_id, {column})) stored"
        )
        # Without fastupdate, no turn has to put away what others have left.
        op.execute(f"create index {table}_search on {table} using gin (search) with (fastupdate = off)")


def _search_text() -> str:
    # Knows Unicode's small letters whatever the database's locale is. PostgreSQL 17 brought it.
    found = op.get_bind().exec_driver_sql("select 1 from pg_collation where collname = 'pg_c_utf8'").first()
    return SEARCH_TEXT.replace("<collation>", "collate pg_catalog.pg_c_utf8" if found else "")


def downgrade() -> None:
    functions = (
        "search_conversations, search_rest, search_match, search_excerpt, search_holds, search_for, "
        "search_pattern, search_query, search_terms, is_in_terms"
    )
    op.execute(f"drop function if exists {functions}")
    op.execute("drop type search_request")
    op.execute("alter table conversation drop column search")
    op.execute("alter table message drop column search")
    op.execute(
        "alter table message add column search tsvector "
        "generated always as (to_tsvector('simple', left(content, 100000))) stored"
    )
    op.execute("drop function is_unspaced, search_vector, search_key, search_text")
