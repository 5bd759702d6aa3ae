# SPDX-License-Identifier: MIT
"""test_sim_prodsmart.py - the simulated Prodsmart, walked directly over HTTP."""

import json

import kit
import pytest
from prodsmart import OPERATIONS, Prodsmart, basic

PARTNER = {"code": "S1", "name": "Timber Ltd", "contacts": [{"email": "a@b.example"}],
           "addresses": [{"code": "A1", "address": "Mill Lane 1", "country": "PT"}]}
SALE = {"code": "CO-1", "client": "C1", "billing-address": "A1",
        "products": [{"code": "P1", "quantity": 5, "due-date": "2026-03-01T08:00:00Z"}]}
BUY = {"code": "PO-1", "supplier": "S1",
       "products": [{"code": "P2", "quantity": 1.5, "due-date": "2026-03-01T08:00:00+01:00"}]}
ORDER = {"code": "MO-1", "start-date": "2026-03-01T08:00:00Z", "due-date": "2026-03-09T08:00:00Z",
         "products": [{"product": "P1", "quantity-ordered": 30}], "shipping": "SH1",
         "machines": [{"code": "M1"}], "location": "L1", "active": False,
         "parameters": [{"name": "Color", "value": "red"}],
         "workers-assigned": [{"number": 7}], "worker-groups": [{"name": "All"}]}
PRODUCT = {"code": "P1", "name": "Table", "families": [{"code": "F1"}],
           "operations": [{"code": "cut", "name": "Cut"}]}
BOM = {"product-code": "P1", "bom": [{"product-code": "P2", "quantity": 4}]}
STOCK = {"product-code": "P1", "stock": 200.5, "date": "2026-03-01T08:00:00Z"}
FAMILY = {"product-families": [{"code": "F1", "name": "Tables"}]}
RECORD = {"start-time": "2026-03-01T08:00:00Z", "end-time": "2026-03-01T09:30:00Z", "quantity": 3,
          "operation": {"code": "cut", "product-code": "P1"}, "worker": {"number": "12"},
          "production-order": {"code": "MO-1"}}
MOVE = {"product-code": "P1", "quantity": 10, "type": "in", "lot": "L7", "client-order": "CO-1",
        "receiving": "R1", "purchase-order": "PO-1", "location": "L1"}
COUNTER = {"count": 500, "waste": [{"code": "W1", "quantity": 20}]}
PARAMETERS = {"parameters": [{"code": "temperature", "value": 25}]}
NOTIFY = {"short-message": "hello", "message": "the whole story"}

