"""`/api/me`: who the token says you are."""

from fastapi import APIRouter
from pydantic import BaseModel

from parley.api.dependencies import CurrentUser
from parley.api.problems import describe
from parley.errors import Unauthorized

router = APIRouter(prefix="/api", tags=["account"])


class Me(BaseModel):
    id: str
    email: str | None
    name: str | None


@router.get("/me", responses=describe(Unauthorized), summary="The verified user")
async def me(user: CurrentUser) -> Me:
    return Me(id=user.id, email=user.email, name=user.name)
