from pathlib import Path

from local.progress import Problem


def read_env_file(path: Path) -> dict[str, str]:
    """The settings in a `.env` file: NAME=value, one a line, quotes and a leading `export` allowed."""
    if not path.exists():
        return {}
    settings: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise Problem(f"{path}, line {number}: write NAME=value")
        settings[name.strip()] = _unquoted(value.strip())
    return settings


def _unquoted(value: str) -> str:
    if value[:1] in {'"', "'"}:
        return value[1 : value.find(value[0], 1)]
    return value.partition(" #")[0].rstrip()
