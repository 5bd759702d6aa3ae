# SPDX-License-Identifier: MIT
"""test_replay.py - stored events once more: plan, replay, its end by force, and who goes first."""

import json

import subprocess

import kit
import process
import pytest
import rules

# One that nothing but its effect keeps from being done twice.
ONCE = rules.FLEX_ERP + "effect: '\"made/\" + ($event.n | tostring)'\n"




def slow(turns):
    """A rule that needs its time for each event."""
    return rules.FLEX_ERP.replace(
        "map: |", f"map: |\n  (reduce range({turns}) as $i (0; . + $i)) as $x |").split("tests:")[0]


def ended(gan, no=1, state="done", deadline=30):
    def look():
        row = [r for r in gan.ctl("replay list") if r["replay"] == no]
        return row[0] if row and row[0]["state"] == state else None
    return kit.wait_until(look, deadline, f"replay {no} is {state}")


def post(gan, count, keys=5, topic="line", first=0):
    ids = []
    for n in range(first, first + count):
        answer = gan.erp_post(topic, {"n": n, "key": n % keys})
        assert answer.status == 202
        ids.append(answer.json()["id"])
    return ids


def sent(sim):
    return [n for n, _, _, _ in rules.lines(sim, acted=True)]


def test_a_plan_changes_nothing(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    ids = post(gan, 20)
    gan.drain()
    before = gan.deliveries(), gan.ctl("audit"), gan.ctl("replay list")
    plan = gan.ctl("replay", "--plan", "--source", "erp")
    assert plan["events"] == 20 and plan["deliveries"] == 20 and plan["complete"]
    assert plan["upto"] == ids[-1]
    row, = plan["rules"]
    assert (row["rule"], row["connector"], row["operation"], row["deliveries"], row["rejected"]) == \
        ("erp-to-flex", "flex2b", "replicationpost", 20, 0)
    assert [e["event"] for e in row["examples"]] == ids[:3]
    assert row["examples"][0]["body"]["repLines"][0]["nodes"][0]["value"] == "0"
    assert gan.ctl("replay", "--plan", "--key", "k/1", "--topic", "li*")["deliveries"] == 4
    assert gan.ctl("replay", "--plan", ids[3], ids[5])["deliveries"] == 2
    assert gan.ctl("replay", "--plan", "--connector", "movilitas")["deliveries"] == 0
    assert gan.ctl("replay", "--plan", "--since", "2099-01-01T00:00:00Z")["events"] == 0
    assert gan.ctl("replay", "--plan", "--until", "2000-01-01T00:00:00Z")["events"] == 0
    assert (gan.deliveries(), gan.ctl("audit"), gan.ctl("replay list")) == before
    assert len(sent(sim)) == 20


def test_how_it_is_asked(make_gateway):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    post(gan, 2)
    gan.drain()
    for args, rc, words in (((), 64, "say which events"), (("--yes",), 64, "say which events"),
                            (("--rule", "nope"), 1, "no rule"), (("d1",), 64, "no event id"),
                            (("--connector", "nope"), 1, "no connector"),
                            (("--source", "erp"), 64, "--yes"),
                            (("--since", "soon"), 64, "--since")):
        got, out, err = gan.ctl_raw("replay", *args)
        assert got == rc and words in err, (args, got, out, err)
    rc, out, err = gan.ctl_raw("replay", "--source", "prodsmart", "--yes", output="table")
    assert rc == 1 and "plan: 0 deliveries" in out and "nothing was done" in err
    rc, out, err = gan.ctl_raw("replay", "--source", "erp", output="table")
    assert rc == 64 and "plan: 2 deliveries from 2 events" in out and "for example" in out
    assert gan.ctl("replay list") == [] and gan.ctl("audit") == []
    rc, _, err = gan.ctl_raw("replay", "stop")
    assert rc == 1 and "no replay is running" in err
    gan.reconfigure(require_reason=True)
    gan.ctl("reload", "--reason", "r")
    assert gan.ctl_raw("replay", "--source", "erp", "--yes")[0] == 64
    assert gan.ctl("replay", "--source", "erp", "--plan")["deliveries"] == 2


def test_a_replay_makes_new_deliveries_by_the_rules_of_now(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    ids = post(gan, 10)
    gan.drain()
    # The rule was wrong: another one is in force now.
    gan.rule("f.yaml", rules.FLEX_ERP.replace('value: (.n | tostring)', 'value: (.n + 1000 | tostring)'))
    gan.ctl("reload")
    begun = gan.ctl("replay", "--rule", "erp-to-flex", "--since", "1h", "--yes", "--reason", "mended")
    assert begun["replay"] == 1 and begun["upto"] == ids[-1] and begun["reason"] == "mended"
    row = ended(gan)
    assert (row["events"], row["deliveries"], row["rejected"]) == (10, 10, 0)
    gan.drain()
    assert sorted(sent(sim)) == sorted([*range(10), *range(1000, 1010)])
    event, = gan.show(ids[0])["events"]
    assert [d.get("replay") for d in event["deliveries"]] == [None, 1]
    _, story, _ = gan.ctl_raw("show", ids[0], output="table")
    assert "of replay: 1" in story
    deed = gan.ctl("audit")[0]
    assert deed["verb"] == "replay" and deed["object"] == "replay 1" and deed["reason"] == "mended"
    assert json.loads(deed["after"])["rule"] == "erp-to-flex"
    assert gan.ctl("store check") == []


def test_what_nobody_listened_to_can_be_replayed(make_gateway, sim):
    gan = make_gateway({"f.yaml": rules.RELEASE})
    ids = post(gan, 3)
    gan.wait_event(ids[-1], "ignored")
    gan.rule("f.yaml", rules.FLEX_ERP)
    gan.ctl("reload")
    gan.ctl("replay", *ids, "--yes")
    assert ended(gan)["deliveries"] == 3
    gan.drain()
    assert sorted(sent(sim)) == [0, 1, 2] and gan.ctl("store check") == []


def test_what_a_rule_rejects_is_counted(make_gateway):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP.replace("map: |", "map: |\n  if .n == 2 then "
                                                         "reject(\"never a two\") else . end |")})
    post(gan, 3)
    gan.drain()
    plan = gan.ctl("replay", "--source", "erp", "--plan")
    assert plan["rules"][0]["rejected"] == 1 and "never a two" in plan["rules"][0]["reject"]
    items = gan.attention()
    gan.ctl("replay", "--source", "erp", "--yes")
    row = ended(gan)
    assert row["rejected"] == 1 and "never a two" in row["last_rejection"] and row["deliveries"] == 2
    assert gan.attention() == items


