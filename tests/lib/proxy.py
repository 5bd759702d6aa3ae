# SPDX-License-Identifier: MIT
"""proxy.py - a TCP proxy on loopback that delays, cuts, resets and swallows.

    with Proxy(sim.address("flex2b")) as proxy:
        gan.reconfigure(connectors={"flex2b": {"base_url": proxy.url}})
        proxy.fault = Fault(down=20)       # every new connection, from now on
        proxy.plan = lambda: ...           # or: asked for a Fault, or None, each time

A fault belongs to a connection from its beginning to its end; heal() ends them
all.  `faults` holds the moments at which something was really spoiled.
"""

import contextlib
import dataclasses
import select
import socket
import struct
import threading
import time


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to one connection; nothing by default."""

    delay: float = 0.0        # seconds that each piece waits, in both directions
    up: int | None = None     # so many bytes of the client pass, then the connection is cut
    down: int | None = None   # the same for bytes of the server
    how: str = "reset"        # or "close": an orderly end, after the bytes that passed
    hole: bool = False        # accepted; then no byte passes, and nobody is told

    @property
    def spoils(self):
        return self.up is not None or self.down is not None or self.hole


PASS = Fault()


def end(sock, how):
    """Close: `reset` so that the peer sees ECONNRESET at once (SO_LINGER 0)."""
    with contextlib.suppress(OSError):
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()


class Connection:
    """One thread that carries bytes both ways.

    It alone closes the sockets: a close has no effect on the wire while another
    thread waits in recv().
    """

    def __init__(self, proxy, client, fault):
        self.proxy, self.client, self.fault = proxy, client, fault
        self.server = None
        self.left = {"up": fault.up, "down": fault.down}
        self.over = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        how = "reset"
        try:
            if self.fault.hole:
                self.proxy.spoiled()
                self.over.wait()
            else:
                self.server = socket.create_connection(self.proxy.target, 10)
                how = self.carry()
        except OSError:
            pass
        for sock in (self.client, self.server):
            if sock is not None:
                end(sock, how)
        self.proxy.forget(self)

    def carry(self):
        """Until one side ends, or the fault does; returns how to close."""
        ways = {self.client: ("up", self.server), self.server: ("down", self.client)}
        while not self.over.is_set():
            ready, _, _ = select.select(list(ways), [], [], 0.05)
            for src in ready:
                way, dst = ways[src]
                limit = self.left[way]
                data = src.recv(65536 if limit is None else min(65536, limit + 1))
                if self.fault.delay and self.over.wait(self.fault.delay):
                    return "reset"
                if not data:
                    if way == "down":
                        return "close"
                    dst.shutdown(socket.SHUT_WR)  # the answer may still come
                    del ways[src]
                    continue
                dst.sendall(data[:limit])
                if limit is not None:
                    self.left[way] -= len(data)
                    if self.left[way] < 0:  # there was one more byte, and it does not pass
                        self.proxy.spoiled()
                        return self.fault.how
        return "reset"

    def finish(self):
        self.over.set()


class Proxy:
    def __init__(self, target, host="127.0.0.1"):
        """target: "address:port"."""
        address, port = target.rsplit(":", 1)
        self.target = (address, int(port))
        self.fault, self.plan = PASS, None
        self.faults, self.accepted = [], 0
        self.lock = threading.Lock()
        self.open = set()
        self.host, self.port, self.sock = host, 0, None
        self.listen()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        return f"http://{self.address}"

    def listen(self):
        """Begin, or begin again on the same port after deaf()."""
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((self.host, self.port))
        self.sock.listen(512)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.sock,), daemon=True).start()

    def deaf(self):
        """Refuse connections until listen()."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def accept(self, sock):
        while True:
            try:
                client, _ = sock.accept()
            except OSError:
                return
            fault = self.plan() if self.plan is not None else self.fault
            with self.lock:
                self.accepted += 1
                self.open.add(Connection(self, client, fault or PASS))

    def forget(self, connection):
        with self.lock:
            self.open.discard(connection)

    def spoiled(self):
        with self.lock:
            self.faults.append(time.time())

    def reset_all(self):
        """Cut what is open now."""
        for connection in list(self.open):
            self.spoiled()
            connection.finish()

    def heal(self):
        """No more faults; what is in one is cut."""
        self.fault, self.plan = PASS, None
        for connection in list(self.open):
            if connection.fault.spoils:
                connection.finish()

    def close(self):
        self.deaf()
        for connection in list(self.open):
            connection.finish()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