# Operation, what stands for the {…} of its path ("$" an id given on the way), body, query.
WALK = [
    ("authorization.get", "", None, {}),
    ("authorization.create", "", None, {}),
    ("authorization.delete", "", None, {}),
    ("changes.read", "STOCK", None, {"workers": "true"}),
    ("suppliers.create", "", PARTNER, {}),
    ("suppliers.list", "", None, {"code": "S1", "page": 1}),
    ("suppliers.get", "$", None, {}),
    ("suppliers.update", "$", PARTNER, {}),
    ("clients.create", "", {**PARTNER, "code": "C1"}, {}),
    ("clients.list", "", None, {"code": "C1"}),
    ("clients.get", "$", None, {}),
    ("clients.update", "$", {**PARTNER, "code": "C1"}, {}),
    ("client-orders.create", "", SALE, {}),
    ("client-orders.list", "", None, {"client": "C1"}),
    ("client-orders.get", "$", None, {}),
    ("client-orders.update", "", SALE, {}),
    ("purchase-orders.create", "", BUY, {}),
    ("purchase-orders.list", "", None, {"supplier": "S1"}),
    ("purchase-orders.get", "$", None, {}),
    ("purchase-orders.update", "$", BUY, {}),
    ("production-orders.create", "", ORDER, {"workers": "true"}),
    ("production-orders.list", "", None, {"machine": "M1"}),
    ("production-orders.get", "$", None, {}),
    ("production-orders.update", "$", ORDER, {}),
    ("production-orders.notify", "$", NOTIFY, {}),
    ("production-orders.activate", "$", {}, {}),
    ("product-families.create", "", FAMILY, {}),
    ("product-families.list", "", None, {"page": 1}),
    ("products.create", "", PRODUCT, {}),
    ("products.get", "P1", None, {}),
    ("products.update", "P1", PRODUCT, {}),
    ("products.list", "", None, {"product-family-code": "F1"}),
    ("products.create", "", {"code": "P2", "name": "Leg"}, {}),
    ("bom.set", "", BOM, {}),
    ("stock.set", "", STOCK, {}),
    ("stock.get", "P1", None, {}),
    ("machines.counter", "M1", COUNTER, {}),
    ("machines.parameters", "M1", PARAMETERS, {}),
    ("machines.startstop", "M1", {"type": "Maintenance", "running": 0}, {}),
    ("productions.update", "77", RECORD, {}),
    ("productions.list", "", None, {"worker": 12}),
    ("downtimes.list", "", None, {"machine": "M1"}),
    ("punchclocks.list", "", None, {"worker": 0}),
    ("inventory-movements.create", "", MOVE, {}),
    ("inventory-movements.get", "$", None, {}),
    ("inventory-movements.update", "$", {"quantity": "4"}, {}),
    ("inventory-movements.list", "", None, {"type": "in"}),
    ("reports.worker-labor-time", "", None,
     {"start-time": "2026-03-01T00:00:00Z", "end-time": "2026-03-02T00:00:00Z"}),
    ("inventory-movements.delete", "$", None, {}),
    ("productions.delete", "77", None, {}),
    ("production-orders.delete", "$", None, {}),
    ("purchase-orders.delete", "$", None, {}),
    ("client-orders.delete", "$", None, {}),
    ("clients.delete", "$", None, {}),
    ("suppliers.delete", "$", None, {}),
    ("products.delete", "P1", None, {}),
    ("product-families.delete", "F1", None, {}),
]


@pytest.fixture
def ps(sim):
    sim.state(prodsmart={"limit_per_minute": 100000})
    return Prodsmart(sim)


def only_id(sim, name):
    """The id of the one object that operations of this name deal with."""
    pool = name.split(".")[0].replace("-", "_").replace("inventory_", "")
    item, = sim.state()["prodsmart"][pool]
    return item["id"]


def test_every_operation(sim, ps):
    sim.state(prodsmart={"productions": [{**RECORD, "id": 77, "worker": {"number": 12}}],
                         "punchclocks": [{"id": 1, "date": "2026-03-01T08:00:00Z", "entry": 1,
                                          "worker": {"number": 0}}]})
    for name, what, body, query in WALK:
        token = name.startswith("authorization")
        what = only_id(sim, name) if what == "$" else what
        got = ps.op(name, what, body, basic() if token else None, **query)
        status = OPERATIONS[name][2]
        assert got.status == status, (name, got)
        assert sim.journal("prodsmart", tokens=True)[-1]["op"] == name
        if name.endswith(".list") and name != "products.list":
            assert len(got.json()) == 1, (name, got)
        if status == 204:
            assert got.body == b"" and "content-length" not in got.headers
        if token:
            ps.token = ps.new_token()
    assert {row[0] for row in WALK} == set(OPERATIONS) and len(OPERATIONS) == 56
    left = sim.state()["prodsmart"]
    for pool in ("suppliers", "clients", "client_orders", "purchase_orders", "production_orders",
                 "families", "productions", "movements"):
        assert left[pool] == [], pool
    assert left["naive_dates"] == 0


