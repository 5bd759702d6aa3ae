# SPDX-License-Identifier: MIT
"""test_flows.py - the four flows of the first run, with the demo's own rules and bodies."""

import os
import subprocess
import sys

import kit
import pytest

DATA = os.path.join(kit.TOP, "contrib", "demo-data")


def data(*parts):
    with open(os.path.join(DATA, *parts), encoding="utf-8") as f:
        return f.read()


@pytest.fixture
def gan(make_gateway):
    return make_gateway({n: data("rules.d", n) for n in os.listdir(os.path.join(DATA, "rules.d"))},
                        {n: data("lookups", n) for n in os.listdir(os.path.join(DATA, "lookups"))})


def test_waste_is_decommissioned(gan, sim):
    body = data("events", "production-with-waste.json")
    assert gan.send_webhook("production/update", body).status == 200
    delivery = gan.wait_key("po/PO1", "delivered")[0]
    assert delivery["connector"] == "movilitas"
    assert delivery["operation"] == "serials.decommission"
    assert delivery["rule"] == "waste-to-movilitas"
    assert delivery["attempts"] == 1
    assert delivery["effect"] == ("decommission/01234567891231/"
                                  "DI8U86IYQI9KS4G87WGI,SV902P05IYI4ARW5WWHJ")
    sent = sim.journal("movilitas")
    assert len(sent) == 1 and sent[0]["status"] == 200
    assert sent[0]["json"] == {
        "product_code": "01234567891231", "product_code_schema": "GTIN", "reason": "destroy",
        "send_to_market": False, "market_id": "EU",
        "serials": ["SV902P05IYI4ARW5WWHJ", "DI8U86IYQI9KS4G87WGI"]}
    assert sorted(sim.state()["movilitas"]["decommissioned"]) == [
        "01234567891231/DI8U86IYQI9KS4G87WGI", "01234567891231/SV902P05IYI4ARW5WWHJ"]
    story = gan.show("po/PO1")
    assert story["key"] == "po/PO1"
    assert [e["topic"] for e in story["events"]] == ["production.updated"]
    assert story["events"][0]["state"] == "mapped"


def test_the_same_effect_is_done_once(gan, sim):
    body = data("events", "production-with-waste.json")
    for _ in range(2):  # two webhooks with uuids of their own: both are events
        assert gan.send_webhook("production/update", body).status == 200
    first, second = gan.wait_key("po/PO1", "delivered", n=2)
    assert first["event"] != second["event"]
    assert sim.count()["movilitas"]["requests"] == 1


def test_a_cancelled_pallet_is_released(gan, sim):
    sim.state(movilitas={"ssccs": {"337370000000000003": "Assigned",
                                   "337370000000000010": "Assigned"}})
    got = gan.erp_post("pallet.cancelled", data("events", "pallet-cancelled-1.json"))
    assert got.status == 202
    assert got.json()["status"] and got.headers["location"].endswith(got.json()["id"])
    gan.wait_key("pallet/PAL-1", "delivered")
    assert set(sim.state()["movilitas"]["ssccs"].values()) == {"Available"}
    outcome = gan.erp_get(got.headers["location"]).json()
    assert outcome["state"] == "mapped"
    assert outcome["deliveries"][0]["state"] == "delivered"


def test_a_shipping_movement_is_posted_after_a_429(gan, sim):
    sim.fault("flex2b", "status", status=429, retry_after="1")
    body = data("events", "shipping-movement.json")
    assert gan.send_webhook("shipping_inventory_movement_created", body).status == 200
    delivery = gan.wait_key("pallet/12345678", "delivered")[0]
    posts = sim.journal("flex2b")
    assert [p["status"] for p in posts] == [429, 200]
    assert posts[0]["body"] == posts[1]["body"]
    assert [line["apiid"] for line in posts[1]["json"]["repLines"]] == ["PH", "PD", "HI"]
    assert posts[1]["json"]["repLines"][0]["nodes"] == [
        {"name": "pallet_#", "value": "12345678"}, {"name": "coolstore_c", "value": "1ABC"}]
    assert "CommunicationID" in str(delivery["response"])
    assert "processed" not in gan.ctl_raw("show", "pallet/12345678", output="table")[1]


def test_a_release_that_timed_out_is_held_and_others_go_on(gan, sim):
    sim.state(movilitas={"ssccs": {"337370000000000027": "Assigned",
                                   "106141412345678908": "Assigned"}})
    sim.fault("movilitas", "hang-after", match="337370000000000027")
    for n in (2, 3):
        assert gan.erp_post("pallet.cancelled",
                            data("events", f"pallet-cancelled-{n}.json")).status == 202
    gan.wait_key("pallet/PAL-3", "delivered")
    held = gan.wait_key("pallet/PAL-2", "unknown")[0]
    item, = gan.attention(kind="unknown")
    assert (item["id"], item["key"]) == (held["id"], "pallet/PAL-2")
    assert "resolve" in " ".join(item["actions"])
    assert len([r for r in sim.journal("movilitas") if "337370000000000027" in r["body"]]) == 1


def test_the_demo_ends_by_itself():
    done = subprocess.run([sys.executable, os.path.join(kit.TOP, "contrib", "demo"), "--once"],
                          capture_output=True, text=True, timeout=120 * kit.SLOW, check=False,
                          env={**os.environ, "GANTRY_BUILD": kit.BUILD})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All four flows ended as they should." in done.stdout
