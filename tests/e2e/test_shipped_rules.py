# SPDX-License-Identifier: MIT
"""test_shipped_rules.py - each shipped rule from its event to the system that it is for.

What comes in and what has to arrive stand in the golden tests of the rules: here their events
go through the front door of a gateway that has all rules on, and their bodies have to arrive at
the strict simulator.  The systems are those of the sample gantry.yaml.
"""

import glob
import json
import os
import re

import core_yaml
import kit
import pytest

ETC = os.path.join(kit.TOP, "etc")
BODIES = os.path.join(os.environ.get("GANTRY_DATA") or os.path.join(
    kit.TOP, "..", "shared", "data"), "..", "apis", "payloads")

# As the vendor spells it in the header of a webhook.
SPELLED = {"shipping-movement.created": "shipping_inventory_movement_created",
           "receiving-movement.created": "receiving_inventory_movement_created",
           "material-staging.created": "material_staging_created",
           "lot.created": "lot_created",
           "production-order.updated": "productionOrder/update",
           "punch-clock.created": "punchClock_created",
           "punch-clock.deleted": "punchClock_deleted",
           "downtime.created": "downTime_created",
           "downtime.deleted": "downTime_deleted"}

# What only answers bring is looked at where the answers come from.
ANSWERS = {"60-communication-to-erp.yaml", "61-order-id-to-erp.yaml"}
# Rules that are there instead of others, and those.
INSTEAD = {"22-load-out-to-flex2b.yaml": ["20-shipping-to-flex2b.yaml",
                                          "60-communication-to-erp.yaml"],
           "24-lots-to-flex2b.yaml": ["21-receiving-to-flex2b.yaml"]}


def files(folder, ending):
    found = {}
    for path in sorted(glob.glob(os.path.join(ETC, folder, "*" + ending))):
        with open(path, encoding="utf-8") as f:
            found[os.path.basename(path)] = f.read()
    return found


RULES = {name: core_yaml.load(text) for name, text in files("rules.d", ".yaml").items()}


def switched(text, on):
    text = re.sub(r"^enabled: .*\n", "", text, flags=re.M)
    return text if on else text.replace("\nfrom:", "\nenabled: false\nfrom:", 1)


def vendors_bytes(event):
    """The file of the vendor's page that the event of a test was taken from, or the event."""
    for path in glob.glob(os.path.join(BODIES, "prodsmart.webhook.*.json")):
        with open(path, "rb") as f:
            raw = f.read()
        if json.loads(raw) == event:
            return raw
    return json.dumps(event)


def unmarked(body):
    """Without the mark by which a creation whose outcome is not known is looked for."""
    if isinstance(body, dict) and isinstance(body.get("notes"), str):
        return {**body, "notes": re.sub(r"\s*gantry:d\w+$", "", body["notes"])}
    return body


