# SPDX-License-Identifier: MIT
"""test_quota.py - never more requests in any window than the account may make, as the peer counts.

The simulator counts in windows of half a second instead of a minute, and keeps the highest number
that came in any of them."""

import json
import subprocess

import kit
import pytest

WINDOW_MS = 500
LIMIT = 60  # what the vendor allows
OURS = 48   # 80 % of it
MOVE = {"product-code": "P1", "quantity": "1", "type": "in"}
STOCK = ("rule: stock\nfrom: erp/stock\nto: prodsmart/stock.set\nmap: .\n"
         "key: '\"stock/\" + .[\"product-code\"]'\n")
MOVES = "rule: moves\nfrom: erp/move\nto: prodsmart/inventory-movements.create\non_unknown: probe\nmap: .\n"


@pytest.fixture
def gan(sim, make_gateway):
    sim.state(prodsmart={"limit_per_minute": LIMIT, "limit_window_ms": WINDOW_MS,
                         "products": [{"code": f"P{i}", "name": "Table"} for i in range(40)]})
    return make_gateway({"stock.yaml": STOCK, "moves.yaml": MOVES}, config={
        "deliver": {"probe_after": "100ms", "concurrency": 16},
        "connectors": {"prodsmart": {
            "kind": "prodsmart", "api_key": "secret:ps-key", "api_secret": "secret:ps-secret",
            "base_url": sim.url("prodsmart"),
            "quota": {"per_minute": LIMIT, "share": "80%", "window": f"{WINDOW_MS}ms"}}}})


def limit(sim):
    return sim.state()["prodsmart"]["limit"]


def connector(gan):
    return next(c for c in gan.status()["connectors"] if c["name"] == "prodsmart")


def queue(gan, n, topic="stock", first=0):
    for i in range(first, first + n):
        body = MOVE if topic == "move" else {
            "product-code": f"P{i % 40}", "stock": i, "date": "2026-03-01T08:00:00Z"}
        assert gan.erp_post(topic, body).status == 202


def all_done(gan, n, deadline=60):
    kit.wait_until(lambda: gan.status()["deliveries"]["delivered"] >= n, deadline, f"{n} delivered")


def test_500_deliveries_with_tokens_and_probes(gan, sim):
    """Doubts are looked for, a token is lost on the way: all of it within the quota."""
    sim.fault("prodsmart", "drop-after", method="POST", path="/api/inventory-movements/", times=5)
    sim.fault("prodsmart", "status", status=503, method="POST", path="/api/stock", times=3)
    queue(gan, 40, "move")
    queue(gan, 230)
    sim.state(prodsmart={"forget_tokens": True})
    gan.ctl("reload")
    queue(gan, 230, first=230)
    all_done(gan, 500)
    assert len(sim.state()["prodsmart"]["movements"]) == 40
    got = limit(sim)
    assert got["refused"] == 0
    assert OURS * 3 / 4 < got["most"] <= OURS
    assert connector(gan)["quota"]["limit"] == OURS
    metrics = kit.request(gan.admin, "GET", "/metrics").body.decode()
    assert f'gantry_connector_quota_limit{{connector="prodsmart"}} {OURS}' in metrics
    assert 'gantry_connector_quota_wait_seconds_total{connector="prodsmart"} 0.000' not in metrics


def test_500_deliveries_with_feeds_and_reconciliation(gan, sim):
    """Both go on beside the deliveries, and starve neither them nor each other."""
    channels = {"STOCK": "stock", "PRODUCT": "product", "DOWN_TIME": "downtime"}
    sim.state(prodsmart={
        "production_orders": [{"id": n, "code": f"MO {n}", "products": [], "notes": "",
                               "start-date": "2026-03-01T08:00:00Z",
                               "due-date": "2026-03-09T08:00:00Z"} for n in range(1, 61)],
        "changes": {name: [{"id": n, "code": f"c{n}", "product-code": f"c{n}"}
                           for n in range(75)] for name in channels}})
    gan.reconfigure(sources={
        "prodsmart": {"reconcile": {"every": "7d", "grace": "0s"}},
        "feed": {"kind": "prodsmart-feed", "connector": "prodsmart", "every": "1s",
                 "channels": channels}})
    queue(gan, 250)
    gan.ctl("reload")
    with subprocess.Popen([kit.program("gantryctl"), "--socket", gan.socket, "reconcile"],
                          stdout=subprocess.DEVNULL) as rounds:
        queue(gan, 250, first=250)
        all_done(gan, 500)
        assert rounds.wait(60) == 0
    kit.wait_until(lambda: sum(f["events"] for f in gan.status()["feeds"]) == 225, 30, "all changes")
    ops = [r["op"] for r in sim.journal("prodsmart")]
    first, last = ops.index("stock.set"), len(ops) - ops[::-1].index("stock.set")
    busy = ops[first:last]
    # Most places are the deliveries', and the feeds got some of them.
    assert busy.count("stock.set") == 500 and len(busy) < 500 * 4 / 3 + 20
    assert busy.count("changes.read") >= 9
    assert ops.count("production-orders.list") >= 3
    assert limit(sim)["refused"] == 0
    assert limit(sim)["most"] <= OURS


