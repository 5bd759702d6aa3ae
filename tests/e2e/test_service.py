# SPDX-License-Identifier: MIT
"""test_service.py - what gantryd and the service manager tell each other."""

import ctypes
import os
import re
import signal
import socket
import time

import kit
import pytest
import rules

FLEX = {"flex.yaml": rules.FLEX_ERP}


def lines(text):
    return dict(line.split("=", 1) for line in text.split("\n"))


class Stopped:
    """One thread of a process held still, by its name, as a debugger does it."""

    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, pid, name):
        self.tid = next(int(t) for t in os.listdir(f"/proc/{pid}/task")
                        if self.comm(pid, t) == name)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                                     ctypes.c_void_p)

    @staticmethod
    def comm(pid, tid):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            return f.read().strip()

    def __enter__(self):
        if self.libc.ptrace(self.SEIZE, self.tid, None, None) != 0:
            pytest.skip(f"may not stop a thread here: {os.strerror(ctypes.get_errno())}")
        assert self.libc.ptrace(self.INTERRUPT, self.tid, None, None) == 0
        os.waitpid(self.tid, self.WALL)

    def __exit__(self, *why):
        self.libc.ptrace(self.DETACH, self.tid, None, None)


def test_ready_tells_what_is_in_force(make_gateway):
    gan = make_gateway(FLEX, start=False)
    gan.start(rules=False)
    kit.wait_until(lambda: any("1 rules" in t for t in gan.notify.texts), 10, "a status line")
    status = lines(gan.notify.texts[-1])
    assert status["READY"] == "1"
    assert status["STATUS"] == "generation 1, 1 rules"


def test_reload_is_told_from_its_beginning_to_its_end(make_gateway):
    gan = make_gateway(FLEX)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    gan.hup()
    began = lines(gan.wait_notify("RELOADING=1", 5))
    assert before <= int(began["MONOTONIC_USEC"]) <= time.clock_gettime_ns(
        time.CLOCK_MONOTONIC) // 1000
    assert "generation 2" in lines(gan.wait_notify("READY=1", 10))["STATUS"]


def test_a_refused_reload_is_ready_again_and_says_so(make_gateway):
    gan = make_gateway(FLEX)
    gan.reconfigure(site=["no", "text"])
    gan.hup()
    gan.wait_notify("RELOADING=1", 5)
    status = lines(gan.wait_notify("READY=1", 10))["STATUS"]
    assert status == "generation 1, 1 rules (the last reload was refused)"
    gan.reconfigure(site="test")
    gan.rule("flex.yaml", "rule: [\n")
    gan.hup()
    gan.wait_notify("RELOADING=1", 5)
    status = lines(gan.wait_notify("READY=1", 10))["STATUS"]
    assert status == "generation 1, 1 rules (the folder's rules are red)"
    gan.rule("flex.yaml", rules.FLEX_ERP)
    gan.hup()
    gan.wait_notify("RELOADING=1", 5)
    assert lines(gan.wait_notify("READY=1", 10))["STATUS"] == "generation 2, 1 rules"


def test_stopping_comes_first_and_nothing_after_it(make_gateway):
    gan = make_gateway(FLEX)
    notes = gan.notify
    assert gan.stop() == 0
    assert "STOPPING=1" in notes.texts[-1].split("\n")


def test_the_watchdog_is_fed_in_time(make_gateway):
    """At least once in each half of the time it gives, also under load and during a reload."""
    gan = make_gateway(FLEX, start=False)
    gan.start(env={"WATCHDOG_USEC": "1200000"})
    seen = []
    for n in range(6):
        gan.erp_post("line", {"n": n, "key": "a"})
        gan.wait_notify("WATCHDOG=1", 5)
        seen.append(time.monotonic())
        if n == 2:
            gan.proc.send_signal(signal.SIGHUP)
    gaps = [b - a for a, b in zip(seen, seen[1:])]
    assert max(gaps) < 0.6 * kit.SLOW, gaps


def test_no_watchdog_is_fed_that_nobody_asked_for(make_gateway):
    gan = make_gateway(FLEX, start=False)
    # Meant for another process: not ours.
    gan.start(env={"WATCHDOG_USEC": "300000", "WATCHDOG_PID": "1"})
    for n in range(3):
        gan.erp_post("line", {"n": n, "key": "a"})
    gan.wait_key("k/a", "delivered", n=3)
    gan.ctl("reload")
    assert not any("WATCHDOG" in t for t in gan.notify.texts)


def test_a_store_that_stands_still_starves_the_watchdog(make_gateway):
    """The loop turns, the store thread does not: the service manager must hear nothing."""
    gan = make_gateway(FLEX, start=False)
    gan.start(env={"WATCHDOG_USEC": "600000"})
    gan.wait_notify("WATCHDOG=1", 5)
    with Stopped(gan.proc.pid, "gantry-store"):
        gan.notify.skip()
        assert kit.request(gan.public, "GET", "/healthz").status == 200, "the loop turns"
        gan.notify.next("WATCHDOG=1", 0.3)  # one may have been on its way
        assert gan.notify.next("WATCHDOG=1", 1.5) is None
    gan.wait_notify("WATCHDOG=1", 5)


def test_a_stop_is_clean_within_10_s_whatever_hangs(make_gateway, sim):
    """A target that never answers, a sender that never ends its body, a rule that never ends."""
    gan = make_gateway({**FLEX, "runaway.yaml": "rule: runaway\nfrom: erp/forever\n"
                        "to: flex2b/replicationpost\nmap: 'until(false; .)'\n"},
                       config={"mapping": {"timeout": "30s"},
                               "connectors": {"flex2b": {"timeout": {"total": "60s"}}}})
    sim.fault("flex2b", "hang-after")
    gan.erp_post("line", {"n": 1, "key": "a"})
    kit.wait_until(lambda: sim.journal("flex2b"), 5, "the request is in flight")
    slow = socket.create_connection(gan.public.rsplit(":", 1))
    slow.sendall(b"POST /v1/events/erp/line HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    gan.erp_post("forever", {})
    start = time.monotonic()
    assert gan.stop() == 0
    assert time.monotonic() - start < 10 * kit.SLOW
    slow.close()
    assert gan.log().rstrip().endswith("stopped")
    gan.start()
    assert [d["state"] for d in gan.deliveries()] == ["unknown"]
    assert gan.status()["events"]["received"] == 1, "the one that was not mapped waits"


def test_status_is_one_line(make_gateway):
    gan = make_gateway(FLEX)
    gan.ctl("reload")
    for text in gan.notify.texts:
        assert re.fullmatch(r"([A-Z_]+=[^\n]*\n?)+", text), text
    assert os.path.exists(gan.socket)
