"""The OpenAPI document: complete, and the one that the front end's types were made from."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.openapi import document

FRONTEND = Path(__file__).parents[2] / "frontend" / "openapi.json"


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    return document()


def operations(openapi: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    }


def test_the_front_ends_copy_is_up_to_date(openapi: dict[str, Any]) -> None:
    """`make format` writes it anew."""
    assert json.loads(FRONTEND.read_text()) == openapi


def test_every_operation_is_described_with_its_errors(openapi: dict[str, Any]) -> None:
    found = operations(openapi)
    assert len(found) >= 8
    for name, operation in found.items():
        assert operation["summary"], name
        if "/health" in name or "/shared/" in name:
            continue
        assert operation["security"] == [{"HTTPBearer": []}], name
        assert "401" in operation["responses"], name
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], (name, status)
                for example in response["content"]["application/problem+json"]["examples"].values():
                    assert example["value"]["status"] == int(status)


def test_every_reference_leads_somewhere(openapi: dict[str, Any]) -> None:
    schemas = openapi["components"]["schemas"]
    text = json.dumps(openapi)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert "Problem" in names
    assert "$defs" not in text
    assert names <= schemas.keys()


def test_a_turn_documents_both_ways_to_answer(openapi: dict[str, Any]) -> None:
    content = openapi["paths"]["/api/{user_id}/chat"]["post"]["responses"]["200"]["content"]
    assert content.keys() == {"application/json", "text/event-stream"}
