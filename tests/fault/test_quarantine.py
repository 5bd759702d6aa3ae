# SPDX-License-Identifier: MIT
"""test_quarantine.py - badly signed posts: a flood of them, and the real ones among them.

GANTRY_FLOOD is the number of badly signed posts of the flood: 50,000 by
default, 1,000,000 (some two minutes) for the whole of it.
"""

import json
import os
import random
import subprocess
import threading
import time

import kit
import process
import pytest
import rules
from witness import Witness

FLOOD = int(os.environ.get("GANTRY_FLOOD", "50000"))
MIB = 1 << 20


def size_of(gan):
    """What the database takes on disk, its log apart."""
    sizes = {}
    for name in ("gantry.db", "gantry.db-wal"):
        path = gan.path("data", name)
        sizes[name] = os.path.getsize(path) if os.path.exists(path) else 0
    return sizes


class Watch:
    """The most that log, WAL and descriptors of the daemon came to."""

    def __init__(self, gan):
        self.gan, self.wal, self.fds = gan, 0, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(0.05):
            self.wal = max(self.wal, size_of(self.gan)["gantry.db-wal"])
            self.fds = max(self.fds, len(os.listdir(f"/proc/{self.gan.proc.pid}/fd")))

    def __enter__(self):
        self.began, self.lines = time.monotonic(), self.gan.log().count("\n")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        took = max(1.0, time.monotonic() - self.began)
        self.rate = (self.gan.log().count("\n") - self.lines) / took


def flood(gan, posts, body=None):
    """That many posts under a wrong secret, as fast as they go; returns how many were refused."""
    program = os.path.join(kit.BUILD, "tests", "bench", "load")
    if not os.access(program, os.X_OK):
        pytest.skip(f"{program} is not built: make check-fault builds it")
    secret = gan.path("wrong-secret")
    gan.write("wrong-secret", "what-somebody-guessed-0123456789\n", 0o600)
    refused, end = 0, time.monotonic() + 900
    while refused < posts and time.monotonic() < end:
        done = subprocess.run(
            [program, "--url", f"http://{gan.public}/hooks/prodsmart", "--secret-file", secret,
             "--connections", "32", "--seconds", "1" if posts < 100_000 else "5",
             *(["--body", body] if body else [])],
            capture_output=True, text=True, check=True)
        said = json.loads(done.stdout)
        assert said["ok"] == 0, said
        refused += said["refused"]
    assert refused >= posts, "the flood was slower than 15 minutes"
    return refused


class Good:
    """Real webhooks in the middle of it; each must be taken at once."""

    def __init__(self, gan):
        self.gan, self.n = gan, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.wrong = []

    def run(self):
        while not self.over.wait(0.01):
            got = self.gan.send_webhook("lot_created", {"n": self.n, "key": self.n % 4})
            if got.status != 200:
                self.wrong.append((self.n, got))
            self.n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def test_a_flood_fills_no_disk_and_hides_no_good_one(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX}, config={
        "listen": {"public": {"keep_alive": True}}})
    before = size_of(gan)["gantry.db"]
    with Watch(gan) as watch, Witness(gan) as seen, Good(gan) as good:
        start = time.monotonic()
        refused = flood(gan, FLOOD)
        took = time.monotonic() - start
    print(f"{refused} refused in {took:.0f} s, {good.n} good ones meanwhile; "
          f"log {watch.rate:.1f} lines/s, WAL {watch.wal / MIB:.0f} MiB, {watch.fds} descriptors, "
          f"RSS {process.mib(gan.proc.pid, 'VmHWM'):.0f} MiB")
    seen.check()
    assert not good.wrong, good.wrong[:3]
    assert good.n > 20
    gan.drain(60)
    got = [n for n, _, _, _ in rules.lines(sim, acted=True)]
    assert sorted(got) == list(range(good.n)), "every good one, once"
    for key in range(4):
        mine = [n for n, k, _, _ in rules.lines(sim, acted=True) if k == str(key)]
        assert mine == sorted(mine)
    status = gan.status()
    assert 0 < status["quarantined"] <= 1000
    assert len(gan.ctl("quarantine list", "--limit", "1000")) == status["quarantined"]
    assert watch.rate <= 100 and watch.wal <= 64 * MIB and watch.fds < 600
    assert process.mib(gan.proc.pid, "VmHWM") <= 256 * kit.SLOW
    growth = size_of(gan)["gantry.db"] - before
    assert growth < 16 * MIB + 4096 * good.n, f"the database grew by {growth / MIB:.0f} MiB"
    metrics = kit.request(gan.admin, "GET", "/metrics").body.decode()
    counted = [line for line in metrics.split("\n") if "signature" in line and line[0] != "#"]
    assert any(int(float(line.split()[-1])) >= refused for line in counted), counted


def test_a_flood_of_large_ones_stays_in_its_ring(make_gateway):
    """64 MiB are kept, however much comes, and what was pushed out gives its place."""
    gan = make_gateway(config={"listen": {"public": {"keep_alive": True}}})
    gan.write("large.json", '{"n":@N@,"x":"' + "x" * 1_000_000 + '"}')
    with Watch(gan) as watch, Witness(gan) as seen:
        flood(gan, 100, gan.path("large.json"))
        first = size_of(gan)["gantry.db"]
        flood(gan, 100, gan.path("large.json"))
    seen.check()
    rows = gan.ctl("quarantine list", "--limit", "1000")
    assert 0 < len(rows) <= 67
    second = size_of(gan)["gantry.db"]
    print(f"{len(rows)} kept; {first / MIB:.0f} then {second / MIB:.0f} MiB, "
          f"WAL {watch.wal / MIB:.0f} MiB, RSS {process.mib(gan.proc.pid, 'VmHWM'):.0f} MiB")
    assert first < 100 * MIB and second < 100 * MIB
    assert watch.wal <= 64 * MIB and watch.rate <= 100
    assert process.mib(gan.proc.pid, "VmHWM") <= 256 * kit.SLOW


