# SPDX-License-Identifier: MIT
"""test_reconcile.py - changes that no webhook told: found by asking, told once.

The simulator holds the orders as its API shows them; a test sends their webhooks itself, in the
webhooks' own spelling, and withholds some.
"""

import datetime
import random

import clocks
import kit
import pytest

FAST = {"limit_per_minute": 1000000}
PS = {"kind": "prodsmart", "api_key": "secret:ps-key", "api_secret": "secret:ps-secret"}
RULE = ("rule: r\nfrom: prodsmart/production-order.*\nto: flex2b/replicationpost\n"
        "key: '\"po/\\($event.id)/\\($event.notes)\"'\nmap: '{apiid: \"PH\", data: [.]}'\n")


def config(sim, grace="0s", every="7d", **source):
    sim.state(prodsmart=FAST)
    reconcile = {"every": every, "grace": grace, **source}
    return {"sources": {"prodsmart": {"reconcile": reconcile}},
            "connectors": {"ps": {**PS, "base_url": sim.url("prodsmart")}}}


def order(n, notes="0", **more):
    """As the API shows it."""
    return {"id": n, "code": f"PO {n}", "description": "", "shipping": f"S{n}", "notes": notes,
            "start-date": "2026-03-01T08:00:00Z", "due-date": "2026-03-09T17:15:15Z",
            "products": [{"product": "T1", "quantity-ordered": 30, "observations": ""},
                         {"product": "T2", "quantity-ordered": 1.5, "observations": ""}],
            "workers-assigned": [{"number": 3}, {"number": 0}], "machines": [{"code": "M1"}],
            "pieces-by-box": 20, "serial-number": "", "ended": False, "active": True,
            "running-status": "started", "status": "onschedule", **more}


def as_webhook(api):
    """The same, as a webhook spells it: other forms, another order, figures of the moment."""
    body = {k: v for k, v in api.items() if k != "active"}
    body["shipping"] = {"code": api["shipping"]} if api["shipping"] else {}
    body["start-date"] = "2026-03-01T09:00:00.000+01:00"
    body["workers-assigned"] = list(reversed(api["workers-assigned"]))
    body["products"] = [{**p, "quantity-ordered": f"{p['quantity-ordered']:.2f}",
                         "quantity-produced": 7} for p in reversed(api["products"])]
    body["machines"] = [{"code": m["code"], "name": "x"} for m in api["machines"]]
    body["status"] = "late"
    return body


def put(sim, pool, *rows):
    sim.state(prodsmart={"merge": {pool: list(rows)}})


def tell(gan, api, verb="update", triggered_at=None):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    got = gan.send_webhook(f"productionOrder/{verb}", as_webhook(api),
                           triggered_at=triggered_at or now.replace("+00:00", "Z"))
    assert got.status == 200, got


def rounds(gan, n=1, rc=0):
    """Rounds by hand; returns the rows of the last one by kind."""
    for _ in range(n):
        rows = gan.ctl("reconcile", rc=rc)
    return {row["type"]: row for row in rows}


def found(gan, topic="*.reconciled"):
    rows = gan.ctl("events list", "--source", "prodsmart", "--topic", topic, "--limit", "1000")
    return [gan.ctl("show", r["id"], "--bodies")["events"][0] for r in reversed(rows)]


def missed(gan):
    return {r["type"]: r.get("missed_total") for r in gan.status()["reconcile"]}


