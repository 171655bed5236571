"""`/api/docs`: every operation on one page, which runs and loads nothing."""

import base64
import hashlib
import re
from html import unescape

import httpx
import pytest


@pytest.fixture(scope="module")
def reply(api_url: str) -> httpx.Response:
    return httpx.get(f"{api_url}/api/docs")


def test_every_operation_is_there(reply: httpx.Response, api_url: str) -> None:
    text = unescape(re.sub("<[^>]*>", "", reply.text))
    operations = [
        f"{method.upper()} {path}"
        for path, methods in httpx.get(f"{api_url}/api/openapi.json").json()["paths"].items()
        for method in methods
    ]
    assert len(operations) > 10
    assert [each for each in operations if each not in text] == []


def test_the_page_loads_nothing_and_may_not(reply: httpx.Response) -> None:
    tags = re.findall(r"<(\w+)([^>]*)>", reply.text)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & {name for name, _ in tags}
    attributes = [each for _, rest in tags for each in re.findall(r'(\w+)="([^"]*)"', rest)]
    assert {name for name, _ in attributes} == {"lang", "charset", "name", "content", "href", "id"}
    anchors = {f"#{value}" for name, value in attributes if name == "id"}
    assert {value for name, value in attributes if name == "href"} <= {"openapi.json", *anchors}
    [style] = re.findall("<style>(.*)</style>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = reply.headers["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= set(policy)
