# SPDX-License-Identifier: MIT
"""test_prodsmart.py - every operation of Prodsmart through a rule, and each of its errors.

One gateway with one rule per operation serves all tests: an event's body is what the rule
sends. The simulator is as strict as the vendor's page."""

import glob
import json
import os

import kit
import pytest
from prodsmart import OPERATIONS, basic

PARTNER = {"code": "S1", "name": "Timber Ltd", "contacts": [{"email": "a@b.example"}],
           "addresses": [{"code": "A1", "address": "Mill Lane 1", "country": "PT"}]}
SALE = {"code": "CO-1", "client": "C1",
        "products": [{"code": "P1", "quantity": 5, "due-date": "2026-03-01T08:00:00Z"}]}
BUY = {"code": "PO-1", "supplier": "S1",
       "products": [{"code": "P2", "quantity": 1.5, "due-date": "2026-03-01T08:00:00+01:00"}]}
ORDER = {"code": "V23076 - Week 33/34", "start-date": "2026-03-01T08:00:00Z",
         "due-date": "2026-03-09T08:00:00Z", "workers-assigned": [{"number": 7}],
         "products": [{"product": "P1", "quantity-ordered": 30}], "machines": [{"code": "M1"}]}
PRODUCT = {"code": "P1", "name": "Table", "operations": [{"code": "cut", "name": "Cut"}]}
RECORD = {"start-time": "2026-03-01T08:00:00Z", "end-time": "2026-03-01T09:30:00Z", "quantity": 3,
          "operation": {"code": "cut", "product-code": "P1"}, "worker": {"number": "12"}}
MOVE = {"product-code": "P1", "quantity": "10", "type": "in", "comment": "from the ERP"}
COUNT = {"count": 500, "waste": [{"code": "W1", "quantity": 20}],
         "parameters": [{"name": "speed", "value": 1.5}]}
FAMILY = {"product-families": [{"code": "F/9", "name": "Tables"}]}
STOCK = {"product-code": "P1", "stock": 200.5, "date": "2026-03-01T08:00:00Z"}
REPORT = {"start-time": "2026-03-01T00:00:00Z", "end-time": "2026-03-02T00:00:00+01:00"}
CODE = "V23076 - Week 33/34"


def at(body=None, query=None, **path):
    """The output of a rule: path, query and body."""
    parts = {"$path": path, "$query": query, "$body": body}
    return {name: part for name, part in parts.items() if part not in (None, {})}


