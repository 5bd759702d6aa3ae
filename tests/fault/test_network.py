# SPDX-License-Identifier: MIT
"""test_network.py - connections that are cut, reset, slow or swallowed, on both sides.

Towards a vendor: whatever left us and came to no readable end is unknown and held,
or, where a repeat is allowed, sent again with the same ids; what never left is tried
again.  Towards senders: half a request is nothing, and a lost answer is no second event.
"""

import random

import history
import kit
import load
import pytest
import rules
from proxy import Fault, Proxy

# A request or an answer that is cut at its beginning, in its head, in its body; a hole.
CUTS = {
    "request-none": Fault(up=0),
    "request-head": Fault(up=70),
    "request-closed": Fault(up=150, how="close"),
    "answer-none": Fault(down=0),
    "answer-none-closed": Fault(down=0, how="close"),
    "answer-head": Fault(down=12),
    "answer-head-closed": Fault(down=40, how="close"),
    "hole": Fault(hole=True),
}


@pytest.fixture
def vendors(sim):
    """Proxies before flex2b and movilitas."""
    made = {name: Proxy(sim.address(name)) for name in ("flex2b", "movilitas")}
    yield made
    for proxy in made.values():
        proxy.close()


def behind(vendors, **more):
    """A configuration whose connectors go through the proxies."""
    config = {"connectors": {name: {"base_url": proxy.url, "timeout": {"total": "1s"}}
                             for name, proxy in vendors.items()}}
    kit.merge(config, more)
    return config


def first(gan):
    """One of each, so that tokens are here and every later connection is a request."""
    senders = load.Load(gan)
    assert senders.one(0, 0) == 200
    assert senders.one(1, 1) == 202
    gan.wait_key("k/0.0", "delivered")
    gan.wait_key("po/1.0", "delivered")
    return senders


@pytest.mark.parametrize("name", CUTS)
def test_cut_on_the_way_to_a_vendor_is_unknown_and_held(make_gateway, sim, vendors, name):
    """Both operations: on_unknown is hold by default."""
    gan = make_gateway(load.RULES, config=behind(vendors))
    senders = first(gan)
    for proxy in vendors.values():
        proxy.fault = CUTS[name]
    for n in (4, 5, 8, 9):  # two behind another of each key
        senders.one(n, n % 4)
    gan.wait_key("k/0.0", "unknown")
    gan.wait_key("po/1.0", "unknown")
    for proxy in vendors.values():
        assert len(proxy.faults) == 1, "one try, and no more"
        proxy.heal()
    gan.drain()
    assert sorted(i["key"] for i in gan.attention(kind="unknown")) == ["k/0.0", "po/1.0"]
    did = {d.n for d in history.deeds_of(sim.journal()) if d.acted}
    assert did == {0, 1} | ({4, 5} if name.startswith("answer") else set())
    history.verify(gan, sim, senders.account)

    for item in gan.attention():
        gan.ctl("resolve", item["id"], "--as", "sent" if name.startswith("answer") else "not-sent")
    gan.drain()
    _, deeds = history.verify(gan, sim, senders.account)
    assert {d.n for d in deeds if d.acted} == {0, 1, 4, 5, 8, 9}
    assert not history.doubles(deeds), "nobody did anything twice"


@pytest.mark.parametrize("name", CUTS)
def test_cut_where_a_repeat_is_allowed(make_gateway, sim, vendors, name):
    gan = make_gateway(load.RULES, config=behind(
        vendors, connectors={"flex2b": {"on_unknown": "resend"}}))
    senders = first(gan)
    proxy, cuts = vendors["flex2b"], [CUTS[name]] * 2
    proxy.plan = lambda: cuts.pop() if cuts else None
    senders.one(4, 0)
    gan.wait_key("k/0.0", "delivered", n=2)
    assert len(proxy.faults) == 2
    senders.account.excuses += [(t, t) for t in proxy.faults]
    _, deeds = history.verify(gan, sim, senders.account)
    tries = [d for d in deeds if d.n == 4 and d.acted]
    assert len(tries) == (3 if name.startswith("answer") else 1)
    assert gan.attention() == []


