# SPDX-License-Identifier: MIT
"""gantryctl against a daemon of our own making: what it asks, shows, and says by its exit code."""
import fcntl
import json
import os
import pty
import socket
import struct
import subprocess
import termios
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GANTRYCTL = Path(os.environ.get("GANTRY_BUILD", ROOT / "build")) / "gantryctl"
DELIVERY = {"id": "d2", "event": "e1", "rule": "waste", "connector": "flex2b", "operation": "replicationpost",
            "key": "pallet/1", "effect": None, "state": "dead", "attempts": 2, "next_at": None,
            "last": {"status": 402, "error": "not processed", "at": "2026-11-21T19:02:11.123Z"}, "response": None}


class Daemon:
    """Answers each verb from a table and remembers what it was asked."""

    def __init__(self, path):
        self.path = str(path)
        self.asked = []
        self.answers = {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn, conn.makefile("rw", encoding="utf-8", newline="\n") as f:
                for line in f:
                    request = json.loads(line)
                    self.asked.append(request)
                    answer = self.answers.get(request["verb"], (1, None, "no answer prepared"))
                    if callable(answer):
                        answer = answer(request)
                    exit_code, result, text = answer
                    raw = result if isinstance(result, str) else json.dumps(result)
                    f.write('{"exit":%d,"result":%s,"text":%s}\n' % (exit_code, raw, json.dumps(text)))
                    f.flush()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def daemon(tmp_path):
    d = Daemon(tmp_path / "control.sock")
    yield d
    d.close()


def ctl(daemon, *args, stdin=subprocess.DEVNULL):
    env = {k: v for k, v in os.environ.items() if k != "GANTRY_SOCKET"}
    env["LC_ALL"] = "C.UTF-8"
    return subprocess.run([GANTRYCTL, "--socket", daemon.path, *args], capture_output=True, text=True,
                          stdin=stdin, env=env, timeout=30)


def test_a_list_as_table_json_and_lines(daemon):
    daemon.answers["deliveries list"] = (0, [DELIVERY, dict(DELIVERY, id="d1")], None)
    run = ctl(daemon, "deliveries", "list", "--state", "dead", "--limit", "2", "--since", "1h")
    assert run.returncode == 0 and "d2" in run.stdout and "402" in run.stdout and "not processed" in run.stdout
    asked = daemon.asked[-1]
    assert asked["verb"] == "deliveries list" and asked["args"]["state"] == "dead" and asked["args"]["limit"] == 2
    assert asked["args"]["since_ms"] > 1_700_000_000_000
    run = ctl(daemon, "--output", "json", "deliveries", "list")
    assert [d["id"] for d in json.loads(run.stdout)] == ["d2", "d1"]
    run = ctl(daemon, "deliveries", "list", "--output", "jsonl")
    assert [json.loads(l)["id"] for l in run.stdout.splitlines()] == ["d2", "d1"]


def test_an_empty_list_is_0(daemon):
    daemon.answers["attention"] = (0, [], None)
    assert ctl(daemon, "attention").returncode == 0
    assert ctl(daemon, "attention", "--output", "json").stdout == "[]\n"
    assert ctl(daemon, "attention", "--output", "jsonl").stdout == ""


def test_numbers_come_out_as_they_went_in(daemon):
    raw = '{"key":"k","events":[{"id":"e1","body":{"n":12345678901234567890,"m":1.10,"t":"a\\u0000b"}}]}'
    daemon.answers["show"] = (0, raw, None)
    assert ctl(daemon, "show", "k", "--output", "json").stdout == raw + "\n"
    assert "12345678901234567890" in ctl(daemon, "show", "k").stdout


def test_data_cannot_steer_the_terminal(daemon):
    daemon.answers["events list"] = (0, [{"id": "e1", "source": "s", "topic": "x\x1b]0;owned\x07y"}], None)
    daemon.answers["show"] = (1, None, "bad \x1b[31mred")
    assert "\x1b" not in ctl(daemon, "events", "list").stdout
    run = ctl(daemon, "show", "x", "--color", "always")
    assert run.returncode == 1 and "\x1b" not in run.stderr and "bad ?[31mred" in run.stderr


def test_what_the_daemon_says_is_the_exit_code(daemon):
    daemon.answers["pause"] = (64, None, "a reason is needed")
    run = ctl(daemon, "pause", "flex2b")
    assert run.returncode == 64 and run.stdout == "" and "a reason is needed" in run.stderr


def test_reasons_travel(daemon):
    daemon.answers["resolve"] = (0, dict(DELIVERY, state="delivered"), None)
    run = ctl(daemon, "resolve", "d2", "--as", "sent", "--reason", 'seen "there"')
    assert run.returncode == 0 and "state: delivered" in run.stdout
    assert daemon.asked[-1] == {"verb": "resolve", "args": {"id": "d2", "as": "sent"}, "reason": 'seen "there"'}
    assert ctl(daemon, "resolve", "d2").returncode == 64


def test_bulk_shows_a_plan_and_wants_yes(daemon):
    daemon.answers["deliveries list"] = (0, [DELIVERY, dict(DELIVERY, id="d1")], None)
    daemon.answers["retry"] = lambda r: (0, dict(DELIVERY, id=r["args"]["id"], state="waiting"), None)
    run = ctl(daemon, "retry", "--state", "dead", "--connector", "flex2b")
    assert run.returncode == 64 and "plan: retry 2 deliveries" in run.stdout and "--yes" in run.stderr
    assert [r["verb"] for r in daemon.asked] == ["deliveries list"]
    run = ctl(daemon, "retry", "--state", "dead", "--yes", "--reason", "mended")
    assert run.returncode == 0
    acts = [r for r in daemon.asked if r["verb"] == "retry"]
    assert [r["args"]["id"] for r in acts] == ["d1", "d2"]  # oldest first
    assert all(r["reason"] == "mended" for r in acts)
    run = ctl(daemon, "retry", "--state", "dead", "--yes", "--output", "json")
    assert [d["id"] for d in json.loads(run.stdout)] == ["d1", "d2"]


def test_bulk_never_means_everything(daemon):
    assert ctl(daemon, "retry", "--yes").returncode == 64
    assert ctl(daemon, "skip", "--connector", "flex2b", "--yes").returncode == 64
    assert ctl(daemon, "skip", "d1", "--state", "dead", "--yes").returncode == 64
    assert daemon.asked == []


def test_several_ids_need_no_plan(daemon):
    daemon.answers["skip"] = lambda r: ((0, dict(DELIVERY, id=r["args"]["id"], state="skipped"), None)
                                        if r["args"]["id"] != "d9" else (1, None, "no such delivery"))
    run = ctl(daemon, "skip", "d9", "d1")
    assert run.returncode == 1 and "d1: skipped" in run.stdout and "no such delivery" in run.stderr
    run = ctl(daemon, "skip", "d1", "--output", "json")
    assert json.loads(run.stdout)["state"] == "skipped"


def test_quarantine_plan_then_exactly_those(daemon):
    rows = [{"id": "q1", "matches": True, "reason": None}, {"id": "q2", "matches": False, "reason": "no"}]
    daemon.answers["quarantine accept"] = lambda r: (
        (0, rows, None) if r["args"].get("plan") else (0, [{"id": i, "accepted": True} for i in r["args"]["ids"]], None))
    run = ctl(daemon, "quarantine", "accept", "--all-matching")
    assert run.returncode == 64 and "plan: take in 1 of 2" in run.stdout
    run = ctl(daemon, "quarantine", "accept", "--all-matching", "--yes", "--output", "json")
    assert run.returncode == 0 and json.loads(run.stdout) == [{"id": "q1", "accepted": True}]
    assert daemon.asked[-1]["args"] == {"ids": ["q1"]}


STATUS = {"version": "1", "site": "s", "generation": 1, "ready": True, "not_ready": None, "events": {"mapped": 3},
          "deliveries": {"waiting": 1}, "attention": 0, "rules_red": None, "store": {"full": False}, "last_reload": None,
          "connectors": [{"name": "flex2b", "kind": "flex2b", "paused": None, "breaker_open": False}]}


@pytest.mark.parametrize("change,reason", [
    ({"ready": False, "not_ready": "draining"}, "not ready: draining"),
    ({"attention": 2}, "need a person"),
    ({"rules_red": "waste.yaml:3"}, "rules are red: waste.yaml:3"),
    ({"store": {"full": True}}, "store is full"),
    ({"store": {"spool": {"records": 3}}}, "wait in the emergency spool: 3"),
    ({"store": {"spool": {"records": 0, "broken": True, "size": 65536}}}, "the emergency spool failed"),
    ({"connectors": [{"name": "flex2b", "paused": "token"}]}, "paused: flex2b"),
    ({"connectors": [{"name": "flex2b", "paused": None, "breaker_open": True}]}, "breaker is open: flex2b"),
])
def test_status_check_says_why(daemon, change, reason):
    daemon.answers["status"] = (0, STATUS, None)
    assert ctl(daemon, "status", "--check").returncode == 0
    daemon.answers["status"] = (0, {**STATUS, **change}, None)
    run = ctl(daemon, "status", "--check")
    assert run.returncode == 1 and reason in run.stdout
    assert ctl(daemon, "status").returncode == 0
    run = ctl(daemon, "status", "--check", "--output", "json")
    assert run.returncode == 1 and json.loads(run.stdout)["site"] == "s" and reason in run.stderr


def test_reload_refused(daemon):
    daemon.answers["reload"] = (1, {"ok": False, "generation": 4, "text": "x"}, "waste.yaml:3:1: error: bad\n   3 | x\n")
    run = ctl(daemon, "reload")
    assert run.returncode == 1 and "waste.yaml:3:1" in run.stderr and run.stdout == ""
    daemon.answers["reload"] = (0, {"ok": True, "generation": 5, "text": None}, None)
    run = ctl(daemon, "reload")
    assert run.returncode == 0 and "generation 5" in run.stdout


def test_backup_is_absolute_for_the_daemon(daemon, tmp_path):
    daemon.answers["backup"] = (0, {"path": "x"}, None)
    ctl(daemon, "backup", "copy.db")
    assert daemon.asked[-1]["args"]["path"] == str(Path.cwd() / "copy.db")


def test_rules_go_to_the_daemon_when_it_answers(daemon, tmp_path):
    daemon.answers["rules test"] = (1, {"ok": False, "tests": []}, "FAIL  waste: t\n")
    run = ctl(daemon, "--config", "/nonexistent.yaml", "rules", "test", "waste")
    assert run.returncode == 1 and run.stdout == "FAIL  waste: t\n"
    assert daemon.asked[-1]["args"] == {"rule": "waste"}
    (tmp_path / "event.json").write_text('{"n": 12345678901234567890}')
    daemon.answers["rules try"] = (0, '{"rule":"r","to":"a/b","listens":true,"outputs":[],"reject":null}', None)
    run = ctl(daemon, "rules", "try", "r", "--event-file", str(tmp_path / "event.json"))
    assert run.returncode == 0 and "nothing to send" in run.stdout
    assert daemon.asked[-1]["args"]["event"] == '{"n": 12345678901234567890}'


def test_exit_codes_without_a_daemon(tmp_path):
    missing = subprocess.run([GANTRYCTL, "--socket", tmp_path / "none.sock", "status"], capture_output=True, text=True)
    assert missing.returncode == 69 and "none.sock" in missing.stderr
    bad = tmp_path / "gantry.yaml"
    bad.write_text("version: 1\nlissen: {}\n")
    check = subprocess.run([GANTRYCTL, "--config", bad, "config", "check"], capture_output=True, text=True)
    assert check.returncode == 78 and "gantry.yaml:2:1" in check.stderr
    assert subprocess.run([GANTRYCTL, "stauts"], capture_output=True).returncode == 64


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="cannot become another user")
def test_a_closed_door_is_77(daemon):
    os.chmod(daemon.path, 0o600)
    if os.geteuid() == 0:
        for folder in Path(daemon.path).parents:
            if str(folder).startswith("/tmp/"):
                folder.chmod(folder.stat().st_mode | 0o011)
        prefix = ["setpriv", "--reuid=65534", "--clear-groups"]
    else:
        os.chmod(daemon.path, 0)
        prefix = []
    run = subprocess.run([*prefix, GANTRYCTL, "--socket", daemon.path, "status"], capture_output=True, text=True)
    assert run.returncode == 77 and "group" in run.stderr


