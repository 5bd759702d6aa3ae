# SPDX-License-Identifier: MIT
"""test_probe.py - on_unknown: probe: what nobody knows is looked for before it is sent again."""

import kit
import pytest

PARTNER = {"code": "S1", "name": "Timber Ltd", "contacts": [{"email": "a@b.example"}],
           "addresses": [{"code": "A1", "address": "Mill Lane 1", "country": "PT"}]}
MOVE = {"product-code": "P1", "quantity": "10", "type": "in", "comment": "from the ERP"}
ORDER = {"code": "MO-1", "start-date": "2026-03-01T08:00:00Z", "due-date": "2026-03-09T08:00:00Z",
         "products": [{"product": "P1", "quantity-ordered": 30}]}
OPERATIONS = ("suppliers.create", "inventory-movements.create", "production-orders.create",
              "production-orders.notify", "product-families.create")


def rule(operation, how="probe"):
    name = operation.replace(".", "-") + f"-{how}"
    return (f"rule: {name}\nfrom: erp/{operation}.{how}\nto: prodsmart/{operation}\n"
            f"on_unknown: {how}\nkey: '\"k/\" + $event.key'\nmap: .output\n")


RULES = {f"{name}.yaml": rule(name) for name in OPERATIONS}
RULES["hold.yaml"] = rule("machines.startstop", "hold")


@pytest.fixture
def gan(sim, make_gateway):
    gan = make_gateway(RULES, config={
        "deliver": {"timeout": {"total": "400ms"}, "probe_after": "50ms"},
        "connectors": {"prodsmart": {"kind": "prodsmart", "api_key": "secret:ps-key",
                                     "api_secret": "secret:ps-secret",
                                     "base_url": sim.url("prodsmart")}}})
    sim.state(prodsmart={"limit_per_minute": 1000000, "products": [
        {"code": "P1", "name": "Table", "operations": [{"code": "cut", "name": "Cut"}]}],
        "production_orders": [{**ORDER, "id": 7, "code": "MO-7"}]})
    return gan


def send(gan, operation, output, how="probe", key="1"):
    got = gan.erp_post(f"{operation}.{how}", {"key": key, "output": output})
    assert got.status == 202, got
    return f"k/{key}"


def ops(sim, after=0):
    return [r["op"] for r in sim.journal("prodsmart", after=after) if r.get("op")]


def tries(gan, row):
    return gan.ctl("show", row["id"], "--bodies")["events"][0]["deliveries"][0]["tries"]


# -- present, absent, different -----------------------------------------------------------


CASES = {
    "suppliers.create": (PARTNER, "suppliers.list", "suppliers"),
    "inventory-movements.create": (MOVE, "inventory-movements.list", "movements"),
    "production-orders.create": (ORDER, "production-orders.list", "production_orders"),
    "production-orders.notify": ({"$path": {"id": 7}, "$body": {"short-message": "Hurry"}},
                                 "production-orders.get", "notifications"),
    "product-families.create": ({"product-families": [{"code": "F1", "name": "One"},
                                                      {"code": "F2", "name": "Two"}]},
                                "product-families.list", "families"),
}


@pytest.mark.parametrize("operation, kind", [
    *((name, "drop-after") for name in OPERATIONS),
    ("suppliers.create", "hang-after"), ("suppliers.create", "half")])
