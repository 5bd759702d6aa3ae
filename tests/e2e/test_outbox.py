# SPDX-License-Identifier: MIT
"""test_outbox.py - an ERP that cannot be called reads its messages and acknowledges them."""

import copy
import http.client
import json
import random
import socket
import threading
import time

import kit
import pytest
import raw
import rules

# {n, key} -> a message of that body for the ERP.
TELL = """
rule: tell-erp
from: erp/line
to: outbox/line.booked
key: '"k/" + ($event.key | tostring)'
map: '{n, key, amount: "1.10"}'
tests:
  - name: one
    event: {n: 1, key: a}
    expect_key: k/a
"""

OUTBOX = {"connectors": {"outbox": {"kind": "pull", "tokens": ["secret:outbox", "secret:outbox-2"]},
                         "second": {"kind": "pull", "tokens": "secret:second"}}}
TOKENS = {"outbox": "outbox-token-of-the-erp-0001", "outbox-2": "outbox-token-of-the-erp-0002",
          "second": "token-of-another-reader-0003"}


@pytest.fixture
def gan(make_gateway):
    g = make_gateway(start=False)
    for name, value in TOKENS.items():
        g.secret(name, value)
    g.reconfigure(**copy.deepcopy(OUTBOX))
    g.rule("10-tell.yaml", TELL)
    g.start()
    return g


def ask(gan, method, path, token="outbox", body=None, timeout=30):
    headers = {} if token is None else {"Authorization": f"Bearer {TOKENS.get(token, token)}"}
    return gan.http(method, f"/v1/outbox/{path}", body, headers, timeout)


def read(gan, consumer="outbox", token=None, **query):
    path = consumer + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")
    got = ask(gan, "GET", path, token or consumer)
    assert got.status == 200, got
    return got.json()


def ack(gan, cursor, consumer="outbox", token=None):
    return ask(gan, "POST", f"{consumer}/ack", token or consumer,
               json.dumps({"cursor": cursor}).encode())


def post(gan, n, key="a"):
    got = gan.erp_post("line", {"n": n, "key": key})
    assert got.status == 202, got
    return got.json()["id"]


def numbers(page):
    return [m["body"]["n"] for m in page["messages"]]


def wait_backlog(gan, n, connector="outbox"):
    def look():
        rows = {o["connector"]: o for o in gan.status()["outboxes"]}
        return rows.get(connector, {"backlog": 0})["backlog"] == n and rows.get(connector, {})
    return kit.wait_until(look, 10, f"{n} messages in the outbox")


def test_read_and_acknowledge(gan):
    event = post(gan, 1)
    post(gan, 2, "b")
    post(gan, 3)
    kit.wait_until(lambda: len(read(gan)["messages"]) == 3, 10, "three messages")
    page = read(gan)
    first = page["messages"][0]
    assert numbers(page) == [1, 2, 3] and page["next"] == page["messages"][2]["cursor"]
    assert first == {"id": first["id"], "cursor": first["cursor"], "key": "k/a",
                     "operation": "line.booked", "rule": "tell-erp", "event": event,
                     "created_at": first["created_at"],
                     "body": {"n": 1, "key": "a", "amount": "1.10"}}
    shown = gan.delivery(first["id"])
    assert shown["state"] == "waiting" and shown["outbox"] == {"cursor": first["cursor"],
                                                                "told": True}
    assert numbers(read(gan, after=first["cursor"])) == [2, 3]
    assert numbers(read(gan, limit=2)) == [1, 2]
    # The second token is as good, and what was not acknowledged is told again.
    assert numbers(read(gan, token="outbox-2")) == [1, 2, 3]
    got = ack(gan, page["messages"][1]["cursor"])
    assert (got.status, got.json()) == (200, {"acknowledged": 2,
                                              "cursor": page["messages"][1]["cursor"]})
    assert ack(gan, first["cursor"]).json()["acknowledged"] == 0
    assert numbers(read(gan)) == [3]
    story = gan.ctl("show", first["id"], "--bodies")["events"][0]["deliveries"][0]
    assert story["state"] == "delivered" and story["attempts"] == 1
    assert story["tries"][0]["request"] == "POST /v1/outbox/outbox/ack by 127.0.0.1 with token 1"
    # The sender sees it, too.
    assert gan.erp_get(f"/v1/events/{event}").json()["deliveries"][0]["state"] == "delivered"
    assert ack(gan, page["next"]).json()["acknowledged"] == 1
    assert read(gan) == {"messages": [], "next": None}
    assert read(gan, after=page["next"]) == {"messages": [], "next": page["next"]}


