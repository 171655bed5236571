-- Imports a part of an export: conversations, messages, and what is added to messages that are there.
--
-- repositories/imports.py calls import_part. What the user has written in is never changed. Elsewhere a newer file
-- brings what is there to its own state, and texts and tool calls are added where the last one ended. So a part may
-- come twice, and an import may be taken up again. Returns what became of each, in the order given.
create or replace function import_part(p_user_id text, p_part jsonb) returns jsonb language plpgsql as $$
declare
    given jsonb;
    state text;
    states jsonb := '{}';
    conversations jsonb := '[]';
    messages jsonb := '[]';
    additions jsonb := '[]';
begin
    -- No turn begins meanwhile: see begin_turn.
    perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));
    for given in select * from jsonb_array_elements(p_part -> 'conversations') loop
        state := import_conversation(p_user_id, given, p_part);
        states := states || jsonb_build_object(given ->> 'id', state);
        conversations := conversations || to_jsonb(state);
    end loop;
    for given in select * from jsonb_array_elements(p_part -> 'messages') loop
        messages := messages || to_jsonb(import_message(p_user_id, given, states ->> (given ->> 'conversation_id')));
    end loop;
    for given in select * from jsonb_array_elements(p_part -> 'additions') loop
        additions := additions || to_jsonb(import_addition(p_user_id, given, states ->> (given ->> 'conversation_id')));
    end loop;
    perform number_versions((each ->> 'id')::uuid) from jsonb_array_elements(p_part -> 'conversations') as each
    where each ? 'whole' and states ->> (each ->> 'id') = 'present';
    update conversation c
    set last_seq = (select coalesce(max(seq), 0) from message where conversation_id = c.id),
        message_count = (select count(*) from message where conversation_id = c.id and not superseded),
        imported_at = now()
    where c.user_id = p_user_id and c.id in (
        select key::uuid from jsonb_each_text(states) as each where each.value in ('taken', 'present', 'older'));
    return jsonb_build_object('conversations', conversations, 'messages', messages, 'additions', additions);
end
$$;

-- `own`: it is the user's own, from which the export was made. `continued`: the user has written in it since.
-- `older`: a newer file was imported before. `whole`, which only trees have: the part has all messages of it.
create or replace function import_conversation(p_user_id text, given jsonb, p_part jsonb) returns text
language plpgsql as $$
declare
    conv conversation := jsonb_populate_record(null::conversation, given);
    known_at timestamptz;
begin
    if exists (select from conversation where id = (given ->> 'source_id')::uuid and user_id = p_user_id) then
        return 'own';
    end if;
    select updated_at into known_at from conversation where id = conv.id and user_id = p_user_id for update;
    if found then
        if exists (select from message where conversation_id = conv.id and not imported) then
            return 'continued';
        elsif conv.updated_at < known_at then
            return 'older';
        end if;
        update conversation set updated_at = conv.updated_at where id = conv.id and conv.updated_at > known_at;
        -- What the newer tree still has says itself whether it is superseded; a later piece may do so.
        if given ? 'whole' and ((given -> 'whole')::boolean or conv.updated_at > known_at) then
            update message set superseded = true
            where conversation_id = conv.id and not superseded and id not in (
                select (each ->> 'id')::uuid from jsonb_array_elements(p_part -> 'messages') as each);
        end if;
        return 'present';
    elsif conv.title is null then
        return 'missing';
    end if;
    insert into conversation (id, user_id, title, titled, archived, pinned, model, created_at, updated_at)
    values (conv.id, p_user_id, conv.title, conv.titled, conv.archived, conv.pinned, conv.model, conv.created_at,
            conv.updated_at)
    on conflict do nothing;
    return case when found then 'taken' else 'missing' end;
end
$$;

-- A message without `version` is of a tree, and becomes the newest of its versions.
create or replace function import_message(p_user_id text, given jsonb, p_state text) returns text
language plpgsql as $$
declare
    msg message := jsonb_populate_record(null::message, given);
    is_of_tree boolean := not given ? 'version';
