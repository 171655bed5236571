"""A mail server on loopback that delivers to the terminal, and to a folder where the tests look."""

import contextlib
import email
import email.policy
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path


class _Conversation(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs to send one message after another."""

    server: "_Server"
    timeout = 60

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline(1_000):
            match line[:4].upper().strip():
                case b"DATA":
                    self._say("354 go ahead")
                    self.server.deliver(self._message())
                    self._say("250 delivered")
                case b"QUIT":
                    self._say("221 bye")
                    return
                case b"EHLO" | b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP":
                    self._say("250 ok")
                case _:
                    self._say("502 not implemented")

    def _message(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, folder: Path, prints: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._prints = prints

    def deliver(self, message: bytes) -> None:
        mail = email.message_from_bytes(message, policy=email.policy.default)
        body = mail.get_body(("plain",))
        text = str(body.get_content()) if body else ""
        kept = {"to": str(mail["to"]), "subject": str(mail["subject"]), "text": text}
        half_written = self._folder / f"{time.time_ns()}.part"
        half_written.write_text(json.dumps(kept))
        half_written.rename(half_written.with_suffix(".json"))
        if self._prints:
            indented = text.strip().replace("\n", "\n    ")
            print(f"\n  Mail to {mail['to']}: {mail['subject']}\n\n    {indented}\n", flush=True)


@contextlib.contextmanager
def serve_mail(folder: Path, *, prints: bool) -> Iterator[str]:
    """The address of the server, for SMTP_URL."""
    with _Server(folder, prints) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield f"smtp://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