def test_what_never_left_is_tried_again(make_gateway, sim, vendors):
    gan = make_gateway(load.RULES, config=behind(vendors))
    senders = first(gan)
    for proxy in vendors.values():
        proxy.deaf()
    for n in (4, 5):
        senders.one(n, n % 4)

    def tried():
        return all(row["attempts"] >= 2 for row in gan.deliveries(state="waiting"))
    kit.wait_until(lambda: len(gan.deliveries(state="waiting")) == 2 and tried(), 10,
                   "both were tried")
    for proxy in vendors.values():
        proxy.listen()
    gan.drain()
    _, deeds = history.verify(gan, sim, senders.account)
    assert sorted(d.n for d in deeds) == [0, 1, 4, 5]
    assert gan.attention() == []


def test_slow_but_in_time_is_delivered(make_gateway, sim, vendors):
    gan = make_gateway(load.RULES, config=behind(vendors))
    senders = first(gan)
    for proxy in vendors.values():
        proxy.fault = Fault(delay=0.1)
    for n in (4, 5, 8, 9):
        senders.one(n, n % 4)
    gan.drain()
    _, deeds = history.verify(gan, sim, senders.account)
    assert len(deeds) == 6
    assert gan.attention() == []


def some_fault(rng, size):
    """One connection of two goes wrong, anywhere in its first `size` bytes."""
    if rng.random() < 0.5:
        return None
    where, how = rng.randrange(size), rng.choice(["reset", "close"])
    return rng.choice([Fault(up=where, how=how), Fault(down=where, how=how),
                       Fault(delay=rng.random() * 0.2)])


def test_random_cuts_under_load(make_gateway, sim, vendors, seed):
    """Anywhere in request or answer, tokens too, on both sides of the gateway at once."""
    rng, lock = random.Random(seed), load.threading.Lock()
    gan = make_gateway(load.RULES, config=behind(vendors, **load.CONFIG))

    def plan():
        with lock:
            return some_fault(rng, 350)

    with Proxy(gan.public) as front, load.Load(gan, insist=True) as senders:
        gan.public = front.address
        for proxy in (*vendors.values(), front):
            proxy.plan = plan
        kit.wait_until(lambda: len(senders.acked) > 150, 60, "events are accepted")
        senders.stop()
        gan.public = ":".join(map(str, front.target))
        spoiled = sum(len(p.faults) for p in vendors.values())
        for proxy in vendors.values():
            proxy.heal()
    load.settle(gan, sim)
    for proxy in vendors.values():
        senders.account.excuses += [(t, t) for t in proxy.faults]
    _, deeds = history.verify(gan, sim, senders.account)
    print(f"{spoiled} connections to vendors and {len(front.faults)} of senders were cut")
    assert spoiled > 20 and len(front.faults) > 20
    assert {d.n for d in deeds if d.acted} >= set(senders.acked)
    assert not senders.account.doubt, "whoever insists is told at last"


@pytest.mark.parametrize("up", [1, 60, 200])
def test_half_a_request_is_nothing(make_gateway, up):
    gan = make_gateway(load.RULES)
    direct = gan.public
    with Proxy(gan.public) as front:
        front.fault = Fault(up=up)
        gan.public = front.address
        senders = load.Load(gan)
        for n in range(4):
            assert senders.one(n, n % 2) is None
        assert len(front.faults) == 4
    gan.public = direct
    assert gan.send_webhook("lot_created", {"n": 9, "key": "a"}).status == 200
    gan.wait_key("k/a", "delivered")
    assert sum(gan.status()["events"].values()) == 1


def test_a_lost_answer_is_no_second_event(make_gateway, sim):
    gan = make_gateway(load.RULES)
    direct = gan.public
    with Proxy(gan.public) as front:
        gan.public = front.address
        front.fault = Fault(down=9)
        senders = load.Load(gan)
        for n in (0, 1):
            assert senders.one(n, n) is None
        front.heal()
        for n in (0, 1):
            assert senders.one(n, n) in (200, 202)
    gan.public = direct
    gan.drain()
    _, deeds = history.verify(gan, sim, senders.account)
    assert len(deeds) == 2
    assert gan.status()["events"]["mapped"] == 2
    assert rules.lines(sim)[0][0] == 0
