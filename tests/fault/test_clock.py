# SPDX-License-Identifier: MIT
"""test_clock.py - the wall clock jumps by a day, forward or back, while all is under way.

Retries go on within their back-off, what is in flight keeps its lease, tokens and the
window of duplicates stay good, and nothing is lost or doubled.
"""

import time

import clocks
import history
import kit
import load
import pytest

DAY = 86400


@pytest.fixture(params=[DAY, -DAY], ids=["forward", "back"])
def jump(request):
    return request.param


@pytest.fixture
def clocked(make_gateway):
    """A gateway with its clock, which is right at first."""
    gan = make_gateway(load.RULES, config=load.CONFIG, start=False)
    gan.reconfigure(deliver={"retry": {"first": "100ms", "max": "1s", "give_up": "72h"},
                             "timeout": {"total": "4s"}},
                    connectors={"flex2b": {"timeout": {"total": "4s"}}})
    clock = clocks.Clock(gan.path("clock"))
    gan.start(env=clock.env)
    return gan, clock


def jumped(gan, seconds):
    """The daemon's clock is really where the test thinks it is."""
    gan.erp_post("nothing", {"a": 1})
    at = kit.epoch(gan.ctl("events list", "--limit", "1")[0]["received_at"])
    return abs(at - time.time() - seconds) < 60


def sends(gan, sim, senders, numbers):
    for n in numbers:
        assert senders.one(n, n % 4) in (200, 202)
    gan.drain(15)
    done = {d.n for d in history.deeds_of(sim.journal()) if d.acted}
    assert set(numbers) <= done, "what comes after the jump is delivered"


def waiting(gan, n):
    """n deliveries that have been tried, and will be again."""
    kit.wait_until(lambda: sum(d["attempts"] > 0 for d in gan.deliveries(state="waiting")) >= n,
                   10, f"{n} wait for their next try")


def balance(gan, sim, senders):
    # An event of jumped() listens to no rule; the account does not know it.
    view, deeds = history.view_of(gan), history.deeds_of(sim.journal())
    view.events = {i: e for i, e in view.events.items() if e["topic"] != "nothing"}
    assert history.check(senders.account, view, deeds, clocks=False) == []
    assert gan.ctl("store check") == []
    assert not history.doubles(deeds)
    assert gan.attention() == []


def test_retries_go_on(clocked, sim, jump):
    gan, clock = clocked
    senders = load.Load(gan)
    sends(gan, sim, senders, [0, 1])
    sim.state(flex2b={"down": True}, movilitas={"down": True})
    for n in (4, 5, 8, 9):
        assert senders.one(n, n % 4) in (200, 202)
    waiting(gan, 2)
    clock.jump(jump)
    assert jumped(gan, jump)
    sim.state(flex2b={"down": False}, movilitas={"down": False})
    gan.drain(15)
    sends(gan, sim, senders, [12, 13])
    clock.jump(0)  # and back to the truth
    sends(gan, sim, senders, [16, 17])
    balance(gan, sim, senders)


def test_retries_go_on_after_a_restart(clocked, sim, jump):
    """The new clock is all that the next process knows, and the one after it."""
    gan, clock = clocked
    senders = load.Load(gan)
    sends(gan, sim, senders, [0, 1])
    sim.state(flex2b={"down": True}, movilitas={"down": True})
    for n in (4, 5, 8, 9):
        assert senders.one(n, n % 4) in (200, 202)
    waiting(gan, 2)
    for kill in (True, False):
        gan.kill() if kill else gan.stop()
        clock.jump(jump)
        gan.start(env=clock.env)
        waiting(gan, 2)
    sim.state(flex2b={"down": False}, movilitas={"down": False})
    gan.drain(15)
    sends(gan, sim, senders, [12, 13])
    balance(gan, sim, senders)


def test_what_is_in_flight_stays_so(clocked, sim, jump):
    """A lease is no matter of the wall clock: the answer comes, and it counts."""
    gan, clock = clocked
    senders = load.Load(gan)
    sends(gan, sim, senders, [0, 1])
    for system in ("flex2b", "movilitas"):
        sim.fault(system, "late", ms=2500)
    for n in (4, 5):
        assert senders.one(n, n % 4) in (200, 202)
    kit.wait_until(lambda: len(history.deeds_of(sim.journal())) == 4, 5, "both are in flight")
    clock.jump(jump)
    assert jumped(gan, jump)
    sends(gan, sim, senders, [2, 3])  # other keys: each makes its connector claim
    gan.wait_key("k/0.0", "delivered", n=2)
    gan.wait_key("po/1.0", "delivered", n=2)
    balance(gan, sim, senders)


def test_duplicates_are_known_and_tokens_are_good(clocked, sim, jump):
    gan, clock = clocked
    senders = load.Load(gan)
    sends(gan, sim, senders, [0, 1])
    before = len(sim.tokens("flex2b"))
    clock.jump(jump)
    assert jumped(gan, jump)
    sends(gan, sim, senders, [0, 1, 4, 5])  # 0 and 1 are repeats: told by their ids
    assert len(sim.tokens("flex2b")) <= before + 2, "no token for each request"
    assert gan.status()["duplicates"] == 2
    balance(gan, sim, senders)