def test_what_is_there_is_delivered(gan, sim, operation, kind):
    """The request was carried out, its answer lost: found, and not sent again."""
    output, look, pool = CASES[operation]
    before = len(sim.state()["prodsmart"][pool])
    sim.fault("prodsmart", kind, method="POST")
    row = gan.wait_key(send(gan, operation, output), "delivered")[0]
    assert ops(sim) == [operation, look]
    assert len(sim.state()["prodsmart"][pool]) > before
    assert row["attempts"] == 1
    first, looked = tries(gan, row)
    assert first["verdict"] == "unknown" and looked["verdict"] == "found"
    assert "GET http" in looked["request"] and "access_token=(masked)" in looked["request"]
    assert "found by probe" in looked["error"]
    _, story, _ = gan.ctl_raw("show", row["id"], output="table")
    assert "note: found by probe" in story and "error: found" not in story
    assert row["response"] is not None and looked["response"] == row["response"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_not_there_is_sent_again(gan, sim, operation):
    output, look, pool = CASES[operation]
    sim.fault("prodsmart", "drop-before", method="POST")
    row = gan.wait_key(send(gan, operation, output), "delivered")[0]
    assert ops(sim)[-2:] == [look, operation]
    assert [t["verdict"] for t in tries(gan, row)] == ["unknown", "absent", "delivered"]
    assert row["attempts"] == 2
    assert sim.journal("prodsmart")[-1]["repeats"] == 0


def test_what_is_different_is_for_a_person(gan, sim):
    """Somebody else made a supplier of that code meanwhile."""
    sim.state(prodsmart={"suppliers": [{**PARTNER, "id": 1, "name": "Other"}]})
    sim.fault("prodsmart", "drop-before", method="POST")
    row = gan.wait_key(send(gan, "suppliers.create", PARTNER), "unknown")[0]
    text = 'found by probe, but different: name is "Other" there, "Timber Ltd" was sent'
    assert row["last"]["error"] == text
    item = [i for i in gan.ctl("attention") if i["id"] == row["id"]][0]
    assert item["kind"] == "unknown" and item["reason"] == text
    looked = tries(gan, row)[-1]
    assert looked["verdict"] == "different" and looked["response"]["name"] == "Other"
    assert ops(sim).count("suppliers.create") <= 1
    gan.ctl("resolve", row["id"], "--as", "sent")
    gan.wait_key("k/1", "delivered")


def test_an_order_of_the_same_code_without_our_mark_is_not_ours(gan, sim):
    sim.state(prodsmart={"production_orders": [{**ORDER, "id": 1}]})
    sim.fault("prodsmart", "drop-before", method="POST")
    row = gan.wait_key(send(gan, "production-orders.create", ORDER), "unknown")[0]
    assert "does not hold our mark gantry:" + row["id"] in row["last"]["error"]


# -- the mark --------------------------------------------------------------------------------


def test_the_mark_stands_in_the_free_text_only_where_a_probe_needs_it(gan, sim):
    row = gan.wait_key(send(gan, "inventory-movements.create", MOVE), "delivered")[0]
    sent = sim.journal("prodsmart")[-1]["json"]
    assert sent == {**MOVE, "comment": f"from the ERP gantry:{row['id']}"}
    gan.wait_key(send(gan, "suppliers.create", PARTNER, key="2"), "delivered")
    assert sim.journal("prodsmart")[-1]["json"] == PARTNER


def test_many_pages_are_looked_through(gan, sim):
    """Ours is the oldest or the newest of 60: found on whichever page it is."""
    sim.state(prodsmart={"movements": [{**MOVE, "id": i} for i in range(100, 160)]})
    sim.fault("prodsmart", "drop-after", method="POST")
    row = gan.wait_key(send(gan, "inventory-movements.create", MOVE), "delivered")[0]
    pages = [r["query"] for r in sim.journal("prodsmart") if r["op"] == "inventory-movements.list"]
    assert 1 <= len(pages) <= 3 and "page=1" in pages[0]
    assert [t["verdict"] for t in tries(gan, row)] == ["unknown", "found"]


def test_among_too_many_it_is_for_a_person(gan, sim):
    sim.state(prodsmart={"movements": [{**MOVE, "id": i} for i in range(1, 600)]})
    sim.fault("prodsmart", "drop-before", method="POST")
    row = gan.wait_key(send(gan, "inventory-movements.create", MOVE), "unknown", deadline=20)[0]
    assert "the probe saw 500 entries of inventory-movements.list" in row["last"]["error"]
    assert ops(sim).count("inventory-movements.list") == 20


# -- when the look fails -----------------------------------------------------------------------


def test_a_look_that_fails_is_repeated(gan, sim):
    sim.fault("prodsmart", "drop-after", method="POST")
    sim.fault("prodsmart", "status", status=500, method="GET", path="/api/suppliers")
    sim.fault("prodsmart", "garbage", body="<html>", method="GET", path="/api/suppliers")
    row = gan.wait_key(send(gan, "suppliers.create", PARTNER), "delivered")[0]
    verdicts = [t["verdict"] for t in tries(gan, row)]
    assert verdicts == ["unknown", "retry", "retry", "found"]
    assert ops(sim).count("suppliers.create") == 1
    assert "the probe failed: " in tries(gan, row)[1]["error"]


@pytest.mark.parametrize("body", ['{"message": "come later"}', '{"data": []}', "[null]"])
def test_an_answer_that_tells_nothing_is_no_absence(gan, sim, body):
    """It was carried out; a look that reads no entries must not have it sent twice."""
    sim.fault("prodsmart", "drop-after", method="POST")
    sim.fault("prodsmart", "garbage", body=body, method="GET", path="/api/inventory-movements/")
    row = gan.wait_key(send(gan, "inventory-movements.create", MOVE), "delivered")[0]
    assert [t["verdict"] for t in tries(gan, row)] == ["unknown", "retry", "found"]
    assert len(sim.state()["prodsmart"]["movements"]) == 1


def test_a_look_that_goes_on_failing_ends_with_a_person(gan, sim):
    gan.reconfigure(deliver={"retry": {"give_up": "1s"}})
    gan.ctl("reload")
    sim.fault("prodsmart", "drop-after", method="POST")
    sim.fault("prodsmart", "status", status=500, method="GET", times=-1)
    row = gan.wait_key(send(gan, "suppliers.create", PARTNER), "unknown", deadline=20)[0]
    assert row["last"]["error"].startswith("gave up looking for it after 1s; last: HTTP 500")
    assert ops(sim).count("suppliers.create") <= 1


def test_what_always_ends_in_doubt_ends_with_a_person(gan, sim):
    """Never there and never taken: it is not sent for ever, and not in a row."""
    gan.reconfigure(deliver={"retry": {"first": "200ms", "max": "400ms", "give_up": "1s"}})
    gan.ctl("reload")
    sim.fault("prodsmart", "status", status=500, method="POST", path="/api/suppliers", times=-1)
    row = gan.wait_key(send(gan, "suppliers.create", PARTNER), "unknown", deadline=20)[0]
    assert row["last"]["error"].startswith("gave up after 1s; last: HTTP 500")
    assert row["id"] in [i["id"] for i in gan.ctl("attention")]
    verdicts = [t["verdict"] for t in tries(gan, row)]
    assert verdicts[:2] == ["unknown", "absent"] and len(verdicts) < 20


def test_a_paused_connector_looks_when_it_is_resumed(gan, sim):
    gan.reconfigure(deliver={"probe_after": "1s"})
    gan.ctl("reload")
    sim.fault("prodsmart", "drop-after", method="POST")
    key = send(gan, "suppliers.create", PARTNER)
    kit.wait_until(lambda: (gan.deliveries(key=key) or [{"attempts": 0}])[0]["attempts"] == 1)
    gan.ctl("pause", "prodsmart")
    gan.ctl("retry", gan.deliveries(key=key)[0]["id"])
    assert "suppliers.list" not in ops(sim)
    gan.ctl("resume", "prodsmart")
    gan.wait_key(key, "delivered")
    assert ops(sim)[-1] == "suppliers.list"


def test_the_look_closes_the_breaker(gan, sim):
    gan.reconfigure(deliver={"breaker": {"failures": 1, "open": "100ms"}})
    gan.ctl("reload")
    sim.fault("prodsmart", "drop-after", method="POST")
    gan.wait_key(send(gan, "suppliers.create", PARTNER), "delivered")
    assert "the breaker is open" in gan.log() and "the breaker is closed" in gan.log()
    assert ops(sim) == ["suppliers.create", "suppliers.list"]


# -- kill -9 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("acted", [True, False])
def test_killed_while_sending_it_is_looked_for(gan, sim, acted):
    """Neither lost nor doubled, whether the request had been carried out or not."""
    gan.reconfigure(deliver={"timeout": {"total": "60s"}})
    gan.ctl("reload")
    hang = sim.fault("prodsmart", "hang-after" if acted else "hang", method="POST")
    key = send(gan, "inventory-movements.create", MOVE)
    kit.wait_until(lambda: sim.hits(hang) == 1)
    gan.kill()
    gan.start()
    row = gan.wait_key(key, "delivered")[0]
    assert len(sim.state()["prodsmart"]["movements"]) == 1
    assert [t["verdict"] for t in tries(gan, row)] == (
        ["unknown", "found"] if acted else ["unknown", "absent", "delivered"])
    assert tries(gan, row)[0]["error"] == "the gateway stopped while sending"


def test_killed_between_the_doubt_and_the_look(gan, sim):
    gan.reconfigure(deliver={"probe_after": "1s"})
    gan.ctl("reload")
    sim.fault("prodsmart", "drop-after", method="POST")
    key = send(gan, "inventory-movements.create", MOVE)
    kit.wait_until(lambda: (gan.deliveries(key=key) or [{"attempts": 0}])[0]["attempts"] == 1)
    gan.kill()
    gan.start()
    row = gan.wait_key(key, "delivered")[0]
    assert len(sim.state()["prodsmart"]["movements"]) == 1
    assert [t["verdict"] for t in tries(gan, row)] == ["unknown", "found"]


@pytest.mark.parametrize("acted", [True, False])
def test_killed_while_looking(gan, sim, acted):
    gan.reconfigure(deliver={"timeout": {"total": "60s"}})
    gan.ctl("reload")
    sim.fault("prodsmart", "drop-after" if acted else "drop-before", method="POST")
    hang = sim.fault("prodsmart", "hang", method="GET", path="/api/inventory-movements/")
    key = send(gan, "inventory-movements.create", MOVE)
    kit.wait_until(lambda: sim.hits(hang) == 1)
    gan.kill()
    gan.start()
    row = gan.wait_key(key, "delivered")[0]
    assert len(sim.state()["prodsmart"]["movements"]) == 1
    assert tries(gan, row)[-1]["verdict"] == ("found" if acted else "delivered")


# -- without a probe -----------------------------------------------------------------------------


def test_what_cannot_be_looked_for_is_held(gan, sim):
    gan.reconfigure(deliver={"on_unknown": "probe"})  # as far as the operation allows it
    gan.ctl("reload")
    sim.fault("prodsmart", "drop-after", method="POST")
    key = send(gan, "machines.startstop", {"$path": {"machine_code": "M1"},
                                           "$body": {"type": "Stop", "running": 0}}, "hold")
    gan.wait_key(key, "unknown")
    assert ops(sim) == ["machines.startstop"]


def test_a_rule_cannot_ask_for_a_probe_that_is_not_there(gan):
    gan.rule("bad.yaml", rule("machines.startstop"))
    rc, out, err = gan.ctl_raw("rules", "check", output="table")
    assert rc == 1
    assert ("on_unknown: probe is not possible for prodsmart/machines.startstop: there is nothing "
            "to look with; use hold") in out + err
