"""TLS towards a server that closes each connection after one answer, as Patroni does.

Most of such an answer's cost is the handshake. Its session is resumed at the next one (RFC 8446,
section 2.2), for which no certificate is sent and none needs to be verified again.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any


def resuming_context(ca_file: str = "") -> ssl.SSLContext:
    """For one server: names and certificates are verified, by the system's CAs without a file."""
    context = _Resuming(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _Remembering
    if ca_file:
        context.load_verify_locations(ca_file)
    else:
        context.load_default_certs()
    return context


class _Resuming(ssl.SSLContext):
    last: ssl.SSLSession | None = None

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        # A session is good for one resumption (RFC 8446, appendix C.4).
        session, self.last = self.last, None
        return super().wrap_socket(sock, *args, **{**kwargs, "session": session})


class _Remembering(ssl.SSLSocket):
    def close(self) -> None:
        # The server's ticket comes after the handshake, with the answer.
        with suppress(ValueError):  # there was no handshake
            if self.session and self.session.has_ticket:
                self.context.last = self.session  # type: ignore[attr-defined]
        super().close()
