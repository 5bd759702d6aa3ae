# SPDX-License-Identifier: MIT
"""test_inbound.py - what senders are told: duplicates, topics, health, posts of the ERP."""

import re

import kit
import pytest
import rules

BODY = {"n": 1, "key": "a"}


def events(gan):
    return sum(gan.status()["events"].values())


# -- webhooks -----------------------------------------------------------------


def test_a_duplicate_is_counted_and_stored_once(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX})
    uuid = "91cb972d-b476-4936-947c-4be471b9da5b"
    for _ in range(3):
        assert gan.send_webhook("lot_created", BODY, webhook_uuid=uuid).status == 200
    gan.wait_key("k/a", "delivered")
    status = gan.status()
    assert (events(gan), status["duplicates"]) == (1, 2)
    # Any of topic, uuid, time and body makes another event.
    other = [dict(topic="lot_updated"), dict(webhook_uuid="a1cb972d-b476-4936-947c-4be471b9da5b"),
             dict(triggered_at="2026-11-21T19:02:11.124Z"), dict(body={"n": 2, "key": "a"})]
    for change in other:
        args = {"topic": "lot_created", "body": BODY, "webhook_uuid": uuid, **change}
        assert gan.send_webhook(**args).status == 200
    assert events(gan) == 5
    gan.drain()
    assert sorted(n for n, _, _, _ in rules.lines(sim)) == [1, 1, 1, 2]


def test_duplicates_are_known_after_a_restart(make_gateway):
    gan = make_gateway()
    uuid = "91cb972d-b476-4936-947c-4be471b9da5b"
    assert gan.send_webhook("lot_created", BODY, webhook_uuid=uuid).status == 200
    gan.restart()
    assert gan.send_webhook("lot_created", BODY, webhook_uuid=uuid).status == 200
    gan.kill()
    gan.start()
    assert gan.send_webhook("lot_created", BODY, webhook_uuid=uuid).status == 200
    assert events(gan) == 1


@pytest.mark.parametrize("missing", ["x-prodsmart-webhook-uuid", "x-prodsmart-triggered-at"])
def test_without_both_headers_nothing_is_a_duplicate(make_gateway, missing):
    gan = make_gateway()
    pairs = kit.webhook_headers(gan.SECRETS["prodsmart-hook"], "lot_created", b"{}")
    del pairs[missing]
    for _ in range(2):
        assert gan.http("POST", "/hooks/prodsmart", b"{}", pairs).status == 200
    assert events(gan) == 2


@pytest.mark.parametrize("raw, topic", [
    ("productionOrder/create", "production-order.created"),
    ("production/update", "production.updated"),
    ("shipping_inventory_movement_deleted", "shipping-movement.deleted"),
    ("punchClock_updated", "punch-clock.updated"),
    ("downTime_created", "downtime.created"),
    ("material_staging_created", "material-staging.created"),
    ('"lot_created"', "lot.created"),
    ("somethingNew", "somethingNew")])
def test_topics_become_canonical(make_gateway, raw, topic):
    gan = make_gateway()
    assert gan.send_webhook(raw, {}).status == 200
    event, = gan.ctl("events list")
    assert event["topic"] == topic
    ignored = gan.wait_event(event["id"], "ignored")
    assert ignored["deliveries"] == []


def test_the_topic_is_read_from_the_body_when_no_header_tells(make_gateway):
    gan = make_gateway()
    body = b'{"notification":"punchClock_created","id":1}'
    pairs = kit.webhook_headers(gan.SECRETS["prodsmart-hook"], "x", body)
    del pairs["x-prodsmart-topic"]
    assert gan.http("POST", "/hooks/prodsmart", body, pairs).status == 200
    event, = gan.ctl("events list")
    assert event["topic"] == "punch-clock.created"


def test_an_unknown_topic_is_counted_by_name(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX})
    gan.send_webhook("tea_brewed", {})
    kit.wait_until(lambda: gan.status()["events"]["ignored"] == 1, 5, "ignored")
    assert "tea_brewed" in str(gan.status()["ignored_topics"])