def test_of_200_changes_50_are_withheld_and_20_come_late(make_gateway, sim, seed):
    """Every change reaches the rules; none is told as missed twice, late ones not at all again."""
    rng = random.Random(seed)
    gan = make_gateway({"r.yaml": RULE}, config=config(sim))
    put(sim, "production_orders", *[order(n) for n in range(1, 201)])
    first = rounds(gan)["production-order"]
    assert (first["listed"], first["known"], first["missed_total"]) == (200, 200, 0)
    assert not found(gan)
    changed = [order(n, notes="1") for n in range(1, 201)]
    rng.shuffle(changed)
    withheld, late, on_time = changed[:50], changed[50:70], changed[70:]
    put(sim, "production_orders", *changed)
    for api in on_time:
        tell(gan, api)
    row = rounds(gan)["production-order"]
    assert (row["listed"], row["known"], row["missed_total"]) == (200, 130, 70)
    for api in late:
        tell(gan, api)
    assert rounds(gan, 2)["production-order"]["missed_total"] == 70
    told = [e["body"]["id"] for e in found(gan)]
    assert sorted(told) == sorted(o["id"] for o in withheld + late)
    kit.wait_until(lambda: gan.status()["events"]["received"] == 0, 20, "all are mapped")
    keys = [d["key"] for d in gan.deliveries(rule="r")]
    assert set(keys) == {f"po/{n}/1" for n in range(1, 201)}
    # A late webhook is an event like any other: its rules see it, what it does is theirs.
    assert len(keys) == 220
    text = kit.request(gan.admin, "GET", "/metrics").body.decode()
    assert ('gantry_reconcile_missed_total{source="prodsmart",type="production-order"} 70'
            in text)


def test_a_webhook_may_be_late_by_the_grace(make_gateway, sim):
    """With a grace, what comes late is not missed at all; what never comes is, from then on."""
    gan = make_gateway({"r.yaml": RULE}, config=config(sim, grace="1h"))
    put(sim, "production_orders", order(1), order(2))
    rounds(gan)
    late, never = order(1, notes="late"), order(2, notes="never")
    put(sim, "production_orders", late, never)
    assert rounds(gan)["production-order"]["waiting"] == 2
    tell(gan, late)
    assert rounds(gan)["production-order"]["waiting"] == 1
    never["description"] = "changed again meanwhile"  # which begins no new grace
    put(sim, "production_orders", never)
    assert rounds(gan)["production-order"]["waiting"] == 1
    gan.reconfigure(sources={"prodsmart": {"reconcile": {"grace": "0s"}}})
    gan.ctl("reload")
    assert rounds(gan)["production-order"]["missed_total"] == 1
    assert [e["body"]["notes"] for e in found(gan)] == ["never"]
    event = found(gan)[0]
    assert event["body"]["description"] == "changed again meanwhile"
    assert event["meta"]["missing_since"] < event["meta"]["listed_at"]
    assert rounds(gan)["production-order"]["missed_total"] == 1


def test_a_return_to_an_earlier_state_is_a_change(make_gateway, sim):
    """Told A, told B two minutes ago, and the list shows A: somebody set it back, untold."""
    gan = make_gateway(config=config(sim))
    put(sim, "production_orders", order(1, notes="A"))
    rounds(gan)
    put(sim, "production_orders", order(1, notes="B"))
    tell(gan, order(1, notes="B"))
    assert rounds(gan)["production-order"]["missed_total"] == 0
    # An earlier state that is told late, with its own time, changes nothing.
    tell(gan, order(1, notes="0"), triggered_at="2026-01-01T00:00:00.000Z")
    assert rounds(gan)["production-order"]["missed_total"] == 0
    put(sim, "production_orders", order(1, notes="0"))
    assert rounds(gan)["production-order"]["missed_total"] == 1
    assert [e["body"]["notes"] for e in found(gan)] == ["0"]


def test_what_was_told_survives_a_kill_and_the_spool(make_gateway, sim):
    gan = make_gateway(config=config(sim))
    put(sim, "production_orders", order(1), order(2), order(3))
    rounds(gan)
    put(sim, "production_orders", *[order(n, notes="1") for n in (1, 2, 3)])
    tell(gan, order(1, notes="1"))
    gan.kill()
    gan.start()
    # Through the emergency spool: stored later, and told all the same.
    gan.reconfigure(store={"min_free": "1TiB"})
    gan.ctl("reload")
    kit.wait_until(lambda: gan.status()["store"]["full"], 10, "the store is full")
    tell(gan, order(2, notes="1"))
    failed = rounds(gan, rc=1)["production-order"]
    assert "no room" in failed["error"]
    gan.reconfigure(store={"min_free": "1MiB"})
    gan.ctl("reload")
    kit.wait_until(lambda: not gan.status()["store"]["spool"]["records"], 20, "it is imported")
    assert rounds(gan)["production-order"]["missed_total"] == 1
    gan.kill()
    gan.start()
    assert rounds(gan)["production-order"]["missed_total"] == 1
    assert [e["body"]["id"] for e in found(gan)] == [3]


