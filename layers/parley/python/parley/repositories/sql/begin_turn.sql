-- Begins a turn, whole or not at all: one statement, one round trip, one transaction.
--
-- repositories/turns.py calls begin_turn. The functions after it are its steps, in the order in which it takes
-- them; those about money are in spend.sql. They are functions, and not one statement with many parts, because
-- each statement in them sees what was committed up to the moment it runs: what is decided after the locks is
-- decided on the truth, not on a snapshot that is older than the locks.
--
-- A step that refuses the turn raises SQLSTATE TR001 with the reason as its message, and nothing is stored.
create or replace function begin_turn(p_request jsonb) returns jsonb language plpgsql as $$
declare
    request turn_request := jsonb_populate_record(null::turn_request, p_request);
    conv conversation;
    question message;
    running message;
    answer message;    -- null until the turn turns out to be there already
    replaced message;  -- the message whose new version the turn writes
    reserved int;
begin
    -- One begin at a time a user: makes the bounds exact, and twin requests with one key wait for each other.
    perform pg_advisory_xact_lock(hashtextextended(request.user_id, 0));

    request := read_instructions(request);
    answer := find_turn_of_key(request);
    conv := lock_conversation(request, answer.conversation_id);
    -- Read again: the turn may have ended while this waited for the lock.
    select * into answer from message where id = answer.id;
    if answer.status in ('completed', 'cancelled', 'waiting_approval') or answer.superseded then
        return jsonb_build_object('outcome', 'replay', 'answer_id', answer.id);
    end if;
    perform end_expired_turns(request.user_id);
    running := find_running(request, conv.id);
    if running.id is not null then
        request.model := running.model;
        return describe_turn(request, conv, running);
    end if;

    if answer.id is null and request.act = 'resume' then
        answer := choose_target(request, conv.id);
        -- With the same key it is the decision made before, even if the answer waits again for another one.
        if answer.status <> 'waiting_approval' or answer.resume_key = request.idempotency_key then
            return jsonb_build_object('outcome', 'replay', 'answer_id', answer.id);
        end if;
    elsif answer.id is null and request.act in ('regenerate', 'edit') then
        replaced := choose_target(request, conv.id);
        conv := supersede(conv, replaced);
    end if;
    -- An older worker always names one, and means none.
    conv.model := case when request.models is null then conv.model else coalesce(request.model, conv.model) end;
    request.model := choose_model(request, conv, answer);
    perform reject_waiting_calls(conv.id, answer.id);
    question := store_question(request, conv, replaced, answer);
    conv.window_seq := choose_window(request, conv, question.seq);
    reserved := reserve(request, conv, question, answer);

    if answer.id is null then
        conv.last_seq := greatest(conv.last_seq, question.seq) + 1;
        answer := store_placeholder(request, question, replaced, conv.last_seq, reserved);
        conv.message_count := conv.message_count + case request.act when 'regenerate' then 1 else 2 end;
    else
        perform reopen_answer(request, answer.id, reserved);
    end if;
    perform store_conversation(conv);
    return describe_turn(request, conv, answer);
end
$$;

-- With the user's own instructions, if the agent reads them. They are among what the model reads in every request.
create or replace function read_instructions(request turn_request) returns turn_request language plpgsql as $$
begin
    if request.fence_tokens is not null then
        select instructions into request.instructions from user_settings where user_id = request.user_id;
        if request.instructions is not null then
            -- Each line of them is fenced by two characters.
            request.fixed_tokens := request.fixed_tokens + request.fence_tokens
                + octet_length(regexp_replace(request.instructions, '^', '> ', 'ng')) / 3;
        end if;
    end if;
    return request;
end
$$;

create or replace function find_turn_of_key(request turn_request) returns message language plpgsql as $$
declare
    turn message;
begin
    -- A turn keeps the key that it began with. The key of a decision is stored beside it: see choose_target.
    if request.act <> 'resume' and request.idempotency_key is not null then
        select * into turn from message
        where user_id = request.user_id and idempotency_key = request.idempotency_key;
        if turn.request_hash <> request.request_hash then
            raise sqlstate 'TR001' using message = 'key_reused';
        elsif turn.id is null and exists (
            select from deleted_turn
            where user_id = request.user_id and idempotency_key = request.idempotency_key
        ) then
            raise sqlstate 'TR001' using message = 'not_found';
        end if;
    end if;
    return turn;
end
$$;

-- The conversation of the key's turn, or the one that the client names, or a new one.
create or replace function lock_conversation(request turn_request, p_of_key uuid) returns conversation
language plpgsql as $$
declare
    named uuid := coalesce(p_of_key, request.conversation_id);
    conv conversation;
