# SPDX-License-Identifier: MIT
"""test_failpoints.py - killed at the worst moments, under load: the accounts still balance.

Needs a second gantryd, built with failpoints (`make check-fault` builds it):
    make BUILD=build-failpoints FAILPOINTS=1 build-failpoints/gantryd
GANTRY_ROUNDS=N kills N times at each place, once by default.
"""

import os
import random
import re
import signal
import sqlite3
import subprocess
import time

import history
import kit
import load
import pytest

GANTRYD = os.path.join(os.path.abspath(kit.BUILD) + "-failpoints", "gantryd")
ROUNDS = int(os.environ.get("GANTRY_ROUNDS", "1"))
# Places, and how often each is passed, at most, before the kill.
PLACES = {
    "after-read": 60,            # the request is read, nothing is stored
    "before-commit": 60,         # written into the transaction, which is not committed
    "after-commit": 60,          # stored, and not answered
    "after-answer": 60,
    "after-claim": 60,           # `sending` is committed, no byte has left
    "after-vendor-answer": 60,   # the peer did it and said so, and nothing is recorded
    "checkpoint-write": 12,      # some pages of a checkpoint are in the database, some not
    "checkpoint-sync": 1,
}


@pytest.fixture
def make(make_gateway):
    if not os.access(GANTRYD, os.X_OK):
        pytest.skip(f"{GANTRYD} is not built: make check-fault does it")

    def gateway(**config):
        gan = make_gateway(load.RULES, config={**load.CONFIG, **config}, start=False)
        gan.gantryd = GANTRYD
        return gan

    return gateway


def died(gan):
    """Wait for the end that the failpoint brings."""
    assert gan.proc.wait(30 * kit.SLOW) == -signal.SIGKILL, gan.log()
    gan.kill()  # tidies up


@pytest.mark.parametrize("place", PLACES)
def test_killed_there_under_load(make, sim, seed, place):
    rng = random.Random(seed)
    gan = make()
    gan.start()
    with load.Load(gan) as senders:
        for _ in range(ROUNDS):
            with senders.account.excused():
                gan.kill()
                at = rng.randint(1, PLACES[place])
                gan.start(env={"GANTRY_FAILPOINT": f"{place}=kill@{at}"}, rules=False)
            if place.startswith("checkpoint"):
                # A checkpoint comes when the log is long, or when nobody asks for anything.
                before = len(senders.acked)
                kit.wait_until(lambda: len(senders.acked) > before + 20, 20, "there is something")
                senders.hold()
            begin = time.time()
            died(gan)
            senders.account.excuses.append((begin, time.time()))
            senders.go_on()
        assert f"failpoint {place}: kill" in gan.log()
        gan.start()
        before = len(senders.acked)
        kit.wait_until(lambda: len(senders.acked) > before + 20, 20, "events are accepted again")
    load.settle(gan, sim)
    history.verify(gan, sim, senders.account)


def test_the_vendor_answered_before_our_record(make, sim):
    """Unknown, held and told to a person; what he has sent again carries the same ids."""
    gan = make()
    senders = load.Load(gan)
    with senders.account.excused():
        for n in (0, 1):
            gan.start(env={"GANTRY_FAILPOINT": "after-vendor-answer=kill"})
            senders.one(n, n)
            died(gan)
    gan.start()
    gan.wait_key("k/0.0", "unknown")
    gan.wait_key("po/1.0", "unknown")
    _, deeds = history.verify(gan, sim, senders.account)
    assert sorted(d.n for d in deeds) == [0, 1]
    load.settle(gan, sim)
    _, deeds = history.verify(gan, sim, senders.account)
    assert list(history.doubles(deeds)) == [0]


def test_a_sender_that_heard_nothing_repeats_itself(make, sim):
    """Killed between COMMIT and answer: the repeat is the same event, told by its id."""
    gan = make()
    senders = load.Load(gan)
    for n in (0, 1):
        gan.start(env={"GANTRY_FAILPOINT": "after-commit=kill"})
        body = {"n": n, "key": "a"}

        def post():
            return (gan.send_webhook("lot_created", body, webhook_uuid="w-1") if n == 0
                    else senders.waste(n, "a"))
        assert senders.tell(n, "a", post) is None
        died(gan)
        gan.start()
        assert senders.tell(n, "a", post) in (200, 202)
        load.settle(gan, sim)
        gan.stop()
    gan.start()
    history.verify(gan, sim, senders.account)
    assert sum(gan.status()["events"].values()) == 2


