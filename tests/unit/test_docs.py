"""What the documents refer to exists: files, headings, symbols."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.stack import source

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "layers" / "parley" / "python"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EACH = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)

LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
# `Class.method`, or a plain name.
SYMBOL = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)`")
PATH = re.compile(r"`((?:parley|local|tests|functions|frontend|docs)/[\w./-]*)`")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def text_of(document: Path) -> str:
    return FENCED.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """The headings' ids, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> Iterator[tuple[str, Path, str]]:
    """Text, file and anchor of each link within the repository."""
    for text, address in LINK.findall(text_of(document)):
        if "://" not in address:
            path, _, anchor = address.partition("#")
            yield text, (document.parent / unquote(path)).resolve() if path else document, anchor


def test_there_are_documents_and_links() -> None:
    assert {"README.md", "architecture.md", "decisions.md"} <= {document.name for document in DOCUMENTS}
    assert sum(1 for document in DOCUMENTS for _ in links(document)) > 60


@EACH
def test_every_link_leads_somewhere(document: Path) -> None:
    for text, file, anchor in links(document):
        assert file.exists(), text
        assert not anchor or anchor in anchors(file), (text, anchor)


@EACH
def test_a_symbol_is_in_the_file_that_its_link_names(document: Path) -> None:
    for text, file, _ in links(document):
        if file.suffix in {".py", ".ts", ".tsx", ".sql"}:
            content = file.read_text()
            for symbol in SYMBOL.findall(text):
                parts = symbol.split(".")
                is_file = symbol == file.name
                assert is_file or all(re.search(rf"\b{part}\b", content) for part in parts), symbol


@EACH
def test_every_path_in_the_text_exists(document: Path) -> None:
    for path in PATH.findall(text_of(document)):
        if "NAME" not in path:
            assert (PACKAGES / path).exists() or (ROOT / path).exists(), path


def test_every_alarm_is_explained_with_saved_queries_that_there_are() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    resources = source()["Resources"]
    alarms = {name for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == alarms
    queries = [each for each in resources.values() if each["Type"] == "AWS::Logs::QueryDefinition"]
    names = {each["Properties"]["Name"]["Fn::Sub"].partition("/")[2] for each in queries}
    titles = re.findall(
        r'"title": "([^"]+)"', resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    )
    told = {each.lower().rstrip(",") for each in re.findall(r"\*([^*`]{4,60}?)\*", text.replace("**", ""))}
    known = names | {title.lower() for title in titles}
    assert names <= told
    assert {each for each in told if not any(name.startswith(each) for name in known)} == set()
