-- Where a history window has to start so that the messages from p_from on and before p_before hold at most
-- p_budget tokens: at the user's message of the oldest turn that fits, or at p_before when none does.
create or replace function history_cut(p_conversation_id uuid, p_from int, p_before int, p_budget int)
returns int language sql stable
return (
    select coalesce(min(seq) filter (where role = 'user' and so_far <= p_budget), p_before)
    from (
        select seq, role, sum(tokens) over (order by seq desc) as so_far from message
        where conversation_id = p_conversation_id and not superseded and seq >= p_from and seq < p_before
    ) as part
);
