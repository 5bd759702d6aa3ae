# SPDX-License-Identifier: MIT
"""test_openapi.py - doc/openapi.yaml and the public listener say the same.

Routes, statuses and problems of the code are in the document and back; real
answers have the shapes that it promises; every error of every route is a
problem document whose detail says what to do.
"""

import json
import pathlib
import re
import signal

import jsonschema
import kit
import openapi
import pytest
import raw
import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOC = openapi.Doc()

# What only a fault inside, or a race, can bring: tests/unit has them, in test_erp.c and test_erp_batch.c.
ELSEWHERE = {("GET", "/v1/events/{id}", 503), ("GET", "/v1/objects", 503),
             ("POST", "/v1/events/{source}/{topic}", 409),
             ("POST", "/v1/events/{source}/{topic}/batch", 409),
             ("POST", "/v1/outbox/{consumer}/ack", 503)}
WHAT_TO_DO = re.compile(r"\b(send|sent|use|check|ask|wait|mend|look|repeat|sign|write|called|needs|must|"
                        r"spoken|read|take|let|GET /)\b", re.I)


# -- the document by itself --------------------------------------------------------


def nodes(node, where=""):
    yield where, node
    items = node.items() if isinstance(node, dict) else \
        enumerate(node) if isinstance(node, list) else ()
    for name, child in items:
        yield from nodes(child, f"{where}/{name}")


