-- What the nightly clean-up calls. These alone look at all users' rows: they run as the tables' owner, and can only
-- delete what is old.

-- Deletes the oldest conversations that nobody has touched for p_days, at most p_limit and, unless one alone has
-- more, 20,000 messages: so much is deleted in time. Returns how many there were.
create or replace function delete_untouched(p_days int, p_limit int) returns int
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    untouched_since timestamptz := now() - make_interval(days => p_days);
    each_old record;
    deleted int := 0;
begin
    if p_days is null or p_days < 1 then
        raise exception 'p_days must be at least 1';
    end if;
    for each_old in
        select id, user_id from (
            select id, user_id, last_seq, sum(last_seq) over (order by touched_at, id) as so_far from (
                select id, user_id, last_seq, greatest(updated_at, imported_at) as touched_at from conversation
                where greatest(updated_at, imported_at) < untouched_since
                order by greatest(updated_at, imported_at), id limit p_limit
            ) as oldest
        ) as counted
        where so_far - last_seq < 20000
    loop
        -- It may have been touched since, or be just now.
        perform from conversation
        where id = each_old.id and greatest(updated_at, imported_at) < untouched_since for update skip locked;
        if found and delete_conversation(each_old.user_id, each_old.id) then
            deleted := deleted + 1;
        end if;
    end loop;
    return deleted;
end
$$;

-- Deletes what is of no use after a day: the keys of deleted turns, follow-ups, what erased users spent. Returns how
-- many rows.
create or replace function delete_expired() returns int
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    turns int;
    follow_ups int;
    spent int;
begin
    delete from deleted_turn where deleted_at < now() - interval '1 day';
    get diagnostics turns = row_count;
    delete from follow_up where begun_at < now() - interval '1 day';
    get diagnostics follow_ups = row_count;
    delete from erased_usage where day < utc_today();
    get diagnostics spent = row_count;
    return turns + follow_ups + spent;
end
$$;
