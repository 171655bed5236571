-- The search in a user's conversations. repositories/search.py calls search_conversations.
--
-- A text is found by what search_text makes of it. A pattern is a piece of such a text: it matches where it
-- occurs. The columns `search` and their indexes tell which rows may match. Row-level security would keep the
-- planner from the indexes, since @@ is not leakproof: so this runs as the owner, and takes the user from the
-- setting that row-level security reads, never from an argument.

-- The newest conversations first, at most p_limit, before the key (p_before, p_before_id) if there is one.
-- p_words: {"wanted": [[words, whole], …], "unwanted": [words, …]}; whole: the last word is no beginning.
-- excerpt: from the newest message that matches; null where the title alone does.
--
-- The index names all that match, in no order, so a frequent word would cost as much as it has hits. But what
-- is frequent is among the newest messages, and what is not there is rare: so the newest 500 are looked
-- through one by one, and the index is asked for the rest.
--
-- Where the index does not decide, as of a phrase of three words, the texts that it names are read, the newest
-- first: at most 500,000 characters. What is older is not found.
create or replace function search_conversations(
    p_words jsonb, p_archived boolean, p_before timestamptz, p_before_id uuid, p_limit int
) returns table (conversation_id uuid, excerpt text)
language plpgsql stable security definer
-- Planning each small statement anew would take longer than all else.
set search_path = pg_catalog, public, pg_temp set jit = off set plan_cache_mode = force_generic_plan as $$
declare
    request search_request := search_for(nullif(current_setting('app.user_id', true), ''), p_words);
    upto timestamptz := coalesce(p_before, 'infinity');
    upto_id uuid := coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    conv conversation;
    found_by_index record;
    match record;
    unread int := 500;
    characters int := 500000;
begin
    for conv in
        select * from conversation c
        where c.user_id = request.user_id and c.archived = p_archived and request.query is not null
          and (c.updated_at, c.id) < (upto, upto_id)
        order by c.updated_at desc, c.id desc
    loop
        exit when p_limit = 0 or unread <= 0 or characters <= 0;
        match := search_match(request, conv, null, unread, characters);
        characters := match.p_characters;
        -- Undecided: more messages than may be read.
        exit when match.seq is null and conv.last_seq > unread;
        unread := unread - 1 - conv.last_seq + coalesce(match.seq, 0);
        upto := conv.updated_at;
        upto_id := conv.id;
        if match.seq is not null or match.titled then
            p_limit := p_limit - 1;
            return query select conv.id, match.excerpt;
        end if;
        conv := null;
    end loop;
    if conv.id is null or p_limit = 0 or characters <= 0 then
        return;
    end if;
    for found_by_index in select * from search_rest(request, p_archived, upto, upto_id) loop
        exit when p_limit = 0 or characters <= 0;
        match := search_match(request, found_by_index.conv, found_by_index.seqs, null, characters);
        characters := match.p_characters;
        if match.seq is not null or match.titled then
            p_limit := p_limit - 1;
            return query select (found_by_index.conv).id, match.excerpt;
        end if;
    end loop;
end
$$;

-- Conversations before a key that the indexes name, newest first, and the newest messages named in each.
create or replace function search_rest(
    request search_request, p_archived boolean, p_before timestamptz, p_before_id uuid
) returns table (conv conversation, seqs int[]) language sql stable as $$
    -- Materialized: only the index on words may find them, whatever the planner knows about the user.
    with messages as materialized (
        select m.conversation_id, m.user_id, m.seq from message m
        where m.search @@ request.query and not m.superseded and not m.withheld
    ), titles as materialized (
        select t.id from conversation t where t.search @@ request.query
    ), found as (
        select id, (array_agg(seq order by seq desc))[:1000] as seqs from (
            select m.conversation_id as id, m.seq from messages m where m.user_id = request.user_id
            union all
            select t.id, 0 from titles t
        ) as either group by id
    )
    select c, f.seqs from found f join conversation c on c.id = f.id
    where c.user_id = request.user_id and c.archived = p_archived
      and (c.updated_at, c.id) < (p_before, p_before_id)
    order by c.updated_at desc, c.id desc
$$;

-- seq: of the newest message that matches, among p_seqs or, without them, the newest p_reads; null: none.
-- p_characters: how many of texts may still be read where the query does not decide; out: what is left.
create or replace function search_match(
    request search_request, conv conversation, p_seqs int[], p_reads int, inout p_characters int,
    out seq int, out excerpt text, out titled boolean
) language plpgsql stable as $$
declare
    candidates refcursor;
    candidate record;
begin
    if p_seqs is null then
        open candidates for
            select m.seq, m.content
            from (
                select * from message r
                where r.conversation_id = conv.id and r.seq <= conv.last_seq
                order by r.seq desc limit p_reads
            ) as m
            -- The user out here: in there, the planner may read the index of all the user's messages.
            where m.user_id = request.user_id and m.search @@ request.query
              and not m.superseded and not m.withheld
            order by m.seq desc;
    else
        open candidates for
            select m.seq, m.content from message m
            where m.conversation_id = conv.id and m.seq = any (p_seqs)
            order by m.seq desc;
    end if;
    loop
        fetch candidates into candidate;
        exit when not found or p_characters <= 0;
        p_characters := p_characters - case when request.exact then 0 else length(candidate.content) end;
        if request.exact or search_holds(request, candidate.content) then
            seq := candidate.seq;
            excerpt := search_excerpt(candidate.content, request.wanted[1]);
            exit;
        end if;
    end loop;
    close candidates;
    p_characters := p_characters - case when request.exact then 0 else length(conv.title) end;
    titled := conv.search @@ request.query and (request.exact or search_holds(request, conv.title))
        -- Until a conversation is titled, its title is the beginning of its first message.
        and (conv.titled or not exists (
            select from message f where f.conversation_id = conv.id and f.seq = 1 and f.withheld));