def test_only_these_paths(ps):
    known = {(method, path) for method, path, _ in OPERATIONS.values()}
    for method, path in known:
        other = path[:-1] if path.endswith("/") else path + "/"
        if (method, other) not in known:
            assert ps.call(method, other.replace("{", "").replace("}", ""), {}).status == 404, other
    for method, path in (("DELETE", "/api/product-families/F1"), ("PATCH", "/api/suppliers/1"),
                         ("DELETE", "/api/inventory-movements/1"), ("POST", "/api/client-order"),
                         ("PUT", "/api/client-order/5"), ("GET", "/api/authorizations")):
        assert ps.call(method, path, {}).status == 404, path


def test_credentials(sim, ps):
    assert ps.get("/api/suppliers", token="").status == 401
    assert ps.get("/api/suppliers", token="x").status == 401
    assert ps.get("/api/suppliers", auth=basic()).status == 401
    assert ps.call("POST", "/api/authorization", auth=basic(secret="x")).status == 401
    assert ps.call("POST", "/api/authorization", token="").status == 401
    path = "/api/machines/M%2F1%20a/parameters"
    assert ps.post(path, PARAMETERS).status == 200
    assert ps.post(path, PARAMETERS, auth=basic()).status == 200
    assert ps.post(path, PARAMETERS, auth=basic(key="x")).status == 401
    assert [m["code"] for m in sim.state()["prodsmart"]["machines"]] == ["M/1 a"]
    assert ps.call("GET", "/api/authorization", auth=basic()).json()["token"] == ps.token
    sim.state(prodsmart={"token_life_ms": 200})
    short = ps.new_token()
    kit.wait_until(lambda: ps.get("/api/suppliers", token=short).status == 401, 3, "expiry")
    assert ps.get("/api/suppliers").status == 200  # the older one still lives
    sim.state(prodsmart={"token_life_ms": 60000, "one_token": 1})
    newer = ps.new_token()
    assert ps.get("/api/suppliers").status == 401
    assert ps.get("/api/suppliers", token=newer).status == 200
    assert ps.call("DELETE", "/api/authorization", auth=basic()).status == 204
    assert ps.get("/api/suppliers", token=newer).status == 401
    assert ps.call("GET", "/api/authorization", auth=basic()).status == 404
    text = json.dumps(sim.ask("GET", "/journal"))
    assert newer not in text and "access_token=sha256:" in text


def test_the_form_of_a_request(sim, ps):
    for kind in (None, "text/plain", "application/jsonx"):
        got = ps.call("GET", "/api/suppliers", content_type=kind)
        assert got.status == 400 and b"Content-Type" in got.body
    assert ps.call("GET", "/api/suppliers", content_type="application/json; charset=utf-8"
                   ).status == 200
    assert ps.call("GET", "/api/suppliers", {}).status == 400
    for body in (b"", b"{", b"[]", b'"x"', b"{'code':1}", b'{"code":"a","name":"b",}'):
        assert ps.post("/api/suppliers", body).status == 400, body
    for bad in ("", "%", "page=1&page=2", "color=red", "page", "page=0", "page=x", "id=a",
                "code=%zz"):
        address = f"/api/suppliers?access_token={ps.token}&{bad}"
        got = kit.request(sim.address("prodsmart"), "GET", address, None,
                          {"Content-Type": "application/json"})
        assert got.status == (400 if bad else 200), bad
    assert ps.get("/api/production-orders/", active="yes").status == 400
    assert ps.get("/api/production-orders/", start_date_before="tomorrow").status == 400
    assert ps.get("/api/reports/worker-labor-time", start_time="2026-03-01T00:00:00Z"
                  ).status == 400
    assert ps.get("/api/productions", start_time="2026-03-01T00:00:00Z",
                  start_time_after="2026-03-01T00:00:00Z").status == 400
    assert sim.count()["prodsmart"]["acted"] == 0


@pytest.fixture(scope="module")
def still():
    """One simulator for tests that change nothing in it."""
    s = kit.Sim()
    s.state(prodsmart={"limit_per_minute": 100000, "products": [PRODUCT],
                       "production_orders": [{**ORDER, "id": 5}],
                       "movements": [{**MOVE, "id": 6}],
                       "productions": [{**RECORD, "id": 7}]})
    yield Prodsmart(s)
    s.stop()


