"""The light Lambda: everything but turns, quick to start because it never imports the Agents SDK."""

from typing import Any

from mangum import Mangum

from parley.main import TEXT_MIME_TYPES, create_light_app

mangum = Mangum(create_light_app(), lifespan="off", text_mime_types=TEXT_MIME_TYPES)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return mangum(event, context)
