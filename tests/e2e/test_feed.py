# SPDX-License-Identifier: MIT
"""test_feed.py - change channels: what a read brought is an event, exactly once, or told as lost."""

import json

import kit
import pytest
from feeds import channel, events, feed, handed, order, push, sample
from vendor import Vendor, ok

# Channel, its type in the configuration, and what deletes an entity of it.
TYPES = {
    "DOWN_TIME": ("downtime", sample("down-time"), {"event-type": "downTime_deleted"}),
    "PRODUCT": ("product", sample("product"), {"notification": "product_deleted"}),
    "PRODUCTION": ("production", sample("production"), {"status": "deleted"}),
    "PRODUCTION_ORDER": ("production-order", sample("production-order"),
                         {"running-status": "deleted"}),
    "PUNCH_CLOCK": ("punch-clock", sample("punch-clock"),
                    {"notification": "punchClock_deleted"}),
    "STOCK": ("stock", sample("stock"), None),
}


@pytest.mark.parametrize("half", [("DOWN_TIME", "PRODUCT", "PRODUCTION"),
                                  ("PRODUCTION_ORDER", "PUNCH_CLOCK", "STOCK")])
def test_all_types_with_the_vendors_samples(make_gateway, sim, half):
    want = {}
    for name in half:
        kind, body, deletion = TYPES[name]
        alive = {k: v for k, v in body.items()
                 if k not in ("event-type", "notification") and (k, v) != ("status", "deleted")}
        push(sim, name, alive)
        want[f"{kind}.changed"] = alive
        if deletion is not None:
            gone = {**alive, **deletion}
            gone.update({k: 77 if k == "id" else "GONE" for k in ("id", "code") if k in gone})
            push(sim, name, gone)
            want[f"{kind}.deleted"] = gone
    gan = make_gateway(config=feed(sim, {n: TYPES[n][0] for n in half}))
    kit.wait_until(lambda: sum(f["events"] for f in gan.status()["feeds"]) == len(want), 10,
                   "every change is an event")
    got = {e["topic"]: e for e in events(gan)}
    assert {t: e["body"] for t, e in got.items()} == want
    for event in got.values():
        assert event["meta"]["channel"] in half and event["meta"]["index"] in (0, 1)
        assert event["meta"]["read_at"].endswith("Z")
    assert not gan.attention()
    # The workers of an order come only when they are asked for.
    asked = {r["path"]: r["query"] for r in sim.journal("prodsmart") if "changes" in r["path"]}
    for path, query in asked.items():
        assert ("workers=true" in query) == path.endswith("/PRODUCTION_ORDER")


def test_a_full_read_is_followed_by_the_next_one_at_once(make_gateway, sim):
    push(sim, "PRODUCTION_ORDER", *[order(n) for n in range(1, 61)])
    gan = make_gateway({"r.yaml": "rule: r\nfrom: feed/production-order.changed\n"
                                  "to: flex2b/replicationpost\nkey: '\"po/\\($event.id)\"'\n"
                                  "map: '{apiid: \"PH\", data: [.]}'\n"},
                       config=feed(sim, {"PRODUCTION_ORDER": "production-order"}, every="12h"))
    kit.wait_until(lambda: channel(gan, "PRODUCTION_ORDER")["events"] == 60, 15, "60 events")
    assert len([r for r in sim.journal("prodsmart") if "changes" in r["path"]]) == 3
    assert sorted(e["body"]["id"] for e in events(gan)) == list(range(1, 61))
    kit.wait_until(lambda: gan.status()["events"]["received"] == 0, 10, "all are mapped")
    assert len(gan.deliveries()) == 60


def test_a_channel_that_takes_nothing_away_is_not_read_in_a_rush(make_gateway, sim):
    """It would fill the database at the speed of the quota."""
    reads = []
    body = json.dumps([{"product-code": f"P{n}", "stock": n} for n in range(25)]).encode()

    def script(req, sock):
        if b"authorization" in req.target:
            sock.sendall(ok(b'{"token": "t", "scopes": ["productions_write"]}',
                            status="201 Created"))
            return
        reads.append(req)
        sock.sendall(ok(body))

    with Vendor() as vendor:
        vendor.script = script
        gan = make_gateway(config=feed(sim, {"STOCK": "stock"}, every="12h", url=vendor.url))
        kit.wait_until(lambda: channel(gan, "STOCK")["events"] == 50, 10, "two reads")
        kit.wait_until(lambda: channel(gan, "STOCK")["next_read_at"], 10, "then it rests")
        assert len(reads) == 2


def test_numbers_stay_as_they_were_written(make_gateway, sim):
    push(sim, "STOCK", '{"product-code": "P1", "stock": 2395.10, "big": 9007199254740993}')
    gan = make_gateway(config=feed(sim, {"STOCK": "stock"}))
    kit.wait_until(lambda: channel(gan, "STOCK")["events"] == 1, 10, "the event")
    _, out, _ = gan.ctl_raw("show", gan.ctl("events list", "--source", "feed")[0]["id"], "--bodies")
    assert "2395.10" in out and "9007199254740993" in out and '"/big"' in out