# Method, path, a good body, and what makes it bad: the field that the answer has to name.
REFUSED = [
    ("POST", "/api/suppliers", PARTNER,
     {"code": (None, "", 5), "name": (None, ""), "number": (5,), "color": ("red",),
      "expiration-date": ("01/01/2020", "2026-03-01 08:00:00Z", "2026-03-01"),
      "addresses": ([{"code": "A1", "country": "PT"}], [{"code": "A1", "address": "x"}], {}, [1],
                    [PARTNER["addresses"][0]] * 2),
      "contacts": ([{"name": "no way to reach"}],)}),
    ("POST", "/api/client-order/", SALE,
     {"code": (None,), "products": (None, [], [{"code": "P1"}], [{"code": "P1", "quantity": 0}],
                                    [{"code": "P1", "quantity": "5"}], SALE["products"] * 2)}),
    ("POST", "/api/purchase-orders/", BUY, {"code": (None,), "products": (None, [])}),
    ("POST", "/api/production-orders/", ORDER,
     {"code": (None,), "start-date": (None, "x"), "due-date": (None, 5), "active": ("true",),
      "products": (None, [], [{"product": "P1"}], ORDER["products"] * 2,
                   [{"product": "P1", "quantity-ordered": "30"}]),
      "location": ({"code": "L1"},), "machines": (["M1"],), "custom-fields": ([],)}),
    ("PUT", "/api/production-orders/5", ORDER, {"products": (None,), "start-date": (None,)}),
    ("POST", "/api/production-orders/5/notify", NOTIFY, {"short-message": (None, "x" * 141)}),
    ("POST", "/api/production-orders/5/activate", {}, {"now": (True,)}),
    ("POST", "/api/products", PRODUCT,
     {"code": (None,), "name": (None,), "operations": ([{"code": "cut"}], [{"name": "Cut"}])}),
    ("POST", "/api/bom", {"product-code": "P1", "bom": [{"product-code": "P1", "quantity": 1}]},
     {"product-code": (None,), "bom": (None, [], [{"product-code": "P1"}], [{"quantity": 1}])}),
    ("POST", "/api/stock", STOCK, {"product-code": (None,), "stock": (None, "200.5")}),
    ("POST", "/api/product-families", {"product-families": [{"code": "F9", "name": "x"}]},
     {"product-families": (None, [], [{"code": "F9"}], [{"name": "x"}])}),
    ("POST", "/api/machines/M1/counter", COUNTER,
     {"count": (None, "500"), "waste": ([{"code": "W1"}],)}),
    ("POST", "/api/machines/M1/parameters", PARAMETERS,
     {"parameters": (None, [], [{"name": "temperature", "value": 1}], [{"code": "x"}])}),
    ("POST", "/api/machines/M1/startstop", {"type": "Maintenance", "running": 0},
     {"type": (None,), "running": (None, 2, True)}),
    ("PUT", "/api/productions/7", RECORD,
     {"start-time": (None,), "operation": (None, {}), "worker": (None, {"number": "x"})}),
    ("POST", "/api/inventory-movements/", MOVE,
     {"product-code": (None,), "quantity": (None, "ten", 0), "type": (None, "into")}),
    ("PUT", "/api/inventory-movements/6", {"quantity": 4}, {"quantity": ("x",), "type": ("x",)}),
]


@pytest.mark.parametrize("method,path,good,bad", REFUSED, ids=[r[1] for r in REFUSED])
def test_a_body_off_the_page_is_refused(still, method, path, good, bad):
    before = still.sim.count()["prodsmart"]["acted"]
    for field, values in bad.items():
        for value in values:
            body = {k: v for k, v in {**good, field: value}.items() if v is not None}
            got = still.call(method, path, body)
            assert got.status == 400, (field, value, got)
            word = "contact" if field == "contacts" else field
            assert word in got.json()["message"], (field, value, got)
    assert still.sim.count()["prodsmart"]["acted"] == before
    assert still.call(method, path, good).status < 300