@pytest.mark.parametrize("body", [b"", b"no json", b"{", b'{"a":1}x', b"\xff\xfe", b"[1,]"])
def test_a_signed_body_is_kept_even_if_it_is_no_json(make_gateway, body):
    gan = make_gateway({"flex.yaml": rules.FLEX})
    assert gan.send_webhook("lot_created", body).status == 200
    event, = gan.ctl("events list")
    assert gan.wait_event(event["id"], "rejected")["reason"]
    assert [i["id"] for i in gan.attention(kind="rejected")] == [event["id"]]


def test_webhook_refusals(make_gateway):
    gan = make_gateway()
    good = kit.webhook_headers(gan.SECRETS["prodsmart-hook"], "lot_created", b"{}")
    for method, path, status in [
            ("GET", "/hooks/prodsmart", 405), ("PUT", "/hooks/prodsmart", 405),
            ("POST", "/hooks/nobody", 404), ("POST", "/hooks/prodsmart/", 404),
            ("POST", "/hooks", 404), ("POST", "/hooks/erp", 404), ("POST", "/", 404),
            ("POST", "/hooks/%70rodsmart", 400), ("POST", "//hooks/prodsmart", 404),
            ("POST", "/hooks/../hooks/prodsmart", 404), ("POST", "/HOOKS/prodsmart", 404)]:
        got = gan.http(method, path, b"{}" if method != "GET" else None, good)
        assert got.status == status, (method, path, got)
        assert "problem+json" in got.headers["content-type"], (method, path, got)
    big = b'"' + b"x" * (1 << 20) + b'"'
    try:
        assert gan.send_webhook("lot_created", big).status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # cut while we were still sending
    zipped = {**good, "Content-Encoding": "gzip"}
    assert gan.http("POST", "/hooks/prodsmart", b"{}", zipped).status == 415
    plain = {**good, "Content-Type": "text/plain; charset=iso-8859-1"}
    assert gan.http("POST", "/hooks/prodsmart", b"{}", plain).status == 200
    assert events(gan) == 1


def test_health(make_gateway):
    gan = make_gateway()
    for path in ("/healthz", "/readyz"):
        assert gan.http("GET", path).status == 200
        assert gan.http("GET", path).headers.get("server") is None
    got = gan.http("GET", "/healthz")
    assert got.headers["connection"].lower() == "close"


def test_ready_whatever_the_connectors_do(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX})
    sim.state(flex2b={"down": True}, movilitas={"down": True})
    gan.send_webhook("lot_created", BODY)
    gan.wait_key("k/a", "waiting")
    assert gan.http("GET", "/readyz").status == 200


# -- posts of the ERP -----------------------------------------------------------


def test_a_post_is_accepted_and_can_be_looked_up(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP})
    got = gan.erp_post("line", BODY)
    assert got.status == 202
    answer = got.json()
    assert set(answer) == {"id", "status"}
    assert got.headers["location"] == f"/v1/events/{answer['id']}"
    gan.wait_key("k/a", "delivered")
    story = gan.erp_get(got.headers["location"]).json()
    assert (story["id"], story["source"], story["topic"]) == (answer["id"], "erp", "line")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", story["received_at"])
    delivery, = story["deliveries"]
    assert set(delivery) == {"id", "rule", "connector", "operation", "key", "effect", "state",
                             "attempts", "next_at", "last", "response"}
    assert delivery["last"]["status"] == 200
    assert story == gan.event(answer["id"]) or story["deliveries"] == gan.event(
        answer["id"])["deliveries"]


def test_only_the_sender_may_look(make_gateway):
    gan = make_gateway()
    where = gan.erp_post("line", BODY).headers["location"]
    assert gan.erp_get(where).status == 200
    assert gan.erp_get(where, token="erp-token-2").status == 200
    assert gan.erp_get(where, token="other-token").status == 404
    assert gan.erp_get(where, token=None).status == 401
    assert gan.erp_get(where, token="wrong").status == 401
    assert gan.erp_get("/v1/events/e0000000000001").status == 404
    assert gan.erp_get("/v1/events/nonsense").status == 404