def test_what_is_no_object_stays_accounted_for(make_gateway, sim):
    push(sim, "STOCK", {"product-code": "A", "stock": 1}, '"half a thing"', "[1, 2]",
         {"product-code": "B", "stock": 2})
    gan = make_gateway(config=feed(sim, {"STOCK": "stock"}))
    kit.wait_until(lambda: channel(gan, "STOCK")["events"] == 4, 10, "four events")
    assert [e["body"]["product-code"] for e in events(gan, "stock.changed")] == ["A", "B"]
    bad = events(gan, "stock.unreadable")
    assert [e["body"] for e in bad] == ["half a thing", [1, 2]]
    items = gan.attention(kind="rejected")
    assert len(items) == 2 and all("no JSON object" in i["reason"] for i in items)
    for item in items:
        gan.ctl("skip", item["id"])
    assert not gan.attention()


@pytest.mark.parametrize("body, why", [
    (b'{"message": "sorry"}', "no JSON array"), (b"<html>", "not valid JSON"),
    (b"[" + b"1," * 1001 + b"1]", "more items"), (b"", "not valid JSON")],
    ids=["object", "html", "long", "nothing"])
def test_what_is_no_array_stays_accounted_for(make_gateway, sim, body, why):
    answers = []

    def script(req, sock):
        if b"authorization" in req.target:
            sock.sendall(ok(b'{"token": "t", "scopes": ["productions_write"]}',
                            status="201 Created"))
            return
        answers.append(req)
        sock.sendall(ok(body if len(answers) == 1 else b"[]"))

    with Vendor() as vendor:
        vendor.script = script
        gan = make_gateway(config=feed(sim, {"STOCK": "stock"}, url=vendor.url))
        item = kit.wait_until(lambda: gan.attention(source="feed"), 10, "attention")[0]
        assert item["kind"] == "rejected" and why in item["reason"], item
        event = gan.ctl("show", item["id"], "--bodies")["events"][0]
        assert event["topic"] == "stock.unreadable"
        text = event["body"]
        if not isinstance(text, str):
            text = json.dumps(text, separators=(",", ":"))
        assert text.strip().encode()[:6] == body.replace(b" ", b"")[:6]
        kit.wait_until(lambda: len(answers) > 1, 10, "it reads on")
        gan.ctl("skip", item["id"])
        assert not gan.attention()


LOSSES = {"drop-after": {}, "hang-after": {"ms": 60000}, "half": {}, "status": {"act": True}}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_read_that_may_be_lost_is_told_and_reconciled(make_gateway, sim, kind):
    """The order is in nobody's hands, then; its list brings it."""
    config = feed(sim, {"PRODUCTION_ORDER": "production-order"},
                  reconcile={"every": "1h", "grace": "0s"})
    gan = make_gateway(config=config)
    gan.ctl("reconcile")  # takes note of what there is: nothing
    kit.wait_until(lambda: channel(gan, "PRODUCTION_ORDER")["last_read_at"], 10, "a first read")
    full = {**sample("production-order"), "id": 5, "code": "PO-5", "active": True}
    fault = sim.fault("prodsmart", kind, path="/api/changes/", **LOSSES[kind])
    kit.wait_until(lambda: sim.hits(fault) == 0, 1, "nothing was spoilt before")
    sim.state(prodsmart={"changes": {"PRODUCTION_ORDER": [full]},
                         "merge": {"production_orders": [full]}})
    item = kit.wait_until(lambda: gan.attention(source="feed"), 20, "the loss is told")[0]
    assert item["kind"] == "rejected" and "skip" in item["actions"], item
    assert "may have brought up to 25 changes" in item["reason"]
    assert "Reconciliation looks for them" in item["reason"]
    lost = events(gan, "production-order.lost")[0]
    assert lost["body"]["channel"] == "PRODUCTION_ORDER" and lost["body"]["why"]
    found = kit.wait_until(lambda: events(gan, "production-order.reconciled") or
                           events(gan, "production-order.changed"), 20, "the change")
    assert [e["body"]["code"] for e in found] == ["PO-5"]
    status = channel(gan, "PRODUCTION_ORDER")
    assert status["lost"] == 1
    gan.ctl("skip", item["id"])
    assert not gan.attention()
    text = kit.request(gan.admin, "GET", "/metrics").body.decode()
    assert 'gantry_feed_lost_total{source="feed",channel="PRODUCTION_ORDER"} 1' in text


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 429, "retry_after": 1},
                                   {"kind": "status", "status": 503},
                                   {"kind": "status", "status": 404}, {"kind": "drop-before"}])