def test_dates(sim, ps):
    for n, zone in enumerate(("Z", "+01:00", "+0100", "+01", "-05:00", ".250Z")):
        got = ps.post("/api/production-orders/",
                      {**ORDER, "code": f"MO-{n}", "start-date": "2026-03-01T08:00:00" + zone})
        assert got.status == 201, zone
    assert sim.state()["prodsmart"]["naive_dates"] == 0
    sim.state(prodsmart={"zone_minutes": -300})
    naive = {**ORDER, "code": "naive", "start-date": "2026-03-05T09:15:15"}
    assert ps.post("/api/production-orders/", naive).status == 201
    assert sim.journal("prodsmart")[-1]["notes"] == ["naive-date start-date"]
    after, before = "2026-03-05T14:15:14Z", "2026-03-05T14:15:16Z"  # 09:15:15 at -05:00
    got = ps.get("/api/production-orders/", start_date_after=after, start_date_before=before)
    assert [o["code"] for o in got.json()] == ["naive"]
    assert ps.get("/api/downtimes", start_time_after="2026-03-05T09:15:15").status == 200
    assert sim.journal("prodsmart")[-1]["notes"] == ["naive-date start-time-after"]
    assert sim.state()["prodsmart"]["naive_dates"] == 2


def test_lists_have_pages_and_filters_agree(sim, ps):
    sim.state(prodsmart={"production_orders": [
        {"id": n, "code": f"MO-{n}", "start-date": f"2026-03-{n % 20 + 1:02}T08:00:00Z",
         "running-status": "started" if n % 2 else "notstarted", "active": n % 3 == 0,
         "products": [{"product": f"P{n % 5}"}], "machines": [{"code": f"M{n % 4}"}]}
        for n in range(1, 61)]})
    path = "/api/production-orders/"
    pages = [[o["id"] for o in ps.get(path, page=p).json()] for p in (1, 2, 3, 4)]
    assert [len(p) for p in pages] == [25, 25, 10, 0]
    assert sum(pages, []) == list(range(1, 61))

    def found(**query):
        return {o["id"] for o in ps.get(path, **query).json()}

    assert found(running_status="started", product="P3", active="true") == {
        n for n in range(1, 61) if n % 2 and n % 5 == 3 and n % 3 == 0}
    assert found(machine="M1", active="false") == {
        n for n in range(1, 61) if n % 4 == 1 and n % 3}
    assert found(start_date_after="2026-03-05T08:00:00Z", start_date_before="2026-03-07T08:00:00Z"
                 ) == {n for n in range(1, 61) if n % 20 + 1 == 6}  # both ends are left out
    sim.state(prodsmart={"productions": [
        {**RECORD, "id": n, "production-order": {"code": f"MO-{n}"}} for n in (1, 2, 3)]})
    got = ps.get("/api/productions", production_order_code=["MO-1", "MO-3"]).json()
    assert [p["id"] for p in got] == [1, 3] and got[0]["production-order"]["id"] == 1


