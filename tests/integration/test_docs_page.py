"""`/api/docs`: every operation on one page, which runs and loads nothing."""

import base64
import hashlib
from html.parser import HTMLParser

import httpx
import pytest


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.style = ""
        self.tags: list[str] = []
        self.attributes: dict[str, set[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        if self.tags[-1] == "style" and not self.style:
            self.style = data
        self.text += data


@pytest.fixture(scope="module")
def reply(api_url: str) -> httpx.Response:
    return httpx.get(f"{api_url}/api/docs")


def test_every_operation_is_there(reply: httpx.Response, api_url: str) -> None:
    text = Page(reply.text).text
    operations = [
        f"{method.upper()} {path}"
        for path, methods in httpx.get(f"{api_url}/api/openapi.json").json()["paths"].items()
        for method in methods
    ]
    assert len(operations) > 10
    assert [each for each in operations if each not in text] == []


def test_the_page_loads_nothing_and_may_not(reply: httpx.Response) -> None:
    page = Page(reply.text)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(page.tags)
    assert page.attributes.keys() <= {"lang", "charset", "name", "content", "href", "id"}
    anchors = {f"#{each}" for each in page.attributes["id"]}
    assert page.attributes["href"] <= {"openapi.json", *anchors}
    policy = reply.headers["content-security-policy"].split("; ")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= set(policy)