end
$$;

create or replace function search_holds(request search_request, p_text text) returns boolean
language plpgsql stable cost 10000 as $$
declare
    content constant text := search_text(left(p_text, 100000));
begin
    return not exists (select from unnest(request.wanted) as wanted where strpos(content, wanted) = 0)
        and not exists (select from unnest(request.unwanted) as unwanted where strpos(content, unwanted) > 0);
end
$$;

-- 2,000 characters of a text, the pattern among them. Pieces overlap, so that no pattern is cut in two.
create or replace function search_excerpt(p_text text, p_pattern text) returns text
language sql stable cost 10000 as $$
    select coalesce(
        (
            select piece
            from generate_series(1, least(length(p_text), 100000), 1700) as start,
                substr(p_text, start, 2000) as piece
            -- No word begins where a piece does.
            where length(p_text) <= 2000
               or strpos(search_text(case when start > 1 then 'x' else '' end || piece), p_pattern) > 0
            limit 1
        ),
        left(p_text, 2000))
$$;

create or replace function search_for(p_user_id text, p_words jsonb) returns search_request
language plpgsql stable as $$
declare
    request search_request;
begin
    request.user_id := p_user_id;
    request.wanted := array(
        select pattern from jsonb_array_elements(p_words -> 'wanted') as each,
            search_pattern(each ->> 0, (each ->> 1)::boolean) as pattern
        where pattern <> '');
    request.unwanted := array(
        select pattern from jsonb_array_elements_text(p_words -> 'unwanted') as each,
            search_pattern(each, true) as pattern
        where pattern <> '');
    request.query := search_query(request);
    request.exact := not exists (
        select from unnest(request.wanted || request.unwanted) as pattern where not is_in_terms(pattern));
    return request;
end
$$;

-- Empty where nothing in the words can be found. A word has a space before it, and after it if it is whole.
create or replace function search_pattern(p_words text, p_whole boolean) returns text
language plpgsql stable as $$
declare
    pattern text := btrim(search_text(p_words));
begin
    if pattern <> '' and not is_unspaced(left(pattern, 1)) then
        pattern := ' ' || pattern;
    end if;
    if p_whole and pattern <> '' and not is_unspaced(right(pattern, 1)) then
        pattern := pattern || ' ';
    end if;
    return pattern;
end
$$;

-- Whether the index says all of it: words of less than 40 characters, no more than two, or three unspaced
-- characters, or one beside a word.
create or replace function is_in_terms(p_pattern text) returns boolean language sql stable as $$
    select count(*) <= 2 and coalesce(bool_and(
        case when is_unspaced(left(word, 1)) then length(word) <= 5 - 2 * number_of else length(word) <= 39 end), true)
    from (
        select word, count(*) over () as number_of
        from unnest(string_to_array(btrim(p_pattern), ' ')) as word
    ) as parts
$$;

-- A pattern's terms as a tsquery's text. Whatever is not the last word, or is before a space, is whole.
create or replace function search_terms(p_user_id text, p_pattern text) returns text language sql stable as $$
    with parts as (
        select word, number, is_unspaced(left(word, 1)) as unspaced, count(*) over () as number_of
        from unnest(string_to_array(btrim(p_pattern), ' ')) with ordinality as part (word, number)
    ), terms as (
        select left(word, 40) as term, not unspaced and right(p_pattern, 1) <> ' ' as begins
        from parts where number_of = 1 and (not unspaced or length(word) = 1)
        union all
        select concat(' ', case when this.unspaced then right(this.word, 1) else left(this.word, 40) end,
                ' ', left(next.word, case when next.unspaced then 1 else 40 end)),
            not next.unspaced and next.number = next.number_of and right(p_pattern, 1) <> ' '
        from parts this join parts next on next.number = this.number + 1
        union all
        select substr(word, start, 3), length(word) = 2
        from parts, generate_series(1, greatest(length(word) - 2, 1)) as start
        where unspaced and length(word) > 1
    )
    select string_agg(quote_literal(search_key(p_user_id) || term) || case when begins then ':*' else '' end, ' & ')
    from terms
$$;

-- What search_vector has of every text that matches. Null where nothing is wanted.
create or replace function search_query(request search_request) returns tsquery language sql stable as $$
    select case when request.wanted <> '{}' then string_agg(term, ' & ')::tsquery end
    from (
        select search_terms(request.user_id, pattern) as term from unnest(request.wanted) as pattern
        union all
        select '!(' || search_terms(request.user_id, pattern) || ')' from unnest(request.unwanted) as pattern
        where is_in_terms(pattern)
    ) as terms
$$;
