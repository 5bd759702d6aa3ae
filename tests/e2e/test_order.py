# SPDX-License-Identifier: MIT
"""test_order.py - order per key, whatever the vendor does meanwhile."""

import random

import pytest
import rules

RESEND = {"connectors": {"flex2b": {"on_unknown": "resend", "concurrency": 8}},
          "deliver": {"retry": {"first": "5ms", "max": "40ms"}}}


def check_order(sim, sent):
    """First successes of each key in the order of acceptance, none missing or invented."""
    seen = {}
    for n, key, _, _ in rules.lines(sim, acted=True):
        row = seen.setdefault(key, [])
        if n not in row:
            row.append(n)
    assert seen == sent
    ids = {}
    for n, _, uuid, _ in rules.lines(sim):
        assert ids.setdefault(n, uuid) == uuid, "an id changed on a resend"


def test_lanes_keep_their_order_under_random_errors(make_gateway, sim, seed):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP}, config=RESEND)
    sim.fault("flex2b", "status", status=500, probability=0.3, seed=seed % 1000003)
    sim.fault("flex2b", "drop-after", probability=0.1, seed=seed % 1000033)
    rng, sent = random.Random(seed), {}
    for n in range(200):
        key = str(rng.randrange(8))
        assert gan.erp_post("line", {"n": n, "key": key}).status == 202
        sent.setdefault(key, []).append(n)
    gan.drain(60)
    check_order(sim, sent)
    # A request that failed is followed by itself: nothing of its key overtakes it.
    last = {}
    for n, key, _, _ in rules.lines(sim):
        assert n >= last.get(key, 0)
        last[key] = n


def test_one_in_flight_per_lane_many_per_connector(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP}, config=RESEND)
    sim.fault("flex2b", "late", times=-1, ms=100)
    for n in range(24):
        gan.erp_post("line", {"n": n, "key": n % 4})
    gan.drain(30)
    check_order(sim, {str(k): [n for n in range(24) if n % 4 == k] for k in range(4)})


@pytest.mark.parametrize("on_dead", ["block", "skip"])
def test_a_dead_head(make_gateway, sim, on_dead):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP},
                       config={"deliver": {"on_dead": on_dead}})
    sim.fault("flex2b", "status", status=400, match='"value":"1"')
    for n in (1, 2, 3):
        gan.erp_post("line", {"n": n, "key": "a"})
    dead = gan.wait_key("k/a", "dead")[0]
    if on_dead == "skip":
        gan.wait_key("k/a", "delivered", n=2)
        return
    gan.erp_post("line", {"n": 4, "key": "b"})
    gan.wait_key("k/b", "delivered")
    assert [d["state"] for d in sorted(gan.deliveries(key="k/a"), key=lambda d: d["id"])] == [
        "dead", "waiting", "waiting"]
    assert gan.ctl("skip", dead["id"], "--reason", "not wanted")["state"] == "skipped"
    gan.wait_key("k/a", "delivered", n=2)
    assert [n for n, _, _, _ in rules.lines(sim, acted=True) if n != 4] == [2, 3]


def test_deliveries_without_a_key_have_no_order(make_gateway, sim):
    rule = "\n".join(line for line in rules.FLEX_ERP.split("tests:")[0].split("\n")
                     if not line.startswith("key:"))
    gan = make_gateway({"f.yaml": rule})
    sim.fault("flex2b", "status", status=400, match='"value":"1"')
    for n in (1, 2, 3):
        gan.erp_post("line", {"n": n, "key": "a"})
    gan.drain()
    assert sorted(n for n, _, _, _ in rules.lines(sim, acted=True)) == [2, 3]


def test_after_waits_for_another_effect(make_gateway, sim):
    first = rules.FLEX_ERP + "effect: '\"made/\" + $event.key'\n"
    second = rules.FLEX_ERP.replace("erp-to-flex", "second").replace("erp/line", "erp/later") \
        .replace("k/", "later/") + "after: ['\"made/\" + $event.key']\n"
    gan = make_gateway({"a.yaml": first, "b.yaml": second})
    gan.erp_post("later", {"n": 2, "key": "x"})
    gan.wait_key("later/x", "waiting")
    gan.erp_post("line", {"n": 1, "key": "x"})
    gan.wait_key("later/x", "delivered")
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [1, 2]


def test_an_effect_conflict_is_dead(make_gateway, sim):
    rule = rules.FLEX_ERP + "effect: '\"once/\" + $event.key'\n"
    gan = make_gateway({"a.yaml": rule})
    gan.erp_post("line", {"n": 1, "key": "x"})
    gan.wait_key("k/x", "delivered")
    gan.erp_post("line", {"n": 1, "key": "x"})
    gan.wait_key("k/x", "delivered", n=2)
    gan.erp_post("line", {"n": 2, "key": "x"})
    gan.wait_key("k/x", "dead")
    item, = gan.attention()
    assert item["kind"] == "conflict" and "another body" in item["reason"]
    assert [n for n, _, _, _ in rules.lines(sim)] == [1]
