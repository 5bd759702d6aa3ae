# SPDX-License-Identifier: MIT
"""test_vendor_bodies.py - the bodies of the vendors' pages through the rules of etc/.

They lie beside the conformance suites and are not part of this tree: without
them these tests are skipped.
"""

import glob
import json
import os

import kit
import pytest
from prodsmart import OPERATIONS, Prodsmart, basic

DATA = os.environ.get("GANTRY_DATA") or os.path.join(kit.TOP, "..", "shared", "data")
BODIES = os.path.join(DATA, "..", "apis", "payloads")
pytestmark = pytest.mark.skipif(not os.path.isdir(BODIES),
                                reason=f"the vendors' bodies are not in {BODIES}")

# File of the page -> topic in the header -> canonical topic.
WEBHOOKS = {
    "production-order": [("productionOrder/create", "production-order.created"),
                         ("productionOrder/update", "production-order.updated")],
    "punch-clock": [("punchClock_created", "punch-clock.created")],
    "downtime": [("downTime_created", "downtime.created")],
    "lot.created-updated": [("lot_created", "lot.created"), ("lot_updated", "lot.updated")],
    "lot.deleted": [("lot_deleted", "lot.deleted")],
    "material-staging.created-updated": [("material_staging_created", "material-staging.created")],
    "material-staging.deleted": [("material_staging_deleted", "material-staging.deleted")],
    "internal-inventory-movement.created-updated": [
        ("internal_inventory_movement_created", "internal-movement.created")],
    "internal-inventory-movement.deleted": [
        ("internal_inventory_movement_deleted", "internal-movement.deleted")],
    "receiving-inventory-movement.created-updated": [
        ("receiving_inventory_movement_created", "receiving-movement.created")],
    "receiving-inventory-movement.deleted": [
        ("receiving_inventory_movement_deleted", "receiving-movement.deleted")],
    "shipping-inventory-movement.created-updated": [
        ("shipping_inventory_movement_created", "shipping-movement.created")],
    "shipping-inventory-movement.deleted": [
        ("shipping_inventory_movement_deleted", "shipping-movement.deleted")],
}


def body(name):
    with open(os.path.join(BODIES, name + ".json"), "rb") as f:
        return f.read()


def samples(folder, ending):
    found = {}
    for path in glob.glob(os.path.join(kit.TOP, "etc", folder, "*" + ending)):
        with open(path, encoding="utf-8") as f:
            found[os.path.basename(path)] = f.read()
    return found


@pytest.fixture
def gan(make_gateway):
    return make_gateway(samples("rules.d", ".yaml"), samples("lookups", ".csv"))


def test_every_webhook_of_the_page(gan, sim):
    """Stored as it came, under its canonical topic; what the sample rules take is sent."""
    names = {os.path.basename(p)[len("prodsmart.webhook."):-len(".json")]
             for p in glob.glob(os.path.join(BODIES, "prodsmart.webhook.*.json"))}
    assert names == set(WEBHOOKS) | {"headers"}
    sent = []
    for name, topics in WEBHOOKS.items():
        raw = body("prodsmart.webhook." + name)
        for header, topic in topics:
            assert gan.send_webhook(header, raw).status == 200, name
            sent.append((topic, json.loads(raw)))
    gan.drain()
    events = gan.ctl("events list", "--limit", "100")[::-1]
    assert [e["topic"] for e in events] == [topic for topic, _ in sent]
    assert {e["topic"] for e in events if e["state"] != "ignored"} == {"shipping-movement.created"}
    for event, (_, wanted) in zip(events, sent):
        story, = gan.ctl("show", event["id"], "--bodies")["events"]
        assert story["body"] == wanted
    delivery, = gan.deliveries()
    assert (delivery["state"], delivery["key"]) == ("delivered", "pallet/lot-code")
    assert delivery["response"]["CommunicationID"]
    line, = (e["json"]["repLines"] for e in sim.journal("flex2b"))
    assert [x["apiid"] for x in line] == ["PH", "PD", "HI"]


def test_the_headers_of_the_page(gan):
    """Names and forms as printed; the signature is ours, of the bytes that are sent."""
    headers = json.loads(body("prodsmart.webhook.headers"))
    raw = body("prodsmart.webhook.production-order")
    headers["x-prodsmart-hmac-sha256"] = kit.signature(gan.SECRETS["prodsmart-hook"], raw)
    assert gan.http("POST", "/hooks/prodsmart", raw, headers).status == 200
    assert gan.http("POST", "/hooks/prodsmart", raw, headers).status == 200
    event, = gan.ctl("events list")
    assert event["topic"] == "production-order.created"
    assert gan.status()["duplicates"] == 1


