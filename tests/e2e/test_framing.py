# SPDX-License-Identifier: MIT
"""test_framing.py - raw sockets: what is ambiguous is refused and the connection closed.

Every case carries a right signature for its body, so that only the framing
can be the reason; and every case is followed on the same connection by a
whole, right request, which must never be read.
"""

import os
import socket
import threading
import time

import kit
import pytest

BODY = b'{"id":111}'
SMUGGLED = b'{"id":666}'


@pytest.fixture(scope="module")
def shared():
    """One gateway for the many small cases: each counts what it adds."""
    gan = kit.Gateway(None)
    try:
        yield gan.start()
    finally:
        gan.close()


def head(gan, *lines, path="/hooks/prodsmart", version="HTTP/1.1", body=BODY, host=True,
         length=True):
    made = kit.webhook_headers(gan.SECRETS["prodsmart-hook"], "lot_deleted", body)
    out = [f"POST {path} {version}".encode()]
    if host:
        out.append(b"Host: gantry")
    if length:
        out.append(b"Content-Length: %d" % len(body))
    out += [f"{k}: {v}".encode() for k, v in made.items()]
    out += [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join(out) + b"\r\n\r\n"


def whole(gan, body=SMUGGLED):
    return head(gan, body=body) + body


def talk(gan, data, timeout=8):
    """Everything the server says until it closes; None when it did not close."""
    host, port = gan.public.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=timeout * kit.SLOW) as s:
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        got = b""
        try:
            while True:
                chunk = s.recv(65536)
                if not chunk:
                    return got
                got += chunk
        except ConnectionResetError:
            return got
        except socket.timeout:
            return None


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def stored(gan):
    return sum(gan.status()["events"].values())


CHUNKED = b"a\r\n" + BODY + b"\r\n0\r\n\r\n"

AMBIGUOUS = {
    "length and chunked": (["Transfer-Encoding: chunked"], CHUNKED, {}),
    "two lengths": (["Content-Length: 11"], BODY, {}),
    "two equal lengths": ([f"Content-Length: {len(BODY)}"], BODY, {}),
    "a list of lengths": ([f"Content-Length: {len(BODY)}, {len(BODY)}"], BODY, {"length": False}),
    "blank before the colon": ([f"Content-Length : {len(BODY)}"], BODY, {"length": False}),
    "negative length": (["Content-Length: -1"], BODY, {"length": False}),
    "signed length": ([f"Content-Length: +{len(BODY)}"], BODY, {"length": False}),
    "hex length": (["Content-Length: 0xa"], BODY, {"length": False}),
    "empty length": (["Content-Length:"], BODY, {"length": False}),
    "huge length": (["Content-Length: 99999999999999999999999"], BODY, {"length": False}),
    "unknown coding": (["Transfer-Encoding: gzip"], BODY, {"length": False}),
    "coding list": (["Transfer-Encoding: gzip, chunked"], CHUNKED, {"length": False}),
    "odd chunked": (["Transfer-Encoding: xchunked"], CHUNKED, {"length": False}),
    "two codings": (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], CHUNKED,
                    {"length": False}),
    "two hosts": (["Host: other"], BODY, {}),
    "no host": ([], BODY, {"host": False}),
    "NUL in the target": ([], BODY, {"path": "/hooks/prodsmart\0/x"}),
    "empty name": ([": x"], BODY, {}),
    "name with a blank": (["X Y: z"], BODY, {}),
    "name with a bracket": (["X(Y): z"], BODY, {}),
    "folded line": (["X-A: b", " c"], BODY, {}),
    "two signatures": (["x-prodsmart-hmac-sha256: " + "0" * 40], BODY, {}),
    "two content types": (["Content-Type: text/plain"], BODY, {}),
}


@pytest.mark.parametrize("why", AMBIGUOUS)
def test_ambiguous_framing_is_refused(shared, why):
    gan, before = shared, stored(shared)
    lines, body, how = AMBIGUOUS[why]
    answer = talk(gan, head(gan, *lines, **how) + body + whole(gan))
    assert answer is not None, "the connection stayed open"
    status = status_of(answer)
    # A cut without an answer is a refusal too; an answer is 4xx or 501.
    assert status == 0 or 400 <= status < 500 or status == 501, answer[:200]
    # libmicrohttpd 0.9.75 may send the head of its own error twice: only a 200 counts.
    assert answer.count(b"HTTP/1.1 200") == 0
    assert stored(gan) == before


def test_chunked_alone_is_fine(make_gateway):
    gan = make_gateway()
    answer = talk(gan, head(gan, "Transfer-Encoding: chunked", length=False) + CHUNKED)
    assert status_of(answer) == 200
    assert stored(gan) == 1


def test_one_request_per_connection(make_gateway):
    gan = make_gateway()
    answer = talk(gan, whole(gan, BODY) + whole(gan))
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in answer.lower()
    assert stored(gan) == 1


def test_kept_alive_when_configured(make_gateway):
    gan = make_gateway(config={"listen": {"public": {"keep_alive": True}}})
    host, port = gan.public.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as s:
        for _ in range(3):
            s.sendall(whole(gan, BODY))
            got = b""
            while b"\r\n\r\n" not in got:
                chunk = s.recv(4096)
                assert chunk, got
                got += chunk
            assert status_of(got) == 200
    # The same ambiguity closes the connection all the same.
    answer = talk(gan, head(gan, "Transfer-Encoding: chunked") + CHUNKED + whole(gan))
    assert answer is not None and answer.count(b"HTTP/1.1 200") == 0