class Library:
    """A gateway with the rules, the simulator, and what was seen so far."""

    def __init__(self, gan, sim):
        self.gan, self.sim = gan, sim
        self.operations = gan.config["connectors"]["erp"]["operations"]
        self.sent = set()
        self.mark = {system: 0 for system in kit.Sim.SYSTEMS}

    def switch(self, off):
        for name, text in files("rules.d", ".yaml").items():
            self.gan.rule(name, switched(text, name not in off))
        self.gan.ctl("reload")

    def post(self, rule, test):
        """The event of a test through the door that its rule listens at; returns its id."""
        first = rule["from"] if isinstance(rule["from"], str) else rule["from"][0]
        source, topic = first.split("/", 1)
        topic = test.get("meta", {}).get("topic", topic.replace("*", "changed"))
        if source == "erp":
            got = self.gan.erp_post(topic, test["event"])
        elif topic in SPELLED:
            got = self.gan.send_webhook(SPELLED[topic], vendors_bytes(test["event"]))
            assert got.status == 200, got
            return self.gan.ctl("events list", "--source", "prodsmart", "--limit", "1")[0]["id"]
        else:
            got = self.gan.erp_post(topic, test["event"], source="prodsmart-feed")
        assert got.status == 202, got
        return got.json()["id"]

    def arrived(self, system):
        """What came to a system since this was last asked: (method, path, body)."""
        rows = [r for r in self.sim.journal(system) if r["n"] > self.mark[system]]
        self.mark[system] = max([r["n"] for r in rows] + [self.mark[system]])
        return [(r["method"], r["path"], unmarked(r["json"])) for r in rows]

    def where(self, rule, output):
        """Method and path of a request to the ERP."""
        connector, operation = rule["to"].split("/", 1)
        if connector != "erp":
            return None
        declared = self.operations[operation]
        path = "/api" + declared["path"].format(**output.get("$path", {}))
        return declared.get("method", "POST"), path

    def run(self, name):
        """Each test of a rule that expects requests, one after the other."""
        rule, ran = RULES[name], 0
        system = rule["to"].split("/")[0]
        for test in rule["tests"]:
            if not test.get("expect"):
                continue
            ran += 1
            ident = self.post(rule, test)
            event = kit.wait_until(lambda: self.mapped(ident), 10, (name, test["name"]))
            # Waste without its parameters is for a person, whatever other rules make of it.
            assert event["state"] == "mapped" or event["reason"].endswith(
                ": the parameter gtin is empty"), (name, test["name"], event["reason"])
            rows = kit.wait_until(lambda: self.settled(ident), 10, (name, test["name"]))
            mine = [d for d in rows if d["rule"] == rule["rule"]]
            assert {d["state"] for d in rows} == {"delivered"}, (name, test["name"], rows)
            assert len(mine) == len(test["expect"]), (name, test["name"], rows)
            got = self.arrived(system)
            for row, output in zip(mine, test["expect"]):
                body = output.get("$body", output)
                key = (row["effect"], json.dumps(body, sort_keys=True))
                if row["effect"] and key in self.sent:  # done once is done
                    continue
                self.sent.add(key)
                same = [(m, p) for m, p, b in got if b == body]
                assert len(same) == 1, (name, test["name"], body, got)
                assert self.where(rule, output) in (None, same[0]), (name, same)
        assert ran, name

    def mapped(self, ident):
        event = self.gan.event(ident)
        return event if event["state"] != "received" else None

    def settled(self, ident):
        rows = self.gan.event(ident)["deliveries"]
        moving = [d for d in rows if d["state"] in ("waiting", "sending")]
        return sorted(rows, key=lambda d: d["id"]) if not moving else None


@pytest.fixture
def library(make_gateway, sim):
    with open(os.path.join(ETC, "gantry.yaml"), encoding="utf-8") as f:
        erp = core_yaml.load(f.read())["connectors"]["erp"]
    erp["base_url"] = sim.url("erp") + "/api"
    config = {"connectors": {
        "erp": erp,
        "prodsmart": {"kind": "prodsmart", "base_url": sim.url("prodsmart"),
                      "api_key": "secret:ps-key", "api_secret": "secret:ps-secret"}},
        # Only its name counts here; how a feed reads is the matter of test_feed.py.
        "sources": {"prodsmart-feed": {"kind": "http", "tokens": "secret:erp-token"}}}
    sim.state(
        movilitas={"sscc_default": "Assigned"},
        erp={"auth": "basic", "user": "gantry", "password": "the-erps-password",
             "answers": [{"path": "/production-orders/finished", "status": 200,
                          "body": {"result": {"code": "OK"}}}]},
        prodsmart={"machines": [{"code": "exampleMachine"}, {"code": "F1"}],
                   "families": [{"code": "FG", "name": "Finished goods"}],
                   "products": [{"code": c} for c in ("FG-100", "bicycle", "wheel", "seat")]})
    gan = make_gateway(files("rules.d", ".yaml"), files("lookups", ".csv"), config, start=False)
    gan.secret("erp-pass", "the-erps-password")
    gan.start()
    return Library(gan, sim)


