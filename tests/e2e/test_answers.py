# SPDX-License-Identifier: MIT
"""test_answers.py - what became of a delivery is an event that rules can listen to."""

import json
import os
import pathlib
import random
import sqlite3
import threading

import kit
import pytest
import rules
import yaml

# Tells, in a post of its own, what the target gave for another one.
TELL = r"""
rule: tell
from: answers/flex2b/replicationpost.delivered
when: .delivery.rule == "to-flex"
to: flex2b/replicationpost
key: '"told/" + $event.origin.key'
map: |
  { repLines: [ { apiuuid: uuid5("told/\(.delivery.id)"), apiid: "PH", senderidentification: "T",
                  nodes: [ {name: "n", value: (.origin.body.n | tostring)},
                           {name: "key", value: (.response.CommunicationID // "-")},
                           {name: "order", value: .origin.body.order},
                           {name: "sent", value: .request.repLines[0].apiuuid},
                           {name: "depth", value: "\($meta.depth) \($meta.source)"} ] } ] }
tests:
  - name: told
    event:
      delivery: {id: d1, rule: to-flex}
      request: {repLines: [{apiuuid: u}]}
      response: {CommunicationID: C1}
      origin: {id: e1, key: k/1, body: {n: 1, order: PO1}}
    meta: {source: answers, topic: flex2b/replicationpost.delivered, depth: 1}
    expect_key: told/k/1
"""

# A rule that answers its own answers.
CIRCLE = TELL.replace("rule: tell", "rule: circle").replace(
    'when: .delivery.rule == "to-flex"\n', "").replace(
    "value: .origin.body.order", 'value: (.origin.body.order // "")')


def nodes(entry):
    return {n["name"]: n["value"] for n in entry["json"]["repLines"][0]["nodes"]}


def answers_of(gan, **filters):
    args = [x for k, v in filters.items() for x in (f"--{k}", v)]
    return gan.ctl("events list", "--source", "answers", "--limit", "1000", *args)


def test_the_origin_is_told_what_the_target_gave(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX, "20-tell.yaml": TELL})
    assert gan.send_webhook("lot_created", {"n": 7, "key": "a", "order": "PO-7"}).status == 200
    told, = gan.wait_key("told/k/a", "delivered")
    first, second = sim.journal("flex2b")
    sent = nodes(second)
    origin = gan.show("k/a")["events"][0]
    delivery = origin["deliveries"][0]
    assert sent == {"n": "7", "key": delivery["response"]["CommunicationID"], "order": "PO-7",
                    "sent": first["json"]["repLines"][0]["apiuuid"], "depth": "1 answers"}
    # The link, from both ends.
    answer = gan.event(told["event"])
    assert answer["answer"] == {"delivery": delivery["id"], "origin": origin["id"], "depth": 1}
    assert answer["topic"] == "flex2b/replicationpost.delivered"
    shown = gan.ctl("show", delivery["id"], "--bodies")["events"][0]["deliveries"][0]
    assert shown["answers"] == [answer["id"]]
    text = gan.ctl_raw("show", delivery["id"], output="table")[1]
    assert f"answered by event: {answer['id']}" in text
    text = gan.ctl_raw("show", answer["id"], output="table")[1]
    assert f"answer of delivery {delivery['id']}; it began with event {origin['id']}" in text
    # The answer to the answer has no listener that wants it.
    assert len(answers_of(gan)) == 2 and len(sim.journal("flex2b")) == 2


def test_nothing_is_stored_when_nobody_listens(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX.replace("from: prodsmart/lot.created",
                                                           "from: '*'")})
    gan.send_webhook("lot_created", {"n": 1, "key": "a"})
    gan.wait_key("k/a", "delivered")
    assert answers_of(gan) == []
    # From the reload on; and no longer, after the next.
    gan.rule("20-tell.yaml", TELL)
    gan.ctl("reload")
    gan.send_webhook("lot_created", {"n": 2, "key": "b", "order": "x"})
    # to-flex listens to everything that comes from outside: it must not hear its own answers.
    gan.wait_key("k/b", "delivered")
    gan.drain()
    n = len(answers_of(gan))
    assert n == 2 and len(sim.journal("flex2b")) == 3
    gan.unrule("20-tell.yaml")
    gan.ctl("reload")
    gan.send_webhook("lot_created", {"n": 3, "key": "c"})
    gan.wait_key("k/c", "delivered")
    assert len(answers_of(gan)) == n