@pytest.mark.parametrize("text", [
    b"GET / HTTP/1.1", b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\0" * 64,
    b"POST /hooks/prodsmart HTTP/2.0\r\n\r\n", b"GET  /healthz  HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /hooks/prodsmart\r\n\r\n"])
def test_no_http_hurts_nobody(shared, text):
    gan, before = shared, stored(shared)
    answer = talk(gan, text + b"\r\n\r\n", timeout=12)
    assert answer is not None
    assert status_of(answer) != 200
    assert gan.send_webhook("lot_deleted", BODY).status == 200
    assert stored(gan) == before + 1


def test_headers_beyond_the_limit(shared):
    gan, before = shared, stored(shared)
    answer = talk(gan, head(gan, "X-Long: " + "x" * 100000) + BODY)
    assert answer is not None and status_of(answer) in (0, 400, 413, 431)
    answer = talk(gan, head(gan, *[f"X-{i}: {i}" for i in range(5000)]) + BODY)
    assert answer is not None and status_of(answer) in (0, 400, 413, 431)
    assert stored(gan) == before


def drip(gan, data, every, limit):
    """One byte each `every` seconds until the server closes; how long that took."""
    host, port = gan.public.rsplit(":", 1)
    start = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=5) as s:
        s.settimeout(every)
        for byte in data * 1000:
            if time.monotonic() - start > limit:
                return None
            try:
                s.send(bytes([byte]))
                if not s.recv(4096):
                    return time.monotonic() - start
                return time.monotonic() - start  # an answer, 408
            except socket.timeout:
                continue
            except OSError:
                return time.monotonic() - start
    return None


def test_slow_senders_meet_a_deadline(make_gateway):
    """5 s for the head, 15 s for the body, whatever drips in meanwhile."""
    gan = make_gateway()
    took = {}

    def slow_head():
        took["head"] = drip(gan, b"POST /hooks/prodsmart HTTP/1.1\r\nX-A: " + b"a" * 100, 0.2, 12)

    def slow_body():
        host, port = gan.public.rsplit(":", 1)
        start = time.monotonic()
        with socket.create_connection((host, int(port)), timeout=0.3) as s:
            s.sendall(head(gan, length=False, *["Content-Length: 1000"]))
            while time.monotonic() - start < 40:
                try:
                    s.send(b" ")
                    if s.recv(4096) is not None:
                        break
                except socket.timeout:
                    continue
                except OSError:
                    break
        took["body"] = time.monotonic() - start

    threads = [threading.Thread(target=t) for t in (slow_head, slow_body)]
    for t in threads:
        t.start()
    assert gan.send_webhook("lot_deleted", BODY).status == 200
    for t in threads:
        t.join()
    assert took["head"] is not None and 4 <= took["head"] <= 8 * kit.SLOW
    assert 13 <= took["body"] <= 20 * kit.SLOW
    assert stored(gan) == 1


@pytest.mark.parametrize("line", [b"0" * 50000, b"8;" + b"x" * 50000, b"0\r\nX: " + b"x" * 50000],
                         ids=["size", "extension", "trailer"])
def test_an_endless_chunk_header_stops_nobody(make_gateway, line):
    """libmicrohttpd's buffer is full, and it asks for ever to be run at once."""
    gan = make_gateway()
    host, port = gan.public.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as s:
        s.sendall(head(gan, "Transfer-Encoding: chunked", length=False) + line)
        before, start = processor_ticks(gan), time.monotonic()
        for _ in range(20):
            assert gan.http("POST", "/hooks/prodsmart", BODY, kit.webhook_headers(
                gan.SECRETS["prodsmart-hook"], "lot_deleted", BODY), timeout=2).status == 200
        assert time.monotonic() - start < 2 * kit.SLOW
        kit.wait_until(lambda: time.monotonic() - start > 2, 3, "two seconds are over")
        assert processor_ticks(gan) - before < os.sysconf("SC_CLK_TCK") * min(1, kit.SLOW / 2)


def processor_ticks(gan):
    with open(f"/proc/{gan.proc.pid}/stat", encoding="ascii", errors="replace") as f:
        return sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:13])


def test_idle_connections_do_not_make_the_listener_deaf(make_gateway):
    gan = make_gateway(config={"listen": {"public": {"max_connections": 20}}})
    host, port = gan.public.rsplit(":", 1)
    idle = [socket.create_connection((host, int(port)), timeout=5) for _ in range(40)]
    try:
        # All of them time out; then the listener must be there again.
        kit.wait_until(lambda: answers(gan), 20, "a webhook is answered again", every=0.25)
    finally:
        for s in idle:
            s.close()


def test_silent_connections_keep_nobody_out(make_gateway):
    gan = make_gateway(config={"listen": {"public": {"max_connections": 50}}})
    host, port = gan.public.rsplit(":", 1)
    idle = [socket.create_connection((host, int(port)), timeout=5) for _ in range(80)]
    try:
        start = time.monotonic()
        assert gan.http("POST", "/hooks/prodsmart", BODY, kit.webhook_headers(
            gan.SECRETS["prodsmart-hook"], "lot_deleted", BODY)).status == 200
        assert time.monotonic() - start < 3 * kit.SLOW
    finally:
        for s in idle:
            s.close()


def answers(gan):
    try:
        return gan.http("POST", "/hooks/prodsmart", BODY, kit.webhook_headers(
            gan.SECRETS["prodsmart-hook"], "lot_deleted", BODY), timeout=2).status == 200
    except OSError:
        return False