def test_a_commit_that_fails_is_not_acknowledged(make, sim, seed):
    """503 for all that waited for it, then the end; what had been told 2xx is there."""
    rng = random.Random(seed)
    gan = make()
    gan.start()
    with load.Load(gan, threads=16) as senders:
        for _ in range(3):
            with senders.account.excused():
                gan.kill()
                gan.start(env={"GANTRY_FAILPOINT": f"before-commit=fail@{rng.randint(5, 60)}"},
                          rules=False)
                assert gan.wait_end(30) != 0
                gan.start()
    assert set(senders.account.statuses) <= {200, 202, 503}
    load.settle(gan, sim)
    history.verify(gan, sim, senders.account)


@pytest.mark.parametrize("place", ["checkpoint-write", "checkpoint-sync"])
def test_a_checkpoint_that_fails_is_no_loss(make, sim, place):
    """503 or 2xx and nothing else, then the end; the next start has it all."""
    gan = make()
    gan.start(env={"GANTRY_FAILPOINT": f"{place}=fail"})
    senders = load.Load(gan)
    for n in range(20):
        assert senders.one(n, n % 2) in (200, 202)
    assert gan.wait_end(20) != 0
    gan.start()
    load.settle(gan, sim)
    history.verify(gan, sim, senders.account)


# -- migrations --------------------------------------------------------------------


def version_1(path):
    """Write the database of version 1 as of now; returns its number of events."""
    with open(os.path.join(kit.TOP, "tests/data/store/version-1.sql"), encoding="utf-8") as f:
        text = f.read()
    old = min(int(t) for t in re.findall(r"\b1795577\d{6}\b", text))
    shift = int(time.time() * 1000) - 60000 - old
    text = re.sub(r"\b1795577\d{6}\b", lambda t: str(int(t.group()) + shift), text)
    db = sqlite3.connect(path)
    db.executescript(text)
    db.close()
    return version_of(path, "SELECT count(*) FROM event")


def version_of(path, what="PRAGMA user_version"):
    db = sqlite3.connect(path)
    try:
        return db.execute(what).fetchone()[0]
    finally:
        db.close()


@pytest.mark.parametrize("action", ["kill", "fail"])
def test_ended_in_a_migration(make, sim, action):
    """The old database is whole, and of the old version; the next start takes it over."""
    gan = make(store={"retention": {"delivered": "3650d"}})
    path = gan.path("data", "gantry.db")
    assert version_1(path) == 6
    with pytest.raises(RuntimeError):
        gan.start(env={"GANTRY_FAILPOINT": f"in-migration={action}"})
    assert "failpoint in-migration" in gan.log()
    if action == "fail":
        assert "bringing the tables to version" in gan.log()
    assert version_of(path) == 1
    assert version_of(path, "PRAGMA integrity_check") == "ok"

    gan.start()
    assert gan.ctl("store check") == []
    status = gan.status()
    assert status["events"]["mapped"] == status["deliveries"]["waiting"] == 6
    for connector in ("flex2b", "movilitas"):
        gan.ctl("resume", connector)
    gan.drain()
    deeds = history.deeds_of(sim.journal())
    assert sorted(d.n for d in deeds) == list(range(6))
    view = history.view_of(gan)
    assert not list(history.order(deeds, view, True))
    assert {d["state"] for e in view.events.values() for d in e["deliveries"]} == {"delivered"}
    gan.stop()
    assert version_of(path) > 1


# -- what is installed --------------------------------------------------------------------


def test_no_trace_in_a_plain_build():
    """Nobody can kill an installed gantryd by its environment."""
    marks = (b"GANTRY_FAILPOINT", b"gan_failpoint", b"gan_failfile", b"after-vendor-answer")

    def traces(path):
        with open(path, "rb") as f:
            data = f.read()
        names = subprocess.run(["nm", "--defined-only", path], capture_output=True, check=True)
        return [m for m in marks if m in data] + [m for m in marks if m in names.stdout]

    for name in ("gantryd", "gantryctl", "libgantry.a"):
        assert traces(kit.program(name) if name != "libgantry.a"
                      else os.path.join(kit.BUILD, name)) == []
    if os.access(GANTRYD, os.X_OK):
        assert set(traces(GANTRYD)) == set(marks), "this test would not see them"