def test_a_daemon_that_hangs_up(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        thread = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        thread.start()
        run = subprocess.run([GANTRYCTL, "--socket", path, "status"], capture_output=True, text=True, timeout=30)
        thread.join(10)
    assert run.returncode == 69 and "before it answered" in run.stderr


def on_terminal(daemon, columns, *args):
    """What gantryctl prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen([GANTRYCTL, "--socket", daemon.path, *args], stdout=theirs, env=env) as p:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:
            pass  # the other end is closed
        assert p.wait(timeout=30) == 0
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_nothing_is_cut_on_a_narrow_terminal(daemon):
    why = "no connection: Connection refused: Failed to connect to 127.0.0.1 port 9001 after 0 ms"
    row = {**DELIVERY, "key": "sscc/337370000000000003", "state": "waiting",
           "next_at": "2026-11-21T19:03:11.123Z", "last": {**DELIVERY["last"], "error": why}}
    daemon.answers["deliveries list"] = (0, [row, {**row, "id": "d3"}], None)
    said = on_terminal(daemon, 80, "deliveries", "list")
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80, said
    assert lines[0].split() == ["ID", "KEY", "CONNECTOR", "OPERATION", "STATE", "TRIES"]
    assert lines[1].startswith("d2 ") and lines[2] == "    NEXT (UTC): 2026-11-21 19:03:11, ANSWER: 402"
    assert lines[3].startswith("    ERROR: no connection") and lines[5].startswith("d3 ")
    assert " ".join(said.split()).count(why) == 2
    wide = on_terminal(daemon, 250, "deliveries", "list")
    assert len(wide.splitlines()) == 3 and wide.count(why) == 2