def test_an_equal_effect_is_not_done_again(make_gateway, sim):
    gan = make_gateway({"f.yaml": ONCE})
    post(gan, 10)
    gan.drain()
    gan.ctl("replay", "--source", "erp", "--yes")
    ended(gan)
    gan.drain()
    assert sorted(sent(sim)) == list(range(10))  # no second call
    again = [d for d in gan.deliveries() if d.get("replay") == 1]
    assert len(again) == 10 and {d["state"] for d in again} == {"delivered"}
    assert {d["attempts"] for d in again} == {0}
    # Another body under it is a conflict, for a person.
    gan.rule("f.yaml", ONCE.replace('{name: "key"', '{name: "more", value: "x"}, {name: "key"'))
    gan.ctl("reload")
    gan.ctl("replay", "--key", "k/1", "--yes")
    ended(gan, 2)
    kit.wait_until(lambda: gan.attention(kind="conflict"), 10, "a conflict")
    assert sorted(sent(sim)) == list(range(10))


def test_live_ones_go_first(make_gateway, sim):
    """A replay that waits, then live traffic: all of it leaves before the rest of the replay."""
    gan = make_gateway({"f.yaml": rules.FLEX_ERP},
                       config={"connectors": {"flex2b": {"concurrency": 1}}})
    post(gan, 60, keys=60)
    gan.drain()
    gan.ctl("pause", "flex2b")
    gan.ctl("replay", "--source", "erp", "--yes")
    assert ended(gan)["deliveries"] == 60
    post(gan, 30, keys=30, first=100)
    # One that shares its key with a replay does not overtake it.
    gan.erp_post("line", {"n": 200, "key": 59})
    kit.wait_until(lambda: gan.status()["deliveries"]["waiting"] == 91, 10, "all are queued")
    gan.ctl("resume", "flex2b")
    gan.drain()
    order = sent(sim)[60:]
    # Keys 0..29 have a replay before their live one: 30 pairs, and the pair of key 59.
    places = {n: i for i, n in enumerate(order)}
    assert len(order) == 91
    for key in range(30):
        assert places[key] < places[100 + key]
    assert places[59] < places[200]
    assert max(places[n] for n in (*range(100, 130), 200)) < min(places[n] for n in range(30, 59))


