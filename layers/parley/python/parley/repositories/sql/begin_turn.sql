-- Begins a turn, whole or not at all. See repositories/turns.py, which calls it, for arguments and outcomes.
--
-- A function and not one statement with many parts, because each statement in here sees what was committed
-- up to the moment it runs: decisions made after the locks are made on the truth, not on a snapshot that is
-- older than the locks.
create or replace function begin_turn(
    p_user_id text,
    p_conversation_id uuid,  -- null: a new conversation
    p_new_conversation_id uuid,
    p_title text,
    p_question_id uuid,
    p_answer_id uuid,
    p_run_id uuid,
    p_content text,
    p_tokens int,
    p_idempotency_key text,
    p_request_hash text,
    p_model text,
    p_lease_s float,
    p_history_tokens int,
    p_quota_turns bigint,
    p_quota_tokens bigint
) returns jsonb language plpgsql as $$
declare
    today date := (now() at time zone 'utc')::date;
    lease timestamptz;
    conv conversation;
    running message;
    previous message;
    question_seq int;
begin
    -- One begin at a time a user: makes the quota exact and twin requests with one key wait for each other.
    perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));

    if p_idempotency_key is not null then
        select * into previous from message
        where user_id = p_user_id and idempotency_key = p_idempotency_key;
        if previous.request_hash <> p_request_hash then
            return jsonb_build_object('outcome', 'key_reused');
        elsif previous.status in ('completed', 'cancelled') then
            return jsonb_build_object('outcome', 'replay', 'answer_id', previous.id);
        end if;
        p_conversation_id := coalesce(previous.conversation_id, p_conversation_id);
    end if;

    if p_conversation_id is null then
        -- Found only when this very statement is sent again after its connection broke.
        select * into conv from conversation
        where id = p_new_conversation_id and user_id = p_user_id for update;
        if not found then
            insert into conversation (id, user_id, title)
            values (p_new_conversation_id, p_user_id, p_title) returning * into conv;
        end if;
    else
        select * into conv from conversation
        where id = p_conversation_id and user_id = p_user_id for update;
        if not found then
            return jsonb_build_object('outcome',
                case when conversation_exists(p_conversation_id) then 'forbidden' else 'not_found' end);
        end if;
    end if;

    select * into running from message where conversation_id = conv.id and status = 'in_progress';
    if running.run_id = p_run_id then
        previous := running;  -- begun already by this statement's first sending
    elsif running.lease_expires_at > clock_timestamp() then
        return jsonb_build_object('outcome', 'busy');
    elsif running.id is not null then
        update message set status = 'interrupted', completed_at = lease_expires_at where id = running.id;
    end if;

    if (select sum(turns) >= p_quota_turns or sum(input_tokens + output_tokens) >= p_quota_tokens
        from usage where user_id = p_user_id and day = today) and previous.id is null
    then
        return jsonb_build_object('outcome', 'over_quota');
    end if;

    lease := clock_timestamp() + make_interval(secs => p_lease_s);
    if previous.id is not null then
        p_answer_id := previous.id;
        p_question_id := previous.reply_to;
        select seq into question_seq from message where id = p_question_id;
        update message
        set status = 'in_progress', content = '', run_items = null, error = null, completed_at = null,
            cancel_requested = false, run_id = p_run_id, lease_expires_at = lease
        where id = p_answer_id;
    else
        question_seq := conv.last_seq + 1;
        insert into message
            (id, conversation_id, user_id, seq, role, status, content, tokens, version_of, completed_at)
        values
            (p_question_id, conv.id, p_user_id, question_seq, 'user', 'completed', p_content, p_tokens,
             p_question_id, now());
        insert into message
            (id, conversation_id, user_id, seq, role, status, tokens, version_of, reply_to, model,
             idempotency_key, request_hash, run_id, lease_expires_at)
        values
            (p_answer_id, conv.id, p_user_id, question_seq + 1, 'assistant', 'in_progress', 0, p_answer_id,
             p_question_id, p_model, p_idempotency_key, p_request_hash, p_run_id, lease);
        insert into usage (user_id, day, model, turns) values (p_user_id, today, p_model, 1)
        on conflict (user_id, day, model) do update set turns = usage.turns + 1;
        conv.last_seq := question_seq + 1;
        conv.message_count := conv.message_count + 2;
    end if;

    -- The window starts at a fixed message until it holds too much, then drops half of what fits at once:
    -- a start that moved with every turn would never hit the model's prompt cache.
    if (select sum(tokens) > p_history_tokens from message
        where conversation_id = conv.id and not superseded
          and seq >= conv.window_seq and seq < question_seq)
    then
        select coalesce(min(seq) filter (where role = 'user' and so_far <= p_history_tokens / 2), question_seq)
        into conv.window_seq
        from (
            select seq, role, sum(tokens) over (order by seq desc) as so_far from message
            where conversation_id = conv.id and not superseded
              and seq >= conv.window_seq and seq < question_seq
        ) as window_part;
    end if;

    update conversation
    set last_seq = conv.last_seq, message_count = conv.message_count, window_seq = conv.window_seq,
        updated_at = clock_timestamp()
    where id = conv.id;

    return jsonb_build_object(
        'outcome', 'started',
        'conversation_id', conv.id,
        'question_id', p_question_id,
        'answer_id', p_answer_id,
        'history', (
            select coalesce(
                jsonb_agg(jsonb_build_object('role', role, 'content', content, 'run_items', run_items)
                          order by seq),
                '[]')
            from message
            where conversation_id = conv.id and not superseded
              and seq >= conv.window_seq and seq < question_seq
              and (role = 'user' or content <> '' or run_items is not null)
        )
    );
end
$$;
