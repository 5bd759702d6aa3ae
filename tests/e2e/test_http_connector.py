# SPDX-License-Identifier: MIT
"""test_http_connector.py - any JSON API as a target: ways to log in, rules of success, and
operations that gantry.yaml declares, of kind http and of movilitas."""

import http.server
import os
import ssl
import subprocess
import threading

import kit
import pytest

OPERATIONS = {
    "orders.create": {"path": "/orders", "repeat": "hold"},
    "orders.confirm": {"method": "PATCH", "path": "/orders/{order}/lines('{line}')",
                       "required": {"quantity": "number", "items": "objects", "when": "date"}},
    "orders.drop": {"method": "DELETE", "path": "/orders/{order}",
                    "success": {"status": ["2xx", 404]}},
    "orders.list": {"method": "GET", "path": "/orders", "repeat": "safe"},
    "orders.put": {"method": "PUT", "path": "/orders/{order}", "repeat": "set"},
    "orders.keyed": {"path": "/keyed", "repeat": "keyed"},
    "orders.judged": {"path": "/judged", "success": {
        "status": [200, 201, 409], "field": "result.code", "equals": [0, "OK"]}},
}
OAUTH = {"client_id": "sim-erp-client", "client_secret": "secret:erp-client"}
SECRETS = {"erp-pass": "sim-erp-password", "erp-bearer": "sim-erp-token",
           "erp-client": "sim-erp-client-secret"}


def rule(operation, connector="erp"):
    """The event's `out` is what the rule puts out."""
    return f"""
rule: {connector}-{operation.replace('.', '-')}
from: erp/{operation}
to: {connector}/{operation}
key: '"k/" + ($event.key | tostring)'
map: .out
tests:
  - name: it goes through
    event: {{key: a, out: {{a: 1}}}}
    expect_key: k/a
"""


@pytest.fixture
def make(make_gateway, sim):
    """A gateway whose connector `erp` is the simulator's ERP; more: keys of the connector."""
    def build(auth=None, start=True, **more):
        erp = {"kind": "http", "base_url": sim.url("erp") + "/api", "operations": OPERATIONS,
               **({"auth": auth} if auth else {}), **more}
        gan = make_gateway({f"{op}.yaml": rule(op) for op in erp["operations"]},
                           config={"connectors": {"erp": erp}}, start=False)
        for name, value in SECRETS.items():
            gan.secret(name, value)
        return gan.start() if start else gan
    return build


def oauth(sim, **more):
    return {"oauth2": {"token_url": sim.url("erp") + "/oauth/token", **OAUTH, **more}}


def send(gan, operation="orders.create", out=None, key="a"):
    got = gan.erp_post(operation, {"key": key, "out": {"n": 1} if out is None else out})
    assert got.status == 202, got
    return f"k/{key}"


def calls(sim):
    return sim.journal("erp")


# -- who are we ---------------------------------------------------------------------


@pytest.mark.parametrize("kind, scheme", [("none", None), ("basic", "Basic"),
                                          ("bearer", "Bearer"), ("oauth2", "Bearer")])
def test_each_way_to_log_in(make, sim, kind, scheme):
    sim.state(erp={"auth": kind})
    auth = {"none": None, "basic": {"basic": {"user": "sim-erp", "password": "secret:erp-pass"}},
            "bearer": {"bearer": "secret:erp-bearer"}, "oauth2": oauth(sim)}[kind]
    gan = make(auth, headers={"X-Plant": "porto-1"})
    row = gan.wait_key(send(gan), "delivered")[0]
    assert row["response"] == {"ok": True}
    call, = calls(sim)
    assert (call["method"], call["path"], call["json"]) == ("POST", "/api/orders", {"n": 1})
    headers = call["headers"]
    assert headers.get("authorization", "").split(" ")[0] == (scheme or "")
    assert headers["content-type"] == headers["accept"] == "application/json"
    assert headers["x-plant"] == "porto-1"
    assert len(sim.tokens("erp")) == (1 if kind == "oauth2" else 0)