def test_a_dead_one_tells_the_error(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX,
                        "20-tell.yaml": TELL.replace(".delivered", ".dead").replace(
                            ".response.CommunicationID //", ".response.error //").replace(
                            "response: {CommunicationID: C1}", "response: {error: C1}")})
    sim.fault("flex2b", "status", status=400, body='{"Message": "no such coolstore"}', count=1)
    gan.send_webhook("lot_created", {"n": 1, "key": "a", "order": "x"})
    gan.wait_key("told/k/a", "delivered")
    dead, = gan.deliveries(key="k/a")
    assert dead["state"] == "dead"
    assert nodes(sim.journal("flex2b")[-1])["key"] == dead["last"]["error"]


def test_a_circle_is_cut_and_told(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX, "20-circle.yaml": CIRCLE})
    gan.send_webhook("lot_created", {"n": 1, "key": "a"})
    item, = kit.wait_until(lambda: gan.attention(), 20, "the circle is cut")
    assert item["kind"] == "rejected" and item["source"] == "answers"
    assert "is cut after 8" in item["reason"]
    assert len(sim.journal("flex2b")) == 9
    origin = gan.show("k/a")["events"][0]["id"]
    assert gan.event(item["id"])["answer"] == {
        "delivery": gan.event(item["id"])["answer"]["delivery"], "origin": origin, "depth": 9}
    code, out, err = gan.ctl_raw("retry", item["id"], "--yes")
    assert code == 1 and "went round in a circle" in out + err
    gan.ctl("skip", item["id"])
    assert gan.attention() == []


def test_rules_are_checked_and_tried(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX})
    for wrong, told in (("answers/flexb/replicationpost.dead", "did you mean 'flex2b'"),
                        ("answers/flex2b/replicationpst.dead", "did you mean replicationpost"),
                        ("answers/flex2b/replicationpost", "answers/connector/operation")):
        gan.rule("20-tell.yaml", TELL.replace("answers/flex2b/replicationpost.delivered", wrong))
        code, out, err = gan.ctl_raw("rules", "check", output="table")
        assert code == 1 and told in out + err and "20-tell.yaml:3:7" in out + err
    gan.rule("20-tell.yaml", TELL.replace("flex2b/replicationpost.delivered", "*.delivered", 1))
    assert gan.ctl("rules check")["ok"]
    gan.write("answer.json", json.dumps({
        "delivery": {"id": "d1", "rule": "to-flex"}, "request": {"repLines": [{"apiuuid": "u"}]},
        "response": {"CommunicationID": "C9"},
        "origin": {"id": "e1", "key": "k/1", "body": {"n": 5, "order": "PO"}}}))
    tried = gan.ctl("rules try", "tell", "--event-file", gan.path("answer.json"))
    assert tried["outputs"][0]["body"]["repLines"][0]["nodes"][1]["value"] == "C9"


def shipped(folder, prefix):
    """{name: text} of etc/: of the rules whose names begin so, switched on, or of the tables."""
    found = {}
    for path in sorted(pathlib.Path(kit.TOP, "etc", folder).iterdir()):
        if path.name.startswith(prefix):
            found[path.name] = path.read_text(encoding="utf-8").replace("enabled: false", "enabled: true")
    assert found
    return found


