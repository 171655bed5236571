-- Deletes everything of a user: their rows in every table that has a user_id.
--
-- A running turn ends at its next statement, which finds no row and leaves none: see charge_deleted_turn in
-- repositories/turns.py. Of today's
-- spending two numbers stay until tomorrow, under a digest of the user's id: otherwise to erase would be to have a
-- fresh quota.
create or replace function erase_user(p_user_id text) returns void language plpgsql as $$
declare
    owned regclass;
begin
    -- No turn of the user begins meanwhile. Locks are taken in the order of all statements (spend.sql).
    perform pg_advisory_xact_lock(hashtextextended(p_user_id, 0));
    perform from conversation where user_id = p_user_id order by id for update;
    perform from message where user_id = p_user_id and status = 'in_progress' order by id for update;
    perform keep_erased_usage(p_user_id);
    -- First, since a conversation would delete its own one by one.
    delete from message where user_id = p_user_id;
    for owned in
        select attrelid from pg_attribute join pg_class on pg_class.oid = attrelid
        where relnamespace = 'public'::regnamespace and relkind = 'r'
          and attname = 'user_id' and not attisdropped
        order by relname
    loop
        execute 'delete from ' || owned || ' where user_id = $1' using p_user_id;
    end loop;
end
$$;
