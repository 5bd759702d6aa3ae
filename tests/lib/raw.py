# SPDX-License-Identifier: MIT
"""raw.py - webhooks byte by byte: requests that no library would send, and what is answered."""

import os
import socket
import sqlite3

from place import SLOW
from wire import webhook_headers

BODY = b'{"id":111}'
CHUNKED = b"a\r\n" + BODY + b"\r\n0\r\n\r\n"
SMUGGLED = b'{"id":666}'


def head(gan, *lines, path="/hooks/prodsmart", version="HTTP/1.1", method="POST", body=BODY,
         host=True, length=True, uuid=None):
    """The head of a webhook with the right signature for body, and more lines at its end."""
    made = webhook_headers(gan.SECRETS["prodsmart-hook"], "lot_deleted", body, webhook_uuid=uuid)
    out = [f"{method} {path} {version}".encode("latin-1")]
    if host:
        out.append(b"Host: gantry")
    if length:
        out.append(b"Content-Length: %d" % len(body))
    out += [f"{k}: {v}".encode() for k, v in made.items()]
    out += [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join(out) + b"\r\n\r\n"


def whole(gan, body=SMUGGLED, uuid=None):
    """One webhook, right in every way."""
    return head(gan, body=body, uuid=uuid) + body


def connect(gan, timeout=8.0):
    host, port = gan.public.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=timeout * SLOW)


def send(sock, data):
    """All of it, unless the other side is gone."""
    try:
        sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def read_all(sock):
    """Everything until the other side closes; None when it does not within the socket's time."""
    got = b""
    try:
        while True:
            chunk = sock.recv(65536)
            if not chunk:
                return got
            got += chunk
    except ConnectionResetError:
        return got
    except socket.timeout:
        return None


def talk(gan, data, timeout=8.0):
    """Everything the server says until it closes; None when it did not close."""
    with connect(gan, timeout) as s:
        send(s, data)
        return read_all(s)


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def answers(stream, head=False):
    """[(status, headers, body)] of all answers in a stream; ValueError unless it is just those.

    head: one without its body may be the last, as it is when the method was HEAD.
    """
    out = []
    while stream:
        top, sep, stream = stream.partition(b"\r\n\r\n")
        lines = top.split(b"\r\n")
        if not sep or not lines[0].startswith(b"HTTP/1.1 "):
            raise ValueError(f"no answer: {top[:200]!r}")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers["content-length"])
        if head and not stream:
            size = 0
        if len(stream) < size:
            raise ValueError(f"cut off: {stream[:200]!r}")
        out.append((int(lines[0].split()[1]), headers, stream[:size]))
        stream = stream[size:]
    return out


def stored(gan):
    return sum(gan.status()["events"].values())


def stored_bodies(gan):
    """Of a stopped gateway: the bytes of every event."""
    db = sqlite3.connect(gan.path("data", "gantry.db"))
    try:
        return [bytes(body) for body, in db.execute("SELECT body FROM event ORDER BY id")]
    finally:
        db.close()


def processor_seconds(gan):
    """What the daemon itself (not its workers) has used so far."""
    with open(f"/proc/{gan.proc.pid}/stat", encoding="ascii", errors="replace") as f:
        ticks = sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")
