# SPDX-License-Identifier: MIT
"""test_erp.py - an ERP that sends in bulk, waits for outcomes and asks for them by its own keys."""

import base64
import threading
import urllib.parse

import kit
import pytest
import rules

BODY = {"n": 1, "key": "a"}


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def post(gan, path, body, auth, **headers):
    pairs = {"Content-Type": "application/json", "Authorization": auth,
             **{k.replace("_", "-"): v for k, v in headers.items()}}
    return gan.http("POST", path, kit.as_bytes(body), pairs)


# -- who sends ------------------------------------------------------------------


@pytest.fixture
def sap(make_gateway):
    """A gateway with a source of each way to log in, and one that changes over."""
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP}, start=False)
    gan.secret("sap-old", "old-password-0123456789")
    gan.secret("sap-new", "n\u00e9w:password-0123456789")
    gan.reconfigure(sources={
        "sap": {"kind": "http", "basic": {"user": "sap", "password": "secret:sap-old"}},
        "both": {"kind": "http", "tokens": "secret:other-token",
                 "basic": {"user": "both", "password": ["secret:sap-old", "secret:sap-new"]}}})
    gan.reconfigure(sources={"other": None})
    return gan.start()


def test_basic_opens_its_own_source(sap):
    old = basic("sap", "old-password-0123456789")
    got = post(sap, "/v1/events/sap/line", BODY, old)
    assert got.status == 202
    where = got.headers["location"]
    assert sap.http("GET", where, None, {"Authorization": old}).json()["source"] == "sap"
    assert sap.erp_get(where).status == 404
    assert post(sap, "/v1/events/erp/line", BODY, old).status == 403
    for wrong in (basic("sap", "old-password-012345678"), basic("SAP", "old-password-0123456789"),
                  basic("sap", ""), "Bearer old-password-0123456789", "Basic", "Basic !!",
                  basic("both", "old-password-0123456789") + "x",
                  "Bearer " + basic("sap", "old-password-0123456789")[6:]):
        got = post(sap, "/v1/events/sap/line", BODY, wrong)
        assert got.status == 401, wrong
        assert got.headers["www-authenticate"].startswith('Bearer realm="gantry", Basic realm='), got
        assert "Authorization" in got.json()["detail"]
    assert "old-password" not in sap.log()


def test_a_source_may_take_both_ways_and_two_passwords(sap):
    for auth in (basic("both", "old-password-0123456789"),
                 basic("both", "n\u00e9w:password-0123456789"),
                 "Bearer " + sap.SECRETS["other-token"]):
        assert post(sap, "/v1/events/both/line", BODY, auth).status == 202, auth
    # Rotation: the old one goes, at a reload.
    sap.reconfigure(sources={"both": {"basic": {"password": "secret:sap-new"}}})
    sap.ctl("reload")
    assert post(sap, "/v1/events/both/line", BODY,
                basic("both", "old-password-0123456789")).status == 401
    assert post(sap, "/v1/events/both/line", BODY,
                basic("both", "n\u00e9w:password-0123456789")).status == 202
    shown = sap.ctl("config show")["sources"]["both"]
    assert shown["basic"] == {"user": "both", "password": ["secret:sap-new"]}


# -- waiting for the outcome -------------------------------------------------------


def waited(gan, n=None, wait=15, **more):
    """The answer to a post that wants the outcome."""
    body = BODY if n is None else {"n": n, "key": f"k{n}"}
    return gan.erp_post(more.pop("topic", "line"), more.pop("body", body),
                        headers={"Prefer": f"wait={wait}", **more.pop("headers", {})}, **more)


def test_the_outcome_comes_with_the_answer(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP})
    got = waited(gan, key="once")
    assert (got.status, got.headers["preference-applied"]) == (200, "wait=15")
    event = got.json()
    assert got.headers["location"] == f"/v1/events/{event['id']}"
    delivery, = event["deliveries"]
    assert (event["state"], delivery["state"]) == ("mapped", "delivered")
    assert delivery["response"]["CommunicationID"]
    assert event == gan.erp_get(got.headers["location"]).json()
    again = waited(gan, key="once")
    assert (again.status, again.json()) == (200, event)
    assert again.headers["idempotent-replayed"] == "true"


def test_whatever_ends_an_event_is_an_outcome(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP, "release.yaml": rules.RELEASE})
    got = waited(gan, topic="nobody.listens")
    assert (got.status, got.json()["state"], got.json()["deliveries"]) == (200, "ignored", [])
    got = waited(gan, body={"n": 1, "key": {"a": 9007199254740993}})
    assert (got.status, got.json()["state"]) == (200, "rejected")
    assert "9007199254740993" in got.json()["reason"]
    sim.fault("flex2b", "status", status=400)
    got = waited(gan, 5)
    assert (got.status, got.json()["deliveries"][0]["state"]) == (200, "dead")
    sim.clear()
    sim.fault("movilitas", "drop-after", times=1)
    got = waited(gan, topic="release", body={"key": "u", "ssccs": [rules.SSCCS[0]]})
    assert (got.status, got.json()["deliveries"][0]["state"]) == (200, "unknown")