def test_oauth_as_servers_do_it(make, sim):
    # What needs encoding, in the form and before it is joined for Basic.
    client = {"client_id": "a:b&c %", "scope": "a b:c&d"}
    sim.state(erp={"auth": "oauth2", "client_secret": "s=e+c/r:e%t ", **client})
    gan = make(oauth(sim, **client), start=False)
    gan.secret("erp-client", "s=e+c/r:e%t ")
    gan.start()
    for way in ("basic", "post"):
        sim.state(erp={"client_auth": way})
        gan.reconfigure(connectors={"erp": {"auth": oauth(sim, client_auth=way, **client)}})
        gan.ctl("reload")
        for told in ("number", "text", "none"):
            before = len(sim.tokens("erp"))
            sim.state(erp={"expires_in": told, "forget_tokens": True})
            for n in range(2):
                gan.wait_key(send(gan, key=f"{way}{told}{n}"), "delivered")
            assert len(sim.tokens("erp")) == before + 1, (way, told)
    assert gan.attention() == []


def test_one_fetch_for_all_who_wait(make, sim):
    sim.state(erp={"auth": "oauth2"})
    gan = make(oauth(sim), concurrency=16)
    sim.fault("erp", "late", token=True, ms=500)
    for n in range(40):
        send(gan, key=n)
    gan.drain()
    assert [c["status"] for c in calls(sim)] == [200] * 40
    assert len(sim.tokens("erp")) == 1
    # All of them are refused at once: still one.
    sim.state(erp={"forget_tokens": True})
    sim.fault("erp", "late", token=True, ms=500)
    for n in range(40, 80):
        send(gan, key=n)
    gan.drain()
    assert sum(c["status"] == 200 for c in calls(sim)) == 80
    assert len(sim.tokens("erp")) == 2
    assert all(d["attempts"] == 1 for d in gan.deliveries())


def test_a_token_is_renewed_before_it_ends(make, sim):
    sim.state(erp={"auth": "oauth2", "token_life_ms": 2000})
    gan = make(oauth(sim))
    sent = 0

    def renewed():
        nonlocal sent
        gan.wait_key(send(gan, key=sent), "delivered")
        sent += 1
        return len(sim.tokens("erp")) == 3
    kit.wait_until(renewed, 30, "the token was renewed twice")
    assert [c["status"] for c in calls(sim)] == [200] * sent, "never with one that has ended"


def test_a_401_costs_one_fresh_token_and_no_attempt(make, sim):
    sim.state(erp={"auth": "oauth2"})
    gan = make(oauth(sim))
    gan.wait_key(send(gan, key="a"), "delivered")
    sim.state(erp={"forget_tokens": True})
    row = gan.wait_key(send(gan, key="b"), "delivered")[0]
    assert row["attempts"] == 1
    assert [c["status"] for c in calls(sim)] == [200, 401, 200]
    assert len(sim.tokens("erp")) == 2


def test_two_refused_tokens_pause_the_connector(make, sim):
    sim.state(erp={"auth": "oauth2"})
    gan = make(oauth(sim))
    fault = sim.fault("erp", "status", status=401, body='{"error":"invalid_token"}', times=-1)
    key = send(gan)
    item = kit.wait_until(lambda: gan.attention(kind="connector-paused"), 10, "paused")[0]
    assert "401" in item["reason"] and "invalid_token" in item["reason"]
    assert len(calls(sim)) == 2 and len(sim.tokens("erp")) == 2
    assert gan.deliveries(key=key)[0]["attempts"] == 0
    sim.clear(fault)
    gan.ctl("resume", "erp")
    gan.wait_key(key, "delivered")
    assert gan.attention() == []