# What each operation is sent, when all is well.
CALLS = {
    "authorization.create": {"scopes": ["productions_write"]},
    "authorization.get": {},
    "changes.read": at(channel="STOCK", query={"workers": True}),
    "suppliers.create": {**PARTNER, "code": "NEW"},
    "suppliers.list": at(query={"code": "S1", "page": 1, "id": 1}),
    "suppliers.get": at(id=1),
    "suppliers.update": at({**PARTNER, "name": "Other"}, id=1),
    "suppliers.delete": at(id=2),
    "clients.create": {**PARTNER, "code": "NEW"},
    "clients.list": at(query={"code": "C1"}),
    "clients.get": at(id="1"),
    "clients.update": at({**PARTNER, "code": "C1"}, id=1),
    "clients.delete": at(id=2),
    "client-orders.create": {**SALE, "code": "CO-NEW"},
    "client-orders.list": at(query={"client": "C1", "due-date-after": "2026-01-01T00:00:00Z"}),
    "client-orders.get": at(id=1),
    "client-orders.update": SALE,
    "client-orders.delete": at(id=2),
    "purchase-orders.create": {**BUY, "code": "PO-NEW"},
    "purchase-orders.list": at(query={"supplier": "S1"}),
    "purchase-orders.get": at(id=1),
    "purchase-orders.update": at(BUY, id=1),
    "purchase-orders.delete": at(id=2),
    "production-orders.create": at({**ORDER, "code": "MO-NEW"}, query={"workers": True}),
    "production-orders.list": at(query={
        "start-date-before": "2026-12-01T00:00:00Z", "active": False, "product": "P1"}),
    "production-orders.get": at(id=1, query={"workers": False}),
    "production-orders.update": at(ORDER, id=1),
    "production-orders.delete": at(id=2),
    "production-orders.notify": at({"short-message": "x" * 140, "message": "all"}, id=1),
    "production-orders.activate": at(id=1),
    "products.get": at(code=CODE),
    "products.create": PRODUCT,
    "products.update": at({**PRODUCT, "code": CODE}, code=CODE),
    "products.delete": at(code="P/gone"),
    "products.list": at(query={"page": 1}),
    "bom.set": {"product-code": CODE, "bom": [{"product-code": "P2", "quantity": 4}]},
    "stock.set": STOCK,
    "stock.get": at(code="P2"),
    "product-families.create": FAMILY,
    "product-families.delete": at(code="F/1"),
    "product-families.list": at(query={"page": 1}),
    "machines.counter": at(COUNT, machine_code="M/1 a"),
    "machines.parameters": at({"parameters": [{"code": "t", "value": 25}]}, machine_code="M/1 a"),
    "machines.startstop": at({"type": "Maintenance", "running": 0}, machine_code="M/1 a"),
    "productions.update": at(RECORD, id=1),
    "productions.delete": at(id=2),
    "productions.list": at(query={"production-order-code": [CODE, "MO/2"], "worker": 12}),
    "downtimes.list": at(query={"machine": "M1"}),
    "punchclocks.list": at(query={"worker": 0}),
    "inventory-movements.get": at(id=1),
    "inventory-movements.create": MOVE,
    "inventory-movements.update": at({"quantity": 4}, id=1),
    "inventory-movements.delete": at(id=2),
    "inventory-movements.list": at(query={"type": "in", "product-code": "P1"}),
    "reports.worker-labor-time": at(query={**REPORT, "show-rework": True}),
    "authorization.delete": {},
}


def state():
    record = {**RECORD, "worker": {"number": 12}, "production-order": {"code": CODE}}
    return {
        "limit_per_minute": 1000000,
        "suppliers": [{**PARTNER, "id": 1}, {**PARTNER, "id": 2, "code": "S2"}],
        "clients": [{**PARTNER, "id": 1, "code": "C1"}, {**PARTNER, "id": 2, "code": "C2"}],
        "client_orders": [{**SALE, "id": 1}, {**SALE, "id": 2, "code": "CO-2"}],
        "purchase_orders": [{**BUY, "id": 1}, {**BUY, "id": 2, "code": "PO-2"}],
        "production_orders": [{**ORDER, "id": 1, "active": False},
                              {**ORDER, "id": 2, "code": "MO/2"}],
        "products": [PRODUCT, {**PRODUCT, "code": "P2"}, {**PRODUCT, "code": "P/gone"},
                     {**PRODUCT, "code": CODE}],
        "families": [{"code": "F/1", "name": "One"}],
        "stock": [{"product-code": "P2", "stock": 5}],
        "machines": [{"code": "M/1 a"}, {"code": "M1"}],
        "productions": [{**record, "id": 1}, {**record, "id": 2}],
        "movements": [{**MOVE, "id": 1}, {**MOVE, "id": 2}],
    }


def rule(operation, key=True):
    name = operation.replace(".", "-") + ("" if key else "-loose")
    topic = operation + ("" if key else ".loose")
    return (f"rule: {name}\nfrom: erp/{topic}\nto: prodsmart/{operation}\nmap: .output\n"
            + ("key: '\"k/\" + $event.key'\n" if key else ""))


RULES = {f"{name}.yaml": rule(name) for name in CALLS}
RULES["loose.yaml"] = rule("stock.set", key=False)
RULES["declared.yaml"] = rule("lots.get")
CONFIG = {"api_key": "secret:ps-key", "api_secret": "secret:ps-secret", "kind": "prodsmart",
          "operations": {"lots.get": {"method": "GET", "path": "/api/stock/{code}",
                                      "repeat": "safe"}}}


@pytest.fixture(scope="module")
def one():
    """The simulator and the gateway of all tests here."""
    sim = kit.Sim()
    gan = kit.Gateway(sim, RULES, config={
        "connectors": {"prodsmart": {**CONFIG, "base_url": sim.url("prodsmart")}}})
    try:
        gan.start()
        yield gan
    finally:
        gan.close()
        sim.stop()