def test_an_old_count_never_follows_a_newer_one(library):
    gan, sim = library.gan, library.sim
    library.switch(off=[n for n in RULES if n != "43-erp-stock-count.yaml"])

    def count(qty, at, state):
        ident = gan.erp_post("stock.counted", {"material": "bicycle", "qty": qty,
                                               "counted_at": at}).json()["id"]
        row, = kit.wait_until(lambda: library.settled(ident), 10, at)
        assert row["state"] == state, row
        return row["id"]

    def stock():
        return next(s for s in sim.state()["prodsmart"]["stock"]
                    if s["product-code"] == "bicycle")["stock"]

    newer = count(10, "2024-06-01T18:00:00Z", "delivered")
    late = count(99, "2024-06-01T18:00:00", "skipped")  # plant time, an hour before it in UTC
    story = json.dumps(gan.show(late))
    assert f"of {newer}, which went before" in story, story
    gan.kill()
    gan.start()
    count(98, "2024-05-31T18:00:00Z", "skipped")
    assert stock() == 10
    count(7, "2024-06-02T06:00:00Z", "delivered")
    assert stock() == 7

    # Refused while the product was not there, and tried again after a newer one.
    sim.state(prodsmart={"remove": {"products": ["bicycle"]}})
    refused = count(6, "2024-06-02T07:00:00Z", "dead")
    sim.state(prodsmart={"merge": {"products": [{"code": "bicycle"}]}})
    gan.ctl("skip", refused)
    count(5, "2024-06-02T08:00:00Z", "delivered")
    done = len(gan.deliveries(key="stock/bicycle"))
    gan.ctl("replay", "--key", "stock/bicycle", "--yes")
    kit.wait_until(lambda: len(gan.deliveries(key="stock/bicycle")) == 2 * done, 10, "replayed")
    gan.drain()
    assert stock() == 5
    # The newest two by their effect, all others by their age.
    again = gan.deliveries(key="stock/bicycle")[:done]
    assert {d["state"] for d in again} == {"skipped", "delivered"}
    assert not [n for e in sim.journal("prodsmart") for n in e["notes"] or ()
                if n.startswith("older-count")]
    assert gan.attention() == []


def test_every_rule_brings_about_what_it_says(library):
    gan, sim = library.gan, library.sim
    library.switch(off=INSTEAD)
    for name in RULES:
        if name not in ANSWERS and name not in INSTEAD:
            library.run(name)
    gan.drain()

    # What Prodsmart was told, it has.
    state = sim.state()["prodsmart"]
    order, = state["production_orders"]
    assert order["code"] == "0000012345" and order["products"][0]["product"] == "FG-100"
    assert [m["code"] for m in order["machines"]] == ["exampleMachine", "F1"]
    assert "P11" in {p["code"] for p in state["products"]}
    assert next(b for b in state["boms"] if b["product-code"] == "bicycle")["bom"] == [
        {"product-code": "wheel", "quantity": 2}]
    assert next(s for s in state["stock"] if s["product-code"] == "bicycle")["stock"] == 0
    assert state["naive_dates"] == 0

    # What the targets answered, the ERP has: the number of each shipment, the order's id.
    told = [e["json"] for e in sim.journal("erp", path="/api/shipments/accepted")]
    taken = {d["response"]["CommunicationID"] for d in gan.deliveries(rule="shipping-to-flex2b")}
    assert {t["communication_id"] for t in told} == taken and len(taken) == 6
    assert {t["pallet"] for t in told} == {"12345678", "lot-code", "B1", "B2", "L-1", "L-2"}
    assert [e["json"] for e in sim.journal("erp", path="/api/production-orders/answers")] == [
        {"order": "0000012345", "prodsmart_id": order["id"], "error": None}]

    # The others instead.
    library.switch(off=[name for names in INSTEAD.values() for name in names])
    for system in library.mark:
        library.arrived(system)
    for name in INSTEAD:
        library.run(name)
    gan.drain()
    assert {(i["kind"], i["rule"]) for i in gan.attention()} == {("rejected", "waste-to-movilitas")}
    for rule in RULES.values():
        assert gan.deliveries(rule=rule["rule"], state="delivered"), rule["rule"]
    assert not [e for s in kit.Sim.SYSTEMS for e in sim.journal(s) if e["status"] >= 400]