def test_statuses_of_refusals(sim, ps):
    sim.state(prodsmart={
        "suppliers": [{**PARTNER, "id": 1}], "clients": [{**PARTNER, "code": "C1", "id": 2}],
        "purchase_orders": [{**BUY, "id": 3}], "client_orders": [{**SALE, "id": 4}],
        "movements": [{**MOVE, "id": 5}], "products": [PRODUCT, {"code": "P2", "name": "Leg"}],
        "families": [{"code": "F1", "name": "Tables"}], "machines": [{"code": "M1"}],
        "production_orders": [{**ORDER, "id": n, "running-status": s} for n, s in
                              ((6, "closed"), (7, "archived"), (8, "started"))]})
    for path, status in (("suppliers/1", 412), ("clients/2", 412), ("client-order/4", 409),
                         ("purchase-orders/3", 409), ("product-family/F1", 400),
                         ("suppliers/9", 404), ("inventory-movement/9", 400),
                         ("production-orders/9", 404), ("products/P9", 400),
                         ("productions/9", 400)):
        assert ps.delete("/api/" + path).status == status, path
    for path, status in (("suppliers/9", 400), ("client-order/9", 400), ("products/P9", 404),
                         ("purchase-orders/9", 400), ("production-orders/9", 404),
                         ("stock/P9", 400), ("changes/nobody", 404)):
        assert ps.get("/api/" + path).status == status, path
    for order, statuses in ((6, [405]), (7, [405]), (8, [200, 204])):
        for status in statuses:
            assert ps.post(f"/api/production-orders/{order}/activate", {}).status == status
    assert ps.post("/api/suppliers", PARTNER).status == 400
    assert ps.put("/api/clients/2", {**PARTNER, "code": "C1", "addresses": []}).status == 400
    assert ps.put("/api/client-order/", {**SALE, "code": "none"}).status == 400
    assert ps.put("/api/products/P1", {**PRODUCT, "code": "P2"}).status == 400
    assert ps.post("/api/bom", {**BOM, "product-code": "P9"}).status == 404
    assert ps.post("/api/bom", {"product-code": "P1", "bom": [
        {"product-code": "P9", "quantity": 1}]}).status == 400
    assert ps.post("/api/stock", {**STOCK, "product-code": "P9"}).status == 404
    assert ps.post("/api/product-families", FAMILY).status == 400
    assert ps.post("/api/bom", BOM).status == 201
    assert ps.delete("/api/products/P2").status == 400  # part of P1
    assert ps.post("/api/machines/M9/counter", COUNTER).status == 400
    assert [ps.post("/api/machines/M1/counter", {**COUNTER, "count": n}).status
            for n in (500, 500, 499, 501)] == [200, 400, 400, 200]
    assert ps.post("/api/machines/M1/counter", {"count": 600, "waste": [
        {"code": "W1", "quantity": 19}]}).status == 400
    sim.state(prodsmart={"report_ms": 60000, "labor": [
        {"worker": {"number": str(n), "name": "x"}, "work-time": "04H00m00s"} for n in (0, 1)]})
    times = {"start_time": "2026-03-01T00:00:00Z", "end_time": "2026-03-02T00:00:00Z"}
    got = ps.get("/api/reports/worker-labor-time", worker_number="0", **times)
    assert [r["worker"]["number"] for r in got.json()] == ["0"]
    got = ps.get("/api/reports/worker-labor-time", **times)
    assert got.status == 429 and "retry-after" not in got.headers