def test_orders_that_are_closed_or_deleted(make_gateway, sim):
    """They are listed no more: asked for alone, once."""
    gan = make_gateway(config=config(sim))
    put(sim, "production_orders", *[order(n) for n in range(1, 6)])
    rounds(gan)
    closed = order(1, active=False, ended=True, **{"running-status": "closed"})
    known = order(2, active=False, ended=True, **{"running-status": "closed"})
    put(sim, "production_orders", closed, known)
    tell(gan, known)
    sim.state(prodsmart={"remove": {"production_orders": [3, 4]}})
    tell(gan, order(4, **{"running-status": "deleted"}), verb="delete")
    assert rounds(gan)["production-order"]["missed_total"] == 2
    got = {e["body"]["id"]: e["body"]["running-status"] for e in found(gan)}
    assert got == {1: "closed", 3: "deleted"}
    before = len(sim.journal("prodsmart"))
    assert rounds(gan)["production-order"]["missed_total"] == 2
    again = [r["path"] for r in sim.journal("prodsmart")][before:]
    assert not [p for p in again if p.startswith("/api/production-orders/") and p[-1].isdigit()]


def clock(n, worker=2, kind=1):
    return {"id": n, "date": "2099-01-01T00:00:00Z", "worker": {"number": worker}, "type": kind}


def test_punch_clocks_and_downtimes(make_gateway, sim):
    """The list says `type` where the webhook says `entry`."""
    gan = make_gateway(config=config(sim))
    rounds(gan)
    stop = {"id": 3, "start-time": "2026-01-01T10:00:00.000Z",
            "end-time": "2098-01-01T10:00:00.000Z", "started-by": {"number": 2}, "closed-by": {},
            "workers": [], "machines": [{"code": "M2", "name": "Machine 2"}], "product": "ProdX",
            "production-order": "OP", "checked-out": True, "downtime-type": "Malfunction",
            "time-spent": "00H02m00s"}
    put(sim, "punchclocks", clock(1), clock(2, worker=0, kind=0), clock(3))
    put(sim, "downtimes", stop, {**stop, "id": 4})
    for n, worker, entry in ((1, 2, 1), (2, 0, 0)):
        got = gan.send_webhook("punchClock_created", {
            "id": n, "date": "2099-01-01T01:00:00.000+01:00", "worker": {"number": worker},
            "notification": "punchClock_created", "entry": entry})
        assert got.status == 200
    got = gan.send_webhook("downTime_created", {
        **stop, "machines": ["M2"], "product": {"code": "ProdX"}, "time-spent": "08:00:00",
        "started-by": {"number": "2"}, "event-type": "downTime_created"})
    assert got.status == 200
    rounds(gan)
    assert missed(gan) == {"production-order": 0, "punch-clock": 1, "downtime": 1,
                           "inventory-movement": None}
    assert sorted((e["topic"], e["body"]["id"]) for e in found(gan)) == [
        ("downtime.reconciled", 4), ("punch-clock.reconciled", 3)]


def test_movements_are_only_counted(make_gateway, sim):
    gan = make_gateway(config=config(sim))
    moves = [{"product-code": "P1", "quantity": "1", "type": "in" if n % 3 else "out",
              "comment": str(n), "date-time": "2026-03-01T08:00:00Z"} for n in range(140)]
    sim.state(prodsmart={"movements": moves[:100]})
    assert rounds(gan)["inventory-movement"]["listed"] == 100
    sim.state(prodsmart={"merge": {"movements": moves[100:]}})
    one = {"product": {"id": 1, "code": "P1"}, "quantity": 1, "stock-type": "in"}
    assert gan.send_webhook("receiving_inventory_movement_created", [one] * 30).status == 200
    assert gan.send_webhook("shipping_inventory_movement_created", [one] * 8).status == 200
    assert gan.send_webhook("lot_created", [one]).status == 200
    row = rounds(gan)["inventory-movement"]
    assert (row["listed"], row["difference"]) == (140, 2)
    assert not found(gan)
    gan.restart()
    row = next(r for r in gan.status()["reconcile"] if r["type"] == "inventory-movement")
    assert row["difference"] == 2
    # The last page is known: one request for each direction.
    before = len(sim.journal("prodsmart", "/api/inventory-movements/"))
    rounds(gan)
    rounds(gan)
    assert len(sim.journal("prodsmart", "/api/inventory-movements/")) - before < 14
    text = kit.request(gan.admin, "GET", "/metrics").body.decode()
    assert 'gantry_reconcile_movements_difference{source="prodsmart"' in text