@pytest.fixture
def gan(one):
    one.sim.reset()
    one.sim.state(prodsmart=state())
    return one


@pytest.fixture
def sim(gan):
    return gan.sim


class Keys:
    last = 0

    @classmethod
    def new(cls):
        cls.last += 1
        return f"{cls.last}"


def send(gan, operation, output, topic=None):
    """One event; returns the key of its delivery."""
    key = Keys.new()
    got = gan.erp_post(topic or operation, {"key": key, "output": output})
    assert got.status == 202, got
    return "k/" + key


def calls(sim, operation):
    return [r for r in sim.journal("prodsmart", tokens=True) if r.get("op") == operation]


def text_of(gan, row):
    """All that the story tells of a delivery."""
    return json.dumps(gan.ctl("show", row["id"], "--bodies"))


# -- all 56 -----------------------------------------------------------------------------


def test_every_operation(gan, sim):
    assert set(CALLS) == set(OPERATIONS) and len(CALLS) == 56
    sim.state(prodsmart={"changes": {"STOCK": [{"product-code": "P1", "stock": 1}]}})
    for name, output in CALLS.items():
        row = gan.wait_key(send(gan, name, output), "delivered")[0]
        method, path, status = OPERATIONS[name]
        got = calls(sim, name)[-1]
        assert row["last"]["status"] == got["status"] == status, (name, row)
        assert got["method"] == method, name
        assert got["notes"] == [], (name, got["notes"])
        if path.endswith("/"):
            assert got["path"].endswith("/"), name
    state_now = sim.state()["prodsmart"]
    assert state_now["naive_dates"] == 0
    assert [s["code"] for s in state_now["suppliers"]] == ["S1", "NEW"]
    assert state_now["notifications"] != []
    assert [p["code"] for p in state_now["products"]].count("P/gone") == 0


def test_a_call_that_is_not_ours_yet(gan, sim):
    key = send(gan, "lots.get", at(code="P2", query={"lot": "L 1"}))
    row = gan.wait_key(key, "delivered")[0]
    assert row["response"]["product-code"] == "P2", row
    assert "lot=L%201" in calls(sim, "stock.get")[-1]["query"]


def test_what_the_answer_gave_is_kept(gan, sim):
    row = gan.wait_key(send(gan, "suppliers.create", {**PARTNER, "code": "ID"}), "delivered")[0]
    made = [s for s in sim.state()["prodsmart"]["suppliers"] if s["code"] == "ID"]
    assert row["response"]["id"] == made[0]["id"]
    row = gan.wait_key(send(gan, "product-families.create", FAMILY), "delivered")[0]
    assert row["response"][0]["code"] == "F/9"
    row = gan.wait_key(send(gan, "stock.set", STOCK), "delivered")[0]
    assert row["response"] is None


def test_numbers_go_out_as_they_came(gan, sim):
    body = {**STOCK, "stock": 0.1}
    gan.wait_key(send(gan, "stock.set", body), "delivered")
    assert '"stock":0.1,' in calls(sim, "stock.set")[-1]["body"].replace(" ", "")


# -- the documented errors -----------------------------------------------------------------