def test_answers_are_as_odd_as_the_samples(sim, ps):
    got = ps.post("/api/production-orders/", ORDER, workers="true").json()
    assert [w["number"] for w in got["workers-assigned"]] == [1, 2, 3, 4, 7]
    assert got["location"]["code"] == "L1" and got["shipping"] == "SH1"
    assert "parameters" not in got and got["active"] is False
    whole = ps.get(f"/api/production-orders/{got['id']}").json()
    assert whole["shipping"] == {"code": "SH1"} and whole["is-active"] is False
    assert whole["custom-fields"] == [{"Color": "red"}] and "workers-assigned" not in whole
    back = {k: v for k, v in whole.items() if k != "location"}
    again = ps.put(f"/api/production-orders/{got['id']}", back).json()
    assert {k: again[k] for k in back} == back
    assert ps.post("/api/production-orders/", ORDER).status == 201  # codes are not unique …
    assert sim.journal("prodsmart")[-1]["repeats"] == 1             # … but it is noticed
    partner = {**PARTNER, "expiration-date": "2026-12-31T00:00:00Z"}
    got = ps.post("/api/suppliers", partner).json()
    assert got["expiration-date"] == "31/12/2026" and got["addresses"][0]["default"] is True
    assert "id" not in ps.put(f"/api/suppliers/{got['id']}", PARTNER).json()
    assert "id" not in ps.post("/api/purchase-orders/", BUY).json()
    ps.post("/api/client-order/", SALE)
    ps.post("/api/products", PRODUCT)
    got = ps.post("/api/stock", STOCK)
    assert got.headers["content-type"] == "text/plain" and b"{" not in got.body
    ps.post("/api/stock", {**STOCK, "stock": 1, "date": "2026-02-01T08:00:00Z"})
    assert sim.journal("prodsmart")[-1]["notes"] == ["older-count P1"]
    got = ps.post("/api/inventory-movements/", MOVE).json()
    assert got["quantity"] == "10"
    assert got["receiving"]["purchaseOrder"] == {"code": "PO-1", "supplier": "S1"}
    assert got["shipping"]["clientOrder"] == {"code": "CO-1", "client": "C1"}
    assert "id" not in ps.get(f"/api/inventory-movements/{got['id']}").json()
    assert ps.get("/api/stock/P1", lot="L7").json() == {
        "product-code": "P1", "stock": 11, "lot": [{"code": "L7", "stock": 10}]}
    assert isinstance(ps.get("/api/products").json(), list)
    sim.state(prodsmart={"single_object": 1})
    assert ps.get("/api/products").json()["code"] == "P1"


def test_a_repeated_stop_is_a_second_downtime(sim, ps):
    stop = {"type": "Maintenance", "running": 0}
    for body in (stop, stop, {**stop, "running": 1}):
        got = ps.post("/api/machines/M1/startstop", body)
        assert (got.status, got.body) == (200, b"")
    assert [e["repeats"] for e in sim.journal("prodsmart")] == [0, 1, 0]
    first, second = ps.get("/api/downtimes", machine="M1").json()
    assert first["end-time"].startswith("2099-12-31") and second["checked-out"] is True
    sim.state(prodsmart={"machines": [{"code": "M1", "types": ["Setup"]}]})
    assert ps.post("/api/machines/M1/startstop", stop).status == 400


def test_the_limit(sim):
    sim.state(prodsmart={"limit_per_minute": 5})
    ps = Prodsmart(sim)
    got = [ps.get("/api/suppliers") for _ in range(6)]
    assert [g.status for g in got] == [200] * 4 + [429] * 2  # the token was one of the five
    assert 1 <= int(got[-1].headers["retry-after"]) <= 60
    sim.fault("prodsmart", "status", status=503)
    assert ps.get("/api/suppliers").status == 503
    limit = sim.state()["prodsmart"]["limit"]
    assert (limit["most"], limit["refused"]) == (8, 2)  # what a fault spoilt was seen, too
    sim.state(prodsmart={"limit_window_ms": 100})
    kit.wait_until(lambda: ps.get("/api/suppliers").status == 200, 5, "a free place")
    sim.reset()
    assert sim.state()["prodsmart"]["limit"]["most"] == 0


def test_lists_may_lag_behind(sim, ps):
    """For a probe that has to let things settle before it believes that something is absent."""
    sim.state(prodsmart={"list_delay_ms": 60000})
    made = ps.post("/api/suppliers", PARTNER).json()["id"]
    assert ps.get("/api/suppliers", code="S1").json() == []
    assert ps.get(f"/api/suppliers/{made}").status == 201
    assert ps.post("/api/suppliers", PARTNER).status == 400
    sim.state(prodsmart={"list_delay_ms": 50})
    kit.wait_until(lambda: ps.get("/api/suppliers", code="S1").json(), 5, "the list")


