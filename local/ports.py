import errno
import socket

from local.progress import Problem


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_port(port: int, setting: str) -> None:
    """Checks both addresses of `localhost`: a server on either gets half of the requests."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OverflowError:
            raise Problem(f"{setting}={port} is no port: choose one below 65536") from None
        except OSError as error:
            # A machine without IPv6 is no problem.
            if family == socket.AF_INET or error.errno == errno.EADDRINUSE:
                raise Problem(
                    f"Port {port}: {error.strerror}. Choose another, as in {setting}={port + 8000}"
                ) from None
