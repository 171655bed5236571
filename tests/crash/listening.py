"""A listening socket whose connections asyncio takes for TCP."""

import socket


def listen() -> socket.socket:
    """On a free port of loopback.

    The protocol is named because asyncio switches Nagle's algorithm off only where it is: without it every
    reply of two parts waits 40 ms for the client's delayed acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    listener.setblocking(False)
    return listener
