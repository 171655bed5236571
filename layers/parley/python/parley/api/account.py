"""Who the token says you are, and the models that you may choose."""

from fastapi import APIRouter
from pydantic import BaseModel

from parley.api.dependencies import AppSettings, CurrentUser
from parley.api.problems import describe
from parley.errors import Unauthorized

router = APIRouter(prefix="/api", tags=["account"])


class Me(BaseModel):
    """`retention_days`: after so many without a message, a conversation is deleted. Null: never."""

    id: str
    email: str | None
    name: str | None
    retention_days: int | None


@router.get("/me", responses=describe(Unauthorized), summary="The verified user")
async def me(user: CurrentUser, settings: AppSettings) -> Me:
    return Me(id=user.id, email=user.email, name=user.name, retention_days=settings.retention_days or None)


class Model(BaseModel):
    id: str


class Models(BaseModel):
    """The first is the default."""

    data: list[Model]


@router.get("/models", responses=describe(Unauthorized), summary="The models to pick from")
async def models(settings: AppSettings, _: CurrentUser) -> Models:
    return Models(data=[Model(id=model) for model in settings.models])
