"""`python -m local.openapi`: print the API's OpenAPI document, which the front end's types are made from."""

import json

from parley.config import Settings
from parley.main import create_app


def main() -> None:
    settings = Settings.model_validate(
        {
            "database_url": "postgresql://nobody@localhost/nothing",
            "jwt_issuer": "http://localhost",
            "openai_api_key": "unused",
        }
    )
    print(json.dumps(create_app(settings).openapi(), indent=2))


if __name__ == "__main__":
    main()
