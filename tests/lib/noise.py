# SPDX-License-Identifier: MIT
"""noise.py - bytes that are nearly requests, or not at all, on many connections at once.

Everything is made from one seed.  Each connection sends one text: pure noise,
or a signed webhook with a few of its bytes changed, in one to three pieces,
and is then read until the other side closes it or shortly after nothing came.
"""

import random
import selectors
import socket
import time

import raw
from place import SLOW

AT_ONCE = 64
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PATIENCE = 0.04  # seconds for an answer; a head that has no end gets none

TOKENS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b": ", b"\r\n\r\n", b"\r\n ", b"%", b"?",
          b"&", b"=", b";", b",", b'"', b"#", b"/", b"..", b"\x7f", b"\x80", b"\xff", b"HTTP/1.1",
          b"HTTP/1.0", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Content-Length:\r\n",
          b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n",
          b"Connection: keep-alive, upgrade\r\n", b"Upgrade: x\r\n", b"Host: x\r\n", b"Cookie: a=\"\r\n",
          b"Cookie: " + b"a;" * 300 + b"\r\n", b"?" + b"a&" * 300, b"ffffffffffffffff\r\n", b"0\r\n",
          b"1\r\n", b"999999999999999999999\r\n", b"Range: bytes=0-\r\n", b"X: " + b"y" * 5000]


class Noise:
    def __init__(self, gan, seed):
        self.gan, self.rng = gan, random.Random(seed)
        self.sent = 0
        self.by_status = {}
        self.signed = set()
        self.odd = []  # what came back and is not just one answer

    # -- what is sent -------------------------------------------------------------

    def _pure(self):
        rng = self.rng
        text = rng.randbytes(rng.randrange(1, 600))
        if rng.random() < 0.3:
            text = bytes(b & 0x7f for b in text)
        if rng.random() < 0.3:
            text = rng.choice([b"POST ", b"GET /healthz HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\n",
                               b"\x16\x03\x01", b"POST /hooks/prodsmart HTTP/1.1\r\nHost: a\r\n"]) + text
        return text + b"\r\n\r\n" * rng.randrange(2)

    def _signed(self, n):
        rng = self.rng
        body = b'{"noise":%d,"pad":"%s"}' % (n, b"x" * rng.randrange(300))
        self.signed.add(body)
        if rng.random() < 0.6:
            return raw.whole(self.gan, body)
        parts, rest = [], body
        while rest:
            size = rng.randrange(1, len(rest) + 1)
            parts.append(b"%x\r\n%s\r\n" % (size, rest[:size]))
            rest = rest[size:]
        return raw.head(self.gan, "Transfer-Encoding: chunked", body=body, length=False) + \
            b"".join(parts) + b"0\r\n\r\n"

    def _change(self, text):
        rng = self.rng
        at = rng.randrange(len(text))
        end = min(len(text), at + rng.choice([1, 1, 2, 4, 8, 64, 500]))
        how = rng.randrange(7)
        if how == 0:  # another byte
            return text[:at] + rng.randbytes(1) + text[at + 1:]
        if how == 1:  # another bit
            return text[:at] + bytes([text[at] ^ 1 << rng.randrange(8)]) + text[at + 1:]
        if how == 2:
            return text[:at] + text[end:]
        if how == 3:
            return text[:end] + text[at:]
        if how == 4:
            return text[:at] + rng.choice(TOKENS) + text[at:]
        if how == 5:
            return text[:at] + rng.choice(TOKENS) + text[end:]
        return text[:at]

    def text(self, n):
        if self.rng.random() < 0.25:
            return self._pure()
        text = self._signed(n)
        for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3, 5])):
            text = self._change(text) or b"\0"
        return text

    # -- how ------------------------------------------------------------------------

    def _open(self, sel, n):
        host, port = self.gan.public.rsplit(":", 1)
        sock = socket.create_connection((host, int(port)), timeout=10 * SLOW)
        text = self.text(n)
        pieces = self.rng.choice([1, 1, 2, 3])
        step = len(text) // pieces + 1
        for i in range(0, len(text), step):
            raw.send(sock, text[i:i + step])
        sock.setblocking(False)
        self.sent += 1
        sel.register(sock, selectors.EVENT_READ, [b"", time.monotonic() + PATIENCE * SLOW])

    def _close(self, sel, key):
        sel.unregister(key.fileobj)
        key.fileobj.close()
        got = key.data[0]
        if got.startswith(CONTINUE):
            got = got[len(CONTINUE):]
        try:
            answers = [status for status, _, _ in raw.answers(got, head=True)]
        except (ValueError, KeyError):
            answers = [0, 0]
        if len(answers) > 1:
            self.odd.append(got[:1000])
        status = answers[0] if answers else 0
        self.by_status[status] = self.by_status.get(status, 0) + 1

    def _read(self, sel, key):
        try:
            more = key.fileobj.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        key.data[0] += more
        if not more:
            self._close(sel, key)

    def run(self, count):
        """So many connections, at most AT_ONCE at the same time."""
        with selectors.DefaultSelector() as sel:
            n = 0
            while n < count or sel.get_map():
                while n < count and len(sel.get_map()) < AT_ONCE:
                    self._open(sel, n)
                    n += 1
                for key, _ in sel.select(0.005):
                    self._read(sel, key)
                now = time.monotonic()
                for key in [k for k in sel.get_map().values() if k.data[1] < now]:
                    self._close(sel, key)
        return self
