# SPDX-License-Identifier: MIT
"""test_framing.py - raw sockets: one request a connection, sizes, deadlines.

What can be read in two ways is in tests/fault/test_http_framing.py.
"""

import socket
import threading
import time

import kit
import pytest
from raw import BODY, CHUNKED, connect, head, processor_seconds, status_of, stored, talk, whole


@pytest.fixture(scope="module")
def shared():
    """One gateway for the many small cases: each counts what it adds."""
    gan = kit.Gateway(None)
    try:
        yield gan.start()
    finally:
        gan.close()


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
    with connect(gan, 5) as s:
        for _ in range(3):
            s.sendall(whole(gan, BODY))
            got = b""
            while b"\r\n\r\n" not in got:
                chunk = s.recv(4096)
                assert chunk, got
                got += chunk
            assert status_of(got) == 200


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
    start = time.monotonic()
    with connect(gan, 5) as s:
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
        start = time.monotonic()
        with connect(gan, 0.3) as s:
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
    with connect(gan, 5) as s:
        s.sendall(head(gan, "Transfer-Encoding: chunked", length=False) + line)
        before, start = processor_seconds(gan), time.monotonic()
        for _ in range(20):
            assert gan.http("POST", "/hooks/prodsmart", BODY, kit.webhook_headers(
                gan.SECRETS["prodsmart-hook"], "lot_deleted", BODY), timeout=2).status == 200
        assert time.monotonic() - start < 2 * kit.SLOW
        kit.wait_until(lambda: time.monotonic() - start > 2, 3, "two seconds are over")
        assert processor_seconds(gan) - before < min(1, kit.SLOW / 2)