def test_live_deliveries_go_before_replays(gan, sim):
    queue(gan, 150)
    all_done(gan, 150)
    gan.ctl("replay", "--rule", "stock", "--yes", "--reason", "test")
    kit.wait_until(lambda: gan.status()["deliveries"]["waiting"] > 60, 20, "replays wait")
    before = len(sim.journal("prodsmart", path="/api/inventory-movements/"))
    queue(gan, 10, "move")
    kit.wait_until(lambda: len(sim.journal("prodsmart", path="/api/inventory-movements/"))
                   >= before + 10, 20, "the live ones")
    assert gan.status()["deliveries"]["waiting"] > 0
    all_done(gan, 310)
    assert limit(sim)["refused"] == 0 and limit(sim)["most"] <= OURS


def test_a_429_stops_all_and_lowers_the_limit(gan, sim):
    """Somebody else uses the account: the vendor says so before our own count does."""
    fault = sim.fault("prodsmart", "status", status=429, retry_after="2")
    queue(gan, 40)
    until = kit.wait_until(lambda: connector(gan)["wait_until"], 10, "it waits")
    assert sim.hits(fault) == 1
    while connector(gan)["wait_until"]:
        came = len(sim.journal("prodsmart"))
    # The one that was refused and those that were on their way with it; of the others none.
    assert came <= 16, until
    all_done(gan, 40)
    assert f"44 instead of {OURS} requests are sent" in gan.log()
    assert all(d["state"] == "delivered" for d in gan.deliveries())
    assert limit(sim)["refused"] == 0


@pytest.mark.parametrize("how", ["restart", "kill", "reload"])
def test_no_new_beginning_gives_a_new_quota(gan, sim, how):
    """Used up just before the process ends, or the configuration changes."""
    gan.restart()  # it leaves a note, which must not be believed twice
    for turn in range(3):
        queue(gan, OURS, "move")
        kit.wait_until(lambda t=turn: len(sim.journal("prodsmart")) >= t * OURS + OURS // 2, 20,
                       "half of them arrived")
        if how == "reload":
            gan.ctl("reload")
        elif how == "kill":
            gan.kill()
            gan.start()
        else:
            gan.restart()
    kit.wait_until(lambda: not gan.status()["deliveries"]["waiting"] and
                   not gan.status()["deliveries"]["sending"], 30, "all settled")
    assert limit(sim)["refused"] == 0
    assert limit(sim)["most"] <= OURS


def test_two_connectors_of_one_account_share_it(gan, sim):
    gan.reconfigure(connectors={"again": {
        **gan.config["connectors"]["prodsmart"], "quota": {"per_minute": 1000, "window": "500ms"}}})
    gan.rule("again.yaml", STOCK.replace("rule: stock", "rule: again").replace("prodsmart/", "again/"))
    gan.ctl("reload")
    queue(gan, 60)
    all_done(gan, 120)
    assert limit(sim)["refused"] == 0 and limit(sim)["most"] <= OURS


def test_who_is_always_short_is_told(gan, sim):
    gan.reconfigure(connectors={"prodsmart": {"quota": {"per_minute": 5, "window": "100ms"}}})
    gan.ctl("reload")
    gan.ctl("pause", "prodsmart", "--reason", "test")
    queue(gan, 200)  # all of it at once, however long the posts take
    gan.ctl("resume", "prodsmart", "--reason", "test")
    finding = kit.wait_until(lambda: [f for f in json.loads(gan.ctl_raw("doctor")[1])
                                      if f["check"] == "quota"], 20, "a finding")[0]
    assert finding["finding"].startswith("the quota of prodsmart has been used up for ")
    assert finding["level"] == "warning"
    kit.wait_until(lambda: " of 4 in 100ms, WAITING until 20" in
                   gan.ctl_raw("status", output="table")[1], 10, "status tells it, too")
    all_done(gan, 200)
    kit.wait_until(lambda: connector(gan)["quota"]["short_since"] is None, 10, "no longer")


def test_a_quota_that_leaves_nothing_is_an_error(gan):
    gan.reconfigure(connectors={"prodsmart": {"quota": {"per_minute": 1}}})
    rc, out, err = gan.ctl_raw("config", "check", output="table")
    assert rc != 0 and "80% of 1 requests is not one: raise 'share' or 'per_minute'" in out + err
