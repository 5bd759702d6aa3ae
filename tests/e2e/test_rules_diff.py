# SPDX-License-Identifier: MIT
"""test_rules_diff.py - what other rules would have made of the events that are stored."""

import os
import subprocess
import threading

import kit
import process
import pytest
import rules


def post(gan, count, first=0, topic="line"):
    ids = []
    for n in range(first, first + count):
        answer = gan.erp_post(topic, {"n": n, "key": n % 5})
        assert answer.status == 202
        ids.append(answer.json()["id"])
    return ids


def diff(gan, *args, rc=1):
    return gan.ctl("rules diff", *args, rc=rc)


@pytest.fixture
def gan(make_gateway):
    g = make_gateway({"f.yaml": rules.FLEX_ERP})
    g.ids = post(g, 10)
    g.drain()
    return g


def test_no_difference_is_0(gan, sim):
    told = diff(gan, "--since", "1h", rc=0)
    assert told == {"events": 10, "same": 10, "added": 0, "removed": 0, "changed": 0, "rejects": 0,
                    "accepts": 0, "complete": True, "next": None, "findings": "", "differences": []}
    # Members in another order are the same JSON.
    gan.rule("f.yaml", rules.FLEX_ERP.replace('{name: "key", value: (.key | tostring)}',
                                              '{value: (.key | tostring), name: "key"}'))
    assert diff(gan, "--since", "1h", rc=0)["same"] == 10
    _, out, _ = gan.ctl_raw("rules", "diff", "--since", "1h", output="table")
    assert out == "10 events: 10 same\n"


def test_what_changes(gan, sim):
    gan.rule("f.yaml", rules.FLEX_ERP.replace(
        "value: (.n | tostring)", "value: (if .n == 3 then 1003 else .n end | tostring)"))
    told = diff(gan, "--since", "1h")
    assert (told["changed"], told["same"]) == (1, 9)
    item, = told["differences"]
    assert item["event"] == gan.ids[3] and item["rule"] == "erp-to-flex" and item["key"] == "k/3"
    assert item["change"] == "changed" and item["before"]["to"] == "flex2b/replicationpost"
    assert item["before"]["body"]["repLines"][0]["nodes"][0]["value"] == "3"
    assert item["after"]["body"]["repLines"][0]["nodes"][0]["value"] == "1003"
    _, out, _ = gan.ctl_raw("rules", "diff", "--since", "1h", output="table")
    assert f"{gan.ids[3]} erp/line, rule erp-to-flex, key k/3: changed\n" in out
    assert '    repLines[0].nodes[0].value: "3" -> "1003"\n' in out
    assert out.endswith("10 events: 9 same, 1 changed\n")
    # Nothing of it has happened.
    assert sorted(n for n, _, _, _ in rules.lines(sim)) == list(range(10))
    assert len(gan.deliveries()) == 10 and gan.ctl("audit") == []


def test_added_removed_and_other_keys(gan):
    second = rules.FLEX_ERP.replace("erp-to-flex", "second").replace('"k/"', '"second/"') \
        .replace("k/a", "second/a")
    gan.rule("g.yaml", second + "when: '.n < 2'\n")
    told = diff(gan, "--since", "1h")
    assert told["added"] == 2 and told["same"] == 10
    assert {(i["rule"], i["change"], i["key"]) for i in told["differences"]} == \
        {("second", "added", "second/0"), ("second", "added", "second/1")}
    assert all(i["before"] is None for i in told["differences"])
    # Only one rule, one key, one event.
    assert diff(gan, "--rule", "erp-to-flex", rc=0)["same"] == 10
    assert diff(gan, "--key", "second/1")["added"] == 1
    assert diff(gan, gan.ids[0])["events"] == 1
    gan.unrule("f.yaml")
    gan.unrule("g.yaml")
    gan.rule("g.yaml", second)
    told = diff(gan, "--since", "1h")
    assert (told["added"], told["removed"], told["same"]) == (10, 10, 0)
    # Another key is not a change of a body.
    gan.unrule("g.yaml")
    gan.rule("f.yaml", rules.FLEX_ERP.replace('"k/"', '"key/"').replace("k/a", "key/a"))
    told = diff(gan, "--key", "k/1")
    assert (told["added"], told["removed"]) == (0, 2)


