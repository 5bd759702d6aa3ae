# SPDX-License-Identifier: MIT
"""test_crash.py - kill -9 and SIGTERM under load: the accounts must balance."""

import http.client
import os
import random
import shutil
import socket
import subprocess
import threading
import time

import history
import kit
import pytest
import rules
from load import CONFIG, RULES, Load, settle

KILLS = int(os.environ.get("GANTRY_KILLS", "50"))


@pytest.fixture
def gan(make_gateway):
    return make_gateway(RULES, config=CONFIG)


def test_kill_nine_under_load(gan, sim, seed):
    rng = random.Random(seed)
    # Answers that come late, after the deed: a kill then finds requests in flight.
    for system in ("flex2b", "movilitas"):
        sim.fault(system, "late", ms=30, probability=0.5, seed=seed % 999961)
    with Load(gan) as load:
        for _ in range(KILLS):
            before = len(load.acked)
            kit.wait_until(lambda: len(load.acked) > before + rng.randrange(1, 40), 20,
                           "events are accepted")
            with load.account.excused():
                gan.kill()
            gan.start(rules=rng.random() < 0.5)  # the next kill may come while they load
    kit.wait_until(lambda: gan.status()["events"]["received"] == 0, 60, "all mapped")

    # Acknowledged = delivered + attention + waiting, before anybody helps.
    gan.drain(120)
    status = gan.status()
    rows = gan.deliveries()
    assert len(rows) == len({d["event"] for d in rows}) == sum(status["deliveries"].values())
    assert len(load.acked) <= len(rows) <= len(load.acked) + len(load.account.doubt)
    assert {d["state"] for d in rows} <= {"delivered", "unknown", "waiting"}
    held = {i["id"] for i in gan.attention(kind="unknown")}
    assert held == {d["id"] for d in rows if d["state"] == "unknown"}
    assert len(load.acked) > 5 * KILLS, "hardly a load"
    held_keys = {d["key"] for d in rows if d["id"] in held}
    assert all(d["key"] in held_keys for d in rows if d["state"] == "waiting")
    assert len(held) <= KILLS * 16, "only what was in flight at a kill is unknown"

    sim.clear()
    settle(gan, sim)
    assert {d["state"] for d in gan.deliveries()} == {"delivered"}
    _, deeds = history.verify(gan, sim, load.account)
    assert len(history.doubles(deeds)) <= KILLS * 8


def test_kill_while_vendors_misbehave(gan, sim, seed):
    rng = random.Random(seed)
    sim.fault("flex2b", "status", status=500, probability=0.1, seed=seed % 999983)
    sim.fault("flex2b", "drop-after", probability=0.1, seed=seed % 999979)
    with Load(gan) as load:
        for _ in range(8):
            before = len(load.acked)
            kit.wait_until(lambda: len(load.acked) > before + rng.randrange(10, 60), 20,
                           "events are accepted")
            with load.account.excused():
                gan.kill()
            gan.start()
    sim.clear()
    settle(gan, sim)
    history.verify(gan, sim, load.account)


def test_no_worker_outlives_a_killed_daemon(gan):
    pid = gan.proc.pid
    gan.send_webhook("lot_created", {"n": 1, "key": "a"})  # workers may wait for work to start
    gan.wait_key("k/a", "delivered")
    children = kit.wait_until(lambda: workers_of(pid), 5, "workers")
    gan.kill()
    kit.wait_until(lambda: not any(os.path.exists(f"/proc/{c}") for c in children), 5,
                   "the workers have ended")
    gan.start()


def workers_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return f.read().split()


def test_sigterm_under_load_answers_everybody(gan, sim):
    """Requests that wait for their commit get their answer; the stop is clean and quick."""
    with Load(gan, threads=16) as load:
        kit.wait_until(lambda: len(load.acked) > 100, 20, "events are accepted")
        start = time.monotonic()
        assert gan.stop() == 0
        assert time.monotonic() - start < 10 * kit.SLOW
        load.stopped.set()
    # Whoever got no answer had not been accepted: its connection was refused or reset
    # before a request was read.  One or two may have been on their way.
    gan.start()
    settle(gan, sim)
    total = sum(gan.status()["events"].values())
    assert len(load.acked) <= total <= len(load.acked) + len(load.account.doubt)
    history.verify(gan, sim, load.account)
    assert gan.attention() == []