def test_the_shipped_rules_tell_the_erp(make_gateway, sim):
    """What the 3PL and the MES gave goes to the ERP, and what the MES refused, with its words."""
    with open(os.path.join(kit.TOP, "etc", "gantry.yaml"), encoding="utf-8") as f:
        erp = yaml.safe_load(f)["connectors"]["erp"]
    prodsmart = {"kind": "prodsmart", "base_url": sim.url("prodsmart"),
                 "api_key": "secret:ps-key", "api_secret": "secret:ps-secret"}
    gan = make_gateway({**shipped("rules.d", "20-"), **shipped("rules.d", "40-"),
                        **shipped("rules.d", "60-"), **shipped("rules.d", "61-")},
                       shipped("lookups", ""), start=False, config={"connectors": {
                           "erp": {**erp, "base_url": sim.url("erp") + "/api", "auth": None},
                           "prodsmart": prodsmart}})
    gan.start()
    sim.state(prodsmart={"products": [{"code": "FG-100"}],
                         "machines": [{"code": "exampleMachine"}, {"code": "F1"}]})
    movement = {"product": {"code": "p"}, "lot": {"code": "12345678", "supplier-lot": "g"},
                "date": "2023-06-26T08:00:00Z", "stock-type": "out", "shipping": {"code": "S1"},
                "warehouse-location": {"warehouse": {"code": "warehouse-code"}}}
    gan.send_webhook("shipping_inventory_movement_created", [movement])
    order = {"number": "0000012345", "material": "FG-100", "qty": "1500.000", "start": "20240601",
             "finish": "20240603", "operations": [{"no": "0010", "wc": "PACK1"}]}
    gan.erp_post("production-order.released", order)
    kit.wait_until(lambda: len(sim.journal("erp")) == 2, 20, "the ERP is told")
    told = {row["path"]: row["json"] for row in sim.journal("erp")}
    first = gan.show("pallet/12345678")["events"][0]["deliveries"][0]
    assert told["/api/shipments/accepted"] == {
        "shipping": "S1", "pallet": "12345678", "accepted_at": first["last"]["at"],
        "communication_id": first["response"]["CommunicationID"]}
    made = sim.state()["prodsmart"]["production_orders"][0]
    assert told["/api/production-orders/answers"] == {
        "order": "0000012345", "prodsmart_id": made["id"], "error": None}
    sim.fault("prodsmart", "status", status=400, method="POST", path="/api/production-orders",
              body='{"errors": ["no such product"]}')
    gan.erp_post("production-order.released", {**order, "number": "0000012346"})
    kit.wait_until(lambda: len(sim.journal("erp")) == 3, 20, "the ERP is told of the refusal")
    last = sim.journal("erp")[-1]["json"]
    dead, = gan.deliveries(key="po/0000012346", connector="prodsmart")
    assert dead["state"] == "dead" and "no such product" in dead["last"]["error"]
    assert last == {"order": "0000012346", "prodsmart_id": None, "error": dead["last"]["error"]}


def books(gan):
    """Results without an answer, and answers without a result, of the first rule."""
    db = sqlite3.connect(gan.path("data", "gantry.db"))
    try:
        return db.execute(
            "SELECT (SELECT count(*) FROM delivery d WHERE rule = 'to-flex' AND state = 2 AND NOT"
            " EXISTS (SELECT 1 FROM answer a WHERE a.delivery_id = d.id)),"
            " (SELECT count(*) FROM answer a JOIN delivery d ON d.id = a.delivery_id WHERE"
            " d.rule = 'to-flex' AND d.state <> 2),"
            " (SELECT count(*) FROM answer a LEFT JOIN event e ON e.id = a.event_id WHERE"
            " e.id IS NULL), (SELECT count(*) FROM event WHERE source = 'answers' AND id NOT IN"
            " (SELECT event_id FROM answer)), (SELECT count(*) FROM answer)").fetchone()
    finally:
        db.close()


@pytest.mark.parametrize("kills", [6])
def test_killed_between_result_and_answer(make_gateway, sim, seed, kills):
    """Both are in one COMMIT: whenever the process dies, they are there together or not at all."""
    rng = random.Random(seed)
    gan = make_gateway({"10-flex.yaml": rules.FLEX, "20-tell.yaml": TELL})
    accepted = []
    for _ in range(kills):
        stop = threading.Event()

        def send():
            while not stop.is_set():
                n = len(accepted)
                try:
                    if gan.send_webhook("lot_created", {"n": n, "key": n, "order": "x"}
                                        ).status == 200:
                        accepted.append(n)
                except OSError:
                    return

        thread = threading.Thread(target=send)
        goal = gan.status()["deliveries"]["delivered"] + rng.randint(1, 25)
        thread.start()
        try:
            kit.wait_until(lambda: gan.status()["deliveries"]["delivered"] >= goal, 20,
                           "some are delivered", every=0.005)
            gan.kill()
        finally:
            stop.set()
            thread.join()
        assert books(gan)[:4] == (0, 0, 0, 0)
        gan.start()
    gan.drain(60)
    for _ in range(2):  # of an answer's delivery, too
        for unknown in gan.deliveries(state="unknown"):
            gan.ctl("resolve", unknown["id"], "--as", "sent")
        gan.drain(60)
    told = [d for d in gan.deliveries(rule="tell") if d["state"] == "delivered"]
    done = [d for d in gan.deliveries(rule="to-flex") if d["state"] == "delivered"]
    assert len(done) >= len(accepted) and len(told) == len(done)
    assert len({d["event"] for d in told}) == len(told), "one answer each"
    assert gan.ctl("store check") == []
