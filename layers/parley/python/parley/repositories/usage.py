"""SQL of what users have spent. `begin_turn` counts a turn, and whatever ends it charges its tokens."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from parley.database import Database
from parley.models import Usage

# One snapshot: a turn that ends meanwhile is either running or spent.
_READ = text("""
    select today,
        coalesce(erased.turns, 0), coalesce(erased.tokens, 0) + (
            select coalesce(sum(coalesce(reserved_input, 0)::bigint + coalesce(reserved_output, 0)), 0)
            from message where user_id = :user_id and status = 'in_progress'
        ),
        u.user_id, u.day, u.model, u.turns, u.input_tokens, u.cached_tokens, u.output_tokens
    from utc_today() as today
    left join erased_usage erased on erased.user_hash = hash_of_user(:user_id) and erased.day = today
    left join usage u on u.user_id = :user_id and u.day > today - cast(:days as int)
    order by u.day desc, u.model
""")


@dataclass(frozen=True, slots=True)
class Spent:
    """`days`: newest first. `other_turns` and `other_tokens` count against today's quota as well: what was
    spent before everything was erased, and the tokens that running turns may still cost.
    """

    today: date
    days: list[Usage]
    other_turns: int
    other_tokens: int


def read_usage(database: Database, user_id: str, days: int) -> Spent:
    rows = database.rows(user_id, _READ, {"user_id": user_id, "days": days})
    today, other_turns, other_tokens = rows[0][:3]
    columns = list(Usage.model_fields)
    spent = [Usage(**dict(zip(columns, row[3:], strict=True))) for row in rows if row[3] is not None]
    return Spent(today, spent, other_turns, int(other_tokens))