def test_pages_a_round_by_the_clock_and_after_a_start(make_gateway, sim):
    """Frugal: a page for 25, and an empty one only after a full one."""
    gan = make_gateway(config=config(sim, every="1s"))
    put(sim, "production_orders", *[order(n) for n in range(1, 61)])

    def listed():
        row = next(r for r in gan.status()["reconcile"] if r["type"] == "production-order")
        return row["last_at"] and row["listed"] == 60

    kit.wait_until(listed, 20, "a round by itself")
    queries = [r["query"] for r in sim.journal("prodsmart", "/api/production-orders/")]
    assert all("active=true" in q for q in queries)
    pages = "".join(q.split("page=")[1].split("&")[0] for q in queries)
    assert "123" in pages and "4" not in pages
    put(sim, "production_orders", order(7, notes="1"))
    kit.wait_until(lambda: len(found(gan)) == 1, 20, "the change")
    gan.stop()
    put(sim, "production_orders", order(8, notes="1"))
    gan.start()
    kit.wait_until(lambda: len(found(gan)) == 2, 20, "what changed while the gateway was down")


@pytest.mark.parametrize("fault, why", [
    ({"kind": "status", "status": 500}, "500"), ({"kind": "garbage"}, "JSON"),
    ({"kind": "half"}, ""), ({"kind": "status", "status": 429, "retry_after": 1}, "")])
def test_a_round_that_fails_is_told_and_tried_again(make_gateway, sim, fault, why):
    gan = make_gateway(config=config(sim))
    put(sim, "production_orders", order(1))
    rounds(gan)
    put(sim, "production_orders", order(1, notes="1"))
    sim.fault("prodsmart", path="/api/production-orders/", **fault)
    row = rounds(gan, rc=1)["production-order"]
    assert row["error"] and why in row["error"], row
    assert any(f["check"] == "reconcile" for f in gan.ctl("doctor", rc=1))
    row = kit.wait_until(lambda: (lambda r: r if not r["error"] else None)(
        next(iter([r for r in gan.ctl_raw("reconcile") and gan.status()["reconcile"]
                   if r["type"] == "production-order"]))), 20, "it goes again")
    assert row["missed_total"] == 1 and len(found(gan)) == 1


def test_the_verb(make_gateway, sim):
    gan = make_gateway(config=config(sim))
    _, out, _ = gan.ctl_raw("reconcile", output="table")
    assert "production-order" in out and "MISSED EVER" in out
    assert [r["type"] for r in gan.ctl("reconcile", "prodsmart")] == [
        "production-order", "punch-clock", "downtime", "inventory-movement"]
    code, _, err = gan.ctl_raw("reconcile", "nobody")
    assert code == 1 and "no source of this name" in err
    assert gan.ctl("audit")[0]["verb"] == "reconcile"
    gan.reconfigure(sources={"prodsmart": {"reconcile": None}})
    gan.ctl("reload")
    code, _, err = gan.ctl_raw("reconcile")
    assert code == 1 and "no source has" in err
    assert gan.status()["reconcile"] == []