begin
    if is_of_tree and p_state = 'present' then
        -- Places shift as a tree grows. What is on this one gets its own later, if the tree still has it.
        update message
        set seq = (select max(seq) + 1 from message where conversation_id = msg.conversation_id)
        where conversation_id = msg.conversation_id and seq = msg.seq and id <> msg.id;
    end if;
    if p_state = 'own' or exists (select from message where id = msg.id and user_id = p_user_id) then
        if p_state = 'present' then
            perform renew_message(msg, is_of_tree);
        end if;
        return 'present';
    elsif p_state in ('continued', 'missing') then
        return p_state;
    -- An answer can be regenerated, which asks its question again.
    elsif msg.role = 'assistant' and not exists (
        select from message
        where id = msg.reply_to and conversation_id = msg.conversation_id and role = 'user' and seq < msg.seq
    ) then
        return 'no_question';
    end if;
    insert into message
        (id, conversation_id, user_id, seq, role, status, content, run_items, error, feedback, tokens, model,
         incomplete, input_tokens, output_tokens, estimated, withheld, reply_to, version_of, version, superseded,
         imported, created_at, completed_at)
    values
        (msg.id, msg.conversation_id, p_user_id, msg.seq, msg.role, msg.status, msg.content, msg.run_items,
         msg.error, msg.feedback, tokens_of(msg.content), msg.model, msg.incomplete, msg.input_tokens,
         msg.output_tokens, coalesce(msg.estimated, false), coalesce(msg.withheld, false), msg.reply_to,
         msg.version_of, coalesce(msg.version, next_version(msg.version_of)),
         coalesce(msg.superseded, false) or (is_of_tree and p_state = 'older'),
         true, msg.created_at, msg.completed_at)
    on conflict do nothing;
    return case when found then 'taken' else 'no_place' end;
end
$$;

-- A tree has answers whole, and may have changed the branch that it goes on with. In Parley, what is superseded stays
-- so and has its place for ever; only a turn that went on after the export changes, and its additions follow.
create or replace function renew_message(given message, p_is_of_tree boolean) returns void language plpgsql as $$
begin
    if p_is_of_tree then
        update message
        set seq = given.seq, superseded = given.superseded, content = given.content, run_items = given.run_items,
            tokens = tokens_of(given.content)
        where id = given.id and conversation_id = given.conversation_id
          and (seq, superseded, content, run_items)
              is distinct from (given.seq, given.superseded, given.content, given.run_items);
        return;
    end if;
    update message set superseded = true
    where id = given.id and conversation_id = given.conversation_id and given.superseded and not superseded;
    update message
    set status = given.status, content = given.content, run_items = null, tokens = tokens_of(given.content),
        error = given.error, incomplete = given.incomplete, model = given.model, input_tokens = given.input_tokens,
        output_tokens = given.output_tokens, completed_at = given.completed_at
    where id = given.id and conversation_id = given.conversation_id and role = 'assistant'
      and status in ('interrupted', 'cancelled') and given.status not in ('interrupted', 'cancelled');
end
$$;

-- Numbers a tree's versions in its order, the one that counts last.
create or replace function number_versions(p_conversation_id uuid) returns void language plpgsql as $$
begin
    -- In two steps, since no two may have one number at any moment.
    update message set version = -numbered.place
    from (
        select id, row_number() over (partition by version_of order by superseded desc, seq) as place
        from message where conversation_id = p_conversation_id
    ) as numbered
    where message.id = numbered.id and version <> numbered.place;
    update message set version = -version where conversation_id = p_conversation_id and version < 0;
end
$$;

-- More text, which begins after `offset` characters, or the tool call of this `index`.
create or replace function import_addition(p_user_id text, given jsonb, p_state text) returns text
language plpgsql as $$
declare
    msg message;
    is_text boolean := given ? 'text';
    begins int := (given ->> case when is_text then 'offset' else 'index' end)::int;
    reached int;
begin
    if p_state = 'own' then
        return 'present';
    end if;
    select * into msg from message
    where id = (given ->> 'message_id')::uuid and user_id = p_user_id and imported for update;
    if not found then
        return 'no_message';
    end if;
    reached := case when is_text then char_length(msg.content)
               else jsonb_array_length(jsonb_path_query_array(coalesce(msg.run_items, '[]'),
                                                              '$[*] ? (@.type == "function_call")')) end;
    if reached > begins then
        return 'present';
    elsif p_state = 'continued' then
        return p_state;
    elsif reached < begins then
        return 'gap';
    end if;
    if is_text then
        msg.content := msg.content || (given ->> 'text');
    else
        msg.run_items := coalesce(msg.run_items, '[]') || (given -> 'run_items');
    end if;
    if octet_length(to_json(msg.content)::text) > 1000000 or octet_length(msg.run_items::text) > 2000000
       or msg.role = 'user' and (char_length(msg.content) > 32000 or msg.run_items is not null) then
        return 'too_long';
    end if;
    update message set content = msg.content, run_items = msg.run_items, tokens = tokens_of(msg.content)
    where id = msg.id;
    return 'taken';
end
$$;

-- As estimate_tokens in services/history.py.
create or replace function tokens_of(p_content text) returns int language sql immutable
return octet_length(p_content) / 3 + 4;