BAD = {"bogus": 1}  # what the page does not know
REFUSED = [
    ("suppliers.create", PARTNER, 400),  # the code is there
    ("suppliers.list", at(query={"page": 0}), 400),
    ("suppliers.get", at(id=99), 400),
    ("suppliers.update", at({**PARTNER, **BAD}, id=1), 400),
    ("suppliers.delete", at(id=1), 412),
    ("clients.create", {**PARTNER, "code": "C1"}, 400),
    ("clients.list", at(query={"page": 0}), 400),
    ("clients.get", at(id=99), 400),
    ("clients.update", at({**PARTNER, **BAD}, id=1), 400),
    ("clients.delete", at(id=1), 412),
    ("client-orders.create", {**SALE, **BAD}, 400),
    ("client-orders.list", at(query={"page": 0}), 400),
    ("client-orders.get", at(id=99), 400),
    ("client-orders.update", {**SALE, **BAD}, 400),
    ("client-orders.delete", at(id=1), 409),
    ("purchase-orders.create", {**BUY, **BAD}, 400),
    ("purchase-orders.list", at(query={"page": 0}), 400),
    ("purchase-orders.get", at(id=99), 400),
    ("purchase-orders.update", at({**BUY, **BAD}, id=1), 400),
    ("purchase-orders.delete", at(id=1), 409),
    ("production-orders.create", {**ORDER, **BAD}, 400),
    ("production-orders.activate", at(id=2), 405),
    ("products.get", at(code="P9"), 404),
    ("products.create", {**PRODUCT, **BAD}, 400),
    ("products.update", at({**PRODUCT, **BAD}, code="P1"), 400),
    ("products.delete", at(code="P2"), 400),
    ("products.list", at(query={"page": 0}), 400),
    ("bom.set", {"product-code": "P9", "bom": [{"product-code": "P2", "quantity": 1}]}, 404),
    ("bom.set", {"product-code": "P1", "bom": [{"product-code": "P9", "quantity": 1}]}, 400),
    ("stock.set", {**STOCK, "product-code": "P9"}, 404),
    ("stock.set", {**STOCK, **BAD}, 400),
    ("stock.get", at(code="P9"), 400),
    ("product-families.create", {"product-families": [{"code": "F/1", "name": "N"}]}, 400),
    ("product-families.delete", at(code="F9"), 400),
    ("product-families.list", at(query={"page": 0}), 400),
    ("machines.counter", at({**COUNT, **BAD}, machine_code="M1"), 400),
    ("productions.update", at({**RECORD, **BAD}, id=1), 400),
    ("productions.delete", at(id=99), 400),
    ("inventory-movements.create", {**MOVE, **BAD}, 400),
    ("inventory-movements.delete", at(id=99), 400),
    ("reports.worker-labor-time", at(query={**REPORT, "page": 0}), 400),
]


def test_documented_errors_are_final(gan, sim):
    sim.state(prodsmart={
        "production_orders": [{**ORDER, "id": 1}, {**ORDER, "id": 2, "running-status": "closed"}],
        "client_orders": [{**SALE, "id": 1}],
        "boms": [{"product-code": "P1", "bom": [{"product-code": "P2", "quantity": 4}]}],
        "movements": [{**MOVE, "id": 1, "client-order": "CO-1", "purchase-order": "PO-1"}]})
    sent = [(send(gan, name, output), name, status) for name, output, status in REFUSED]
    for key, name, status in sent:
        row = gan.wait_key(key, "dead")[0]
        assert (row["last"]["status"], row["attempts"]) == (status, 1), (name, row)
        assert f"HTTP {status}: " in row["last"]["error"], (name, row)
    assert {n for _, n, _ in sent} == {n for n in CALLS if len(calls(sim, n)) > 0
                                       and not n.startswith("authorization")}


def test_busy_is_no_refusal(gan, sim):
    sim.fault("prodsmart", "status", status=429, retry_after="1", path="/api/stock")
    row = gan.wait_key(send(gan, "stock.set", STOCK), "delivered", deadline=15)[0]
    assert [r["status"] for r in calls(sim, "stock.set")] == [429, 201] or row["attempts"] == 2


def test_a_report_waits_for_its_turn_and_holds_up_nobody(gan, sim):
    sim.fault("prodsmart", "status", status=429, path="/api/reports", times=3)
    key = send(gan, "reports.worker-labor-time", CALLS["reports.worker-labor-time"])
    other = send(gan, "stock.get", CALLS["stock.get"])
    gan.wait_key(other, "delivered")
    row = gan.wait_key(key, "delivered")[0]
    assert row["attempts"] == 4


# -- refused before a request is spent -------------------------------------------------------

