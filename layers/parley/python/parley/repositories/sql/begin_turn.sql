-- Begins a turn, whole or not at all. See repositories/turns.py, which calls it, for arguments and outcomes.
--
-- A function and not one statement with many parts, because each statement in here sees what was committed
-- up to the moment it runs: decisions made after the locks are made on the truth, not on a snapshot that is
-- older than the locks.
create or replace function begin_turn(
    p_user_id text,
    p_kind text,             -- send, regenerate, edit, resume
    p_conversation_id uuid,  -- null: a new conversation
    p_target_id uuid,        -- the answer to regenerate or resume; edit: the question to replace
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
    previous message;   -- the turn of the idempotency key
    target message;
    question message;
    run_state jsonb;    -- of the turn to resume
    window_tokens bigint;
begin
    -- One begin at a time a user: makes the quota exact and twin requests with one key wait for each other.
    perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));

    -- A turn keeps the key that it began with; those that it went on with lie beside it.
    if p_idempotency_key is not null and p_kind <> 'resume' then
        select * into previous from message
        where user_id = p_user_id and idempotency_key = p_idempotency_key;
        if previous.request_hash <> p_request_hash then
            return jsonb_build_object('outcome', 'key_reused');
        end if;
        p_conversation_id := coalesce(previous.conversation_id, p_conversation_id);
    end if;

    -- Before anything is stored. The answer is there only when this very statement is sent again after its
    -- connection broke.
    if previous.id is null and not exists (select from message where id = p_answer_id)
        and (select sum(turns) >= p_quota_turns or sum(input_tokens + output_tokens) >= p_quota_tokens
             from usage where user_id = p_user_id and day = today)
    then
        return jsonb_build_object('outcome', 'over_quota');
    end if;

    if p_conversation_id is null then
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

    -- Read again: while this waited for the conversation's row, the turn may have ended.
    if previous.id is not null then
        select * into previous from message where id = previous.id;
        if previous.status in ('completed', 'cancelled', 'waiting_approval') or previous.superseded then
            return jsonb_build_object('outcome', 'replay', 'answer_id', previous.id);
        end if;
    end if;

    select * into running from message where conversation_id = conv.id and status = 'in_progress';
    if running.run_id = p_run_id then
        previous := running;  -- begun already by this statement's first sending
        if p_kind = 'resume' then
            run_state := running.run_state;
        end if;
    elsif running.lease_expires_at > clock_timestamp() then
        return jsonb_build_object('outcome', 'busy');
    elsif running.id is not null then
        update message set status = 'interrupted', completed_at = lease_expires_at where id = running.id;
    end if;

    if p_target_id is not null and previous.id is null then
        select * into target from message where id = p_target_id and conversation_id = conv.id;
        if not found then
            return jsonb_build_object('outcome',
                case when exists (select from message where id = p_target_id) then 'not_found'
                     when message_exists(p_target_id) then 'forbidden' else 'not_found' end);
        elsif target.superseded then
            return jsonb_build_object('outcome', 'superseded');
        elsif target.role <> (case p_kind when 'edit' then 'user' else 'assistant' end) then
            return jsonb_build_object('outcome', 'wrong_role');
        -- Another ChatKit server may have stored an answer to nothing, or deleted the question.
        elsif p_kind = 'regenerate' and not exists (select from message where id = target.reply_to) then
            return jsonb_build_object('outcome', 'wrong_role');
        elsif p_kind = 'resume' and target.resume_key = p_idempotency_key
              and target.resume_hash <> p_request_hash then
            return jsonb_build_object('outcome', 'key_reused');
        -- It may wait again, for another decision.
        elsif p_kind = 'resume' and (target.status <> 'waiting_approval'
                                     or target.resume_key = p_idempotency_key) then
            return jsonb_build_object('outcome', 'replay', 'answer_id', target.id);
        elsif p_kind = 'resume' then
            previous := target;
            run_state := target.run_state;
            target := null;
        end if;
    end if;

    -- What a new version replaces, and everything after it, is kept but no longer part of the conversation.
    if target.id is not null then
        update message set superseded = true
        where conversation_id = conv.id and not superseded and seq >= target.seq;
        update thread_item set superseded = true
        where conversation_id = conv.id and not superseded and seq >= target.seq;
    end if;

    -- Whoever goes on without deciding has decided against the call.
    update message set status = 'cancelled', run_state = null
    where conversation_id = conv.id and status = 'waiting_approval' and id is distinct from previous.id;

    lease := clock_timestamp() + make_interval(secs => p_lease_s);
    if previous.id is not null then
        select * into question from message where id = previous.reply_to;
        p_answer_id := previous.id;
        update message
        set status = 'in_progress', error = null, completed_at = null, cancel_requested = false,
            run_id = p_run_id, lease_expires_at = lease
        where id = p_answer_id;
        if p_kind = 'resume' then
            update message set resume_key = p_idempotency_key, resume_hash = p_request_hash
            where id = p_answer_id;
        end if;
        if run_state is null then
            update message
            set content = '', run_items = null, run_state = null, input_tokens = null, output_tokens = null
            where id = p_answer_id;
        end if;
    else
        if p_kind = 'regenerate' then
            select * into question from message where id = target.reply_to;
        else
            conv.last_seq := conv.last_seq + 1;
            insert into message
                (id, conversation_id, user_id, seq, role, status, content, tokens, version_of, version,
                 completed_at)
            values
                (p_question_id, conv.id, p_user_id, conv.last_seq, 'user', 'completed', p_content, p_tokens,
                 coalesce(target.version_of, p_question_id), next_version(target.version_of), now())
            returning * into question;
        end if;
        conv.last_seq := conv.last_seq + 1;
        insert into message
            (id, conversation_id, user_id, seq, role, status, tokens, version_of, version, reply_to, model,
             idempotency_key, request_hash, run_id, lease_expires_at)
        values
            (p_answer_id, conv.id, p_user_id, conv.last_seq, 'assistant', 'in_progress', 0,
             case p_kind when 'regenerate' then target.version_of else p_answer_id end,
             case p_kind when 'regenerate' then next_version(target.version_of) else 1 end,
             question.id, p_model, p_idempotency_key, p_request_hash, p_run_id, lease);
        insert into usage (user_id, day, model, turns) values (p_user_id, today, p_model, 1)
        on conflict (user_id, day, model) do update set turns = usage.turns + 1;
    end if;

    if target.id is null then
        conv.message_count := conv.message_count + case when previous.id is null then 2 else 0 end;
    else
        select count(*) into conv.message_count from message
        where conversation_id = conv.id and not superseded;
        -- What was replaced may have been folded into the summary.
        if target.seq < conv.summary_seq then
            conv.summary := null;
            conv.summary_seq := 0;
        end if;
        if target.seq <= conv.window_seq then
            conv.window_seq := 0;
        end if;
    end if;

    -- The window starts at a fixed message: a start that moved with every turn would never hit the model's
    -- prompt cache. When it holds too much, a follow-up folds its older half into the summary; should that
    -- not happen for long, the older half is left out unfolded.
    select sum(tokens) into window_tokens from message
    where conversation_id = conv.id and not superseded and seq >= conv.window_seq and seq < question.seq;
    if window_tokens > p_history_tokens * 1.5 then
        conv.window_seq := history_cut(conv.id, conv.window_seq, question.seq, p_history_tokens / 2);
    end if;

    update conversation
    set last_seq = conv.last_seq, message_count = conv.message_count, window_seq = conv.window_seq,
        summary = conv.summary, summary_seq = conv.summary_seq, updated_at = clock_timestamp()
    where id = conv.id;

    return jsonb_build_object(
        'outcome', 'started',
        'conversation_id', conv.id,
        'question_id', question.id,
        'answer_id', p_answer_id,
        'question', question.content,
        'content', case when run_state is not null then previous.content else '' end,
        'run_state', run_state,
        'follow_up', not conv.titled or conv.summary_seq < conv.window_seq
                     or coalesce(window_tokens > p_history_tokens, false),
        'summary', conv.summary,
        'history', (
            select coalesce(
                jsonb_agg(jsonb_build_object('role', role, 'content', content, 'run_items', run_items)
                          order by seq),
                '[]')
            from message
            where conversation_id = conv.id and not superseded
              and seq >= conv.window_seq and seq < question.seq
              and (role = 'user' or content <> '' or run_items is not null)
        )
    );
end
$$;