def test_a_reader_that_waits_is_woken(gan):
    got = []
    thread = threading.Thread(target=lambda: got.append(read(gan, wait=20)))
    thread.start()
    try:
        # It is suspended: its connection stands and nothing was answered.
        kit.wait_until(lambda: "gantry_http_connections 1" in metrics(gan), 10, "it waits")
        post(gan, 1)
    finally:
        thread.join(30)
    assert numbers(got[0]) == [1]
    # Nothing comes: it is told so when its time is over.
    began = time.monotonic()
    assert read(gan, after=got[0]["next"], wait=1) == {"messages": [], "next": got[0]["next"]}
    assert time.monotonic() - began >= 1


def metrics(gan):
    return kit.request(gan.admin, "GET", "/metrics").body.decode()


def test_readers_that_wait_are_bounded_and_let_go_in_a_drain(gan):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(gan, "GET", "outbox?wait=20")))
               for _ in range(66)]
    for t in threads:
        t.start()
    kit.wait_until(lambda: len(answers) == 2, 20, "two are refused")
    assert [a.status for a in answers] == [503, 503]
    assert answers[0].json()["type"] == "/problems/too-many-readers"
    assert answers[0].headers["retry-after"] == "5"
    assert gan.stop() == 0
    for t in threads:
        t.join(20)
    assert [a.status for a in answers[2:]] == [200] * 64


def test_senders_that_wait_leave_room_for_a_reader(gan):
    gan.stop()
    gan.reconfigure(listen={"public": {"max_connections": 8}})
    gan.start()
    headers = {"Authorization": f"Bearer {gan.SECRETS['erp-token']}", "Prefer": "wait=20",
               "Content-Type": "application/json"}
    threads = [threading.Thread(target=gan.http, daemon=True,
                                args=("POST", "/v1/events/erp/line", b'{"n": 1, "key": "a"}',
                                      headers, 40)) for _ in range(4)]
    for t in threads:
        t.start()
    page = kit.wait_until(lambda: (lambda p: len(p["messages"]) == 4 and p)(read(gan)), 20, "all")
    assert read(gan, after=page["next"], wait=1)["messages"] == []
    assert ack(gan, page["next"]).json()["acknowledged"] == 4
    for t in threads:
        t.join(20)


def test_large_answers_that_nobody_reads_are_bounded(gan):
    """Readers that ask for much and take nothing in: the memory is not theirs."""
    gan.rule("10-tell.yaml", TELL.replace('amount: "1.10"', 'pad: ("x" * 980000)'))
    gan.ctl("reload")
    for n in range(5):
        post(gan, n, str(n))
    wait_backlog(gan, 5)
    page = kit.wait_until(lambda: (lambda p: len(p["messages"]) == 5 and p)(read(gan)), 20, "all")
    held = [raw.connect(gan) for _ in range(40)]
    try:
        for sock in held:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(f"GET /v1/outbox/outbox HTTP/1.1\r\nHost: g\r\n"
                         f"Authorization: Bearer {TOKENS['outbox']}\r\n\r\n".encode())
        got = kit.wait_until(lambda: (lambda a: a.status == 503 and a)(ask(gan, "GET", "outbox")),
                             20, "no more of it is kept")
        assert got.headers["retry-after"] == "5"
        assert "not read to their end" in got.json()["detail"]
        # Nobody else has to suffer.
        post(gan, 6, "6")
        assert ack(gan, page["messages"][0]["cursor"]).json()["acknowledged"] == 1
    finally:
        for sock in held:
            sock.close()
    kit.wait_until(lambda: ask(gan, "GET", "outbox").status == 200, 20, "there is room again")
    assert [m["id"] for m in read(gan)["messages"]][:4] == [m["id"] for m in page["messages"]][1:]


def test_who_may_read(gan):
    post(gan, 1)
    for method, path, body in (("GET", "outbox", None), ("POST", "outbox/ack", b"{}")):
        for token in (None, "wrong", "erp-token"):
            got = ask(gan, method, path, token, body)
            assert got.status == 401 and got.headers["www-authenticate"].startswith("Bearer")
            assert got.headers["content-type"] == "application/problem+json"
        assert ask(gan, method, path, "second", body).status == 403
        assert ask(gan, method, path.replace("outbox", "nobody", 1), "second", body).status == 404
        assert ask(gan, method, path.replace("outbox", "flex2b", 1), "second", body).status == 404
    assert ask(gan, "POST", "outbox", body=b"{}").headers["allow"] == "GET"
    assert ask(gan, "GET", "outbox/ack").headers["allow"] == "POST"


@pytest.mark.parametrize("query", ["wait=21", "wait=x", "limit=0", "limit=1001", "aftr=1",
                                   "after=a&after=b"])
def test_what_cannot_be_meant_is_refused(gan, query):
    got = ask(gan, "GET", f"outbox?{query}")
    assert got.status == 400 and got.json()["type"] == "/problems/bad-parameter"
    assert got.json()["detail"]


