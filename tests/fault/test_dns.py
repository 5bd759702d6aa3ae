# SPDX-License-Identifier: MIT
"""test_dns.py - a name server that takes half a minute holds up nobody but its own connector."""

import os
import time

import history
import kit
import load
import pytest

PRELOAD = os.path.join(os.path.abspath(kit.BUILD), "tests/fault/slow_dns.so")
HOST = "vendor.invalid"


@pytest.fixture
def gan(make_gateway):
    """The name of Movilitas resolves slowly, that of Flex2B at once."""
    if not os.path.exists(PRELOAD):
        pytest.skip(f"{PRELOAD} is not built: make check-fault does it")
    if os.path.basename(kit.BUILD).endswith("-asan"):
        pytest.skip("a sanitizer must be the first library that is loaded")
    gateway = make_gateway(load.RULES, config=load.CONFIG, start=False)
    gateway.reconfigure(connectors={"movilitas": {"base_url": f"https://{HOST}"}})
    gateway.start(env={"LD_PRELOAD": PRELOAD, "SLOW_DNS_HOST": HOST, "SLOW_DNS_MS": "30000"})
    return gateway


def test_slow_names_hold_up_nobody_else(gan, sim):
    senders = load.Load(gan)
    for n in range(1, 33, 4):  # eight keys' worth for the slow one: all its slots
        assert senders.tell(n, f"slow{n}", lambda: senders.waste(n, f"slow{n}")) == 202
    kit.wait_until(lambda: "slow_dns: " + HOST in gan.log(), 10, "the name is asked for")

    def waits():
        return next(c for c in gan.status()["connectors"] if c["name"] == "movilitas")["in_flight"]
    # Longer than the time-out of a transfer: the resolver is still asleep when it ends.
    end = time.monotonic() + 3 * kit.SLOW
    slowest, n = 0.0, 0
    while time.monotonic() < end:
        begin = time.monotonic()
        assert senders.one(4 * n, 0) == 200
        slowest = max(slowest, time.monotonic() - begin)
        n += 1
        assert waits() <= 8
    assert slowest < 1 * kit.SLOW, "a webhook waited for a name"
    kit.wait_until(lambda: len(gan.deliveries(connector="flex2b", state="delivered")) == n, 10,
                   "the other connector delivers")
    slow = gan.deliveries(connector="movilitas")
    assert len(slow) == 8
    assert {d["state"] for d in slow} <= {"waiting", "sending"}
    assert gan.attention() == [], "no byte left: nothing is unknown"
    history.verify(gan, sim, senders.account)
    gan.stop()  # has a deadline of its own, far below the resolver's