begin
    select * into conv from conversation
    where id = coalesce(named, request.new_conversation_id) and user_id = request.user_id for update;
    if not found and named is not null then
        raise sqlstate 'TR001'
        using message = case when conversation_exists(named) then 'forbidden' else 'not_found' end;
    elsif not found then
        insert into conversation (id, user_id, title, model)
        values (request.new_conversation_id, request.user_id, request.title,
                (select model from user_settings where user_id = request.user_id)) returning * into conv;
    end if;
    return conv;
end
$$;

-- Null when nothing runs. Otherwise this very turn, begun by the first sending of the same statement.
create or replace function find_running(request turn_request, p_conversation_id uuid) returns message
language plpgsql as $$
declare
    running message;
begin
    select * into running from message
    where conversation_id = p_conversation_id and status = 'in_progress';
    if running.lease_id <> request.lease_id then
        raise sqlstate 'TR001' using message = 'busy';
    end if;
    return running;
end
$$;

-- The message that the client names: the answer to regenerate or resume, the question to edit.
create or replace function choose_target(request turn_request, p_conversation_id uuid) returns message
language plpgsql as $$
declare
    target message;
    refusal text;
begin
    select * into target from message
    where id = request.target_id and conversation_id = p_conversation_id;
    refusal := case
        when target.id is null then
            case when message_exists(request.target_id)
                      and not exists (select from message where id = request.target_id)
                 then 'forbidden' else 'not_found' end
        when target.superseded then 'superseded'
        when target.role <> case request.act when 'edit' then 'user' else 'assistant' end then 'wrong_role'
        when request.act = 'resume' and target.resume_key = request.idempotency_key
             and target.resume_hash <> request.request_hash then 'key_reused'
    end;
    if refusal is not null then
        raise sqlstate 'TR001' using message = refusal;
    end if;
    return target;
end
$$;

-- The model of the turn: the one that the client names, or that of the answer which is taken up again, or the
-- conversation's, or the default. One that is no longer on offer is passed over; what the client names was checked.
create or replace function choose_model(request turn_request, conv conversation, answer message) returns text
language sql stable
return coalesce(
    request.model,
    case when answer.model = any(request.models) then answer.model end,
    case when conv.model = any(request.models) then conv.model end,
    request.models[1]
);

-- What a new version replaces, and everything after it, is kept but no longer part of the conversation.
create or replace function supersede(conv conversation, replaced message) returns conversation
language plpgsql as $$
begin
    update message set superseded = true
    where conversation_id = conv.id and not superseded and seq >= replaced.seq;
    select count(*) into conv.message_count from message where conversation_id = conv.id and not superseded;
    -- The summary may have folded it in.
    if replaced.seq < conv.summary_seq then
        conv.summary := null;
        conv.summary_seq := 0;
    end if;
    if replaced.seq <= conv.window_seq then
        conv.window_seq := 0;
    end if;
    return conv;
end
$$;

-- Going on without a decision is a decision against the calls.
create or replace function reject_waiting_calls(p_conversation_id uuid, p_except uuid) returns void
language sql as $$
    update message set status = 'cancelled', run_state = null
    where conversation_id = p_conversation_id and status = 'waiting_approval' and id is distinct from p_except
$$;

-- Where it is there already, the question is returned as it is.
create or replace function store_question(
    request turn_request, conv conversation, replaced message, answer message
) returns message language plpgsql as $$
declare
    question message;
begin
    if answer.id is not null or request.act = 'regenerate' then
        select * into question from message where id = coalesce(answer.reply_to, replaced.reply_to);
        return question;
    end if;
    insert into message
        (id, conversation_id, user_id, seq, role, status, content, tokens, version_of, version, withheld,
         completed_at)
    values
        (request.question_id, conv.id, request.user_id, conv.last_seq + 1, 'user', 'completed',
         request.content, request.tokens, coalesce(replaced.version_of, request.question_id),
         next_version(replaced.version_of), coalesce(request.guarded, false), now())
    returning * into question;
    return question;
end
$$;

create or replace function store_placeholder(
    request turn_request, question message, replaced message, p_seq int, p_reserved int
) returns message language plpgsql as $$
declare
    -- A fresh answer is a version of the old one. An edited question gets an answer of its own.
    first_version uuid := case request.act when 'regenerate' then replaced.version_of end;
    answer message;
