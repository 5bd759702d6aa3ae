# SPDX-License-Identifier: MIT
"""test_control_bytes.py - line breaks, NUL and escape sequences in data stay data.

In keys, ids, topics, names, headers and vendors' words: they end no header and
no log line, steer no terminal, and break no metric.
"""

import json
import re

import kit
import pytest
import rules
import yaml
from raw import connect, read_all, send, status_of
from vendor import FLEX_DONE, Vendor, ok

# ESC, bells, line breaks, NUL, DEL, C1 controls (also as UTF-8), a separator and a turn to the left.
EVIL = "\x1b]0;owned\x07\x1b[2J\r\nX-Injected: 1\r\n\r\nGET /evil HTTP/1.1\r\n\0\x7f\x9b31m\x85\u2028\u202e\b"
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")  # what a program must not get raw
COMMANDS = ["status", "events list", "deliveries list", "attention", "audit", "lanes",
            "quarantine list", "rules list", "config show", "doctor", "show k/ --bodies"]


def steering(text):
    """The control characters of an output, but tab and the end of a line."""
    return [(m.start(), m.group(), text[max(0, m.start() - 40):m.start() + 20])
            for m in RAW.finditer(text)]


def check_outputs(gan, *more):
    """Nothing that is shown to a person or a program holds one."""
    for words in [*COMMANDS, *more]:
        for output in ("table", "json", "jsonl"):
            _, out, err = gan.ctl_raw(*(words if isinstance(words, list) else words.split()),
                                      output=output)
            assert not steering(out + err), (words, output, steering(out + err)[:3])
    assert not steering(gan.log()), steering(gan.log())[:3]
    metrics = kit.request(gan.admin, "GET", "/metrics").body.decode()
    assert not steering(metrics), steering(metrics)[:3]
    for line in metrics.strip().split("\n"):
        assert re.fullmatch(r'# (HELP|TYPE) \S+ .*|[a-z_]+(\{([a-z_]+="[^"\n]*",?)*\})? \S+', line), line
    for path in ("/admin/v1/status", "/nowhere"):
        got = kit.request(gan.admin, "GET", path)
        assert not CONTROL.search(got.body.decode()), path


RULE = rules.FLEX_ERP.replace("'\"k/\" + ($event.key | tostring)'", "'\"k/\" + $event.key'")


@pytest.mark.parametrize("where", ["value", "key", "effect"])
def test_data_ends_no_header(make_gateway, sim, where):
    """The bytes that a vendor gets: one request, the headers that it should have, JSON."""
    text = RULE
    if where == "value":
        text = text.replace("+ $event.key", '+ "a"')
    if where == "effect":
        text = text.replace("expect_key:", "expect_effect:").replace("\nkey:", "\neffect:")
    with Vendor() as vendor:
        gan = make_gateway({"flex.yaml": text},
                           config={"connectors": {"flex2b": {"base_url": vendor.url}}})
        got = gan.erp_post("line", {"n": 1, "key": EVIL})
        assert got.status == 202
        ident = got.json()["id"]
        kit.wait_until(lambda: gan.event(ident)["state"] != "received", 10, "mapped")
        event = gan.event(ident)
        check_outputs(gan, ["show", ident], ["show", ident, "--bodies"], ["show", "k/" + EVIL.replace(
            "\0", "")])
        if event["state"] == "rejected":
            assert where != "value" and event["reason"], event
            assert vendor.requests == []
            return
        # A NUL would be the end of the text for many a receiver: a person is asked instead.
        gan.wait_key("k/a", "dead")
        assert "\\u0000" in gan.attention(kind="dead")[0]["reason"] and vendor.requests == []
        gan.ctl("skip", gan.attention(kind="dead")[0]["id"])
        mild = EVIL.replace("\0", "")
        ident = gan.erp_post("line", {"n": 1, "key": mild}).json()["id"]
        gan.wait_key("k/a", "delivered")
        req, = vendor.requests
        assert req.line == b"POST /v1/replicationpost HTTP/1.1"
        names = sorted(h.split(b":")[0].lower() for h in req.headers)
        assert names == sorted([b"host", b"user-agent", b"accept", b"content-type",
                                b"authorization", b"content-length"]), names
        assert json.loads(req.body)["repLines"][0]["nodes"][1]["value"] == mild
        assert not re.search(rb"[\x00-\x1f\x7f]", req.body), "JSON escapes them"
        check_outputs(gan, ["show", ident, "--bodies"], "show k/a --bodies")


def raw_webhook(gan, body, headers):
    """A webhook with header lines as they stand here: no library would send them."""
    made = kit.webhook_headers(gan.SECRETS["prodsmart-hook"], "lot_created", body)
    made.update(headers)
    lines = [b"POST /hooks/prodsmart HTTP/1.1", b"Host: gantry", b"Content-Length: %d" % len(body)]
    lines += [k.encode() + b": " + (v if isinstance(v, bytes) else v.encode("latin-1"))
              for k, v in made.items()]
    with connect(gan) as sock:
        send(sock, b"\r\n".join(lines) + b"\r\n\r\n" + body)
        return status_of(read_all(sock) or b"")


HEADER_EVIL = b"a\x1b]0;owned\x07\x1b[2J\x7f\x9b31m\xe2\x80\xae\b"


@pytest.mark.parametrize("name", ["x-prodsmart-topic", "x-prodsmart-webhook-uuid", "Content-Type",
                                  "x-prodsmart-triggered-at", "x-prodsmart-hmac-sha256",
                                  "x-prodsmart-api-version", "User-Agent", "X-Forwarded-For"])
