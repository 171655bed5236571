from pathlib import Path

from dotenv.parser import parse_stream

from local.progress import Problem


def read_env_file(path: Path) -> dict[str, str]:
    """The settings in a `.env` file: NAME=value, one a line, quotes and a leading `export` allowed."""
    if not path.exists():
        return {}
    with path.open() as file:
        bindings = list(parse_stream(file))
    for each in bindings:
        if each.error or (each.key and each.value is None):
            raise Problem(f"{path}, line {each.original.line}: write NAME=value")
    return {each.key: each.value or "" for each in bindings if each.key}
