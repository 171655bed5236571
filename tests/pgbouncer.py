"""A real PgBouncer in transaction mode, as Neon's pooled host is one."""

import contextlib
import os
import pwd
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from local.parent_watch import ChildProcess
from local.ports import free_port
from local.unprivileged import as_user

BINARY = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@contextlib.contextmanager
def pgbouncer(
    folder: Path, app_url: str, *, servers: int, clients: int = 1000, certificate: Path | None = None
) -> Iterator[str]:
    """The URL of a pooler with `servers` server connections to the database of `app_url`.

    It takes any password or, with a certificate and its key, as `localhost` over TLS, only the right one.
    """
    assert BINARY, "PgBouncer is missing: apt-get install pgbouncer"
    there = urlsplit(app_url)
    port = free_port()
    name = there.path.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    login, files = _login(folder, app_url, certificate)
    config = folder / "pgbouncer.ini"
    config.write_text(f"""
[databases]
{name} = host={there.hostname} port={there.port} user={there.username} password={there.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
{login}
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = {clients}
query_wait_timeout = 10
server_login_retry = 0.2
""")
    command = [BINARY, "-q", str(config)]
    if os.geteuid() == 0:
        uid = pwd.getpwnam("nobody").pw_uid
        for file in (config, *files):
            os.chown(file, uid, -1)
        command = as_user(uid, command, reaching=[config])
    process = ChildProcess.start(command, log=folder / "pgbouncer.log")
    try:
        _wait_for(port)
        yield f"postgresql://{there.username}:{there.password}@127.0.0.1:{port}/{name}"
    finally:
        process.stop()
        process.wait()


def _login(folder: Path, app_url: str, certificate: Path | None) -> tuple[str, list[Path]]:
    """The settings of how clients log in, and the files that they name."""
    if certificate is None:
        return "auth_type = any", []
    user, own, there = folder / "users", folder / "certificate.pem", urlsplit(app_url)
    user.write_text(f'"{there.username}" "{there.password}"\n')
    own.write_bytes(certificate.read_bytes())
    settings = f"""
auth_type = scram-sha-256
auth_file = {user}
client_tls_sslmode = require
client_tls_key_file = {own}
client_tls_cert_file = {own}
"""
    return settings, [user, own]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, "PgBouncer did not start"
        time.sleep(0.05)