def test_tokens(make_gateway):
    gan = make_gateway()
    assert gan.erp_post("line", BODY, token="erp-token-2").status == 202
    for token in (None, "wrong", "", "erp-token-0123456789"):
        got = gan.erp_post("line", BODY, token=token)
        assert got.status == 401, token
        assert got.headers.get("www-authenticate", "").startswith("Bearer")
    # A token of another source is known, but not allowed here.
    assert gan.erp_post("line", BODY, token="other-token").status in (401, 403)
    assert gan.erp_post("line", BODY, source="nobody").status in (401, 404)
    assert events(gan) == 1


def test_idempotency(make_gateway):
    gan = make_gateway()
    first = gan.erp_post("line", BODY, key="k-1")
    again = gan.erp_post("line", BODY, key="k-1")
    assert (first.status, again.json()["id"]) == (202, first.json()["id"])
    assert again.status in (200, 202)
    other = gan.erp_post("line", {"n": 2, "key": "a"}, key="k-1")
    assert other.status == 422 and "Idempotency-Key" in other.body.decode()
    assert gan.erp_post("line", BODY, key="k-2").json()["id"] != first.json()["id"]
    # Keys belong to their source.
    assert gan.erp_post("line", {"n": 3, "key": "b"}, source="other", token="other-token",
                        key="k-1").status == 202
    gan.kill()
    gan.start()
    assert gan.erp_post("line", BODY, key="k-1").json()["id"] == first.json()["id"]
    assert gan.erp_post("line", {"n": 2, "key": "a"}, key="k-1").status == 422
    assert events(gan) == 3


@pytest.mark.parametrize("key", ["", "x" * 1000, "a\tb"])
def test_a_bad_idempotency_key(make_gateway, key):
    gan = make_gateway()
    assert gan.erp_post("line", BODY, key=key).status == 400
    assert events(gan) == 0


def test_bad_json_is_told_with_its_place(make_gateway):
    gan = make_gateway()
    got = gan.erp_post("line", b'{"a": 1,\n "b": tru}')
    assert got.status == 400
    problem = got.json()
    assert problem["status"] == 400 and problem["title"]
    assert "line 2" in problem["detail"] and "column" in problem["detail"]
    for body in (b"", b"{", b'{"a":1,}', b"[1 2]", b"\xef\xbb\xbf{}", b'"\xff"', b"NaN",
                 b"[" * 65 + b"]" * 65):
        assert gan.erp_post("line", body).status == 400, body
    assert gan.erp_post("line", b"[" * 64 + b"]" * 64).status == 202
    assert events(gan) == 1


def test_content_types(make_gateway):
    gan = make_gateway()
    for kind, status in [("application/json; charset=utf-8", 202), ("APPLICATION/JSON", 202),
                         ("text/plain", 415), ("application/x-www-form-urlencoded", 415),
                         ("application/jsonx", 415)]:
        got = gan.erp_post("line", BODY, headers={"Content-Type": kind})
        assert got.status == status, kind
    got = gan.erp_post("line", BODY, headers={"Content-Encoding": "gzip"})
    assert got.status == 415


def test_problems_are_rfc_9457(make_gateway):
    gan = make_gateway()
    for got in (gan.erp_post("line", BODY, token=None), gan.erp_post("line", b"{"),
                gan.http("GET", "/nowhere"), gan.http("DELETE", "/v1/events/erp/line")):
        assert got.headers["content-type"].startswith("application/problem+json")
        problem = got.json()
        assert problem["status"] == got.status
        assert problem["title"] and problem["detail"]


def test_too_little_space_is_a_503(make_gateway):
    gan = make_gateway(config={"store": {"min_free": "1TiB", "spool": 0}})
    got = gan.send_webhook("lot_created", BODY)
    if got.status == 200:
        pytest.skip("more than 1 TiB is free here")
    assert got.status == 503
    erp = gan.erp_post("line", BODY)
    assert erp.status == 503 and int(erp.headers["retry-after"]) > 0
    assert gan.status()["store"]["full"] is True
    assert events(gan) == 0
