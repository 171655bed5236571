"""`/api/health`: public, for load balancers and operators."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy import text

from parley.api.dependencies import AppDatabase, AppVerifier
from parley.errors import DatabaseUnavailable

router = APIRouter(prefix="/api/health", tags=["health"])


class Health(BaseModel):
    status: Literal["ok", "not ok"]


@router.get("", summary="The process answers")
async def health() -> Health:
    return Health(status="ok")


@router.get(
    "/ready",
    responses={503: {"model": Health, "description": "The database or the issuer's keys cannot be reached"}},
    summary="The database and the issuer's keys can be reached",
)
def ready(database: AppDatabase, verifier: AppVerifier, response: Response) -> Health:
    try:
        database.rows(None, text("select 1"))
        reachable = verifier.ready()
    except DatabaseUnavailable:
        reachable = False
    if not reachable:
        response.status_code = DatabaseUnavailable.status
        response.headers["Retry-After"] = str(DatabaseUnavailable.retry_after_s)
    return Health(status="ok" if reachable else "not ok")
