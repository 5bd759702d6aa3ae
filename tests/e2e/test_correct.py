# SPDX-License-Identifier: MIT
"""test_correct.py - an edited copy in place of a delivery, four eyes, and `retry --without-after`."""

import json
import os
import re
import shutil
import subprocess

import kit
import pytest
import rules

# The first body that Flex2B refuses; what people make of it, it takes.
BAD = {"n": 1, "key": "a"}


def body_of(gan, ident):
    event, = gan.ctl("show", ident, "--bodies")["events"]
    delivery, = event["deliveries"]
    return delivery


def stuck(gan, sim, n=3):
    """n of one key, the first of them refused for good."""
    sim.fault("flex2b", "status", status=400, match='"value":"1"')
    for i in range(1, n + 1):
        assert gan.erp_post("line", {"n": i, "key": "a"}).status == 202
    return gan.wait_key("k/a", "dead")[0]


def better(gan, ident):
    """The body with another n, in a file."""
    body = body_of(gan, ident)["request"]
    body["repLines"][0]["nodes"][0]["value"] = "100"
    return gan.write("better.json", json.dumps(body))


def test_a_corrected_copy_goes_first_and_the_original_stays(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    dead = stuck(gan, sim)
    before = body_of(gan, dead["id"])
    copy = gan.ctl("correct", dead["id"], "--body", better(gan, dead["id"]), "--reason", "wrong lot")
    assert copy["corrects"] == dead["id"] and copy["id"] != dead["id"] and copy["key"] == "k/a"
    gan.drain()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [100, 2, 3]
    original = body_of(gan, dead["id"])
    assert original["state"] == "skipped" and original["replaced_by"] == copy["id"]
    assert original["request"] == before["request"] and original["tries"] == before["tries"]
    deed, = original["audit"]
    assert deed["verb"] == "correct" and deed["reason"] == "wrong lot" and deed["before"] == "dead"
    assert gan.attention() == [] and gan.ctl("store check") == []
    made = body_of(gan, copy["id"])
    assert made["state"] == "delivered" and made["correction"]["reason"] == "wrong lot"
    _, story, _ = gan.ctl_raw("show", "k/a", output="table")
    assert f"corrected copy of: {dead['id']}" in story and f"replaced by: {copy['id']}" in story
    assert f"corrected by: {deed['who']}" in story and "correction: wrong lot" in story


def test_what_a_replay_made_is_corrected(make_gateway, sim):
    """Of an event to which no rule listened when it came: the books know the copy, too."""
    gan = make_gateway()
    event = gan.erp_post("line", {"n": 1, "key": "a"}).json()["id"]
    gan.wait_event(event, "ignored")
    gan.rule("f.yaml", rules.FLEX_ERP)
    gan.ctl("reload")
    sim.fault("flex2b", "status", status=400, match='"value":"1"')
    gan.ctl("replay", event, "--yes")
    dead = gan.wait_key("k/a", "dead")[0]
    gan.ctl("correct", dead["id"], "--body", better(gan, dead["id"]), "--reason", "wrong lot")
    gan.drain()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [100]
    assert gan.ctl("store check") == []


def test_it_is_checked_like_any_other(make_gateway, sim):
    """Strict JSON before anything is changed; the connector's own checks when it is sent."""
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    dead = stuck(gan, sim, n=1)
    for text, what in (("{", "no JSON"), ("", "no JSON"), ('{"a":01}', "no JSON"),
                       ('{"a":1} x', "no JSON")):
        rc, out, err = gan.ctl_raw("correct", dead["id"], "--body", gan.write("b.json", text),
                                   "--reason", "r")
        assert rc == 1 and out == "" and what in err and "nothing was changed" in err, text
    # Not past the client either: gantryd itself checks.
    assert gan.delivery(dead["id"])["state"] == "dead" and gan.ctl("audit") == []
    copy = gan.ctl("correct", dead["id"], "--body", gan.write("b.json", '{"repLines":[]}'),
                   "--reason", "r")
    gan.wait_key("k/a", "dead")
    row = gan.delivery(copy["id"])
    assert row["state"] == "dead" and "repLines" in row["last"]["error"]
    assert len(sim.journal("flex2b")) == 1


def test_how_it_is_asked(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    dead = stuck(gan, sim, n=1)
    path = better(gan, dead["id"])
    for args in (("--body", path), ("--reason", "r"), ("--body", path, "--edit", "--reason", "r"),
                 ("--body", path, "--reason", "")):
        assert gan.ctl_raw("correct", dead["id"], *args)[0] == 64
    assert gan.ctl_raw("correct", dead["event"], "--body", path, "--reason", "r")[0] == 64
    assert gan.ctl_raw("correct", "d" + "0" * 12 + "1", "--body", path, "--reason", "r")[0] == 1
    rc, _, err = gan.ctl_raw("approve", dead["id"])
    assert rc == 1 and "no correction" in err
    assert gan.delivery(dead["id"])["state"] == "dead"


def test_with_an_editor(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    dead = stuck(gan, sim, n=1)
    editor = gan.write("editor", '#!/bin/sh\nsed -i \'s/"value": "1"/"value": "100"/\' "$1"\n'
                                 f'ls -l "$1" > {gan.path("editor.log")}\n', 0o755)
    env = {"VISUAL": editor, "TMPDIR": gan.path("data")}
    rc, out, err = gan.ctl_raw("correct", dead["id"], "--edit", "--reason", "r",
                               env={**env, "VISUAL": "true"})
    assert rc == 1 and "nothing was changed" in err and gan.delivery(dead["id"])["state"] == "dead"
    rc, out, err = gan.ctl_raw("correct", dead["id"], "--edit", "--reason", "r",
                               env={**env, "VISUAL": "false"})
    assert rc == 1 and "editor" in err
    rc, out, err = gan.ctl_raw("correct", dead["id"], "--edit", "--reason", "r", env=env)
    assert rc == 0, err
    gan.drain()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [100]
    # The file was for its owner alone, and is gone.
    with open(gan.path("editor.log"), encoding="utf-8") as f:
        assert f.read().startswith("-rw-------")
    assert not [n for n in os.listdir(gan.path("data")) if n.startswith("gantry-")]


def test_from_standard_input_and_not_too_much(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    dead = stuck(gan, sim, n=1)
    words = [kit.program("gantryctl"), "--socket", gan.socket, "correct", dead["id"], "--body", "-",
             "--reason", "r"]

    def say(text):
        return subprocess.run(words, input=text, capture_output=True, text=True, timeout=60,
                              check=False)

    done = say('{"a":"' + "x" * (1 << 20) + '"}')
    assert done.returncode == 1 and "1 MiB" in done.stderr
    assert gan.delivery(dead["id"])["state"] == "dead" and gan.ctl("audit") == []
    with open(better(gan, dead["id"]), encoding="utf-8") as f:
        assert say(f.read()).returncode == 0
    gan.drain()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [100]


def test_who_corrected_may_not_approve(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP}, config={"require_approval": True})
    dead = stuck(gan, sim)
    shown = gan.ctl("correct", dead["id"], "--body", better(gan, dead["id"]), "--reason", "lot")
    assert shown["id"] == dead["id"] and shown["state"] == "dead"
    item, = gan.attention()
    assert item["id"] == dead["id"] and item["actions"][0] == "approve"
    assert shown["to_approve"]["reason"] == "lot"
    # Its sender sees neither who is asked nor what it is about.
    seen = gan.erp_get(f"/v1/events/{dead['event']}").json()["deliveries"][0]
    assert seen["state"] == "dead" and "to_approve" not in seen
    rc, _, err = gan.ctl_raw("approve", dead["id"])
    assert rc == 77 and "another user" in err
    assert rules.lines(sim, acted=True) == []
    _, story, _ = gan.ctl_raw("show", dead["id"], output="table")
    assert f"gantryctl approve {dead['id']}" in story and '"100"' in story
    gan.restart()
    assert gan.ctl_raw("approve", dead["id"])[0] == 77
    gan.reconfigure(require_approval=False)
    gan.ctl("reload")
    copy = gan.ctl("approve", dead["id"], "--reason", "looked at it")
    gan.drain()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [100, 2, 3]
    made = body_of(gan, copy["id"])["correction"]
    assert made["reason"] == "lot" and made["approved_by"] == made["who"]
    assert [row["verb"] for row in gan.ctl("audit")][::-1] == [
        "correct", "reload", "reload accepted", "approve"]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs another user")
def test_another_user_approves(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP}, config={"require_approval": True})
    dead = stuck(gan, sim)
    gan.ctl("correct", dead["id"], "--body", better(gan, dead["id"]), "--reason", "lot")
    os.chmod(gan.dir, 0o755)
    rc, out, err = gan.ctl_raw("approve", dead["id"], wrap=("setpriv", "--reuid=65534"))
    assert rc == 0, err
    copy = json.loads(out)
    gan.drain()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [100, 2, 3]
    made = body_of(gan, copy["id"])["correction"]
    assert "65534" in made["approved_by"] and "65534" not in made["who"]


@pytest.mark.parametrize("kill", [False, True])
def test_an_unknown_one_is_corrected_under_traffic(make_gateway, sim, kill):
    """Live ones of the same key go on behind it; what was corrected is sent once."""
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    sim.fault("flex2b", "drop-after", match='"value":"1"')
    for n in range(1, 20):
        gan.erp_post("line", {"n": n, "key": "a"})
    unknown = gan.wait_key("k/a", "unknown")[0]
    gan.ctl("correct", unknown["id"], "--body", better(gan, unknown["id"]), "--reason", "r")
    if kill:
        gan.kill()
        gan.start()
    for n in range(20, 30):
        gan.erp_post("line", {"n": n, "key": "a"})
    gan.drain()
    for item in gan.attention(kind="unknown"):  # in flight when it was killed
        n = int(body_of(gan, item["id"])["request"]["repLines"][0]["nodes"][0]["value"])
        there = n in [row[0] for row in rules.lines(sim, acted=True)]
        gan.ctl("resolve", item["id"], "--as", "sent" if there else "not-sent")
    gan.drain()
    sent = [n for n, _, _, _ in rules.lines(sim, acted=True)]
    assert list(dict.fromkeys(sent)) == [1, 100, *range(2, 30)]
    assert len(sent) == 30 or kill and len(sent) == 31  # it arrived after we looked
    assert gan.attention() == []
    assert gan.ctl("store check") == []


# ---- without what it comes after ------------------------------------------------------------

LATER = rules.FLEX_ERP.replace("erp-to-flex", "later").replace("erp/line", "erp/later") \
    .replace('"k/"', '"later/"').replace("k/a", "later/a") + "after: ['\"made/\" + $event.key']\n"


def test_one_goes_without_what_it_comes_after(make_gateway, sim):
    gan = make_gateway({"f.yaml": LATER})
    for n in (1, 2):
        gan.erp_post("later", {"n": n, "key": "a"})
    first, _ = gan.wait_key("later/a", "waiting", n=2)
    _, story, _ = gan.ctl_raw("show", first["id"], output="table")
    assert f"gantryctl retry {first['id']} --without-after" in story
    rc, _, err = gan.ctl_raw("retry", "--without-after", first["event"])
    assert rc == 64, err
    gan.ctl("retry", first["id"], "--without-after", "--reason", "made by hand")
    gan.wait_key("later/a", "delivered")
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [1]  # the other one still waits
    deed, = body_of(gan, first["id"])["audit"]
    assert deed["verb"] == "retry --without-after" and deed["reason"] == "made by hand"
    assert deed["before"] == 'waiting, after "made/a"'
    _, story, _ = gan.ctl_raw("show", first["id"], output="table")
    assert re.search(r"retry --without-after, waiting, after \"made/a\" -> waiting: made by hand",
                     story)
    # Several by filter: a plan, and --yes.
    assert gan.ctl_raw("retry", "--state", "waiting", "--without-after")[0] == 64
    gan.ctl("retry", "--state", "waiting", "--without-after", "--yes")
    gan.drain()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [1, 2]
    rc, _, err = gan.ctl_raw("retry", first["id"], "--without-after")
    assert rc == 1 and "is delivered" in err


def test_after_has_a_deadline_and_then_a_way_out(make_gateway, sim):
    gan = make_gateway({"f.yaml": LATER},
                       config={"deliver": {"retry": {"give_up": "1s", "max": "100ms"}}})
    gan.erp_post("later", {"n": 1, "key": "a"})
    first, = gan.wait_key("later/a", "waiting")
    gan.ctl("retry", first["id"])  # looks once more, and waits
    dead, = gan.wait_key("later/a", "dead", deadline=20)
    assert "made/a" in dead["last"]["error"] and "gave up after 1s" in dead["last"]["error"]
    gan.ctl("retry", first["id"], "--without-after")
    gan.wait_key("later/a", "delivered")
    assert gan.attention() == []
