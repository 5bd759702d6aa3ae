# SPDX-License-Identifier: MIT
"""test_words.py - what is said to whoever looks in the wrong moment, or for the wrong thing."""

import json

import kit

CONFIRM = """
rule: confirm
from: erp/order.confirmed
to: movilitas/ssccs.release
after: '"order/" + $event.order'
map: '{ssccs: ["337370000000000003"]}'
tests:
  - {name: one, event: {order: "1"}, expect: [{ssccs: ["337370000000000003"]}]}
"""

WRONG = """
rule: wrong
from: erp/order.confirmed
to: movilitas/ssccs.release
key: '"o/" + $event.order'
map: '{ssccs: ["337370000000000001"]}'
"""

# Some tenths of a second for its test.
SLOW = CONFIRM.replace("map: '", "map: 'last(range(1000000)) as $n | ")

CIRCLE = """
rule: circle
from: %s
%sto: outbox/told
map: '{id: .delivery.id}'
tests:
  - {name: one, event: {delivery: {id: d1}}, expect: [{id: d1}]}
"""
OUTBOX = {"connectors": {"outbox": {"kind": "pull", "tokens": "secret:erp-token"}}}


def test_rules_that_are_being_tested_are_no_problem(make_gateway):
    gan = make_gateway(rules={"10.yaml": SLOW}, start=False)
    gan.start(rules=False)
    found = json.loads(gan.ctl_raw("doctor")[1])
    assert [f["level"] for f in found if f["check"] == "rules"] in (["note"], []), found
    kit.wait_until(gan.rules_known, what="the rules")
    assert [f for f in json.loads(gan.ctl_raw("doctor")[1]) if f["check"] == "rules"] == []


def test_a_try_tells_what_it_comes_after(make_gateway):
    gan = make_gateway(rules={"10.yaml": CONFIRM})
    event = gan.write("event.json", '{"order": "4711"}')
    code, out, _ = gan.ctl_raw("rules", "try", "confirm", "--event-file", event, output="table")
    assert code == 0 and "key -, effect -, after order/4711\n" in out


def test_the_verdict_of_a_reload_is_in_the_audit_log(make_gateway):
    gan = make_gateway(rules={"10.yaml": CONFIRM})
    assert gan.ctl_raw("reload", "--reason", "first")[0] == 0
    gan.rule("10.yaml", CONFIRM.replace("rule: confirm", "role: confirm"))
    assert gan.ctl_raw("reload", "--reason", "second")[0] == 1
    rows = [(r["verb"], r["after"], r["reason"]) for r in gan.ctl("audit")][::-1]
    assert rows == [("reload", None, "first"), ("reload accepted", "generation 2 in force", None),
                    ("reload", None, "second"), ("reload refused", "generation 2 in force", None)]


def test_a_rule_that_answers_itself_is_warned_of(make_gateway):
    gan = make_gateway(config=OUTBOX)
    when_else = "when: .delivery.connector != \"outbox\"\n"
    for source, when, warned in (("answers/*", "", True), ("answers/*", when_else, False),
                                 ("answers/outbox/told.delivered", "", True),
                                 ("answers/movilitas/*", "", False), ("answers/*.dead", "", False)):
        gan.rule("10.yaml", CIRCLE % (source, when))
        code, out, _ = gan.ctl_raw("rules", "check", output="table")
        assert code == 0 and ("goes round in a circle" in out) is warned, (source, when, out)


def test_the_copy_is_named_when_its_original_is_asked_for(make_gateway):
    gan = make_gateway(rules={"10.yaml": WRONG})
    gan.erp_post("order.confirmed", {"order": "1"})
    row = gan.wait_key("o/1", "dead")[0]
    body = gan.write("body.json", '{"ssccs": ["337370000000000010"]}')
    copy = json.loads(gan.ctl_raw("correct", row["id"], "--body", body, "--reason", "typo")[1])
    for verb in (["retry"], ["correct", "--body", body, "--reason", "again"]):
        code, _, err = gan.ctl_raw(verb[0], row["id"], *verb[1:], output="table")
        assert code == 1 and f"its corrected copy {copy['id']} is in its place" in err


def test_a_closed_rejection_asks_for_nothing_more(make_gateway):
    gan = make_gateway(rules={"10.yaml": CONFIRM.replace("map: '", "map: 'reject(\"no\") | ")
                              .replace("expect: [{ssccs: [\"337370000000000003\"]}]",
                                       "expect_reject: \"no\"")})
    post = gan.erp_post("order.confirmed", {"order": "1"})
    gan.wait_event(post.json()["id"], "rejected")
    hook = gan.send_webhook("lot_created", b"no JSON")
    gan.wait_event(hook.json()["id"], "rejected")
    actions = {i["id"]: i["actions"] for i in gan.attention(kind="rejected")}
    assert actions == {post.json()["id"]: ["retry", "skip"], hook.json()["id"]: ["skip"]}
    assert "what to do" in gan.ctl_raw("show", post.json()["id"], output="table")[1]
    gan.ctl("skip", post.json()["id"], "--reason", "by hand")
    _, story, _ = gan.ctl_raw("show", post.json()["id"], output="table")
    assert "rejected, closed: by hand" in story and "what to do" not in story


def test_a_reset_is_called_a_reset(make_gateway, sim):
    gan = make_gateway(rules={"10.yaml": WRONG.replace("000001", "000003")})
    sim.state(movilitas={"sscc_default": "Assigned"})
    sim.fault("movilitas", "hang-after", ms=200)
    gan.erp_post("order.confirmed", {"order": "1"})
    row = gan.wait_key("o/1", "unknown")[0]
    assert "reset" in row["last"]["error"] and "poll" not in row["last"]["error"]
