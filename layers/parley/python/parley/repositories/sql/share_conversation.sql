-- Keeps a conversation as it is now for those who are given its link. What is withheld is not shared, nor an answer
-- that is being written. Sent twice, it shares once. Null when the user has no such conversation.
create or replace function share_conversation(
    p_user_id text, p_conversation_id uuid, p_share_id uuid, p_token_hash text, p_title_instead text,
    p_tool_outputs boolean, p_created_at timestamptz, p_expires_at timestamptz, p_at_most int
) returns text language plpgsql as $$
declare
    conv conversation;
begin
    -- Without it, several at once could pass p_at_most.
    perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));
    select * into conv from conversation where id = p_conversation_id and user_id = p_user_id for update;
    if not found then
        return null;
    elsif exists (select from shared_conversation where id = p_share_id) then
        return 'shared';
    end if;
    delete from shared_conversation where user_id = p_user_id and expires_at <= now();
    if (select count(*) from shared_conversation where user_id = p_user_id) >= p_at_most then
        return 'too_many';
    end if;
    insert into shared_conversation
        (id, user_id, conversation_id, token_hash, title, tool_outputs, created_at, expires_at)
    values
        (p_share_id, p_user_id, conv.id, p_token_hash,
         case when not conv.titled and exists (
             select from message where conversation_id = conv.id and seq = 1 and withheld
         ) then p_title_instead else conv.title end,
         p_tool_outputs, p_created_at, p_expires_at);
    insert into shared_message (share_id, place, user_id, role, status, content, run_items, created_at)
    select p_share_id, row_number() over (order by seq), p_user_id, role, status, content,
        shared_calls(run_items, p_tool_outputs), created_at
    from message
    where conversation_id = conv.id and user_id = p_user_id and not superseded and not withheld
      and status <> 'in_progress';
    return 'shared';
end
$$;

-- The tool calls among run items; their names alone unless p_outputs.
create or replace function shared_calls(p_run_items jsonb, p_outputs boolean) returns jsonb language sql immutable
return (
    select jsonb_agg(
        case when p_outputs then item - 'id'
        else jsonb_build_object('type', 'function_call', 'call_id', '', 'name', item -> 'name', 'arguments', '') end
        order by n)
    from jsonb_array_elements(p_run_items) with ordinality as each (item, n)
    where item ->> 'type' = 'function_call' or p_outputs and item ->> 'type' = 'function_call_output'
);
