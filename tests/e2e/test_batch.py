# SPDX-License-Identifier: MIT
"""test_batch.py - many events of the ERP in one request."""

import http.client
import json
import random
import re
import threading

import kit
import pytest
import raw
import rules


def batch(gan, body, key=None, kind="application/json", topic="line", token="erp-token"):
    headers = {"Content-Type": kind, "Authorization": "Bearer " + gan.SECRETS[token]}
    if key is not None:
        headers["Idempotency-Key"] = key
    return gan.http("POST", f"/v1/events/erp/{topic}/batch", kit.as_bytes(body), headers)


def accepted(answer):
    """The ids of a batch of which every item was accepted."""
    assert answer.status == 202, answer
    rows = answer.json()
    assert all(r["status"] == "accepted" for r in rows), rows
    return [r["id"] for r in rows]


def test_an_array_becomes_events_in_its_order(make_gateway, sim):
    gan = make_gateway({"flex.yaml": rules.FLEX_ERP})
    ids = accepted(batch(gan, [{"n": n, "key": "a"} for n in range(50)]))
    assert ids == sorted(ids) and len(set(ids)) == 50
    gan.wait_key("k/a", "delivered", 50, deadline=30)
    assert [n for n, _, _, _ in rules.lines(sim)] == list(range(50))
    assert gan.erp_get(f"/v1/events/{ids[7]}").json()["topic"] == "line"


def test_a_whole_batch_shares_its_commit(make_gateway):
    gan = make_gateway()

    def commits():
        text = kit.request(gan.admin, "GET", "/metrics").body.decode()
        return int(re.search(r"^gantry_store_commits_total (\d+)$", text, re.M).group(1))

    before = commits()
    accepted(batch(gan, [{"n": n} for n in range(1000)]))
    assert commits() - before < 50


ITEMS = [b'{"n": 1,  "x":1.10}', b'"caf\xc3\xa9"', b"12345678901234567890.500", b"[1 , 2]", b"null",
         b'{"a\\u0041":"\\/"}']


FORMS = [
    ("application/json", b" [\n " + b" ,\n ".join(ITEMS) + b"\n] \n"),
    ("application/json", b"[" + b",".join(ITEMS) + b"]"),
    ("application/json", ITEMS[0] + b"\n" + b"\n".join(ITEMS[1:])),
    ("application/x-ndjson", b"\r\n".join(ITEMS) + b"\r\n"),
    ("application/jsonl; charset=utf-8", b"\n\n  " + b"  \n".join(ITEMS))]


def test_bytes_are_stored_as_they_came(make_gateway):
    gan = make_gateway()
    for kind, body in FORMS:
        assert len(accepted(batch(gan, body, kind=kind))) == len(ITEMS)
    gan.stop()
    assert raw.stored_bodies(gan) == ITEMS * len(FORMS)


# A rule sees where in its batch an event stood.
PLACED = """
rule: placed
from: erp/line
to: flex2b/replicationpost
key: '"item/" + ($meta.item | tostring) + "/" + $meta.idempotency_key'
map: |
  { repLines: [ { apiuuid: uuid5("t/\\($event.n)"), apiid: "PH", senderidentification: "T",
                  nodes: [ {name: "n", value: (.n | tostring)} ] } ] }
"""


def test_rules_know_the_place_in_the_batch(make_gateway):
    gan = make_gateway({"placed.yaml": PLACED})
    accepted(batch(gan, [{"n": 7}, {"n": 8}], key="b"))
    gan.wait_key("item/0/b", "delivered")
    gan.wait_key("item/1/b", "delivered")


def test_a_broken_line_harms_no_other(make_gateway):
    gan = make_gateway()
    got = batch(gan, b'{"n":1}\n{"n":}\n\n{"n":3}\nnope\n', kind="application/x-ndjson")
    assert got.status == 202
    rows = got.json()
    assert [r["status"] for r in rows] == ["accepted", 400, "accepted", 400]
    assert rows[1]["type"] == "/problems/bad-body" and rows[1]["title"]
    assert "line 2 column 6" in rows[1]["detail"] and "Item 2" in rows[1]["detail"]
    assert "line 5 column 1" in rows[3]["detail"]
    assert raw.stored(gan) == 2


REFUSED = [
    (b"[1,2", "application/json", 400, "line 1 column 5"),
    (b"[1,]", "application/json", 400, "column 4"),
    (b"[]", "application/json", 400, "empty"),
    (b"", "application/x-ndjson", 400, "empty"),
    (b"{\n  \"pretty\": 1\n}\n", "application/json", 400, "None of the items was accepted"),
    (b"[1]", "text/plain", 415, "application/x-ndjson"),
    (b"[" + b"1," * 1000 + b"1]", "application/json", 413, "1000"),
    (b"1\n" * 1001, "application/x-ndjson", 413, "1000")]