def test_the_document_is_well_formed():
    tree = DOC.tree
    assert tree["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(tree["info"])
    used = set()
    for where, node in nodes(tree):
        if isinstance(node, dict) and "$ref" in node:
            assert set(node) <= {"$ref", "description"}, where
            assert DOC.follow({"$ref": node["$ref"]}) is not None, where
            used.add(node["$ref"])
        if where.endswith("/schema") or re.fullmatch("/components/schemas/[A-Za-z]+", where):
            jsonschema.Draft202012Validator.check_schema(node)
    for kind, parts in tree["components"].items():
        if kind != "securitySchemes":
            for name in parts:
                assert f"#/components/{kind}/{name}" in used, f"{kind} {name} is of no use"
    names = [op["operationId"] for _, _, op in DOC.operations()]
    assert len(set(names)) == len(names)
    tags = {t["name"] for t in tree["tags"]}
    for method, path, op in DOC.operations():
        assert op["summary"] and set(op["tags"]) <= tags, path
        in_path = [p["name"] for p in map(DOC.follow, op.get("parameters", []))
                   if p["in"] == "path" and p["required"]]
        assert sorted(in_path) == sorted(re.findall(r"\{(.+?)\}", path)), path
        for need in op["security"]:
            assert set(need) <= set(tree["components"]["securitySchemes"]), path
        for status, answer in op["responses"].items():
            assert status == "default" or re.fullmatch("[2-5][0-9][0-9]", status), (path, status)
            answer = DOC.follow(answer)
            assert answer["description"] and len(answer["content"]) == 1, (method, path, status)
        assert op["responses"]["default"] == {"$ref": "#/components/responses/Transport"}


def test_samples_fit_their_schemas():
    for where, node in nodes(DOC.tree):
        if isinstance(node, dict) and "example" in node and "properties" not in where[-12:]:
            schema = node.get("schema", node)
            DOC.validate({k: v for k, v in schema.items() if k != "example"}
                         if isinstance(schema, dict) else schema, node["example"])


# -- the document and the source -----------------------------------------------------


def routes():
    """{(METHOD, path)} of the table in routes.c; built: False for those to come."""
    source = (ROOT / "src/inbound/routes.c").read_text()
    table = source.split("routes[] = {", 1)[1].split("\n};", 1)[0]
    rows = re.findall(r'\{\s*"(/[^"]*)",\s*"([A-Z, ]+)",\s*(\w+),', table)
    assert len(rows) == table.count("\t{ \"/")
    return {(method, path) for path, methods, head in rows if head != "head_later"
            for method in methods.split(", ") if method != "HEAD"}


def test_every_route_is_in_the_document_and_back():
    assert {(method, path) for method, path, _ in DOC.operations()} == routes()


def test_every_problem_is_in_the_document_and_back():
    source = (ROOT / "src/inbound/problem.h").read_text()
    rows = re.findall(r'X\([A-Z_]+, (\d+), "([a-z-]+)",', source)
    assert len(rows) > 20
    enum = DOC.tree["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert enum == [f"/problems/{slug}" for _, slug in rows]
    said = {int(s) for _, _, op in DOC.operations() for s in op["responses"] if s != "default"}
    assert {int(status) for status, _ in rows} <= said | DOC.transport()


def test_the_document_is_served(make_gateway):
    gan = make_gateway()
    got = gan.http("GET", "/openapi.json")
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert got.json() == json.loads(json.dumps(DOC.tree))
    assert gan.http("HEAD", "/openapi.json").status == 200


# -- what is really answered -----------------------------------------------------------


class Walk:
    """Sends requests, checks each answer against the document, and remembers what came."""

    def __init__(self, gan):
        self.gan, self.seen = gan, set()

    def note(self, method, target, got, status):
        assert got.status == status, (method, target, got)
        template = DOC.check(method, target, got)
        self.seen.add((method, template, status))
        if status >= 400:
            problem(got)
        return got

    def __call__(self, status, method, target, body=None, token="erp-token", **headers):
        pairs = {"Authorization": "Bearer " + self.gan.SECRETS[token]} if token else {}
        if method == "POST":
            pairs["Content-Type"] = "application/json"
        pairs.update({k.replace("_", "-"): v for k, v in headers.items()})
        got = self.gan.http(method, target, body, pairs)
        return self.note(method, target, got, status)

    def raw(self, status, method, target, *lines, after=b""):
        data = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: gantry", *lines]).encode()
        answer, = raw.answers(raw.talk(self.gan, data + b"\r\n\r\n" + after))
        return self.note(method, target, kit.Answer(*answer), status)


def problem(got):
    """A problem document that says what to do."""
    assert got.headers["content-type"] == "application/problem+json", got
    told = got.json()
    assert told["status"] == got.status and told["type"].startswith("/problems/"), got
    detail = told["detail"]
    assert detail != told["title"] and detail.endswith(".") and len(detail) > 20, got
    assert WHAT_TO_DO.search(detail), f"what is there to do? {detail}"


@pytest.fixture
def gateway(make_gateway):
    """Gateways with every kind of source and consumer; gateway(**config)."""
    def make(**config):
        gan = make_gateway({"flex.yaml": rules.FLEX_ERP, "release.yaml": rules.RELEASE,
                            "tell.yaml": TELL}, config=config, start=False)
        gan.secret("outbox", "outbox-token-0123456789")
        gan.secret("second", "second-token-0123456789")
        gan.reconfigure(connectors={"outbox": {"kind": "pull", "tokens": "secret:outbox"},
                                    "second": {"kind": "pull", "tokens": "secret:second"}})
        return gan.start()
    return make


TELL = """
rule: tell
from: erp/tell
to: outbox/told
map: .
"""
READER, OTHER = "Bearer outbox-token-0123456789", "Bearer second-token-0123456789"
TARGETS = {"/hooks/{source}": "/hooks/prodsmart", "/v1/events/{id}": "/v1/events/e0000000000001",
           "/v1/events/{source}/{topic}": "/v1/events/erp/line",
           "/v1/events/{source}/{topic}/batch": "/v1/events/erp/line/batch",
           "/v1/outbox/{consumer}": "/v1/outbox/outbox",
           "/v1/outbox/{consumer}/ack": "/v1/outbox/outbox/ack"}


def walk_transport(walk):
    """What is wrong with the request itself, on every path."""
    for method, path, _ in DOC.operations():
        target = TARGETS.get(path, path)
        walk.raw(400, method, target, "Host: again")
        walk.raw(400, method, target, "X: a\tb\x01")
        walk.raw(413, method, target, "Content-Length: 99999999")
        walk.raw(414, method, target + "?" + "a" * 3000)
        walk.raw(415, method, target, "Content-Encoding: gzip", "Content-Length: 0")
        walk.raw(417, method, target, "Expect: the-unexpected")
        walk.raw(431, method, target, *[f"X-{n}: 1" for n in range(120)])
        walk.raw(501, method, target, "Transfer-Encoding: gzip")
        for other in {"GET", "POST", "PUT", "DELETE", "OPTIONS"} - {method}:
            got = walk.gan.http(other, target, b"" if other in ("POST", "PUT") else None)
            assert got.status == 405 and got.headers["allow"] in ("POST", "GET", "GET, HEAD"), got
            problem(got)


def walk_senders(walk):
    """What is wrong with what is asked for."""
    post, many = "/v1/events/erp/line", "/v1/events/erp/line/batch"
    for target in (post, many):
        walk(401, "POST", target, b"{}", token=None)
        walk(401, "POST", target, b"{}", token=None, Authorization="Basic xxx")
        walk(403, "POST", target, b"{}", token="other-token")
        walk(404, "POST", target.replace("erp", "nobody"), b"{}")
        walk(404, "POST", target.replace("erp", "prodsmart"), b"{}")
        walk(400, "POST", target.replace("line", "LINE"), b"{}")
        walk(400, "POST", target, b"{}", Idempotency_Key="caf\xe9")
        walk(415, "POST", target, b"{}", Content_Type="text/plain")
    walk(400, "POST", post, b'{"a":1,}')
    walk(400, "POST", many, b"[1,]")
    walk(400, "POST", many, b"[]")
    walk(400, "POST", many, b"{\n}\n")
    walk(413, "POST", many, b"1\n" * 1001)
    walk(202, "POST", many, b"[1,2]", Idempotency_Key="k")
    walk(422, "POST", many, b"[2,1]", Idempotency_Key="k")
    walk(202, "POST", post, b'{"n":1}', Idempotency_Key="k")
    walk(422, "POST", post, b'{"n":2}', Idempotency_Key="k")
    for target in ("/v1/events/e0000000000001", "/v1/objects?key=a"):
        walk(401, "GET", target, token=None)
        walk(400, "GET", target + ("&" if "?" in target else "?") + "colour=red")
    walk(404, "GET", "/v1/events/e0000000000001")
    walk(404, "GET", "/v1/events/nonsense")
    for query in ("", "?key=", "?key=a&key=b", "?key=%zz", "?key=%01", "?key=a&limit=0",
                  "?key=a&before=x", "?key=" + "k" * 201):
        walk(400, "GET", "/v1/objects" + query)
    for method, target, body in (("GET", "/v1/outbox/outbox", None),
                                 ("POST", "/v1/outbox/outbox/ack", b'{"cursor":"x"}')):
        walk(401, method, target, body, token=None)
        walk(403, method, target, body, Authorization=OTHER)
        walk(404, method, target.replace("outbox/outbox", "outbox/flex2b"), body,
             Authorization=READER)
        walk(409, method, target + ("?after=x" if body is None else ""), body,
             Authorization=READER)
    for query in ("after=%zz", "wait=21", "wait=x", "limit=0", "limit=1001", "colour=red"):
        walk(400, "GET", "/v1/outbox/outbox?" + query, Authorization=READER)
    for body in (b"", b"{", b"[]", b"{}", b'{"cursor":7}'):
        walk(400, "POST", "/v1/outbox/outbox/ack", body, Authorization=READER)
    walk.gan.ctl("pause", "outbox", "--reason", "test")
    walk(503, "GET", "/v1/outbox/outbox", Authorization=READER)
    walk.gan.ctl("resume", "outbox", "--reason", "test")
    walk(401, "POST", "/hooks/prodsmart", b"{}", token=None)
    walk(404, "POST", "/hooks/nobody", b"{}", token=None)
    for path in ("/", "/v1", "/v1/events", "/nowhere", "/healthz/", "/v1/events/erp/a/b"):
        got = walk.gan.http("GET", path)
        assert got.status == 404, got
        problem(got)


def walk_full(gateway, seen):
    """Nothing can be stored."""
    gan = gateway(store={"min_free": "1TiB", "spool": 0})
    if gan.erp_post("line", b"1").status == 202:
        pytest.skip("more than 1 TiB is free here")
    full = Walk(gan)
    full(503, "POST", "/v1/events/erp/line", b"1")
    full(503, "POST", "/v1/events/erp/line/batch", b"[1,2]")
    got = gan.send_webhook("lot_created", b"{}")
    full.note("POST", "/hooks/prodsmart", got, 503)
    # The line that ends the request comes while it stops.
    with raw.connect(gan) as slow:
        raw.send(slow, b"GET /readyz HTTP/1.1\r\nHost: gantry\r\n")
        gan.proc.send_signal(signal.SIGTERM)
        kit.wait_until(lambda: "stopping: finishing" in gan.log(), 4, "it stops")
        raw.send(slow, b"\r\n")
        answer, = raw.answers(raw.read_all(slow))
    full.note("GET", "/readyz", kit.Answer(*answer), 503)
    assert gan.wait_end() == 0
    seen |= full.seen


def test_every_error_says_what_to_do(gateway):
    gan = gateway()
    walk = Walk(gan)
    late = {}
    for method, path, _ in DOC.operations():
        late[method, TARGETS.get(path, path)] = sock = raw.connect(gan, 12)
        raw.send(sock, f"{method} {TARGETS.get(path, path)} HTTP/1.1\r\nHost: gantry\r\n".encode())
    walk_transport(walk)
    walk_senders(walk)
    walk_full(gateway, walk.seen)
    for (method, target), sock in late.items():
        answer, = raw.answers(raw.read_all(sock))
        walk.note(method, target, kit.Answer(*answer), 408)
        sock.close()
    # Every error that the document names was seen, and the other way round (Walk.note).
    said = {(method, path, int(status)) for method, path, op in DOC.operations()
            for status in [*op["responses"], *DOC.transport()]
            if status != "default" and int(status) >= 400}
    common = {(m, p, s) for m, p, s in said if s in (405, 500, 503) and
              str(s) not in DOC.operation(m, TARGETS.get(p, p))[1]["responses"]}
    assert said - walk.seen - ELSEWHERE - common == set()


def test_real_answers_have_the_shapes_of_the_document(gateway, sim):
    gan = gateway()
    walk = Walk(gan)
    line = b'{"n":1,"key":"a"}'
    first = walk(202, "POST", "/v1/events/erp/line", line, Idempotency_Key="k")
    walk(202, "POST", "/v1/events/erp/line", line, Idempotency_Key="k")
    walk(200, "POST", "/v1/events/erp/line", line, Idempotency_Key="k", Prefer="wait=15")
    walk(200, "POST", "/v1/events/erp/nobody.listens", line, Prefer="wait=15")
    walk(200, "POST", "/v1/events/erp/line", b'{"n":9007199254740993,"key":1}', Prefer="wait=15")
    gan.ctl("pause", "movilitas", "--reason", "test")
    walk(202, "POST", "/v1/events/erp/release", b'{"key":"a","ssccs":["337370000000000003"]}',
         Prefer="wait=1")
    sim.fault("flex2b", "status", status=400)
    walk(200, "POST", "/v1/events/erp/line", b'{"n":2,"key":"dead"}', Prefer="wait=15")
    walk(202, "POST", "/v1/events/erp/line/batch", b'{"n":3,"key":"a"}\nbroken\n',
         Idempotency_Key="b")
    walk(202, "POST", "/v1/events/erp/line/batch", b'{"n":3,"key":"a"}\n{"n":4,"key":"a"}\n',
         Idempotency_Key="b")
    walk(202, "POST", "/v1/events/erp/line/batch", b'{"n":5,"key":"a"}\n{"n":4,"key":"a"}\n',
         Idempotency_Key="b")
    for where in (first.headers["location"], "/v1/objects?key=k/a", "/v1/objects?key=k/a&limit=1",
                  "/v1/objects?key=k/dead", "/v1/objects?key=p/a", "/v1/objects?key=none"):
        walk(200, "GET", where, Prefer="wait=1")
        walk(200, "HEAD", where)
    walk(200, "GET", "/v1/outbox/outbox", Authorization=READER)
    walk(202, "POST", "/v1/events/erp/tell", b'{"amount":1.10}')
    page = walk(200, "GET", "/v1/outbox/outbox?wait=20", Authorization=READER).json()
    assert len(page["messages"]) == 1
    for event in gan.ctl("events list"):
        walk(200, "GET", f"/v1/events/{event['id']}")
    walk(200, "POST", "/v1/outbox/outbox/ack",
         kit.as_bytes({"cursor": page["messages"][0]["cursor"]}), Authorization=READER)
    for event in gan.ctl("events list"):
        walk(200, "GET", f"/v1/events/{event['id']}")
    assert {d["state"] for d in gan.deliveries()} >= {"delivered", "dead", "waiting"}
    uuid = "91cb972d-b476-4936-947c-4be471b9da5b"
    for topic, body, told in (("lot_created", b"{}", "stored"), ("lot_created", b"{}", "duplicate"),
                              ("lot_created", b"no json", "rejected")):
        got = gan.send_webhook(topic, body, webhook_uuid=uuid)
        walk.note("POST", "/hooks/prodsmart", got, 200)
        assert got.json()["status"] == told
    for path in ("/healthz", "/readyz", "/openapi.json"):
        walk(200, "GET", path, token=None)
    good = {(m, p, int(s)) for m, p, op in DOC.operations() for s in op["responses"]
            if s.startswith("2")}
    assert good <= walk.seen, good - walk.seen