begin
    insert into message
        (id, conversation_id, user_id, seq, role, status, tokens, version_of, version, reply_to, model,
         withheld, idempotency_key, request_hash, lease_id, lease_expires_at, reserved_input, reserved_output)
    values
        (request.answer_id, question.conversation_id, request.user_id, p_seq, 'assistant', 'in_progress', 0,
         coalesce(first_version, request.answer_id), next_version(first_version), question.id, request.model,
         question.withheld, request.idempotency_key, request.request_hash, request.lease_id, lease_end(request),
         p_reserved, coalesce(request.answer_tokens, 0))
    returning * into answer;
    return answer;
end
$$;

-- 1 for a message that is a version of none.
create or replace function next_version(p_version_of uuid) returns int language sql stable
return (select coalesce(max(version), 0) + 1 from message where version_of = p_version_of);

create or replace function lease_end(request turn_request) returns timestamptz language sql volatile
return clock_timestamp() + make_interval(secs => request.lease_s);

-- A turn that is resumed goes on from what it has. Any other is tried again from nothing. What it has cost stays.
create or replace function reopen_answer(request turn_request, p_answer_id uuid, p_reserved int) returns void
language plpgsql as $$
begin
    update message
    set status = 'in_progress', error = null, completed_at = null, cancel_requested = false,
        lease_id = request.lease_id, lease_expires_at = lease_end(request), model = request.model,
        reserved_input = p_reserved, reserved_output = coalesce(request.answer_tokens, 0)
    where id = p_answer_id;
    if request.act = 'resume' then
        update message set resume_key = request.idempotency_key, resume_hash = request.request_hash
        where id = p_answer_id;
    else
        update message set content = '', run_items = null, run_state = null, incomplete = null
        where id = p_answer_id;
    end if;
end
$$;

create or replace function store_conversation(conv conversation) returns void language sql as $$
    update conversation
    set last_seq = conv.last_seq, message_count = conv.message_count, window_seq = conv.window_seq,
        summary = conv.summary, summary_seq = conv.summary_seq, model = conv.model,
        updated_at = clock_timestamp()
    where id = conv.id
$$;

-- What the worker needs for the turn.
create or replace function describe_turn(request turn_request, conv conversation, answer message) returns jsonb
language plpgsql as $$
declare
    question message;
begin
    select * into question from message where id = answer.reply_to;
    return jsonb_build_object(
        'outcome', 'started',
        'conversation_id', conv.id,
        'question_id', question.id,
        'answer_id', answer.id,
        'question', question.content,
        'content', case request.act when 'resume' then answer.content else '' end,
        'run_state', case request.act when 'resume' then answer.run_state end,
        'follow_up', conv.last_seq >= conv.follow_up_after
                     and (not conv.titled or conv.summary_seq < conv.window_seq
                          or window_tokens(conv, question.seq) > request.history_tokens),
        'summary', conv.summary,
        'history', read_window(conv, question.seq))
        -- An older worker does not know them.
        || case when request.models is null then '{}'
           else jsonb_build_object('model', request.model, 'instructions', request.instructions) end;
end
$$;

-- Where the window starts: at a fixed message, since a start that moved with every turn would never hit the model's
-- prompt cache. When it holds too much, a follow-up folds its older half into the summary; should that not happen
-- for long, the older half is left out unfolded.
create or replace function choose_window(request turn_request, conv conversation, p_before int) returns int
language plpgsql as $$
begin
    if window_tokens(conv, p_before) > request.history_tokens * 1.5 then
        return cut_window(conv.id, conv.window_seq, p_before, request.history_tokens / 2);
    end if;
    return conv.window_seq;
end
$$;

create or replace function window_tokens(conv conversation, p_before int) returns bigint language sql stable
return (
    select coalesce(sum(tokens), 0) from message
    where conversation_id = conv.id and not superseded and not withheld
      and seq >= conv.window_seq and seq < p_before
);

-- Where a window has to start to hold at most p_budget tokens of the messages from p_from on and before
-- p_before: at the user's message of the oldest turn that fits, or at p_before when none does.
create or replace function cut_window(p_conversation_id uuid, p_from int, p_before int, p_budget int)
returns int language sql stable
return (
    select coalesce(min(seq) filter (where role = 'user' and so_far <= p_budget), p_before)
    from (
        select seq, role, sum(tokens) over (order by seq desc) as so_far from message
        where conversation_id = p_conversation_id and not superseded and not withheld
          and seq >= p_from and seq < p_before
    ) as part
);

create or replace function read_window(conv conversation, p_before int) returns jsonb language sql stable
return (
    select coalesce(
        jsonb_agg(jsonb_build_object('role', role, 'content', content,
                                     'run_items', case when not imported then run_items end) order by seq),
        '[]')
    from message
    where conversation_id = conv.id and not superseded and not withheld
      and seq >= conv.window_seq and seq < p_before
      and (role = 'user' or content <> '' or run_items is not null)
);
