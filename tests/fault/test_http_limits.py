# SPDX-License-Identifier: MIT
"""test_http_limits.py - all slots, all descriptors, everybody at once: a webhook still gets in.

An honest sender (lib/witness.py) posts during each attack; each of its
webhooks must be answered 200 within a second.
"""

import selectors
import shutil
import socket
import threading

import kit
import pytest
import raw
from witness import Witness

DEFAULT = 512  # listen.public.max_connections


def limited(n):
    return {"listen": {"public": {"max_connections": n}}}


def until_closed(socks, deadline):
    """Read each of them to its end, all at the same time; False: some are still open."""
    sel = selectors.DefaultSelector()
    for s in socks:
        s.setblocking(False)
        sel.register(s, selectors.EVENT_READ)
    left = len(socks)

    def look():
        nonlocal left
        for key, _ in sel.select(0.05):
            try:
                more = key.fileobj.recv(4096)
            except OSError:
                more = b""
            if not more:
                sel.unregister(key.fileobj)
                left -= 1
        return left == 0
    try:
        return kit.wait_until(look, deadline, f"{len(socks)} connections are closed", every=0)
    finally:
        sel.close()


def close_all(socks):
    for s in socks:
        s.close()


# -- connections ----------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 4, 50, None], ids=lambda n: f"limit {n or DEFAULT}")
def test_a_full_house_of_idle_connections_is_not_deaf(make_gateway, limit):
    """pitfalls 1.1: libmicrohttpd at its limit forgets its listening socket.

    Red without the second MHD_run() and the heartbeat; and, since others wait
    in the queue, without the short patience with silent ones (5 s each round).
    """
    gan = make_gateway(config=limited(limit) if limit else {
        "listen": {"public": {"max_connections": None}}})
    n = limit or DEFAULT
    for _ in range(3 if limit else 1):
        idle = [raw.connect(gan) for _ in range(n + min(n, 60))]
        try:
            with Witness(gan) as seen:
                seen.wait(1)
                until_closed(idle[:n], 15)
                seen.wait(1)
            seen.check(least=2)
        finally:
            close_all(idle)


def test_all_leave_at_the_same_time(make_gateway):
    """The same without anybody waiting, so that all 50 time out in one turn, after 5 s."""
    gan = make_gateway(config=limited(50))
    idle = [raw.connect(gan) for _ in range(50)]
    try:
        until_closed(idle, 15)
    finally:
        close_all(idle)
    with Witness(gan) as seen:
        seen.wait(5)
    seen.check()


@pytest.mark.parametrize("first", ["line", "head", "body", "kept"])
def test_a_full_house_of_slow_ones_keeps_nobody_out(make_gateway, first):
    """Each has said something and now says nothing more.

    Red (15 s for a body) when only silent connections have less time in a crowd.
    """
    config = limited(50)
    config["listen"]["public"]["keep_alive"] = True
    gan = make_gateway(config=config)
    text = raw.whole(gan, b'{"n":1}')
    text = {"line": text[:20], "head": text[:120], "body": text[:-3], "kept": text}[first]
    slow = [raw.connect(gan) for _ in range(80)]
    try:
        for s in slow:
            raw.send(s, text)
        with Witness(gan) as seen:
            until_closed(slow[:50], 25)
            seen.wait(3)
        seen.check()
    finally:
        close_all(slow)


def test_a_long_body_that_comes_steadily_is_not_slow(make_gateway):
    """In a crowd too: it is the rate that counts."""
    gan = make_gateway(config=limited(4))
    body = b'"' + b"x" * 400_000 + b'"'
    got = []

    def post():
        with raw.connect(gan, 20) as s:
            s.sendall(raw.head(gan, body=body))
            for i in range(0, len(body), 10_000):
                s.sendall(body[i:i + 10_000])
                pause.wait(0.03)
            got.append(raw.status_of(raw.read_all(s) or b""))

    pause = threading.Event()
    thread = threading.Thread(target=post)
    thread.start()
    with Witness(gan) as seen:
        while thread.is_alive():
            idle = [raw.connect(gan) for _ in range(6)]
            until_closed(idle[:3], 15)
            close_all(idle)
    thread.join()
    assert got == [200]
    seen.check()


# -- descriptors ------------------------------------------------------------------


def test_out_of_descriptors(make_gateway):
    """No busy loop, no flood of the log, nobody turned away, and all is well after it."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit (util-linux) is not installed")
    gan = make_gateway(start=False)
    gan.start(wrap=["prlimit", "--nofile=64:64"])
    idle = []
    try:
        idle = [raw.connect(gan) for _ in range(120)]
        before = raw.processor_seconds(gan)
        with Witness(gan) as seen:
            until_closed(idle[:60], 30)
            seen.wait(5)
        used = raw.processor_seconds(gan) - before
    finally:
        close_all(idle)
    log = gan.log()
    assert "no file descriptor left" in log
    assert len(log.splitlines()) < 60, log[:3000]
    assert used < 1.0 * kit.SLOW
    n = seen.check()
    assert raw.stored(gan) == n


def test_held_descriptors_make_no_busy_loop(make_gateway):
    """An attacker who takes each descriptor again at once: the loop must look away for a while."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit (util-linux) is not installed")
    gan = make_gateway(start=False)
    gan.start(wrap=["prlimit", "--nofile=64:64"])
    host, port = gan.public.rsplit(":", 1)
    stop, made = threading.Event(), []

    def attack():
        """Keeps 120 connections open, whatever is closed on it."""
        socks = []
        while not stop.is_set():
            while len(socks) < 120:
                s = socket.create_connection((host, int(port)), timeout=5)
                s.setblocking(False)
                s.send(b"POST /hooks/prodsmart HTTP/1.1\r\nX-A: ")
                socks.append(s)
                made.append(1)
            for s in list(socks):
                try:
                    if s.recv(4096):
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                s.close()
                socks.remove(s)
            stop.wait(0.02)
        close_all(socks)

    thread = threading.Thread(target=attack)
    thread.start()
    try:
        kit.wait_until(lambda: "no file descriptor left" in gan.log(), 10, "descriptors are out")
        before, lines = raw.processor_seconds(gan), len(gan.log().splitlines())
        rounds = len(made)
        with Witness(gan) as during:
            kit.wait_until(lambda: len(made) > rounds + 300, 20, "300 more connections came")
            during.wait(5)
        assert raw.processor_seconds(gan) - before < 1.0 * kit.SLOW
        assert len(gan.log().splitlines()) - lines < 60
    finally:
        stop.set()
        thread.join()
    with Witness(gan) as seen:
        seen.wait(5)
    assert raw.stored(gan) == during.check() + seen.check()


# -- many --------------------------------------------------------------------------


def test_four_hundred_at_once(make_gateway):
    """Each is answered 200 or 503, and what was answered 200 is stored: no more, no less."""
    gan = make_gateway()
    for turn in range(3):
        before = raw.stored(gan)
        socks = [raw.connect(gan, 15) for _ in range(400)]
        with Witness(gan) as seen:
            for i, s in enumerate(socks):
                raw.send(s, raw.whole(gan, b'{"turn":%d,"n":%d}' % (turn, i)))
            got = [[status for status, _, _ in raw.answers(raw.read_all(s))] for s in socks]
            seen.wait(1)
        close_all(socks)
        assert all(g in ([200], [503]) for g in got), [g for g in got if g != [200]][:5]
        assert raw.stored(gan) - before == got.count([200]) + seen.check(least=1)