UNSENT = [
    ("suppliers.create", {"code": "S"}, "name is missing"),
    ("suppliers.create", {"code": 5, "name": "N"}, "code must be a text"),
    ("suppliers.update", PARTNER, "$path.id is missing"),
    ("suppliers.get", at(id=1.5), "$path.id must be a text or a whole number"),
    ("suppliers.list", at(query={"cod": "S"}), "$query.cod is nothing that suppliers.list takes"),
    ("production-orders.create", {**ORDER, "start-date": "2026-03-01T08:00:00"}, "without a zone"),
    ("production-orders.create", {**ORDER, "products": [{"product": "P1"}]},
     "products[0].quantity-ordered is missing"),
    ("production-orders.notify", at({"short-message": "x" * 141}, id=1),
     "short-message has 141 characters, at most 140"),
    ("client-orders.create",
     {**SALE, "products": SALE["products"] + [{"code": "P1", "quantity": 1}]},
     "products[1].code is the same as in products[0]"),
    ("stock.set", {"product-code": "P", "stock": "5"}, "stock must be a number, without quotes"),
    ("stock.set", {**STOCK, "date": "2026-03-01"}, "expected date, time and zone"),
    ("bom.set", {"product-code": "P", "bom": []}, "bom is empty"),
    ("machines.startstop", at({"type": "T", "running": 2}, machine_code="M"), "allowed: 0 1"),
    ("suppliers.delete", at({"why": "x"}, id=1), "takes no body"),
    ("reports.worker-labor-time", {}, "$query.start-time is missing"),
]


def test_what_is_wrong_is_not_sent(gan, sim):
    sent = [(send(gan, name, output), why) for name, output, why in UNSENT]
    for key, why in sent:
        row = gan.wait_key(key, "dead")[0]
        assert row["last"]["status"] is None, row
        assert row["last"]["error"].startswith("not sent: ") and why in row["last"]["error"], row
    assert [r for r in sim.journal("prodsmart", tokens=True) if r["op"] != "authorization.create"
            ] == []


# -- when the outcome is not known ---------------------------------------------------------

AGAIN = [  # operation, what it is sent, the statuses of both requests, what is said of it
    ("suppliers.get", at(id=1), 201, None),
    ("suppliers.update", at(PARTNER, id=1), 201, None),
    ("suppliers.delete", at(id=2), 404, "done by an earlier attempt"),
    ("products.delete", at(code="P/gone"), 400, "done by an earlier attempt"),
    ("production-orders.activate", at(id=1), 204, "active already"),
    ("stock.set", STOCK, 201, None),
    ("machines.counter", at(COUNT, machine_code="M1"), 400, "done by an earlier attempt"),
    ("productions.delete", at(id=2), 400, "done by an earlier attempt"),
    ("inventory-movements.update", at({"quantity": 4}, id=1), 200, None),
    ("authorization.create", CALLS["authorization.create"], 201, None),
]


@pytest.mark.parametrize("name, output, status, said", AGAIN, ids=[a[0] for a in AGAIN])
def test_what_changes_nothing_is_sent_again(gan, sim, name, output, status, said):
    gan.wait_key(send(gan, "stock.get", CALLS["stock.get"]), "delivered")  # a token is there
    sim.fault("prodsmart", "drop-after", path=OPERATIONS[name][1].split("{")[0],
              token=name == "authorization.create")
    before = len(calls(sim, name))
    row = gan.wait_key(send(gan, name, output), "delivered")[0]
    assert len(calls(sim, name)) == before + 2 and row["last"]["status"] == status, row
    if said:
        assert said in row["last"]["error"], row


ONCE = [
    ("suppliers.create", {**PARTNER, "code": "NEW"}),
    ("production-orders.create", ORDER),
    ("production-orders.notify", at({"short-message": "hello"}, id=1)),
    ("client-orders.update", SALE),
    ("inventory-movements.create", MOVE),
    ("machines.parameters", at({"parameters": [{"code": "t", "value": 1}]}, machine_code="M1")),
    ("machines.startstop", at({"type": "Maintenance", "running": 0}, machine_code="M1")),
    ("changes.read", at(channel="STOCK")),
]


@pytest.mark.parametrize("name, output", ONCE, ids=[a[0] for a in ONCE])
def test_what_may_do_it_twice_waits_for_a_person(gan, sim, name, output):
    sim.fault("prodsmart", "drop-after", path=OPERATIONS[name][1].split("{")[0])
    key = send(gan, name, output)
    row = gan.wait_key(key, "unknown")[0]
    assert row["attempts"] == 1 and len(calls(sim, name)) == 1
    gan.ctl("resolve", row["id"], "--as", "sent")