def test_a_read_of_a_channel_takes_it_away(sim, ps):
    sim.state(prodsmart={"changes": {"PRODUCTION": [{"id": n} for n in range(60)]}})
    path = "/api/changes/PRODUCTION"
    reads = [[i["id"] for i in ps.get(path).json()] for _ in range(4)]
    assert [len(r) for r in reads] == [25, 25, 10, 0] and sum(reads, []) == list(range(60))
    sim.state(prodsmart={"changes": {"PRODUCTION": [{"id": n} for n in range(30)]}})
    sim.fault("prodsmart", "drop-after", path="/api/changes/")
    with pytest.raises(OSError):
        ps.get(path)
    assert (sim.journal("prodsmart")[-1]["handed"], sim.journal("prodsmart")[-1]["lost"]) == (
        25, 25)
    sim.fault("prodsmart", "drop-before", path="/api/changes/")
    with pytest.raises(OSError):
        ps.get(path)
    assert [i["id"] for i in ps.get(path).json()] == list(range(25, 30))
    channel = sim.state()["prodsmart"]["changes"]["PRODUCTION"]
    assert channel["left"] == [] and channel["reads"] == 6
    assert [i["id"] for i in channel["lost"]] == list(range(25))
    assert len(channel["handed_out"]) == 65


def test_a_channel_shows_the_state_of_now(sim, ps):
    sim.state(prodsmart={"changes": {"orders": [
        {"id": 1, "status": "old", "workers-assigned": [{"number": 1}]}, {"id": 2}]}})
    sim.state(prodsmart={"changes": {"orders": [
        {"id": 1, "status": "new", "workers-assigned": [{"number": 1}]},
        '{"id":3,"quantity":30.0}']}})
    got = ps.get("/api/changes/orders")
    assert got.body == b'[{"id":2},{"id":1,"status":"new"},{"id":3,"quantity":30.0}]'
    sim.state(prodsmart={"changes": {"orders": [{"id": 1, "workers-assigned": []}]}})
    assert ps.get("/api/changes/orders", workers="true").json() == [
        {"id": 1, "workers-assigned": []}]


def test_the_state_of_some_can_change(sim, ps):
    sim.state(prodsmart={"production_orders": [{**ORDER, "id": n} for n in (1, 2, 3)],
                         "products": [PRODUCT]})
    got = sim.state(prodsmart={
        "merge": {"production_orders": [{"id": 2, "running-status": "started"}, {"id": 9}],
                  "products": [{"code": "P1", "name": "Desk"}]},
        "remove": {"production_orders": [3]}})["prodsmart"]
    assert [(o["id"], o["running-status"]) for o in got["production_orders"]] == [
        (1, "notstarted"), (2, "started"), (9, "notstarted")]
    assert ps.get("/api/products/P1").json()["name"] == "Desk"
    assert ps.get("/api/production-orders/2").json()["code"] == "MO-1"
    assert ps.get("/api/production-orders/3").status == 404


def test_a_fault_for_one_method(sim, ps):
    sim.fault("prodsmart", "status", method="POST", path="/api/production-orders/", status=502)
    assert ps.get("/api/production-orders/").status == 200
    assert ps.post("/api/production-orders/", ORDER).status == 502
    assert ps.get("/api/production-orders/").json() == []


def test_a_repeated_movement_is_noticed(sim, ps):
    for comment in ("a", "b", "b"):
        assert ps.post("/api/inventory-movements/", {**MOVE, "comment": comment}).status == 200
    assert [e["repeats"] for e in sim.journal("prodsmart")] == [0, 0, 1]
    assert ps.get("/api/stock/P1").json()["stock"] == 30


@pytest.mark.parametrize("state", [
    {"merge": {"color": []}}, {"merge": {"suppliers": {}}}, {"remove": {"suppliers": [{}]}},
    {"color": 1}, {"suppliers": {}}, {"suppliers": [1]}, {"products": [{"id": 1}]},
    {"suppliers": [{"id": "1"}]}, {"changes": []}, {"changes": {"STOCK": {}}},
    {"changes": {"STOCK": [1]}}])
def test_a_bad_state_is_refused(still, state):
    with pytest.raises(ValueError):
        still.sim.state(prodsmart=state)
