# SPDX-License-Identifier: MIT
"""vendor.py - a vendor whose every byte a test writes itself, and who keeps every byte it got.

    with Vendor() as vendor:
        vendor.script = lambda req, sock: sock.sendall(ok(FLEX_DONE))

A script may answer anything, or keep the socket busy until `req.over` is set;
the connection is closed when it returns.  Requests for tokens of Flex2B are
answered here, unless `tokens` is False.
"""

import json
import socket
import threading
import uuid

FLEX_DONE = b'{"ResponseCode":200,"ResponseMessage":"OK","CommunicationID":"0123456789ABCDEF"}'


def ok(body, *lines, status="200 OK", kind="application/json"):
    """An answer with the right length, and more header lines."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}",
            "Connection: close", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class Request:
    def __init__(self, head, body, over):
        self.raw, self.body, self.over = head + body, body, over
        lines = head.rstrip(b"\r\n").split(b"\r\n")
        self.line, self.headers = lines[0], lines[1:]
        self.method, self.target = self.line.split(b" ")[:2]

    def header(self, name):
        """The values of a header, as bytes."""
        start = name.lower().encode() + b":"
        return [h[len(start):].strip() for h in self.headers if h.lower().startswith(start)]


class Vendor:
    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.script = lambda req, sock: sock.sendall(ok(FLEX_DONE))
        self.tokens, self.issued = True, []
        self.requests, self.wrong = [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for t in self.threads:
            t.join(10)

    def _accept(self):
        while not self.over.is_set():
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _read(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        req = Request(head + b"\r\n\r\n", b"", self.over)
        want = int((req.header("content-length") or [b"0"])[0])
        while len(body) < want:
            more = sock.recv(65536)
            if not more:
                break
            body += more
        return Request(head + b"\r\n\r\n", body, self.over)

    def _serve(self, sock):
        with sock:
            sock.settimeout(10)
            try:
                req = self._read(sock)
                if req is None:
                    return
                if self.tokens and req.target == b"/v1/generatetoken":
                    sock.sendall(self.token())
                    return
                self.requests.append(req)
                self.script(req, sock)
            except OSError:
                pass  # the other side hung up, which it may
            except Exception as e:  # a script that is wrong must not look like a quiet vendor
                self.wrong.append(e)
                raise

    def token(self):
        text = f"vendor-token-{uuid.uuid4()}"
        self.issued.append(text)
        return ok(json.dumps({"ResponseCode": 200, "ResponseMessage": "OK", "AccessToken": text,
                              "ExpirationMs": 30000}).encode())