def test_sigterm_lets_transfers_end(gan, sim):
    sim.fault("flex2b", "late", ms=700)
    gan.send_webhook("lot_created", {"n": 1, "key": "a"})
    kit.wait_until(lambda: sim.journal("flex2b"), 5, "the request is in flight")
    assert gan.stop() == 0
    gan.start()
    assert [d["state"] for d in gan.deliveries()] == ["delivered"]
    assert len(rules.lines(sim)) == 1


def test_sigterm_twice_ends_at_once(gan, sim):
    sim.fault("movilitas", "hang-after")
    gan.erp_post("waste", {"key": "a", "gtin": rules.GTIN, "serials": ["A"]})
    kit.wait_until(lambda: sim.journal("movilitas"), 5, "the request is in flight")
    gan.proc.terminate()
    gan.wait_notify("STOPPING=1", 5)
    gan.proc.terminate()
    gan.wait_end(5)
    gan.start()
    gan.wait_key("po/a", "unknown")


def test_not_ready_while_draining(gan, sim):
    sim.fault("flex2b", "late", ms=1500)
    gan.send_webhook("lot_created", {"n": 1, "key": "a"})
    kit.wait_until(lambda: sim.journal("flex2b"), 5, "the request is in flight")
    gan.proc.terminate()
    gan.wait_notify("STOPPING=1", 5)
    try:
        assert gan.http("GET", "/readyz", timeout=2).status == 503
    except (OSError, http.client.HTTPException):
        pass  # closed: not ready either
    assert gan.wait_end(10) == 0


# -- sockets of the service manager ------------------------------------------------


def listening():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    s.listen(512)
    return s


@pytest.mark.parametrize("how", ["term", "kill"])
def test_a_restart_under_socket_activation_refuses_nobody(make_gateway, sim, how):
    gan = make_gateway({"flex.yaml": rules.FLEX}, config=CONFIG, start=False)
    with listening() as s:
        port = s.getsockname()[1]
        gan.start(listen=s)
        assert gan.public == f"127.0.0.1:{port}"
        acked, bad, stop = [], [], threading.Event()

        def send(thread):
            n = thread
            while not stop.is_set():
                try:
                    got = gan.send_webhook("lot_created", {"n": n, "key": thread})
                    (acked if got.status == 200 else bad).append((n, got.status))
                except ConnectionRefusedError as why:
                    bad.append((n, repr(why)))
                except (OSError, http.client.HTTPException) as why:
                    if how == "term":
                        bad.append((n, repr(why)))
                n += 4

        threads = [threading.Thread(target=send, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        try:
            for _ in range(3):
                before = len(acked)
                kit.wait_until(lambda: len(acked) > before + 20, 10, "events are accepted")
                if how == "term":
                    assert gan.stop() == 0
                else:
                    gan.kill()
                gan.start(listen=s)
        finally:
            stop.set()
            for t in threads:
                t.join()
    refused = [b for b in bad if "Refused" in str(b[1])]
    assert refused == []
    if how == "term":
        # A stop may say 503 to what is already connected; nothing is cut without a word.
        assert [b for b in bad if b[1] != 503] == []
    settle(gan, sim)  # what a kill cut in flight is unknown, and holds its key
    got = {n for n, _, _, _ in rules.lines(sim, acted=True)}
    assert {n for n, _ in acked} <= got


def test_under_systemd_socket_activate(make_gateway):
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        pytest.skip("systemd-socket-activate is not here")
    gan = make_gateway(start=False)
    with listening() as s:
        port = s.getsockname()[1]
    with open(gan.log_path, "ab") as log:
        proc = subprocess.Popen(
            [tool, "-l", f"127.0.0.1:{port}", kit.program("gantryd"), "--config",
             gan.path("gantry.yaml")], stdout=log, stderr=log, cwd=gan.dir)
    try:
        gan.public = f"127.0.0.1:{port}"

        def listens():
            try:
                return gan.http("GET", "/healthz").status == 200
            except ConnectionRefusedError:
                return False
        kit.wait_until(listens, 15, "the socket listens")
        assert gan.send_webhook("lot_created", {}).status == 200
    finally:
        proc.terminate()
        proc.wait(15)
