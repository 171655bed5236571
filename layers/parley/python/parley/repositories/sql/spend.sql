-- What a user has spent and what running turns have reserved: steps of begin_turn, which see what it has locked.
--
-- Every statement takes its locks in one order: a conversation, messages, `usage`. So no two wait for each other.

create or replace function utc_today() returns date language sql stable
return (now() at time zone 'utc')::date;

-- As in the policy of erased_usage.
create or replace function hash_of_user(p_user_id text) returns text language sql stable
return encode(sha256(convert_to(p_user_id, 'UTF8')), 'hex');

-- p_cached is part of p_input.
create or replace function charge(
    p_user_id text, p_model text, p_input bigint, p_output bigint, p_cached bigint default 0
) returns bigint language sql as $$
    insert into usage (user_id, day, model, input_tokens, cached_tokens, output_tokens)
    values (p_user_id, utc_today(), p_model, p_input, p_cached, p_output)
    on conflict (user_id, day, model) do update
    set input_tokens = usage.input_tokens + excluded.input_tokens,
        cached_tokens = usage.cached_tokens + excluded.cached_tokens,
        output_tokens = usage.output_tokens + excluded.output_tokens
    returning p_input + p_output
$$;

-- Charges what has no row of its own any more, once, however often it is sent. Nothing is written about a user who
-- has erased everything: the lock waits for an erasure that is going on.
create or replace function charge_known(
    p_user_id text, p_model text, p_input bigint, p_output bigint, p_cached bigint, p_charge_id uuid
) returns bigint language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended(p_user_id, 0));
    if exists (select from usage where user_id = p_user_id) then
        insert into deleted_turn (answer_id, user_id) values (p_charge_id, p_user_id) on conflict do nothing;
        if found then
            return charge(p_user_id, p_model, p_input, p_output, p_cached);
        end if;
    end if;
    return 0;
end
$$;

-- A turn whose lease has run out is charged what it reserved: nobody will say what it spent.
create or replace function end_expired_turns(p_user_id text) returns void language sql as $$
    with expired as (
        select id, model, coalesce(reserved_input, 0) as input, coalesce(reserved_output, 0) as output
        from message
        where user_id = p_user_id and status = 'in_progress' and lease_expires_at <= clock_timestamp()
        for update
    ), ended as (
        update message m
        set status = 'interrupted', completed_at = m.lease_expires_at,
            input_tokens = least(coalesce(m.input_tokens, 0)::bigint + expired.input, 2147483647),
            output_tokens = least(coalesce(m.output_tokens, 0)::bigint + expired.output, 2147483647),
            estimated = true, reserved_input = null, reserved_output = null
        from expired where m.id = expired.id
    )
    select charge(p_user_id, model, sum(input)::bigint, sum(output)::bigint) from expired group by model
$$;

-- Refuses a turn that is to cost p_tokens. A turn that runs alone may pass the quota: what is left is not always
-- enough for one. A turn that is resumed was counted when it began.
create or replace function check_bounds(request turn_request, p_tokens bigint) returns void
language plpgsql as $$
declare
    spent record;
    running record;
    refusal text;
begin
    -- In this order: a turn that ends meanwhile counts twice and not never.
    select count(*) as turns, coalesce(sum(reserved), 0) as tokens into running from (
        select coalesce(reserved_input, 0)::bigint + coalesce(reserved_output, 0) as reserved from message
        where user_id = request.user_id and status = 'in_progress'
        union all
        -- The worker of a deleted turn goes on for a moment. What it reserved is charged already.
        select 0 from deleted_turn
        where user_id = request.user_id and lease_id is not null and not charged
          and lease_expires_at > clock_timestamp()
    ) as each_running;
    select coalesce(sum(turns), 0) as turns, coalesce(sum(tokens), 0) as tokens into spent from (
        select turns, input_tokens + output_tokens as tokens from usage
        where user_id = request.user_id and day = utc_today()
        union all
        select turns, tokens from erased_usage
        where user_hash = hash_of_user(request.user_id) and day = utc_today()
    ) as each_spent;
    refusal := case
        when spent.tokens >= request.quota_tokens then 'over_quota'
        when spent.turns >= request.quota_turns and request.act <> 'resume' then 'over_quota'
        when running.turns >= request.turns_at_once then 'too_many'
        when running.turns > 0 and spent.tokens + running.tokens + p_tokens > request.quota_tokens
            then 'quota_reserved'
    end;
    if refusal is not null then
        raise sqlstate 'TR001' using message = refusal;
    end if;
end
$$;

-- The tokens of input that are reserved for the turn, which counts from here on.
create or replace function reserve(
    request turn_request, conv conversation, question message, answer message
) returns int language plpgsql as $$
declare
    input bigint := estimate_input(request, conv, question, answer);
begin
    perform check_bounds(request, input + coalesce(request.answer_tokens, 0));
    if request.act <> 'resume' then
        insert into usage (user_id, day, model, turns) values (request.user_id, utc_today(), request.model, 1)
        on conflict (user_id, day, model) do update set turns = usage.turns + 1;
    end if;
    return least(input, 2147483647);
end
$$;

-- What the model will read at least: window, summary, question, instructions and tools. A turn that is resumed
-- also reads what it has done.
create or replace function estimate_input(
    request turn_request, conv conversation, question message, answer message
) returns bigint language sql stable
return window_tokens(conv, question.seq) + coalesce(octet_length(conv.summary) / 3, 0) + question.tokens
    + case request.act when 'resume' then answer.tokens else 0 end + coalesce(request.fixed_tokens, 0);

-- A step of erase_user: what counts against the quota until the day is over.
create or replace function keep_erased_usage(p_user_id text) returns void language sql as $$
    insert into erased_usage (user_hash, day, turns, tokens)
    select hash_of_user(p_user_id), utc_today(), sum(turns), sum(tokens) from (
        select turns, input_tokens + output_tokens as tokens from usage
        where user_id = p_user_id and day = utc_today()
        union all
        select 0, coalesce(reserved_input, 0)::bigint + coalesce(reserved_output, 0) from message
        where user_id = p_user_id and status = 'in_progress'
    ) as each_spent
    having count(*) > 0
    on conflict (user_hash) do update
    set day = excluded.day,
        turns = excluded.turns + case when erased_usage.day = excluded.day then erased_usage.turns else 0 end,
        tokens = excluded.tokens + case when erased_usage.day = excluded.day then erased_usage.tokens else 0 end
$$;