def test_a_hundred_real_ones_are_taken_in_when_the_secret_is_mended(make_gateway, sim, seed):
    """In the order in which they came, none twice, and the forged ones among them not at all."""
    choice = random.Random(seed)
    gan = make_gateway({"flex.yaml": rules.FLEX})
    right, sent, forged = "what-the-vendor-really-uses-0123456789", [], 0
    for n in range(100):
        body = {"n": n, "key": choice.randrange(5)}
        ident = f"91cb972d-b476-4936-947c-{n:012d}"
        assert gan.send_webhook("lot_created", body, secret=right, webhook_uuid=ident).status == 401
        sent.append((body, ident))
        if n % 5 == 0:
            forged += 1
            assert gan.send_webhook("lot_created", {"n": 1000 + n, "key": 0},
                                    secret="guessed").status == 401
        if n % 10 == 0:  # a sender that does send again
            assert gan.send_webhook("lot_created", body, secret=right,
                                    webhook_uuid=ident).status == 401
    kit.wait_until(lambda: gan.status()["quarantined"] == 110 + forged, 10, "all are kept")
    assert sum(gan.status()["events"].values()) == 0
    gan.restart()
    gan.secret("prodsmart-hook", right)
    gan.ctl("reload")
    taken = gan.ctl("quarantine accept", "--all-matching", "--yes")
    accepted = [i for i in taken if i["accepted"]]
    assert len(accepted) == 110 and sum(i["duplicate"] for i in accepted) == 10
    events = gan.ctl("events list", "--limit", "1000")[::-1]
    assert len(events) == 100
    # Once more, one by one and by their sender: nothing is taken twice.
    assert [i for i in gan.ctl("quarantine accept", "--all-matching", "--yes")
            if i["accepted"]] == []
    for body, ident in choice.sample(sent, 20):
        assert gan.send_webhook("lot_created", body, secret=right, webhook_uuid=ident).status == 200
    assert len(gan.ctl("quarantine list", "--limit", "1000")) == forged
    gan.drain()
    assert sum(gan.status()["events"].values()) == 100
    got = rules.lines(sim, acted=True)
    assert sorted(n for n, _, _, _ in got) == list(range(100))
    for key in range(5):
        mine = [n for n, k, _, _ in got if k == str(key)]
        assert mine == sorted(mine), f"key {key}"
    ids = [i["event"] for i in accepted if not i["duplicate"]]
    assert [e["id"] for e in events] == ids, "events have the order of their receipt"


def test_rotation_refuses_no_valid_webhook(make_gateway, sim):
    """old → [old, new] → [new, old] → new, again and again, with a reload at each step.

    A sender that changes over while both are known is never refused; neither is
    one that has not yet, until the old secret is gone.
    """
    old, new = kit.Gateway.SECRETS["prodsmart-hook"], "the-new-hook-secret-0123456789"
    gan = make_gateway({"flex.yaml": rules.FLEX}, start=False)
    gan.secret("new-hook", new)
    gan.start()
    valid, lock = {"old": True, "new": False}, threading.Lock()
    results, wrong, over = [], [], threading.Event()

    def send(name, secret, first):
        n = first
        while not over.wait(0.02):
            with lock:
                must = valid[name]  # decided before the request leaves …
            got = gan.send_webhook("lot_created", {"n": n, "key": name}, secret=secret)
            with lock:
                still = valid[name]  # … and true until after it was answered
            results.append((name, got.status, n))
            if must and still and got.status != 200:
                wrong.append((name, n, got))
            n += 2

    def step(names, allow=(), forbid=()):
        with lock:
            valid.update({k: False for k in forbid})
        gan.reconfigure(sources={"prodsmart": {"secret": [f"secret:{n}" for n in names]}})
        gan.ctl("reload")
        with lock:
            valid.update({k: True for k in allow})
        seen = len(results)
        kit.wait_until(lambda: len(results) > seen + 6, 10, "webhooks between two steps")

    threads = [threading.Thread(target=send, args=("old", old, 0)),
               threading.Thread(target=send, args=("new", new, 1))]
    for t in threads:
        t.start()
    try:
        for _ in range(2):
            step(["prodsmart-hook", "new-hook"], allow=["new"])
            step(["new-hook", "prodsmart-hook"])
            gan.ctl("reload")
            step(["new-hook"], forbid=["old"])
            step(["new-hook", "prodsmart-hook"], allow=["old"])
            step(["prodsmart-hook", "new-hook"])
            step(["prodsmart-hook"], forbid=["new"])
    finally:
        over.set()
        for t in threads:
            t.join()
    assert not wrong, wrong[:5]
    accepted = sorted(n for _, status, n in results if status == 200)
    refused = [n for _, status, n in results if status != 200]
    assert len(accepted) > 20 and refused, "both sides were seen"
    assert {status for _, status, _ in results} == {200, 401}
    gan.drain()
    assert sorted(n for n, _, _, _ in rules.lines(sim, acted=True)) == accepted
    # What was refused is in quarantine, and comes in when its secret is known again.
    gan.reconfigure(sources={"prodsmart": {"secret": ["secret:prodsmart-hook", "secret:new-hook"]}})
    gan.ctl("reload")
    taken = gan.ctl("quarantine accept", "--all-matching", "--yes")
    gan.drain()
    print(f"{len(accepted)} accepted, {len(refused)} refused, {len(taken)} in quarantine")
    assert sorted(n for n, _, _, _ in rules.lines(sim, acted=True)) == sorted(accepted + refused)