def test_a_refused_client_pauses_the_connector_and_it_comes_back(make, sim):
    sim.state(erp={"auth": "oauth2", "client_secret": "changed-at-the-server"})
    gan = make(oauth(sim))
    keys = [send(gan, key=n) for n in range(3)]
    item = kit.wait_until(lambda: gan.attention(kind="connector-paused"), 10, "paused")[0]
    assert "invalid_client" in item["reason"] and "wrong secret" in item["reason"]
    asked = len(sim.tokens("erp"))
    assert asked == 1 and calls(sim) == []
    assert {d["attempts"] for d in gan.deliveries()} == {0}
    gan.secret("erp-client", "changed-at-the-server")
    gan.ctl("reload")
    for key in keys:
        gan.wait_key(key, "delivered")
    assert gan.attention() == [] and len(sim.tokens("erp")) == asked + 1


def test_refused_credentials_pause_at_once(make, sim):
    sim.state(erp={"auth": "basic", "password": "changed"})
    gan = make({"basic": {"user": "sim-erp", "password": "secret:erp-pass"}})
    key = send(gan)
    kit.wait_until(lambda: gan.attention(kind="connector-paused"), 10, "paused")
    assert len(calls(sim)) == 1
    gan.secret("erp-pass", "changed")
    gan.ctl("reload")
    gan.wait_key(key, "delivered")


def test_a_token_endpoint_that_fails_is_asked_again(make, sim):
    sim.state(erp={"auth": "oauth2"})
    gan = make(oauth(sim))
    for fault in ({"kind": "status", "status": 503, "retry_after": "1"},
                  {"kind": "status", "status": 400, "body": '{"error":"temporarily_unavailable"}'},
                  {"kind": "status", "status": 500}, {"kind": "drop-after"}):
        sim.state(erp={"forget_tokens": True})
        number = sim.fault("erp", token=True, **fault)
        gan.wait_key(send(gan, key=f"f{number}"), "delivered", deadline=15)
        assert sim.hits(number) == 1, fault
        assert gan.attention() == []


def test_a_token_that_is_none_pauses_the_connector(make, sim):
    sim.state(erp={"auth": "oauth2"})
    gan = make(oauth(sim))
    for n, (body, said) in enumerate([
            ("{}", "no access_token"), ("nothing", "no JSON"),
            ('{"access_token":"x","token_type":"mac"}', "only bearer"),
            ('{"access_token":"x","expires_in":"soon"}', "expires_in"),
            ('{"access_token":"x","expires_in":0}', "expires_in"),
            ('{"access_token":"a b","token_type":"bearer"}', "holds a blank")]):
        sim.state(erp={"forget_tokens": True})
        sim.fault("erp", "status", token=True, status=200, body=body)
        key = send(gan, key=n)
        item = kit.wait_until(lambda: gan.attention(kind="connector-paused"), 10, "paused")[0]
        assert said in item["reason"], item["reason"]
        gan.ctl("resume", "erp")
        gan.wait_key(key, "delivered")
    assert {c["status"] for c in calls(sim)} <= {200, 401}


# -- a client certificate ---------------------------------------------------------------


