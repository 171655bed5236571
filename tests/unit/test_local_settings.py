import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.environment import read_env_file
from local.ports import check_port, free_port
from local.progress import Problem
from local.secret import kept_secret
from local.services import base_environment
from local.state import State


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_env_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nA=1\nexport B=two words # said\nC='x # y'\nD=\"=\"\nE=\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "x # y", "D": "=", "E": ""}


def test_no_env_file_is_no_setting(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env") == {}


def test_a_bad_line_in_an_env_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nwhat is this\n")
    with pytest.raises(Problem, match=r"\.env, line 2"):
        read_env_file(file)


def test_the_shell_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert base_environment({"LOG_LEVEL": "ERROR", "OTHER": "1"}).items() >= {
        ("LOG_LEVEL", "DEBUG"),
        ("OTHER", "1"),
    }


def test_what_weakens_the_parts_or_belongs_to_a_deployment_is_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST", "1")
    env = base_environment({"NODE_ENV": "test", "JWT_JWKS_URL": "https://deployed.example/jwks"})
    assert not {"TEST", "NODE_ENV", "JWT_JWKS_URL"} & env.keys()


def test_a_port_in_use_is_told_with_the_setting_that_chooses_another(taken_port: int) -> None:
    with pytest.raises(Problem, match=rf"Port {taken_port}: Address already in use.*WEB_PORT="):
        check_port(taken_port, "WEB_PORT")


def test_a_number_that_is_no_port_is_told() -> None:
    with pytest.raises(Problem, match="PORT=70000 is no port"):
        check_port(70_000, "PORT")


def test_a_free_port_passes() -> None:
    check_port(free_port(), "PORT")


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "new" / "secret"
    secret = kept_secret(file)
    assert len(secret) >= 32
    assert kept_secret(file) == secret
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_state_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    with State(tmp_path).lock(), pytest.raises(Problem, match="running already"), State(tmp_path).lock():
        pass
    with State(tmp_path).lock():
        pass


def test_a_reset_puts_the_data_aside(tmp_path: Path) -> None:
    state = State(tmp_path)
    for content in ("first", "second"):
        state.data.mkdir()
        (state.data / "file").write_text(content)
        state.reset()
        assert not state.data.exists()
        assert (tmp_path / "data.old" / "file").read_text() == content
    state.reset()
