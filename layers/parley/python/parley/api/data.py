"""`/api/{user_id}/data`: all that is stored of the user."""

from fastapi import APIRouter

from parley.api.dependencies import AppDatabase, OwnerId, Share
from parley.api.problems import describe
from parley.errors import DatabaseUnavailable, Forbidden, TooManyRequests, Unauthorized, Unprocessable
from parley.repositories.erasure import erase_user

router = APIRouter(prefix="/api/{user_id}/data", tags=["account"], dependencies=[Share])


@router.delete(
    "",
    status_code=204,
    responses=describe(Unauthorized, Forbidden, Unprocessable, TooManyRequests, DatabaseUnavailable),
    summary="Erase everything of yours, at once and for good",
)
def erase(user_id: OwnerId, database: AppDatabase) -> None:
    erase_user(database, user_id)
