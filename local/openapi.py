"""`python -m local.openapi`: print the API's OpenAPI document, which the front end's types are made from."""

import json
from typing import Any

from parley.config import Settings
from parley.main import create_app


def document() -> dict[str, Any]:
    settings = Settings.model_validate(
        {
            "database_url": "postgresql://nobody@localhost/nothing",
            "jwt_issuer": "http://localhost",
            "openai_api_key": "unused",
        }
    )
    return create_app(settings).openapi()


if __name__ == "__main__":
    print(json.dumps(document(), indent=2))