def pair(folder, name):
    """NAME.pem and NAME.key, signed by itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/{name}.key", "-out",
         f"{folder}/{name}.pem"], check=True, stderr=subprocess.DEVNULL)
    os.chmod(f"{folder}/{name}.key", 0o600)


class Shy(http.server.BaseHTTPRequestHandler):
    """Answers those whose certificate it knows, and notes who they are, and over what."""
    protocol_version = "HTTP/1.1"  # connections may be kept

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        subject = dict(part[0] for part in self.connection.getpeercert()["subject"])
        self.server.seen.append((subject["commonName"], self.headers["Authorization"],
                                 self.client_address[1]))
        self.send_response(204)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *args):
        pass


@pytest.fixture
def shy(tmp_path):
    for name in ("server", "client", "next", "stranger"):
        pair(tmp_path, name)
    known = tmp_path / "known.pem"
    known.write_text((tmp_path / "client.pem").read_text() + (tmp_path / "next.pem").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.load_verify_locations(known)
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shy)
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    server.handle_error = lambda *args: None
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_client_certificate_beside_a_token(make, sim, shy, tmp_path):
    def use(gan, name):
        for end in ("pem", "key"):
            os.replace(tmp_path / f"{name}.{end}", gan.path(f"mine.{end}"))
    gan = make({"bearer": "secret:erp-bearer", "mtls": {"cert": "mine.pem", "key": "mine.key"}},
               start=False, base_url=f"https://127.0.0.1:{shy.server_address[1]}",
               ca_file=str(tmp_path / "server.pem"))
    use(gan, "client")
    gan.start()
    row = gan.wait_key(send(gan, key="a"), "delivered")[0]
    assert (row["last"]["status"], row["response"]) == (204, None)
    assert shy.seen[0][:2] == ("client", "Bearer sim-erp-token")
    gan.wait_key(send(gan, key="b"), "delivered")
    assert len({port for *_, port in shy.seen}) == 2, "what is not safe has a connection of its own"
    # Files that change count from the reload on, kept connections or not.
    for n in range(2):
        gan.wait_key(send(gan, "orders.list", {"$query": {"n": n}}, key=n), "delivered")
    assert len({port for *_, port in shy.seen}) == 3, "what is safe shares one"
    use(gan, "next")
    gan.wait_key(send(gan, "orders.list", {"$query": {"n": 2}}, key=2), "delivered")
    gan.wait_key(send(gan, key="c"), "delivered")
    assert {name for name, *_ in shy.seen} == {"client"}
    gan.ctl("reload")
    gan.wait_key(send(gan, "orders.list", {"$query": {"n": 3}}, key=3), "delivered")
    gan.wait_key(send(gan, key="e"), "delivered")
    assert [name for name, *_ in shy.seen[-2:]] == ["next", "next"]
    # A key of another certificate is refused, and what is in force stays.
    os.replace(tmp_path / "stranger.key", gan.path("mine.key"))
    code, out, err = gan.ctl_raw("reload")
    assert code == 1 and "the key is not the one of the certificate" in out + err
    gan.wait_key(send(gan, key="d"), "delivered")
    assert "PRIVATE KEY" not in gan.log() + str(gan.ctl("config show"))


# -- paths, queries, methods --------------------------------------------------------------


CONFIRM = {"quantity": 1.50, "items": [{"id": 7}],
           "when": "2026-11-21T19:02:11Z"}


def test_path_query_and_body_are_filled_in(make, sim):
    gan = make()
    body = ('{"key":"a","out":{"$path":{"order":"PO 1/2 #ü","line":7},"$query":{"plant":"p&q",'
            '"tag":["a","b c"],"n":1.50,"dry":false,"none":null},"$body":{"quantity":1.50,'
            '"items":[{"id":123456789012}],"when":"2026-11-21T19:02:11Z"}}}')
    assert gan.erp_post("orders.confirm", body.encode()).status == 202
    gan.wait_key("k/a", "delivered")
    call, = calls(sim)
    assert call["method"] == "PATCH"
    assert call["path"].lower() == "/api/orders/po%201%2f2%20%23%c3%bc/lines('7')"
    assert sorted(call["query"].split("&")) == ["dry=false", "n=1.5", "plant=p%26q", "tag=a",
                                                "tag=b%20c"]
    assert call["json"]["items"] == [{"id": 123456789012}]


METHODS = [
    ("orders.drop", {"$path": {"order": "7"}}, "DELETE", ""),
    ("orders.drop", {"$path": {"order": "7"}, "$body": {"why": "x"}}, "DELETE", '{"why":"x"}'),
    ("orders.list", {"$query": {"page": 2}}, "GET", ""),
    ("orders.put", {"$path": {"order": "7"}, "$body": [1, 2]}, "PUT", "[1,2]"),
    ("orders.create", {"$query": {"x": 1}}, "POST", "")]


def test_methods_with_and_without_a_body(make, sim):
    gan = make()
    for n, (operation, out, method, body) in enumerate(METHODS):
        gan.wait_key(send(gan, operation, out, key=n), "delivered")
        call = calls(sim)[-1]
        assert (call["method"], call["body"]) == (method, body)
        assert ("content-type" in call["headers"]) == (body != ""), call
        if method == "POST":
            assert call["headers"]["content-length"] == "0"


UNSOUND = [
    ("orders.confirm", {"$path": {"order": "1", "line": 2}, "$body": {}}, "quantity is missing"),
    ("orders.confirm", {"$path": {"order": "1", "line": 2}, "$body": {**CONFIRM, "quantity": "1"}},
     "quantity must be a number"),
    ("orders.confirm", {"$path": {"order": "1", "line": 2}, "$body": {**CONFIRM, "items": []}},
     "items is empty"),
    ("orders.confirm", {"$path": {"order": "1", "line": 2},
                        "$body": {**CONFIRM, "when": "2026-11-21T19:02:11"}}, "without a zone"),
    ("orders.confirm", {"$path": {"order": "1", "line": 2}, "$body": [1]},
     "the body must be a JSON object"),
    ("orders.confirm", {"$path": {"order": "1"}, "$body": CONFIRM}, "$path.line is missing"),
    ("orders.confirm", {"$path": {"order": "", "line": 2}, "$body": CONFIRM},
     "$path.order is empty"),
    ("orders.confirm", {"$path": {"order": "..", "line": 2}, "$body": CONFIRM}, "$path.order"),
    ("orders.confirm", {"$path": {"order": "1", "line": 2, "x": 3}, "$body": CONFIRM},
     "$path.x is nothing"),
    ("orders.create", {"$query": {"a": {"b": 1}}}, "$query.a must be a text"),
    ("orders.create", {"$query": {"a": []}}, "$query.a has 0 values"),
    ("orders.list", {"$body": {"a": 1}}, "takes no body")]


def test_what_is_not_sound_is_dead_before_a_request_is_spent(make, sim):
    gan = make()
    for n, (operation, out, said) in enumerate(UNSOUND):
        key = send(gan, operation, out, key=n)
        gan.wait_key(key, "dead")
        item, = gan.attention(key=key)
        assert said in item["reason"], item["reason"]
    assert sim.journal("erp", tokens=True) == []


# -- what an answer means -------------------------------------------------------------------


JUDGED = [
    # status, body, state, what is said
    (200, {"result": {"code": 0}}, "delivered", None),
    (201, {"result": {"code": "OK"}, "id": 7}, "delivered", None),
    (409, {"message": "is there"}, "delivered", "done before: HTTP 409"),
    (202, {"result": {"code": 0}}, "dead", "no success: the status is 202"),
    (200, {"result": {"code": 5}, "message": "plant is closed"}, "dead",
     'no success: result.code is 5, expected 0 or "OK"; HTTP 200: plant is closed'),
    (200, {"result": {"code": "0"}}, "dead", 'result.code is "0", expected 0 or "OK"'),
    (200, {"result": {"code": False}}, "dead", "result.code is false"),
    (200, {"result": [0]}, "dead", "result.code is missing"),
    (200, {"error": {"code": "E1", "message": {"lang": "en", "value": "wrong plant"}}}, "dead",
     "wrong plant (E1)"),
    (200, "<html>please log in</html>", "unknown", "no JSON"),
    (204, "", "dead", "no success: the status is 204"),
    (400, {"title": "Bad order", "detail": "no such product"}, "dead", "no such product"),
    (422, {"error": "E2", "error_description": "too much"}, "dead", "too much (E2)"),
    (500, {"message": "oops"}, "unknown", "oops"),
]


def test_the_rule_of_success(make, sim):
    gan = make()
    for n, (status, body, state, said) in enumerate(JUDGED):
        sim.state(erp={"answers": [{"path": "/judged", "status": status, "body": body}]})
        row = gan.wait_key(send(gan, "orders.judged", key=n), state)[0]
        # A delivery that was done before has its note, a person gets the rest.
        text = row["last"]["error"] or ""
        assert said is None and not text or said and said in text, (status, body, text)
        if state == "delivered":
            assert row["response"] == body


def test_without_a_rule_any_2xx_is_a_success(make, sim):
    gan = make()
    for n, (status, body, state) in enumerate([
            (200, "", "delivered"), (204, "", "delivered"), (299, [1], "delivered"),
            (200, "accepted", "unknown"), (404, "", "dead"), (302, "", "dead")]):
        sim.state(erp={"answers": [{"path": "/orders", "status": status, "body": body}]})
        gan.wait_key(send(gan, key=n), state)
        assert len(calls(sim)) == n + 1


def test_a_status_that_means_done_before(make, sim):
    gan = make()
    sim.state(erp={"answers": [{"path": "/orders/7", "status": 404, "body": ""}]})
    row = gan.wait_key(send(gan, "orders.drop", {"$path": {"order": 7}}), "delivered")[0]
    assert "done before" in row["last"]["error"]
    assert gan.attention() == []


LOST = {"hold": {"orders.create": "unknown", "orders.keyed": "unknown",
                 "orders.list": "delivered", "orders.put": "delivered"},
        "resend": {"orders.create": "unknown", "orders.keyed": "delivered"}}


@pytest.mark.parametrize("on_unknown", LOST)
def test_an_answer_that_is_lost(make, sim, on_unknown):
    gan = make(on_unknown=on_unknown)
    for operation, state in LOST[on_unknown].items():
        before = len(calls(sim))
        sim.fault("erp", "drop-after")
        out = {"$path": {"order": 7}, "$body": {}} if operation == "orders.put" else {
            "$query": {"a": 1}}
        gan.wait_key(send(gan, operation, out, key=operation), state)
        assert len(calls(sim)) - before == (2 if state == "delivered" else 1), operation


def test_busy_and_redirects(make, sim):
    gan = make()
    sim.fault("erp", "status", status=429, retry_after="1")
    gan.wait_key(send(gan, key="a"), "delivered", deadline=15)
    sim.fault("erp", "redirect", location=sim.url("flex2b") + "/stolen")
    gan.wait_key(send(gan, key="b"), "dead")
    assert "redirect refused" in gan.attention(kind="dead")[0]["reason"]
    assert sim.journal("flex2b") == []


def test_a_rule_for_an_operation_that_is_not_declared(make):
    gan = make(start=False)
    gan.rule("x.yaml", rule("orders.creat"))
    gan.start()
    reason = gan.attention(kind="config")[0]["reason"]
    assert "connector erp has no operation orders.creat, did you mean orders.create?" in reason


# -- movilitas: calls beside the two of its pages ----------------------------------------------


BASE = "/v1/manufacturer/v2/api"
TENANT = {
    "packaging-orders.release-to-line": {"method": "PATCH", "repeat": "set",
                                         "path": BASE + "/packaging_order/{order}",
                                         "required": {"line": "string"}},
    "disaggregate.container": {"method": "DELETE", "path": BASE + "/aggregate/container",
                               "required": {"sscc": "string", "serials": "strings"}},
    "packaging-orders.details": {"method": "GET", "path": BASE + "/packaging_order/details",
                                 "repeat": "safe"},
    "label-orders.create": {"path": BASE + "/label_orders/",
                            "success": {"status": [201], "field": "data.id"}},
}


@pytest.fixture
def movilitas(make_gateway):
    return make_gateway({f"{op}.yaml": rule(op, "movilitas") for op in TENANT},
                        config={"connectors": {"movilitas": {"operations": TENANT}}})


def test_movilitas_declared_operations(movilitas, sim):
    answer = {"success": True, "message": "ok", "data": {"id": 1}}
    sim.state(movilitas={"answers": [
        {"method": "PATCH", "path": "/packaging_order/PO", "body": answer},
        {"method": "DELETE", "path": "/aggregate/container", "body": answer},
        {"method": "GET", "path": "/details", "body": answer},
        {"method": "POST", "path": "/label_orders/", "status": 201, "body": {"data": {"id": 9}}}]})
    for key, operation, out in [
            ("a", "packaging-orders.release-to-line",
             {"$path": {"order": "PO/1"}, "$body": {"line": "L1"}}),
            # The same serial twice is the tenant's business here.
            ("b", "disaggregate.container", {"sscc": "1", "serials": ["A", "A"]}),
            ("c", "packaging-orders.details", {"$query": {"order_id": "PO 1"}}),
            ("d", "label-orders.create", {"n": 1})]:
        row = movilitas.wait_key(send(movilitas, operation, out, key), "delivered")[0]
        assert row["response"]["data"]["id"] in (1, 9)
    patch, delete, get, post = sim.journal("movilitas")
    assert (patch["method"], patch["path"].lower(), patch["json"]) == (
        "PATCH", BASE + "/packaging_order/po%2f1", {"line": "L1"})
    assert (delete["method"], delete["json"]) == ("DELETE", {"sscc": "1", "serials": ["A", "A"]})
    assert (get["method"], get["query"], get["body"]) == ("GET", "order_id=PO%201", "")
    assert post["path"] == BASE + "/label_orders/"
    for call in (patch, delete, get, post):
        assert call["headers"]["x-access-token"] and call["headers"]["x-channel-key"]
        assert call["status"] in (200, 201)


def test_movilitas_says_success_of_what_is_declared_too(movilitas, sim):
    for n, (status, body, state) in enumerate([
            (200, {"success": False, "message": "wrong state"}, "dead"),
            (200, {"message": "who knows"}, "unknown"), (200, "hello", "unknown"),
            (400, {"success": False, "name": "ValidationError", "message": "wrong state"},
             "dead")]):
        sim.state(movilitas={"answers": [{"path": "/aggregate", "status": status, "body": body}]})
        key = send(movilitas, "disaggregate.container", {"sscc": "1", "serials": ["A"]}, key=n)
        movilitas.wait_key(key, state)
        if state == "dead":
            assert "wrong state" in movilitas.attention(key=key)[0]["reason"]


def test_movilitas_required_fields_and_a_refused_token(movilitas, sim):
    movilitas.wait_key(send(movilitas, "disaggregate.container", {"sscc": "1"}, "a"), "dead")
    assert "serials is missing" in movilitas.attention(kind="dead")[0]["reason"]
    assert sim.journal("movilitas") == []
    # A token that is refused in the body of a 200 is no failure of the request, rule or not.
    sim.state(movilitas={"answers": [{"path": "/label_orders/", "status": 200, "times": 1,
                                      "body": {"success": False, "message": "x",
                                               "name": "InvalidTokenError"}}]})
    send(movilitas, "label-orders.create", {}, "b")
    kit.wait_until(lambda: movilitas.attention(kind="connector-paused"), 10, "paused")


# -- secrets ------------------------------------------------------------------------------------


def test_secrets_are_nowhere(make, sim):
    sim.state(erp={"auth": "oauth2"})
    gan = make(oauth(sim, client_auth="post"))
    # A peer that repeats what it was sent, once to the token request, once to the request.
    sim.fault("erp", "status", token=True, status=500,
              body='{"error":"x","error_description":"client_secret=sim-erp-client-secret"}')
    gan.wait_key(send(gan, key="a"), "delivered", deadline=15)
    said = gan.ctl_raw("show", "k/a", "--bodies")[1] + gan.ctl_raw("config", "show")[1]
    sim.state(erp={"auth": "basic"})
    gan.reconfigure(connectors={"erp": {"auth": {
        "oauth2": None, "basic": {"user": "sim-erp", "password": "secret:erp-pass"}}}})
    gan.ctl("reload")
    sim.fault("erp", "status", status=400,
              body='{"message":"Basic c2ltLWVycDpzaW0tZXJwLXBhc3N3b3Jk is sim-erp-password"}')
    gan.wait_key(send(gan, key="b"), "dead")
    said += gan.ctl_raw("show", "k/b", "--bodies")[1] + str(gan.attention())
    assert "POST" in said and "/oauth/token" in said and "(masked)" in said
    gan.stop()
    said += gan.log()
    with open(gan.path("data/gantry.db"), "rb") as f:
        said += f.read().decode("latin-1")
    for value in [*SECRETS.values(), "c2ltLWVycDpzaW0tZXJwLXBhc3N3b3Jk"]:
        assert value not in said, value