def test_what_was_refused_is_not_lost(make_gateway, sim, fault):
    gan = make_gateway(config=feed(sim, {"STOCK": "stock"}))
    kit.wait_until(lambda: channel(gan, "STOCK")["last_read_at"], 10, "a first read")
    number = sim.fault("prodsmart", path="/api/changes/", **fault)
    push(sim, "STOCK", {"product-code": "A", "stock": 1})
    kit.wait_until(lambda: sim.hits(number) == 1, 10, "it was refused")
    if fault["kind"] != "drop-before":  # that one could have been an answer
        kit.wait_until(lambda: len(handed(sim, "STOCK")) == 1, 20, "it is read again")
        kit.wait_until(lambda: channel(gan, "STOCK")["events"] == 1, 10, "and kept")
        assert channel(gan, "STOCK")["lost"] == 0 and not gan.attention()


def test_two_gateways_never_read_one_channel(make_gateway, sim):
    config = feed(sim, {"STOCK": "stock"})
    first = make_gateway(config=config)
    kit.wait_until(lambda: channel(first, "STOCK")["last_read_at"], 10, "the first one reads")
    second = make_gateway(config=config)
    row = kit.wait_until(lambda: channel(second, "STOCK")["locked_out"] and
                         channel(second, "STOCK"), 10, "the second one stands back")
    assert "another gantryd" in row["error"] and row["last_read_at"] is None
    item = second.attention(kind="config")[0]
    assert item["source"] == "feed" and "STOCK" in item["reason"]
    assert any(f["check"] == "feeds" and "another gantryd" in f["finding"]
               for f in second.ctl("doctor", rc=1))
    assert second.status()["attention"] == 1
    for n in range(3):
        push(sim, "STOCK", {"product-code": f"A{n}", "stock": n})
        kit.wait_until(lambda: len(events(first)) == n + 1, 10, "the first one reads on")
    assert not events(second)
    first.kill()  # the lock ends with the process
    push(sim, "STOCK", {"product-code": "B", "stock": 1})
    kit.wait_until(lambda: len(events(second)) == 1, 20, "the second one takes over")
    assert not second.attention()


def test_one_channel_in_two_sources_is_an_error(make_gateway, sim):
    config = feed(sim, {"STOCK": "stock"})
    config["sources"]["again"] = {**config["sources"]["feed"], "connector": "ps2",
                                  "channels": {"STOCK": "stock"}}
    config["connectors"]["ps2"] = dict(config["connectors"]["ps"])
    gan = make_gateway(config=config, start=False)
    code, out, err = gan.ctl_raw("--config", gan.path("gantry.yaml"), "config", "check")
    assert code == 78
    assert "source 'feed' reads this channel of the same account" in out + err


def test_a_stop_waits_for_the_read_under_way(make_gateway, sim):
    gan = make_gateway(config=feed(sim, {"STOCK": "stock"}))
    kit.wait_until(lambda: channel(gan, "STOCK")["last_read_at"], 10, "a first read")
    push(sim, "STOCK", {"product-code": "A", "stock": 1})
    fault = sim.fault("prodsmart", "late", path="/api/changes/", ms=1000)
    kit.wait_until(lambda: sim.hits(fault) == 1, 10, "the read is under way")
    assert gan.stop() == 0
    assert len(handed(sim, "STOCK")) == 1
    gan.start()
    kit.wait_until(lambda: len(events(gan, "stock.changed")) == 1, 10, "it was kept")
    assert not gan.attention()


def test_a_reload_takes_channels_in_and_out(make_gateway, sim):
    gan = make_gateway(config=feed(sim, {"STOCK": "stock"}))
    kit.wait_until(lambda: channel(gan, "STOCK")["last_read_at"], 10, "a first read")
    gan.reconfigure(sources={"feed": {"channels": {"STOCK": None, "PRODUCT": "product"}}})
    gan.ctl("reload")
    assert [f["channel"] for f in gan.status()["feeds"]] == ["PRODUCT"]
    push(sim, "PRODUCT", {"code": "P", "name": "p"})
    push(sim, "STOCK", {"product-code": "A", "stock": 1})
    kit.wait_until(lambda: len(events(gan)) == 1, 10, "the new channel is read")
    gan.reconfigure(sources={"feed": {"channels": {"STOCK": "stock"}}})
    gan.ctl("reload")
    kit.wait_until(lambda: len(events(gan)) == 2, 10, "and the old one again")


def test_nothing_is_read_while_the_store_has_no_room(make_gateway, sim):
    gan = make_gateway(config=feed(sim, {"STOCK": "stock"}))
    kit.wait_until(lambda: channel(gan, "STOCK")["last_read_at"], 10, "a first read")
    gan.reconfigure(store={"min_free": "1TiB"})
    gan.ctl("reload")
    push(sim, "STOCK", {"product-code": "A", "stock": 1})
    kit.wait_until(lambda: "no room" in (channel(gan, "STOCK")["error"] or ""), 10, "it says so")
    before = len(sim.journal("prodsmart"))
    kit.wait_until(lambda: gan.status()["store"]["full"], 10, "the store is full")
    assert not handed(sim, "STOCK") and len(sim.journal("prodsmart")) == before
    gan.reconfigure(store={"min_free": "1MiB"})
    gan.ctl("reload")
    kit.wait_until(lambda: len(events(gan)) == 1, 20, "then it is read")
    assert channel(gan, "STOCK")["error"] is None
