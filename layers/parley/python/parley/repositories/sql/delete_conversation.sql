-- Deletes a conversation with its messages; false when the user has none of that id.
--
-- Its keys are kept for a day: so long may a client repeat a request. A running turn is charged what it reserved. Its
-- worker puts that right: see deleted_turn.
create or replace function delete_conversation(p_user_id text, p_conversation_id uuid) returns boolean
language plpgsql as $$
declare
    running message;
begin
    perform from conversation where id = p_conversation_id and user_id = p_user_id for update;
    if not found then
        return false;
    end if;
    select * into running from message
    where conversation_id = p_conversation_id and status = 'in_progress' for update;
    insert into deleted_turn
        (answer_id, user_id, idempotency_key, lease_id, lease_expires_at, reserved_input, reserved_output)
    select id, user_id, idempotency_key,
        case when id = running.id then lease_id end, case when id = running.id then lease_expires_at end,
        coalesce(reserved_input, 0), coalesce(reserved_output, 0)
    from message
    where conversation_id = p_conversation_id and (
        id = running.id or idempotency_key is not null and created_at > now() - interval '1 day')
    on conflict do nothing;
    -- A follow-up whose charge is sent again must not be charged again.
    insert into deleted_turn (answer_id, user_id)
    select follow_up_charge, user_id from conversation
    where id = p_conversation_id and follow_up_charge is not null
    on conflict do nothing;
    if running.id is not null then
        perform charge(p_user_id, running.model, coalesce(running.reserved_input, 0),
                       coalesce(running.reserved_output, 0));
    end if;
    delete from conversation where id = p_conversation_id;
    delete from deleted_turn where user_id = p_user_id and deleted_at < now() - interval '1 day';
    return true;
end
$$;