def test_unknown_cursors_say_what_to_do(gan):
    post(gan, 1)
    page = kit.wait_until(lambda: (lambda p: p["messages"] and p)(read(gan)), 10, "a message")
    other = page["next"].replace("outbox", "second")
    for got in (ask(gan, "GET", "outbox?after=nonsense"), ack(gan, "nonsense"), ack(gan, other),
                ack(gan, other, "second")):
        assert got.status == 409 and got.json()["type"] == "/problems/unknown-cursor"
        assert "read without 'after'" in got.json()["detail"]
    for body in (b"", b"{}", b"[1]", b'{"cursor": 1}', b"{"):
        got = ask(gan, "POST", "outbox/ack", body=body)
        assert got.status == 400, (body, got)
    assert numbers(read(gan)) == [1]


def test_two_consumers_know_nothing_of_each_other(gan):
    gan.rule("20-second.yaml", TELL.replace("tell-erp", "tell-second").replace(
        "outbox/line", "second/line"))
    gan.ctl("reload")
    for n in range(3):
        post(gan, n)
    for consumer in ("outbox", "second"):
        wait_backlog(gan, 3, consumer)
        assert numbers(read(gan, consumer)) == [0, 1, 2]
    assert ack(gan, read(gan)["next"]).json()["acknowledged"] == 3
    wait_backlog(gan, 0)
    assert numbers(read(gan, "second")) == [0, 1, 2]


def test_paused_is_said_and_pausing_loses_nothing(gan):
    post(gan, 1)
    page = kit.wait_until(lambda: (lambda p: p["messages"] and p)(read(gan)), 10, "a message")
    gan.ctl("pause", "outbox", "--reason", "month end")
    got = ask(gan, "GET", "outbox")
    assert got.status == 503 and got.json()["type"] == "/problems/paused"
    assert "month end" in got.json()["detail"] and int(got.headers["retry-after"]) > 0
    # What was taken in before may still be said.
    assert ack(gan, page["next"]).json()["acknowledged"] == 1
    post(gan, 2)
    gan.ctl("resume", "outbox")
    kit.wait_until(lambda: numbers(read(gan)) == [2], 10, "the next message")


def test_the_backlog_is_seen(gan):
    for n in range(3):
        post(gan, n)
    row = wait_backlog(gan, 3)
    assert row["oldest_at"]
    text = gan.ctl_raw("status", output="table")[1]
    assert "3 messages wait to be fetched" in text
    assert 'gantry_outbox_messages{connector="outbox"} 3' in metrics(gan)
    page = read(gan)
    ack(gan, page["next"])
    assert wait_backlog(gan, 0)["oldest_at"] is None


def test_a_person_may_skip_one(gan):
    for n in range(2):
        post(gan, n)
    wait_backlog(gan, 2)
    first, second = read(gan)["messages"]
    code, out, err = gan.ctl_raw("retry", first["id"])
    assert code == 1 and "is in the outbox of outbox until it is acknowledged" in out + err
    assert "waits in the outbox" in gan.ctl_raw("show", first["id"], output="table")[1]
    gan.ctl("skip", first["id"], "--reason", "entered by hand")
    assert [m["id"] for m in read(gan)["messages"]] == [second["id"]]


class Reader(threading.Thread):
    """Takes messages in: first what it was given, then, in a request of its own, that it has it."""

    def __init__(self, gan, rng):
        super().__init__(daemon=True)
        self.gan, self.rng = gan, rng
        self.seen, self.acked, self.stop, self.errors = [], 0, False, []

    def run(self):
        after = ""
        while not self.stop:
            try:
                page = ask(self.gan, "GET", f"outbox?limit=7&wait=1&after={after}")
                if page.status != 200:
                    after = ""
                    continue
                page = page.json()
                self.seen += [(m["id"], m["key"], m["body"]["n"]) for m in page["messages"]]
                after = page["next"] or ""
                if page["messages"] and self.rng.random() < 0.5:
                    got = ack(self.gan, after)
                    if got.status == 200:
                        self.acked += got.json()["acknowledged"]
            except (OSError, ValueError, http.client.HTTPException):
                after = ""  # killed meanwhile: begin with what is not acknowledged
                time.sleep(0.01)
            except Exception as e:  # pylint: disable=broad-except
                self.errors.append(repr(e))
                return