def test_rejections_and_effects(gan):
    gan.rule("f.yaml", rules.FLEX_ERP.replace(
        "map: |", "map: |\n  if .n == 4 then reject(\"not four\") else . end |"))
    told = diff(gan, "--since", "1h")
    assert (told["rejects"], told["removed"], told["same"]) == (1, 1, 9)
    item = [i for i in told["differences"] if i["change"] == "rejects"][0]
    assert "not four" in item["reject"] and item["event"] == gan.ids[4]
    gan.rule("f.yaml", rules.FLEX_ERP + "effect: '\"e/\" + ($event.n | tostring)'\n")
    told = diff(gan, "--since", "1h")
    assert told["changed"] == 10 and told["differences"][0]["after"]["effect"] == "e/0"
    _, out, _ = gan.ctl_raw("rules", "diff", gan.ids[0], output="table")
    assert '(effect): null -> "e/0"' in out


def test_another_folder_and_files_that_are_wrong(gan):
    os.mkdir(gan.path("new.d"))
    gan.write("new.d/f.yaml", rules.FLEX_ERP.replace("(.n | tostring)}", '"x"}'))
    assert diff(gan, "--since", "1h", rc=0)["same"] == 10
    assert diff(gan, "--since", "1h", "--rules", gan.path("new.d"))["changed"] == 10
    done = subprocess.run([kit.program("gantryctl"), "--socket", gan.socket, "rules", "diff",
                           "--since", "1h", "--rules", "new.d"], cwd=gan.dir, timeout=60,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "10 changed" in done.stdout
    rc, _, err = gan.ctl_raw("rules", "diff", "--since", "1h", "--rules", "/nonexistent")
    assert rc == 1 and "/nonexistent" in err
    gan.rule("f.yaml", rules.FLEX_ERP.replace("uuid5(", "uuid6("))
    rc, _, err = gan.ctl_raw("rules", "diff", "--since", "1h")
    assert rc == 1 and "rules.d/f.yaml:" in err and "uuid6" in err
    # A red test keeps a set out of force; what it would do is told all the same.
    gan.rule("f.yaml", rules.FLEX_ERP.replace("expect_key: k/a", "expect_key: k/b"))
    told = diff(gan, "--since", "1h", rc=0)
    assert told["same"] == 10 and "red" in told["findings"]


def test_how_it_is_asked(gan):
    for args, rc, words in (((), 64, "say which events"), (("--rule", "nope"), 1, "no rule"),
                            (("--since", "1h", "--after", "x"), 64, "--after"),
                            (("d1",), 64, "no event id")):
        got, _, err = gan.ctl_raw("rules", "diff", *args)
        assert got == rc and words in err, (args, got, err)


def test_pages(gan):
    gan.rule("f.yaml", rules.FLEX_ERP.replace('(.n | tostring)}', '"x"}'))
    seen, after = [], ()
    for _ in range(5):
        told = diff(gan, "--since", "1h", "--limit", "3", *after)
        seen += [i["event"] for i in told["differences"]]
        if told["complete"]:
            break
        after = ("--after", told["next"])
    assert seen == gan.ids


def test_live_traffic_does_not_wait_for_it(make_gateway, sim):
    """A candidate that is slow: events that come meanwhile are mapped by workers of their own."""
    gan = make_gateway({"f.yaml": rules.FLEX_ERP}, config={"mapping": {"timeout": "1s", "workers": 1}})
    ids = post(gan, 6)
    gan.drain()
    gan.rule("f.yaml", rules.FLEX_ERP.replace(
        "map: |", "map: |\n  (if .n == 2 then (last(range(1e12)) | tostring) else \"\" end) as $x |"))
    workers = len(process.children(gan.proc.pid))
    told = {}
    asker = threading.Thread(target=lambda: told.update(diff(gan, "--since", "1h")))
    asker.start()
    kit.wait_until(lambda: len(process.children(gan.proc.pid)) > workers, 20, "workers of its own")
    more = post(gan, 20, first=100)
    gan.wait_event(more[-1], "mapped", deadline=10)
    asker.join(60)
    # The endless one is killed at its deadline, as in earnest, and nobody else suffers.
    assert told["rejects"] == 1 and told["differences"][0]["event"] == ids[2]
    assert told["same"] >= 5
    gan.drain()
    assert sorted(n for n, _, _, _ in rules.lines(sim, acted=True)) == [*range(6), *range(100, 120)]
    kit.wait_until(lambda: len(process.children(gan.proc.pid)) <= workers, 10, "they are gone")
