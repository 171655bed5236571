-- Archives, unarchives or deletes conversations: those of p_ids that are the user's. Says of each id what became of it,
-- in the order of p_ids.
--
-- No turn of the user begins meanwhile, since one that ends expired turns locks messages of several conversations. All
-- conversations are locked before anything else is, as everywhere.
create or replace function batch_conversations(p_user_id text, p_ids uuid[], p_action text)
returns table (id uuid, outcome text) language plpgsql as $$
declare
    mine uuid[];
begin
    perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));
    mine := array(
        select c.id from conversation c where c.id = any(p_ids) and c.user_id = p_user_id order by c.id for update
    );
    if p_action = 'delete' then
        perform delete_conversation(p_user_id, each) from unnest(mine) as each;
    else
        update conversation c set archived = p_action = 'archive' where c.id = any(mine);
    end if;
    return query
        select each, case when each = any(mine) then 'done'
                          when conversation_exists(each) then 'forbidden'
                          else 'not_found' end
        from unnest(p_ids) with ordinality as given (each, place) order by place;
end
$$;