def test_a_source_that_is_taken_out_and_put_back(make_gateway, sim):
    """What nobody told meanwhile is found: where it stood is kept, also over a start without it."""
    conf = config(sim)
    gan = make_gateway(config=conf)
    put(sim, "production_orders", order(1), order(2), order(3))
    rounds(gan)
    put(sim, "production_orders", order(1, notes="1"))
    assert rounds(gan)["production-order"]["missed_total"] == 1
    for n, restart in ((2, False), (3, True)):
        gan.reconfigure(sources={"prodsmart": {"reconcile": None}})
        gan.ctl("reload")
        put(sim, "production_orders", order(n, notes="1"))
        if restart:
            gan.stop()
            gan.start()
        assert gan.status()["reconcile"] == []
        gan.reconfigure(sources=conf["sources"])
        gan.ctl("reload")
        assert missed(gan)["production-order"] == n - 1
        assert rounds(gan)["production-order"]["missed_total"] == n
    assert [e["body"]["id"] for e in found(gan)] == [1, 2, 3]


def test_rounds_go_on_when_the_clock_went_back(make_gateway, sim):
    gan = make_gateway(config=config(sim, every="1s"), start=False)
    clock = clocks.Clock(gan.path("clock"))
    put(sim, "production_orders", order(1))
    gan.start(env=clock.env)

    def asked():
        return len(sim.journal("prodsmart", "/api/production-orders/"))

    kit.wait_until(asked, 20, "a round by itself")
    clock.jump(-86400)
    before = asked()
    kit.wait_until(lambda: asked() >= before + 3, 20, "rounds go on")


def test_lost_reads_do_not_keep_the_others_waiting(make_gateway, sim):
    """A round for what a channel lost is one more; the regular one comes when it is due."""
    conf = config(sim, every="3s")
    conf["sources"]["feed"] = {"kind": "prodsmart-feed", "connector": "ps", "every": "1s",
                               "channels": {"ORDER": "production-order"}}
    sim.state(prodsmart={"changes": {"ORDER": []}})
    gan = make_gateway(config=conf)

    def asked():
        return {r["type"]: r["last_at"] for r in gan.status()["reconcile"]}["punch-clock"]

    kit.wait_until(asked, 20, "a first round")
    rounds_at = []
    for lost in range(1, 9):
        read = gan.status()["feeds"][0]["last_read_at"]
        kit.wait_until(lambda: gan.status()["feeds"][0]["last_read_at"] != read, 10, "a read")
        sim.fault("prodsmart", "half", path="/api/changes/")
        kit.wait_until(lambda: gan.status()["feeds"][0]["lost"] == lost, 20, "a loss")
        rounds_at.append(asked())
        if rounds_at[-1] != rounds_at[0]:
            break
    assert rounds_at[-1] != rounds_at[0], "it waits for the losses to end"


def test_records_that_a_channel_did_not_bring(make_gateway, sim):
    """A feed is reconciled with the lists of its types."""
    sim.state(prodsmart=FAST)
    record = {"id": 1, "production-order": {"code": "PO1", "id": 3}, "machine": {"code": "M"},
              "operation": {"code": "2", "product": "P 1"}, "worker": {"number": 2},
              "quantity": 3, "checked-out": True, "start-time": "2098-01-01T00:00:00Z",
              "end-time": "2098-01-01T01:00:00Z",
              "produced-waste": [{"quantity": 21, "waste": {"code": "W", "id": 3}}]}
    gan = make_gateway(config={
        "sources": {"feed": {"kind": "prodsmart-feed", "connector": "ps", "every": "1s",
                             "channels": {"PRODUCTION": "production", "STOCK": "stock"},
                             "reconcile": {"every": "7d", "grace": "0s"}}},
        "connectors": {"ps": {**PS, "base_url": sim.url("prodsmart")}}})
    assert [r["type"] for r in gan.ctl("reconcile")] == ["production"]
    told = {**record, "quantity": 3.0, "produced-waste": [{"quantity": "21.0",
                                                          "waste": {"code": "W"}}]}
    sim.state(prodsmart={"changes": {"PRODUCTION": [told]},
                         "merge": {"productions": [record, {**record, "id": 2}]}})
    kit.wait_until(lambda: gan.status()["feeds"][0]["events"] +
                   gan.status()["feeds"][1]["events"] == 1, 10, "the channel told one")
    gan.ctl("reconcile")
    rows = gan.ctl("events list", "--source", "feed", "--topic", "production.reconciled")
    assert len(rows) == 1
    assert gan.ctl("show", rows[0]["id"], "--bodies")["events"][0]["body"]["id"] == 2