def test_kill_in_the_middle_loses_and_doubles_nothing(make_gateway, sim, seed):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP})
    gan.ctl("pause", "flex2b")
    count = 1500
    items = [{"n": n, "key": n % 7} for n in range(count)]
    for item in items:
        assert gan.erp_post("line", item).status == 202
    kit.wait_until(lambda: gan.status()["events"]["mapped"] == count, 60, "all are mapped")
    gan.ctl("replay", "--source", "erp", "--yes")
    seen = []
    for part in range(1, 4):  # kill it as often as it is seen at work
        def some():
            row, = gan.ctl("replay list")
            return row if row["state"] == "done" or row["events"] > part * count // 6 else None
        row = kit.wait_until(some, 30, "the replay is at work", every=0.001)
        seen.append(row["events"])
        gan.kill()
        gan.start()
        # Live traffic goes on meanwhile.
        assert gan.erp_post("line", {"n": count + part, "key": "live"}).status == 202
    row = ended(gan, deadline=60)
    assert row["events"] == count and row["deliveries"] == count, seen
    made = [d["event"] for d in gan.deliveries() if d.get("replay") == 1]
    assert len(made) == count and len(set(made)) == count
    assert gan.ctl("store check") == [] and min(seen) < count
    gan.kill()


def test_it_can_be_stopped_and_done_again(make_gateway, sim):
    gan = make_gateway({"f.yaml": slow(60000)}, config={"mapping": {"workers": 4}})
    gan.ctl("pause", "flex2b")
    count = 60
    post(gan, count, keys=count)
    kit.wait_until(lambda: gan.status()["events"]["mapped"] == count, 60, "all are mapped")
    gan.ctl("replay", "--source", "erp", "--yes")
    rc, _, err = gan.ctl_raw("replay", "--source", "erp", "--yes")
    assert rc == 1 and "replay 1 is under way" in err
    assert gan.ctl_raw("replay", "stop", "2")[0] == 1
    row = gan.ctl("replay", "stop", "1", "--reason", "enough")
    assert row["state"] == "stopped" and row["ended_at"] and row["deliveries"] < count
    assert sum(1 for d in gan.deliveries() if d.get("replay") == 1) == row["deliveries"]
    deed = gan.ctl("audit")[0]
    assert (deed["verb"], deed["object"], deed["reason"]) == ("replay stop", "replay 1", "enough")
    # What the first one did not come to, another one does.
    gan.ctl("replay", "--source", "erp", "--yes")
    assert ended(gan, 2, deadline=60)["deliveries"] == count
    assert sum(1 for d in gan.deliveries() if d.get("replay") == 1) == row["deliveries"]


def test_it_goes_on_after_a_stop(make_gateway, sim):
    gan = make_gateway({"f.yaml": slow(60000)}, config={"mapping": {"workers": 4}})
    gan.ctl("pause", "flex2b")
    post(gan, 40, keys=3)
    kit.wait_until(lambda: gan.status()["events"]["mapped"] == 40, 60, "all are mapped")
    gan.ctl("replay", "--source", "erp", "--yes")
    assert gan.stop(deadline=8) == 0
    gan.start()
    assert ended(gan, deadline=60)["deliveries"] == 40
    assert sum(1 for d in gan.deliveries() if d.get("replay") == 1) == 40


@pytest.mark.parametrize("asker", ["waits", "is gone"])
def test_a_stop_does_not_wait_for_a_plan(make_gateway, asker):
    gan = make_gateway({"f.yaml": rules.FLEX_ERP}, config={"mapping": {"timeout": "20s"}})
    post(gan, 20)
    gan.drain()
    workers = len(process.children(gan.proc.pid))
    gan.rule("f.yaml", slow(20_000_000))
    gan.ctl("reload")
    words = ["replay", "--source", "erp"]
    with subprocess.Popen([kit.program("gantryctl"), "--socket", gan.socket, *words, "--plan"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as plan:
        kit.wait_until(lambda: len(process.children(gan.proc.pid)) > workers, 20,
                       "a worker of its own")
        if asker == "is gone":
            # Nobody waits for a plan whose asker has gone.
            plan.kill()
        assert gan.stop(deadline=8) == 0
        out, err = plan.communicate(timeout=10)
        if asker == "waits":
            assert plan.returncode == 69 and out == "", err