def test_headers_of_senders_steer_nothing(make_gateway, name):
    """Refused or stored, in quarantine or not: what is shown of it is harmless."""
    gan = make_gateway({"flex.yaml": rules.FLEX}, config={
        "listen": {"public": {"trusted_proxies": ["127.0.0.1"]}}})
    assert raw_webhook(gan, b'{"n":1,"key":"a"}', {name: HEADER_EVIL}) in (200, 400, 401)
    assert gan.send_webhook("lot_created", {"n": 2}, secret="wrong").status == 401
    raw_webhook(gan, b'{"n":3}', {name: HEADER_EVIL, "x-prodsmart-hmac-sha256": "0" * 40})
    kit.wait_until(lambda: gan.status()["events"]["received"] == 0, 10, "mapped")
    check_outputs(gan)


def test_topics_and_bodies_of_senders_steer_nothing(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX, "reject.yaml":
                        "rule: rejects\nfrom: prodsmart/lot.updated\nto: flex2b/replicationpost\n"
                        "map: 'reject(.why)'\n"})
    body = json.dumps({"notification": EVIL, "n": 1}).encode()
    made = kit.webhook_headers(gan.SECRETS["prodsmart-hook"], "x", body)
    del made["x-prodsmart-topic"]
    assert gan.http("POST", "/hooks/prodsmart", body, made).status == 200
    assert gan.send_webhook("lot_updated", {"why": EVIL}).status == 200
    assert gan.send_webhook("lot_updated", b'{"a": "' + EVIL.encode() + b'"}').status == 200
    kit.wait_until(lambda: gan.status()["events"]["received"] == 0, 10, "mapped")
    assert len(gan.attention(kind="rejected")) == 2
    check_outputs(gan)


@pytest.mark.parametrize("path", [b"/hooks/\x1b[2J", b"/hooks/a\x9b31m", b"/v1/events/erp/\x1b[2Ja",
                                  b"/v1/events/erp/a%0d%0aX: y", b"/\xe2\x80\xae",
                                  b"/v1/events/e\x07"])
def test_paths_steer_nothing(make_gateway, path):
    gan = make_gateway()
    with connect(gan) as sock:
        send(sock, b"POST " + path + b" HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer "
             + gan.SECRETS["erp-token"].encode()
             + b"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        answer = read_all(sock)
    assert status_of(answer) in (400, 404, 405), answer
    head, _, said = answer.partition(b"\r\n\r\n")
    assert not steering(said.decode()), said
    assert not steering(head.decode("latin-1").replace("\r\n", "\n")), head
    check_outputs(gan)


def test_words_of_a_vendor_steer_nothing(make_gateway, sim):
    says = [ok(json.dumps({"ResponseCode": 400, "ResponseMessage": EVIL}).encode()),
            ok(json.dumps({"ResponseCode": 500, "ResponseMessage": EVIL}).encode(),
               status="500 \x1b[2J\x9b"),
            ok(EVIL.encode(), "X-Evil: \x1b[2J\x9b31m", "Retry-After: \x1b[2J", status="400 No"),
            ok(json.dumps({"ResponseCode": 200, "CommunicationID": EVIL,
                           "ResponseMessage": EVIL}).encode()),
            b"HTTP/1.1 \x1b[2J\r\n\r\n", ok(FLEX_DONE, "X-Evil: \x1b[2J")]
    with Vendor() as vendor:
        gan = make_gateway({"flex.yaml": rules.FLEX_ERP}, config={
            "connectors": {"flex2b": {"base_url": vendor.url}}})
        vendor.script = lambda req, sock: sock.sendall(says[len(vendor.requests) - 1])
        for n in range(len(says)):
            gan.erp_post("line", {"n": n, "key": f"v{n}"})
            kit.wait_until(lambda k=n: gan.deliveries(key=f"k/v{k}") and gan.deliveries(
                key=f"k/v{k}")[0]["state"] not in ("waiting", "sending"), 10, f"answer {n}")
        assert {d["state"] for d in gan.deliveries()} == {"dead", "unknown", "delivered"}
        check_outputs(gan, *[f"show k/v{n} --bodies" for n in range(len(says))])
        erp = gan.erp_get(gan.erp_post("line", {"n": 9, "key": "v0"}).headers["location"])
        assert not steering(erp.body.decode())


def test_names_of_files_steer_nothing(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX})
    evil = "a\x1b]0;owned\x07\x1b[2J\n<0>gantryd: fake\x7f\u202e"
    gan.rule(f"{evil}.yaml", "rule: bad\nfrom: [\n")
    check_outputs(gan, "reload", "rules check", "config check", "status")
    assert gan.ctl_raw("reload")[0] == 1
    gan.unrule(f"{evil}.yaml")
    gan.rule("b.yaml", rules.FLEX_ERP.replace("map: |", f"tables: {{t: {json.dumps(evil)}}}\nmap: |"))
    check_outputs(gan, "reload", "rules check")
    gan.write("lookups/t.csv", f"key,value\n{'x' * 10}\x1b[2J,1\n{'x' * 10}\x1b[2J,2\n")
    gan.rule("b.yaml", rules.FLEX_ERP.replace("map: |", "tables: {t: lookups/t.csv}\nmap: |"))
    check_outputs(gan, "reload", "rules check")
    gan.rule("b.yaml", f"rule: b\ndescription: {json.dumps(EVIL)}\nfrom: erp/*\n"
             f"to: flex2b/replicationpost\nmap: .\n{json.dumps(evil)}: 1\n")
    check_outputs(gan, "reload", "rules check")
    gan.config["site"] = "porto" + EVIL.replace("\0", "")
    gan.config["connectors"][evil] = {"kind": evil}
    gan.write("gantry.yaml", yaml.safe_dump(gan.config))
    check_outputs(gan, "reload", "config check")