def test_a_state_without_a_key_waits_for_a_person(gan, sim):
    """Nothing says that no newer count has gone out meanwhile."""
    sim.fault("prodsmart", "drop-after", path="/api/stock")
    send(gan, "stock.set", STOCK, topic="stock.set.loose")
    row = kit.wait_until(lambda: next(iter(gan.deliveries(state="unknown")), None), 10, "unknown")
    assert row["operation"] == "stock.set" and len(calls(sim, "stock.set")) == 1
    gan.ctl("resolve", row["id"], "--as", "sent")


# -- tokens -----------------------------------------------------------------------------------


def test_a_burst_shares_one_token_and_a_refused_one_is_renewed_once(gan, sim):
    sim.state(prodsmart={"forget_tokens": True})
    keys = [send(gan, "stock.get", CALLS["stock.get"]) for _ in range(12)]
    for key in keys:
        row = gan.wait_key(key, "delivered")[0]
        assert row["last"]["status"] == 200
    assert len(calls(sim, "authorization.create")) <= 2
    assert calls(sim, "authorization.delete") == []
    assert gan.attention(kind="connector-paused") == []


def test_the_token_stands_nowhere(gan, sim):
    """Not in the story, the log or the database; nor do api_key and api_secret."""
    gan.wait_key(send(gan, "stock.get", CALLS["stock.get"]), "delivered")
    got = gan.wait_key(send(gan, "authorization.get", {}), "delivered")[0]
    given = kit.request(sim.address("prodsmart"), "GET", "/api/authorization", None,
                        {"Content-Type": "application/json", "Authorization": basic()})
    token = given.json()["token"]
    row = gan.wait_key(send(gan, "suppliers.get", at(id=99)), "dead")[0]
    assert got["response"] is None
    told = text_of(gan, row) + text_of(gan, got)
    assert "access_token=(masked)" in told and "/api/suppliers/99" in told
    secrets = [token, gan.SECRETS["ps-key"], gan.SECRETS["ps-secret"]]
    gan.ctl("store check")
    for path in [*glob.glob(gan.path("data", "*")), gan.log_path]:
        if os.path.isfile(path):
            with open(path, "rb") as f:
                data = f.read()
            assert not [s for s in secrets if s.encode() in data], path
    assert not [s for s in secrets if s in told]


def test_machines_with_basic(sim, make_gateway):
    gan = kit.Gateway(sim, RULES, config={"connectors": {"prodsmart": {
        **CONFIG, "base_url": sim.url("prodsmart"), "machines": "basic"}}})
    try:
        gan.start()
        gan.wait_key(send(gan, "machines.counter", at(COUNT, machine_code="M1")), "delivered")
        got, = sim.journal("prodsmart", tokens=True)
        assert "access_token" not in (got["query"] or "") and "authorization" in got["headers"]
        gan.secret("ps-secret", "wrong-secret-0123")
        gan.ctl("reload")
        send(gan, "machines.counter", at({"count": 501}, machine_code="M1"))
        item = kit.wait_until(lambda: next(iter(gan.attention(kind="connector-paused")), None),
                              10, "the connector pauses")
        assert "401" in item["reason"]
        assert len(sim.journal("prodsmart", tokens=True)) <= 4
    finally:
        gan.close()


def test_a_dry_run_says_what_would_not_be_sent(gan):
    wrong = {"product-code": "P", "stock": "5"}
    gan.write("event.json", json.dumps({"key": "x", "output": wrong}))
    code, out, _ = gan.ctl_raw("rules", "try", "stock-set", "--event-file", gan.path("event.json"))
    assert code == 1
    request, = json.loads(out)["outputs"]
    assert request["refused"] == "stock must be a number, without quotes"
    code, out, _ = gan.ctl_raw("rules", "try", "stock-set", "--event-file", gan.path("event.json"),
                               output="table")
    assert code == 1 and "would not be sent: stock must be a number" in out
    gan.write("event.json", json.dumps({"key": "x", "output": STOCK}))
    tried = gan.ctl("rules try", "stock-set", "--event-file", gan.path("event.json"))
    assert tried["outputs"][0]["refused"] is None