def test_order_and_at_least_once_under_load_and_kills(gan, seed):
    """Nothing is lost, and whoever takes the first copy of each has them in order."""
    rng = random.Random(seed)
    accepted, stop = [], threading.Event()

    def send(thread):
        n = thread
        while not stop.is_set():
            try:
                if gan.erp_post("line", {"n": n, "key": n % 5}).status == 202:
                    accepted.append(n)
            except OSError:
                time.sleep(0.01)
            n += 2

    reader = Reader(gan, rng)
    senders = [threading.Thread(target=send, args=(i,)) for i in range(2)]
    for t in [*senders, reader]:
        t.start()
    try:
        for round_ in range(4):
            goal = len(accepted) + rng.randint(30, 90)
            kit.wait_until(lambda g=goal: len(accepted) >= g, 30, "events are accepted", every=0.005)
            gan.kill()
            gan.start()
    finally:
        stop.set()
        for t in senders:
            t.join(30)
    kit.wait_until(lambda: not gan.status()["events"]["received"], 30, "all is mapped")
    last = gan.ctl("deliveries list", "--limit", "1")[0]["id"]
    kit.wait_until(lambda: last in {row[0] for row in reader.seen[-50:]}, 60,
                   "the reader has seen the last one")
    reader.stop = True
    reader.join(30)
    assert not reader.errors
    ids, firsts = set(), []
    for row in reader.seen:
        if row[0] not in ids:
            ids.add(row[0])
            firsts.append(row)
    assert {n for _, _, n in firsts} >= set(accepted), "none is lost"
    assert [r[0] for r in firsts] == sorted(r[0] for r in firsts), "in the order of acceptance"
    for key in range(5):
        mine = [n for _, k, n in firsts if k == f"k/{key}" and n % 2 == 0]
        assert mine == sorted(mine)
    while (page := read(gan, limit=1000))["messages"]:
        ack(gan, page["next"])
    done = gan.deliveries(state="delivered")
    assert {d["id"] for d in done} == ids and len(done) == len(ids)
    assert not gan.deliveries(state="unknown") and gan.ctl("store check") == []


def test_reading_goes_on_after_the_connector_was_called(gan, sim):
    """A connector that is called from a reload on sends what is in its outbox, and back again."""
    gan.rule("10-tell.yaml", rules.FLEX_ERP.replace("flex2b/replicationpost",
                                                    "outbox/replicationpost"))
    gan.ctl("reload")
    for n in range(3):
        post(gan, n)
    wait_backlog(gan, 3)
    flex = {**copy.deepcopy(gan.config["connectors"]["flex2b"]), "tokens": None}
    gan.reconfigure(connectors={"outbox": flex})
    gan.ctl("reload")
    kit.wait_until(lambda: gan.status()["deliveries"]["delivered"] == 3, 10, "they are sent")
    assert [r[0] for r in rules.lines(sim)] == [0, 1, 2]


def test_no_reader_is_told_what_is_sent_after_a_reload(gan, sim):
    """Who waits while the connector becomes one that is called does not take its messages."""
    gan.rule("10-tell.yaml", rules.FLEX_ERP.replace("flex2b/replicationpost",
                                                    "outbox/replicationpost"))
    gan.ctl("reload")
    answers = []
    reader = threading.Thread(target=lambda: answers.append(ask(gan, "GET", "outbox?wait=20")))
    reader.start()
    kit.wait_until(lambda: gan.status()["inbound"]["connections"] == 1, 10, "a reader waits")
    flex = {**copy.deepcopy(gan.config["connectors"]["flex2b"]), "tokens": None}
    gan.reconfigure(connectors={"outbox": flex})
    gan.ctl("reload")
    kit.wait_until(lambda: answers, 10, "the reader is let go")
    for n in range(3):
        post(gan, n)
    assert answers[0].status == 200 and answers[0].json() == {"messages": [], "next": None}
    kit.wait_until(lambda: gan.status()["deliveries"]["delivered"] == 3, 10, "they are sent")
    assert [r[0] for r in rules.lines(sim)] == [0, 1, 2]
    assert ask(gan, "GET", "outbox").status == 401


def test_a_corrected_copy_is_read(gan):
    gan.rule("10-tell.yaml", TELL + "valid_for: 1s\n")
    gan.ctl("reload")
    event = gan.event(post(gan, 1))
    kit.wait_until(lambda: time.time() > kit.epoch(event["received_at"]) + 1.2, 5, "it is too old")
    assert read(gan)["messages"] == []
    old, = gan.wait_key("k/a", "expired")
    fresh = gan.ctl("correct", old["id"], "--body",
                    gan.write("b.json", '{"n":100,"key":"a","amount":"2.00"}'), "--reason", "late")
    page = kit.wait_until(lambda: (lambda p: p if p["messages"] else None)(read(gan)), 10,
                          "the copy is there")
    message, = page["messages"]
    assert message["id"] == fresh["id"]
    assert message["body"] == {"n": 100, "key": "a", "amount": "2.00"}
    assert ack(gan, page["next"]).json()["acknowledged"] == 1
    assert gan.delivery(fresh["id"])["state"] == "delivered"
    assert gan.attention() == [] and gan.ctl("store check") == []