def test_what_is_no_batch_is_refused_as_a_whole(make_gateway):
    gan = make_gateway()
    for body, kind, status, says in REFUSED:
        got = batch(gan, body, kind=kind)
        assert got.status == status, (body[:20], got)
        assert got.headers["content-type"] == "application/problem+json"
        assert says in got.json()["detail"], (body[:20], got)
    assert raw.stored(gan) == 0


def test_a_batch_belongs_to_its_sender(make_gateway):
    gan = make_gateway()
    assert batch(gan, [1], token="other-token").status == 403
    assert batch(gan, [1], topic="NO").status == 400
    assert gan.http("POST", "/v1/events/erp/line/batch", b"[1]",
                    {"Content-Type": "application/json"}).status == 401
    assert gan.http("GET", "/v1/events/erp/line/batch").status == 405
    assert raw.stored(gan) == 0


def test_a_repeated_batch_is_answered_as_the_first(make_gateway):
    gan = make_gateway()
    first = batch(gan, [{"n": 1}, {"n": 2}], key="b-1")
    ids = accepted(first)
    assert "idempotent-replayed" not in first.headers
    again = batch(gan, [{"n": 1}, {"n": 2}], key="b-1")
    assert accepted(again) == ids
    assert again.headers["idempotent-replayed"] == "true"
    assert all(r["replayed"] is True for r in again.json())
    # The same as lines: what counts is the bytes of each item.
    assert accepted(batch(gan, b'{"n": 1}\n{"n": 2}', key="b-1", kind="application/jsonl")) == ids
    mixed = batch(gan, [{"n": 1}, {"n": 9}, {"n": 3}], key="b-1").json()
    assert [r["status"] for r in mixed] == ["accepted", 422, "accepted"]
    assert mixed[0]["id"] == ids[0] and "new key" in mixed[1]["detail"]
    other = batch(gan, [{"n": 8}, {"n": 9}], key="b-1")
    assert other.status == 422 and "new key" in other.json()["detail"]
    # Neither the key of a single post nor that of another batch.
    assert gan.erp_post("line", {"n": 1}, key="b-1").json()["id"] not in ids
    assert not set(accepted(batch(gan, [{"n": 1}, {"n": 2}], key="b-2"))) & set(ids)
    assert batch(gan, [1], key="").status == 400
    gan.kill()
    gan.start()
    assert accepted(batch(gan, [{"n": 1}, {"n": 2}], key="b-1")) == ids
    assert raw.stored(gan) == 6


def test_one_batch_sent_by_many_is_stored_once(make_gateway):
    gan = make_gateway()
    body = [{"n": n} for n in range(20)]
    start, answers = threading.Barrier(30), []

    def send():
        start.wait()
        answers.append(batch(gan, body, key="one"))

    senders = [threading.Thread(target=send) for _ in range(30)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert {a.status for a in answers} <= {202, 409}
    answers.append(batch(gan, body, key="one"))
    assert len({tuple(accepted(a)) for a in answers if a.status == 202}) == 1
    assert raw.stored(gan) == 20


def test_a_batch_cut_off_by_a_crash_is_whole_once_it_is_repeated(make_gateway, seed):
    """kill -9 at any moment: the repeat stores what is missing, and nothing twice."""
    gan, chance = make_gateway(), random.Random(seed)
    body = b"\n".join(b'{"n":%d}' % n for n in range(600))
    for turn in range(4):
        sent = threading.Thread(target=lambda key=f"k{turn}": cut_off(gan, body, key))
        sent.start()
        sent.join(chance.random() * 0.05)
        gan.kill()
        sent.join()
        gan.start()
        ids = accepted(batch(gan, body, key=f"k{turn}"))
        assert len(set(ids)) == 600
        assert raw.stored(gan) == 600 * (turn + 1)
    gan.stop()
    assert raw.stored_bodies(gan) == body.split(b"\n") * 4


def cut_off(gan, body, key):
    try:
        batch(gan, body, key=key)
    except (OSError, http.client.HTTPException):
        pass


def test_a_full_store_refuses_the_whole(make_gateway):
    gan = make_gateway(config={"store": {"min_free": "1TiB", "spool": 0}})
    got = batch(gan, [1, 2, 3])
    if got.status == 202:
        pytest.skip("more than 1 TiB is free here")
    assert got.status == 503 and int(got.headers["retry-after"]) > 0
    assert json.loads(got.body)["type"] == "/problems/unavailable"
    assert raw.stored(gan) == 0