def test_what_takes_longer_is_accepted_and_can_be_waited_for_again(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP})
    gan.ctl("pause", "flex2b", "--reason", "test")
    got = waited(gan, wait=1)
    assert (got.status, got.headers["preference-applied"]) == (202, "wait=1")
    assert set(got.json()) == {"id", "status"}
    where = got.headers["location"]
    auth = {"Authorization": "Bearer " + gan.SECRETS["erp-token"]}
    early = gan.http("GET", where, None, {**auth, "Prefer": "wait=1"})
    assert early.status == 200 and early.headers["preference-applied"] == "wait=1"
    assert early.json()["deliveries"][0]["state"] == "waiting"
    answers = []
    asker = threading.Thread(target=lambda: answers.append(
        gan.http("GET", where, None, {**auth, "Prefer": "wait=20"}, timeout=30)))
    asker.start()
    gan.ctl("resume", "flex2b", "--reason", "test")
    asker.join(25 * kit.SLOW)
    assert answers[0].json()["deliveries"][0]["state"] == "delivered"
    assert gan.http("GET", where, None, {
        "Authorization": "Bearer " + gan.SECRETS["other-token"], "Prefer": "wait=20"}).status == 404


def test_a_stop_answers_those_who_wait(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP})
    gan.ctl("pause", "flex2b", "--reason", "test")
    answers = []
    askers = [threading.Thread(target=lambda n=n: answers.append(waited(gan, n, 20)))
              for n in range(5)]
    for asker in askers:
        asker.start()
    kit.wait_until(lambda: gan.status()["deliveries"]["waiting"] == 5, 10, "all are queued")
    assert gan.stop() == 0
    for asker in askers:
        asker.join(10 * kit.SLOW)
    assert [a.status for a in answers] == [202] * 5


def test_those_who_wait_leave_room_for_others(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP},
                       config={"listen": {"public": {"max_connections": 8}}})
    gan.ctl("pause", "flex2b", "--reason", "test")
    answers = []
    askers = [threading.Thread(target=lambda n=n: answers.append(waited(gan, n, 20)))
              for n in range(4)]
    for asker in askers:
        asker.start()
    kit.wait_until(lambda: gan.status()["deliveries"]["waiting"] == 4, 10, "all are queued")
    got = waited(gan, 9, 20)
    assert got.status == 202 and "preference-applied" not in got.headers
    assert gan.send_webhook("lot_created", BODY).status == 200
    assert not answers
    gan.ctl("resume", "flex2b", "--reason", "test")
    for asker in askers:
        asker.join(25 * kit.SLOW)
    assert [a.status for a in answers] == [200] * 4


# -- one key, many posts ----------------------------------------------------------------


def test_a_hundred_posts_with_one_key_make_one_event(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP})
    start, answers = threading.Barrier(100), []

    def send():
        start.wait()
        answers.append(gan.erp_post("line", BODY, key="the-one"))

    senders = [threading.Thread(target=send) for _ in range(100)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert {a.status for a in answers} <= {202, 409}
    told = {a.body for a in answers if a.status == 202}
    assert len(told) == 1, told
    # Who was told that the first one still runs gets its answer when it repeats.
    assert {gan.erp_post("line", BODY, key="the-one").body for _ in range(3)} == told
    assert gan.erp_post("line", {"n": 2}, key="the-one").status == 422
    gan.wait_key("k/a", "delivered")
    assert sum(gan.status()["events"].values()) == 1
    assert len(rules.lines(sim)) == 1


# -- by business key --------------------------------------------------------------------


def test_outcomes_are_found_by_business_key(make_gateway):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP, "other.yaml": rules.FLEX_ERP.replace(
        "rule: erp-to-flex", "rule: other-to-flex").replace("from: erp/line", "from: other/line")})
    own = [waited(gan, body={"n": n, "key": "4 7/1+é"}).json()["id"] for n in range(3)]
    gan.erp_post("line", {"n": 9, "key": "4 7/1+é"}, source="other", token="other-token")
    gan.wait_key("k/4 7/1+é", "delivered", 4)

    def ask(token="erp-token", **more):
        query = urllib.parse.urlencode({"key": "k/4 7/1+é", **more})
        return gan.erp_get("/v1/objects?" + query, token)

    found = ask().json()
    assert (found["key"], found["next"]) == ("k/4 7/1+é", None)
    assert [e["id"] for e in found["events"]] == own[::-1]
    assert all(d["response"]["CommunicationID"] for e in found["events"] for d in e["deliveries"])
    assert len(ask("other-token").json()["events"]) == 1
    first = ask(limit=2).json()
    rest = ask(limit=2, before=first["next"]).json()
    assert [e["id"] for e in first["events"] + rest["events"]] == own[::-1]
    assert rest["next"] is None
    assert gan.erp_get("/v1/objects?key=nothing").json() == {
        "key": "nothing", "events": [], "next": None}
    assert ask(None).status == 401
    assert gan.erp_get("/v1/objects?kye=a").status == 400
