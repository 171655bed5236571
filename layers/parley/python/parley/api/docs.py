"""`/api/docs`: the OpenAPI document as a page, which runs and loads nothing."""

import base64
import hashlib
import json
import re
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
summary { cursor: pointer; padding: .4rem 0 }
details { border-bottom: 1px solid color-mix(in srgb, currentcolor 20%, transparent) }
details > :not(summary) { margin-left: 1.2rem }
code, pre { font: .85em/1.5 ui-monospace, monospace }
pre { overflow-x: auto; padding: .6rem; background: color-mix(in srgb, currentcolor 7%, transparent) }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; font-weight: normal }
"""
_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@router.get("/api/docs")
async def docs(request: Request) -> HTMLResponse:
    page = _page(request.app.openapi())
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"})


def _page(openapi: dict[str, Any]) -> str:
    about = openapi["info"]
    operations = [
        _operation(method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    schemas = openapi["components"]["schemas"].items()
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(about['title'])}: the API</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(about['title'])}: the API</h1><p>{_prose(about['summary'])}</p>",
            '<p>For tools: <a href="openapi.json">openapi.json</a></p>',
            *operations,
            "<h2>Schemas</h2>",
            *(_details(escape(name), _json(schema), anchor=name) for name, schema in schemas),
            "</body></html>",
        ]
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{_prose(operation['description'])}</p>"] if "description" in operation else []
    rows: list[tuple[str, ...]] = [
        (
            f"<code>{escape(each['name'])}</code>",
            f"{each['in']}{', required' if each.get('required') else ''}",
            _prose(each.get("description", "")),
            _schema(each["schema"]),
        )
        for each in operation.get("parameters", [])
    ]
    parts += [_table("Parameters", rows)] if rows else []
    if body := operation.get("requestBody"):
        parts.append(_table("Body", _contents(body)))
    rows = [
        (f"<code>{status}</code> {_prose(response['description'])}", *row)
        for status, response in operation["responses"].items()
        for row in _contents(response) or [("",)]
    ]
    parts.append(_table("Responses", rows))
    name = f"<code>{method.upper()} {escape(path)}</code> {_prose(operation['summary'])}"
    return _details(name, "".join(parts))


def _contents(message: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (f"<code>{escape(kind)}</code>", _schema(content.get("schema", {})))
        for kind, content in message.get("content", {}).items()
    ]


def _schema(schema: dict[str, Any]) -> str:
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    return f"<code>{escape(json.dumps(schema))}</code>" if schema else ""


def _table(title: str, rows: list[tuple[str, ...]]) -> str:
    cells = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return f"<h3>{title}</h3><table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _details(summary: str, content: str, anchor: str = "") -> str:
    opening = f'<details id="{escape(anchor)}">' if anchor else "<details>"
    return f"{opening}<summary>{summary}</summary>{content}</details>"


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2))}</pre>"


def _prose(text: str) -> str:
    """As HTML: in the descriptions, `code` is all there is of Markdown."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
