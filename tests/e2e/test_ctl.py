# SPDX-License-Identifier: MIT
"""test_ctl.py - gantryctl: shapes, tables and exit codes of every verb."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import time

import kit
import pytest
import rules

ALL = {"flex.yaml": rules.FLEX_ERP, "release.yaml": rules.RELEASE,
       "rej.yaml": "rule: rej\nfrom: erp/bad\nto: flex2b/replicationpost\n"
                   "map: 'reject(\"never: \" + .why)'\n"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DELIVERY = {"id", "rule", "connector", "operation", "key", "effect", "state", "attempts",
            "next_at", "last", "response"}
EVENT = {"id", "source", "topic", "received_at", "state", "reason", "deliveries"}
LAST = {"status", "error", "at"}
ITEM = {"kind", "id", "key", "source", "connector", "operation", "rule", "reason", "since",
        "actions"}


@pytest.fixture
def gan(make_gateway, sim):
    """One delivered, one unknown, one waiting behind it, one rejected, one ignored."""
    sim.state(movilitas={"sscc_default": "Assigned"})
    gan = make_gateway(ALL)
    gan.erp_post("line", {"n": 1, "key": "a"})
    gan.wait_key("k/a", "delivered")
    sim.fault("movilitas", "drop-after")
    gan.erp_post("release", {"key": "a", "ssccs": [rules.SSCCS[0]]})
    gan.wait_key("p/a", "unknown")
    gan.erp_post("release", {"key": "a", "ssccs": [rules.SSCCS[1]]})
    gan.wait_key("p/a", "waiting")
    gan.wait_event(gan.erp_post("bad", {"why": "xyzzy"}).json()["id"], "rejected")
    gan.wait_event(gan.erp_post("nobody-listens", {}).json()["id"], "ignored")
    return gan


def table(gan, *args, rc=0):
    code, out, err = gan.ctl_raw(*args, output="table")
    assert code == rc, (args, out, err)
    return out


def test_status(gan):
    status = gan.ctl("status")
    assert set(status) >= {"version", "generation", "ready", "events", "deliveries",
                           "connectors", "attention", "last_reload", "listen"}
    assert status["ready"] is True
    assert status["attention"] == 2
    assert status["events"] == {"received": 0, "mapped": 3, "ignored": 1, "rejected": 1}
    assert status["deliveries"]["delivered"] == 1
    assert status["deliveries"]["unknown"] == 1
    assert {c["name"] for c in status["connectors"]} == {"movilitas", "flex2b"}
    text = table(gan, "status")
    assert "movilitas" in text and "2" in text
    assert "nobody-listens" in json.dumps(status)


def test_status_check(make_gateway, sim):
    gan = make_gateway(ALL)
    assert gan.ctl_raw("status", "--check")[0] == 0
    gan.erp_post("bad", {"why": "x"})
    kit.wait_until(lambda: gan.status()["attention"], 5, "attention")
    assert gan.ctl_raw("status", "--check")[0] == 1


def test_show(gan):
    story = gan.ctl("show", "k/a")
    assert set(story) == {"key", "events"} and story["key"] == "k/a"
    event, = story["events"]
    assert set(event) == EVENT and TIME.fullmatch(event["received_at"])
    delivery, = event["deliveries"]
    assert set(delivery) == DELIVERY and set(delivery["last"]) == LAST
    assert delivery["last"]["status"] == 200 and TIME.fullmatch(delivery["last"]["at"])
    for ident in (event["id"], delivery["id"]):
        assert gan.ctl("show", ident) == {"key": None, "events": [event]}
    text = table(gan, "show", "k/a")
    for word in ("k/a", "erp", "line", "flex2b", "replicationpost", "delivered"):
        assert word in text
    assert gan.ctl_raw("show", "no/such-key")[0] == 1
    assert gan.ctl_raw("show", "e0000000000001")[0] == 1


def test_a_sender_sees_what_gantryctl_shows(gan):
    """One shape for the ERP and for people, members and their order."""
    for row in gan.ctl("events list"):
        seen = gan.erp_get(f"/v1/events/{row['id']}").json()
        assert seen == row
        assert list(seen) == ["id", "source", "topic", "received_at", "state", "reason",
                              "deliveries"]
        for delivery in seen["deliveries"]:
            assert list(delivery) == ["id", "rule", "connector", "operation", "key", "effect",
                                      "state", "attempts", "next_at", "last", "response"]


def test_every_kind_of_attention(make_gateway, sim):
    """All seven, each with the members of the design and with something to do."""
    effect = rules.FLEX_ERP + "effect: '\"e/\" + .repLines[0].nodes[1].value'\n"
    old = rules.FLEX_ERP.replace("erp-to-flex", "old").replace("erp/line", "erp/old") + \
        "valid_for: 1s\n"
    gan = make_gateway({**ALL, "flex.yaml": effect, "old.yaml": old},
                       config={"deliver": {"on_dead": "skip"}})
    sim.fault("flex2b", "status", status=400)
    gan.erp_post("line", {"n": 1, "key": "dead"})
    gan.wait_key("k/dead", "dead")
    gan.erp_post("line", {"n": 2, "key": "conflict"})
    gan.wait_key("k/conflict", "delivered")
    gan.erp_post("line", {"n": 3, "key": "conflict"})
    gan.wait_key("k/conflict", "dead")
    sim.fault("flex2b", "drop-after")
    gan.erp_post("line", {"n": 4, "key": "unknown"})
    gan.wait_key("k/unknown", "unknown")
    gan.wait_event(gan.erp_post("bad", {"why": "xyzzy"}).json()["id"], "rejected")
    gan.ctl("pause", "flex2b")
    gan.erp_post("old", {"n": 5, "key": "expired"})
    gan.wait_key("k/expired", "waiting")
    gan.rule("red.yaml", "rule: [\n")
    gan.ctl_raw("reload")
    kinds = {"dead", "conflict", "unknown", "rejected", "connector-paused", "config"}
    assert {i["kind"] for i in gan.attention()} == kinds
    paused, = gan.attention(kind="connector-paused")
    kit.wait_until(lambda: time.time() > kit.epoch(paused["since"]) + 1.5, 5, "it is too old")
    gan.ctl("resume", "flex2b")
    gan.wait_key("k/expired", "expired")
    items = {i["kind"]: i for i in gan.attention()}
    assert set(items) == kinds - {"connector-paused"} | {"expired"}
    for kind, item in items.items():
        assert set(item) == ITEM and item["actions"] and item["reason"], kind
        assert TIME.fullmatch(item["since"]), kind
    assert items["dead"]["operation"] == "replicationpost"
    assert items["dead"]["key"] == "k/dead" and items["dead"]["rule"] == "erp-to-flex"
    assert items["rejected"]["key"] is None and items["rejected"]["source"] == "erp"
    assert {k: items["config"][k] for k in ("id", "key", "source", "connector", "rule")} == {
        "id": None, "key": None, "source": None, "connector": None, "rule": None}


def test_events_list(gan):
    events = gan.ctl("events list")
    assert isinstance(events, list) and len(events) == 5
    assert all(set(e) == EVENT for e in events)
    rejected, = gan.ctl("events list", "--state", "rejected")
    assert "xyzzy" in rejected["reason"]
    assert len(gan.ctl("events list", "--topic", "rel*")) == 2
    assert gan.ctl("events list", "--source", "prodsmart") == []
    assert len(gan.ctl("events list", "--limit", "2")) == 2
    assert "xyzzy" in table(gan, "events", "list")


def test_deliveries_list(gan):
    rows = gan.ctl("deliveries list")
    assert len(rows) == 3
    assert all(set(r) == DELIVERY | {"event"} for r in rows)
    assert all(r["last"] is None or set(r["last"]) == LAST for r in rows)
    assert [r["state"] for r in gan.ctl("deliveries list", "--state", "unknown")] == ["unknown"]
    assert len(gan.ctl("deliveries list", "--connector", "movilitas")) == 2
    assert len(gan.ctl("deliveries list", "--key", "k/a")) == 1
    assert "p/a" in table(gan, "deliveries", "list")


def test_paging(make_gateway):
    gan = make_gateway()
    for n in range(25):
        gan.erp_post("x", {"n": n})
    seen, before = [], None
    while True:
        page = gan.ctl("events list", "--limit", "10", *(["--before", before] if before else []))
        if not page:
            break
        seen += [e["id"] for e in page]
        before = page[-1]["id"]
    assert len(seen) == len(set(seen)) == 25


def test_attention(gan):
    items = gan.ctl("attention")
    assert all(set(i) == ITEM for i in items)
    assert [list(i) for i in items] == 2 * [
        ["kind", "id", "key", "source", "connector", "operation", "rule", "reason", "since",
         "actions"]]
    assert sorted(i["kind"] for i in items) == ["rejected", "unknown"]
    assert all(i["actions"] and TIME.fullmatch(i["since"]) for i in items)
    text = table(gan, "attention")
    assert "xyzzy" in text and "p/a" in text


def test_lanes(gan):
    lanes = gan.ctl("lanes")
    assert [lane["key"] for lane in lanes if lane["connector"] == "movilitas"] == ["p/a"]
    assert "p/a" in table(gan, "lanes")


def test_jsonl(gan):
    code, out, _ = gan.ctl_raw("deliveries", "list", output="jsonl")
    assert code == 0
    assert len([json.loads(line) for line in out.splitlines()]) == 3


def test_resolve_retry_skip(gan, sim):
    unknown = gan.ctl("deliveries list", "--state", "unknown")[0]
    assert gan.ctl_raw("retry", unknown["id"])[0] == 1, "unknown is resolved, not retried"
    assert gan.ctl_raw("resolve", unknown["id"])[0] == 64
    assert gan.ctl_raw("resolve", unknown["id"], "--as", "perhaps")[0] == 64
    changed = gan.ctl("resolve", unknown["id"], "--as", "sent", "--reason", "saw it")
    assert set(changed) == DELIVERY | {"event"} and changed["state"] == "delivered"
    gan.wait_key("p/a", "delivered", n=2)
    rejected = gan.ctl("events list", "--state", "rejected")[0]
    code, out, err = gan.ctl_raw("retry", rejected["id"])
    assert code in (0, 1), (out, err)
    assert gan.wait_event(rejected["id"], "rejected")
    gan.ctl("skip", rejected["id"], "--reason", "never mind")
    assert gan.ctl("attention") == []
    audit = table(gan, "audit") if gan.ctl_raw("audit")[0] == 0 else ""
    if audit:
        assert "saw it" in audit and "resolve" in audit
    for verb in (["retry"], ["skip"], ["resolve", "--as", "sent"]):
        assert gan.ctl_raw(verb[0], "d0000000000001", *verb[1:])[0] == 1


def test_pause_and_resume(gan, sim):
    got = gan.ctl("pause", "flex2b", "--reason", "their maintenance")
    assert got["name"] == "flex2b" and got["paused"]
    gan.erp_post("line", {"n": 2, "key": "b"})
    gan.wait_key("k/b", "waiting")
    item, = gan.attention(kind="connector-paused")
    assert "their maintenance" in item["reason"]
    gan.restart()
    assert gan.attention(kind="connector-paused"), "a pause survives a restart"
    assert gan.deliveries(key="k/b")[0]["state"] == "waiting"
    gan.ctl("resume", "flex2b")
    gan.wait_key("k/b", "delivered")
    assert gan.ctl_raw("pause", "nobody")[0] == 1


def test_rules_verbs(gan):
    assert {r["name"] for r in gan.ctl("rules list")} == {"erp-to-flex", "release", "rej"}
    assert gan.ctl_raw("rules", "check")[0] == 0
    assert gan.ctl_raw("rules", "test")[0] == 0
    body = gan.write("event.json", '{"n": 5, "key": "z"}')
    code, out, err = gan.ctl_raw("rules", "try", "erp-to-flex", "--event-file", body)
    assert code == 0 and "k/z" in out, (out, err)
    ident = gan.ctl("events list", "--topic", "line")[0]["id"]
    code, out, err = gan.ctl_raw("rules", "try", "erp-to-flex", ident)
    assert code == 0 and "k/a" in out, (out, err)
    assert len(gan.ctl("deliveries list", "--connector", "flex2b")) == 1, "try sends nothing"
    gan.rule("flex.yaml", rules.FLEX_ERP.replace("expect_key: k/a", "expect_key: k/b"))
    code, out, err = gan.ctl_raw("rules", "test", output="table")
    assert code == 1 and "k/b" in out + err and "flex.yaml:" in out + err
    code, out, err = gan.ctl_raw("rules", "check", output="table")
    assert code in (0, 1)


def offline(gan, *args, output="json"):
    done = subprocess.run(
        [kit.program("gantryctl"), "--socket", gan.path("none.sock"), "--output", output,
         *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_rules_and_config_need_no_daemon(make_gateway):
    gan = make_gateway(ALL, start=False)
    conf = gan.path("gantry.yaml")
    for verb in (["rules", "list"], ["rules", "check"], ["rules", "test"], ["config", "check"],
                 ["config", "show"]):
        code, out, err = offline(gan, *verb, "--config", conf)
        assert code == 0, (verb, out, err)
        assert gan.SECRETS["erp-token"] not in out + err
    gan.write("gantry.yaml", "version: 1\nlisten: {publik: 1}\n")
    code, out, err = offline(gan, "config", "check", "--config", conf)
    assert code == 78 and "gantry.yaml:2:" in out + err and "public" in out + err


def test_config_verbs(gan):
    shown = gan.ctl("config show")
    assert shown["sources"]["erp"]["kind"] == "http"
    text = json.dumps(shown)
    assert "secret:erp-token" in text
    for value in gan.SECRETS.values():
        assert value not in text
    assert gan.ctl_raw("config", "check")[0] == 0


def test_reload(gan):
    before = gan.status()["generation"]
    gan.ctl("reload")
    assert gan.status()["generation"] > before
    gan.rule("flex.yaml", "rule: [\n")
    assert gan.ctl_raw("reload")[0] == 1
    assert gan.status()["last_reload"]


def test_quarantine(gan):
    gan.send_webhook("lot_created", {"x": 1}, secret="a-wrong-secret-0123456789")
    row, = gan.ctl("quarantine list")
    assert row["id"].startswith("q") and row["source"] == "prodsmart"
    assert "lot.created" in table(gan, "quarantine", "list")
    assert gan.ctl_raw("quarantine", "accept", row["id"])[0] == 1
    assert gan.ctl_raw("quarantine", "accept", "q0000000000001")[0] == 1


def test_the_story_tells_what_it_waits_for(gan):
    held = gan.deliveries(state="unknown")[0]
    assert f"    waits behind another of its key: {held['id']}\n" in table(gan, "show", "p/a")
    gan.ctl("pause", "flex2b", "--reason", "they move house")
    gan.erp_post("line", {"n": 2, "key": "b"})
    gan.wait_key("k/b", "waiting")
    text = table(gan, "show", "k/b")
    assert "waits: flex2b is paused by a person: they move house" in text and "next try" not in text


def test_the_story_tells_who_did_what(gan):
    held = gan.deliveries(state="unknown")[0]
    gan.ctl("resolve", held["id"], "--as", "not-sent", "--reason", "the pool says Assigned")
    gan.wait_key("p/a", "delivered", n=2)
    rejected = gan.ctl("events list", "--state", "rejected")[0]
    gan.ctl("skip", rejected["id"], "--reason", "a test of the ERP")
    text = table(gan, "show", held["id"])
    assert re.search(r"\n    try 1, .*\(unknown\)\n(?:.*\n)*    by \S+, \S+: resolve --as not-sent, "
                     r"unknown -> waiting: the pool says Assigned\n(?:.*\n)*    try 2, ", text), text
    assert "  bearer token: 1\n" in text
    assert "      > " not in text
    assert "      > Content-Type: application/json\n" in table(gan, "show", held["id"], "--bodies")
    assert re.search(r"  by \S+, \S+: skip, rejected -> rejected, closed: a test of the ERP\n",
                     table(gan, "show", rejected["id"]))


def test_backup(gan):
    path = gan.path("copy.db")
    gan.ctl("backup", path)
    copy = sqlite3.connect(path)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
    assert gan.ctl_raw("backup", path)[0] == 1, "an existing file is not overwritten"
    code, _, err = gan.ctl_raw("backup", gan.path("nowhere", "copy.db"))
    assert code == 1 and "there is no such folder: create it" in err
    gan.stop()
    for name in os.listdir(gan.path("data")):
        os.unlink(gan.path("data", name))
    shutil.copy(path, gan.path("data/gantry.db"))
    gan.start()
    assert len(gan.ctl("events list")) == 5
    assert gan.deliveries(state="unknown")


def test_doctor(gan):
    code, out, err = gan.ctl_raw("doctor", output="table")
    assert code in (0, 1) and out, err
    gan.rule("flex.yaml", "rule: [\n")
    gan.ctl_raw("reload")
    assert gan.ctl_raw("doctor")[0] == 1


@pytest.mark.parametrize("args", [
    [], ["nonsense"], ["show"], ["status", "--nonsense"], ["events"], ["events", "nonsense"],
    ["--output", "xml", "status"], ["deliveries", "list", "--limit", "x"], ["retry"],
    ["pause"], ["rules", "nonsense"], ["backup"]])
def test_usage_is_64(make_gateway, args):
    gan = make_gateway()
    done = subprocess.run([kit.program("gantryctl"), "--socket", gan.socket, *args],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 64, (done.stdout, done.stderr)
    assert done.stderr


def test_help_and_version_are_0(make_gateway):
    for args in (["--help"], ["--version"]):
        for name in ("gantryctl", "gantryd"):
            done = subprocess.run([kit.program(name), *args], capture_output=True, text=True,
                                  check=False)
            assert (done.returncode, bool(done.stdout)) == (0, True), (name, args, done)


def test_daemon_down_is_69(make_gateway):
    gan = make_gateway(start=False)
    for verb in (["status"], ["attention"], ["reload"], ["show", "x"]):
        code, out, err = gan.ctl_raw(*verb)
        assert code == 69 and gan.socket in err, (verb, out, err)


def test_not_allowed_is_77(make_gateway, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    gan = make_gateway()
    assert os.stat(gan.socket).st_mode & 0o777 == 0o660
    os.chmod(gan.dir, 0o755)
    tool = shutil.copy(kit.program("gantryctl"), gan.path("gantryctl"))
    os.chmod(tool, 0o755)
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", tool, "--socket",
         gan.socket, "status"], capture_output=True, text=True, check=False)
    assert done.returncode == 77, (done.stdout, done.stderr)
    assert gan.socket in done.stderr


def test_a_reason_can_be_required(make_gateway):
    gan = make_gateway(ALL, config={"require_reason": True})
    assert gan.ctl_raw("pause", "flex2b")[0] in (1, 64)
    gan.ctl("pause", "flex2b", "--reason", "because")
    assert gan.ctl_raw("status")[0] == 0


def test_the_admin_listener_is_read_only(gan):
    got = kit.request(gan.admin, "GET", "/metrics")
    assert got.status == 200 and b"gantry_" in got.body
    for name, value in gan.SECRETS.items():
        assert value.encode() not in got.body, name
    for method in ("POST", "PUT", "DELETE"):
        assert kit.request(gan.admin, method, "/metrics", b"").status in (404, 405)