def test_a_production_of_the_feed_is_no_waste(gan):
    """The records of the change feed's page, as the sample rule will meet them."""
    records = json.loads(body("prodsmart.feed.production"))
    records = records if isinstance(records, list) else [records]
    for record in records:
        assert gan.send_webhook("production/update", record).status == 200
    gan.drain()
    assert {e["state"] for e in gan.ctl("events list")} == {"mapped"}
    assert gan.deliveries() == []


THROUGH = """
rule: {name}
from: erp/{name}
to: {to}
map: .
"""


def test_the_vendors_own_requests_are_sent_as_they_are(make_gateway, sim):
    rules = {f"{n}.yaml": THROUGH.format(name=n, to=to) for n, to in (
        ("decommission", "movilitas/serials.decommission"),
        ("release", "movilitas/ssccs.release"), ("post", "flex2b/replicationpost"))}
    # The GTIN of the page's sample has a wrong check digit.
    gan = make_gateway(rules, config={"connectors": {"movilitas": {"gs1": "warn"}}})
    sim.state(movilitas={"sscc_default": "Assigned"})
    wanted = {}
    for topic, name in (("decommission", "movilitas.serials.decommission.request"),
                        ("release", "movilitas.ssccs.release.request"),
                        ("post", "flex2b.replicationpost.request")):
        assert gan.erp_post(topic, body(name)).status == 202
        wanted[topic] = json.loads(body(name))
    gan.drain()
    assert [d["state"] for d in gan.deliveries()] == ["delivered"] * 3
    assert sorted((e["json"] for e in sim.journal()), key=str) == sorted(
        wanted.values(), key=str)


def test_every_body_passes_the_door(make_gateway):
    gan = make_gateway()
    names = sorted(glob.glob(os.path.join(BODIES, "*.json")))
    assert len(names) >= 80
    for path in names:
        with open(path, "rb") as f:
            assert gan.erp_post("any", f.read()).status == 202, path


# What a request of Prodsmart's page needs to be there before; with the rest of its path.
NEEDED = {
    "productions.update": (7, {"productions": [{"id": 7}]}),
    "suppliers.update": (7, {"suppliers": [{"id": 7}]}),
    "clients.update": (7, {"clients": [{"id": 7}]}),
    "client-orders.update": ("", {"client_orders": [{"id": 7, "code": "CO123 - Week 47"}]}),
    "purchase-orders.update": (7, {"purchase_orders": [{"id": 7}]}),
    "production-orders.update": (7, {"production_orders": [{"id": 7}]}),
    "production-orders.notify": (7, {"production_orders": [{"id": 7}]}),
    "production-orders.activate": (7, {"production_orders": [{"id": 7, "active": False}]}),
    "products.update": ("P11", {"products": [{"code": "P11"}]}),
    "bom.set": ("", {"products": [{"code": c} for c in ("bicycle", "wheel", "seat")]}),
    "stock.set": ("", {"products": [{"code": "bicycle"}]}),
    "machines.counter": ("M 1/2", {}),
    "machines.parameters": ("M 1/2", {}),
    "machines.startstop": ("M 1/2", {}),
    "inventory-movements.update": (7, {"movements": [{"id": 7, "quantity": "1", "type": "in",
                                                      "product-code": "P"}]}),
}


def test_prodsmarts_requests_and_answers_of_the_page(sim):
    """The simulator takes every sample of a request, and its answer has what the sample has."""
    names = {os.path.basename(p).split(".request")[0][len("prodsmart."):]
             for p in glob.glob(os.path.join(BODIES, "prodsmart.*.request.json"))}
    assert len(names) >= 21 and names < set(OPERATIONS)
    ps = Prodsmart(sim)
    for name in sorted(names):
        what, state = NEEDED.get(name, ("", {}))
        sim.state(prodsmart=state)
        query = {"workers": "true"} if name == "production-orders.create" else {}
        raw = body(f"prodsmart.{name}.request")
        got = ps.op(name, what, raw, basic() if name.startswith("auth") else None, **query)
        status = OPERATIONS[name][2]
        assert got.status == status, (name, got)
        answer = os.path.join(BODIES, f"prodsmart.{name}.response-{status}.json")
        if not os.path.exists(answer):
            continue
        with open(answer, encoding="utf-8") as f:
            wanted, mine = json.load(f), got.json()
        if isinstance(wanted, list):
            assert mine == wanted, name
        else:
            assert set(mine) == set(wanted), name
    assert sim.state()["prodsmart"]["naive_dates"] == 0
