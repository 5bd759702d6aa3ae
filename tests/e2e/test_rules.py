# SPDX-License-Identifier: MIT
"""test_rules.py - bad rules cannot hurt: refused at reload, contained when they run away."""

import threading

import kit
import pytest
import rules

BAD = {
    "syntax": ("rule: bad\nfrom: prodsmart/*\nto: flex2b/replicationpost\nmap: |\n  {a: }\n",
               "rules.d/50-bad.yaml:5:"),
    "unknown function": ("rule: bad\nfrom: prodsmart/*\nto: flex2b/replicationpost\n"
                         "map: nosuch(1)\n", "rules.d/50-bad.yaml:4:"),
    "red test": ("rule: bad\nfrom: prodsmart/*\nto: flex2b/replicationpost\nmap: '{a: 1}'\n"
                 "tests:\n  - name: t\n    event: {}\n    expect: [{a: 2}]\n",
                 "rules.d/50-bad.yaml:"),
    "yaml": ("rule: bad\n  from: [\n", "rules.d/50-bad.yaml:"),
    "unknown key": ("rule: bad\nform: prodsmart/*\nto: flex2b/replicationpost\nmap: .\n",
                    "did you mean"),
    "unknown connector": ("rule: bad\nfrom: prodsmart/*\nto: flexb/replicationpost\nmap: .\n",
                          "did you mean"),
    "unknown operation": ("rule: bad\nfrom: prodsmart/*\nto: flex2b/post\nmap: .\n",
                          "replicationpost"),
    "resend of a release": ("rule: bad\nfrom: erp/*\nto: movilitas/ssccs.release\n"
                            "on_unknown: resend\nmap: .\n", "on_unknown"),
    "closed door": ("rule: bad\nfrom: erp/*\nto: flex2b/replicationpost\nmap: '{a: env.HOME}'\n",
                    "env"),
    "two of a name": (rules.FLEX, "to-flex"),
    "missing table": ("rule: bad\nfrom: erp/*\nto: flex2b/replicationpost\n"
                      "tables: {t: lookups/none.csv}\nmap: .\n", "lookups/none.csv"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_rule_is_refused_and_the_old_set_stays(make_gateway, sim, why):
    gan = make_gateway({"10-flex.yaml": rules.FLEX})
    text, told = BAD[why]
    before = gan.status()["generation"]
    gan.rule("50-bad.yaml", text)
    code, out, err = gan.ctl_raw("reload")
    assert code == 1 and told in out + err, out + err
    code, out, err = gan.ctl_raw("reload", output="table")
    assert code == 1 and told in out + err, out + err
    assert gan.status()["generation"] == before
    gan.send_webhook("lot_created", {"n": 1, "key": "a"})
    gan.wait_key("k/a", "delivered")
    assert gan.attention(kind="config")
    assert gan.ctl_raw("rules", "check")[0] == 1
    gan.unrule("50-bad.yaml")
    gan.ctl("reload")
    assert gan.status()["generation"] > before
    assert not gan.attention(kind="config")


def test_reload_under_load_loses_and_doubles_nothing(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX})
    accepted, stop = [], threading.Event()

    def send(thread):
        n = thread
        while not stop.is_set():
            if gan.send_webhook("lot_created", {"n": n, "key": thread}).status == 200:
                accepted.append(n)
            n += 4

    threads = [threading.Thread(target=send, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    verdicts = []
    try:
        for i in range(10):
            bad = i % 2 == 0
            gan.rule("50-more.yaml", BAD["red test"][0] if bad else rules.FLEX.replace(
                "to-flex", "more").replace("prodsmart/lot.created", "prodsmart/none"))
            verdicts.append(gan.ctl_raw("reload")[0])
            if i == 4:
                gan.hup()
                # The READY=1 of the reload before may still be on its way.
                gan.wait_notify("RELOADING=1", 10)
                gan.wait_notify("READY=1", 10)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert verdicts == [1, 0] * 5
    gan.drain()
    got = [n for n, _, _, _ in rules.lines(sim, acted=True)]
    assert len(got) == len(set(got)), "doubled"
    assert sorted(got) == sorted(accepted)
    assert gan.attention(kind="unknown") == []


RUNAWAYS = {
    "endless": "until(false; .)",
    "memory": "[range(1e9)]",
    "long text": '{a: ("x" * 3e8)}',
    "library": "{a: (1e300 | todate)}",
}


def runaway(code):
    return ("rule: runaway\nfrom: prodsmart/lot.updated\nto: flex2b/replicationpost\n"
            f"map: |\n  {code}\n")


@pytest.mark.parametrize("name", RUNAWAYS)
def test_a_runaway_rule_costs_one_event(make_gateway, sim, name):
    gan = make_gateway({"10-flex.yaml": rules.FLEX, "20-run.yaml": runaway(RUNAWAYS[name])},
                       config={"mapping": {"timeout": "500ms"}})
    pid = gan.proc.pid
    assert gan.send_webhook("lot_created", {"n": 1, "key": "a"}).status == 200
    assert gan.send_webhook("lot_updated", {"n": 2, "key": "a"}).status == 200
    for n in range(3, 23):
        assert gan.send_webhook("lot_created", {"n": n, "key": "a"}).status == 200
    gan.drain(30)
    rejected, = gan.attention(kind="rejected")
    assert rejected["rule"] == "runaway" and rejected["reason"]
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == [1, *range(3, 23)]
    assert gan.proc.poll() is None and gan.proc.pid == pid
    assert gan.http("GET", "/readyz").status == 200
    # Mended, the same event goes through.
    gan.rule("20-run.yaml", rules.FLEX.replace("to-flex", "runaway").replace(
        "lot.created", "lot.updated"))
    gan.ctl("reload")
    gan.ctl("retry", rejected["id"])
    kit.wait_until(lambda: 2 in [n for n, _, _, _ in rules.lines(sim, acted=True)], 10,
                   "the event is sent after all")
    assert gan.attention() == []


def test_the_last_green_set_survives_a_restart(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX})
    gan.rule("50-bad.yaml", BAD["red test"][0])
    gan.restart()
    assert gan.send_webhook("lot_created", {"n": 1, "key": "a"}).status == 200
    gan.wait_key("k/a", "delivered")
    assert gan.attention(kind="config")
    # Red at the start of a new version of the rule itself: the green one still runs.
    gan.unrule("50-bad.yaml")
    gan.rule("10-flex.yaml", rules.FLEX.replace("{ repLines:", "{ repLines"))
    gan.kill()
    gan.start()
    assert gan.send_webhook("lot_created", {"n": 2, "key": "a"}).status == 200
    gan.wait_key("k/a", "delivered", n=2)
    assert [n for n, _, _, _ in rules.lines(sim)] == [1, 2]


def test_without_a_green_set_events_wait(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": BAD["syntax"][0]})
    assert gan.http("GET", "/healthz").status == 200
    assert gan.send_webhook("lot_created", {"n": 1, "key": "a"}).status == 200
    assert gan.attention(kind="config")
    assert gan.status()["events"]["received"] == 1
    gan.rule("10-flex.yaml", rules.FLEX)
    gan.ctl("reload")
    gan.wait_key("k/a", "delivered")


def rejecting(code, **more):
    text = "rule: r\nfrom: erp/line\nto: flex2b/replicationpost\n"
    text += "".join(f"{k}: {v}\n" for k, v in more.items())
    return text + f"map: |\n  {code}\n"


@pytest.mark.parametrize("code, body, reason", [
    ('reject("no gtin for \\(.n)")', '{"n":7}', "no gtin for 7"),
    ('({a: 1}, {a: 2}, reject("after two"))', "{}", "after two"),
    ("error(null)", "{}", ""), (".a.b.c", '{"a":[]}', "index"),
    ("range(1001) | {n: .}", "{}", "1000"),
    ("{n: .n}", '{"n":9007199254740993}', "9007199254740993"),
    ("{n: .n}", '{"n":1e1000}', "1e1000")])
def test_an_event_is_rejected_whole(make_gateway, sim, code, body, reason):
    gan = make_gateway({"r.yaml": rejecting(code)})
    ident = gan.erp_post("line", body).json()["id"]
    event = gan.wait_event(ident, "rejected")
    assert reason in event["reason"]
    assert event["deliveries"] == []
    item, = gan.attention(kind="rejected")
    assert item["id"] == ident and item["rule"] == "r"
    assert sim.journal() == []


def test_an_empty_key_is_rejected(make_gateway):
    gan = make_gateway({"r.yaml": rejecting("{a: 1}", key="'\"\"'")})
    ident = gan.erp_post("line", {}).json()["id"]
    assert "key" in gan.wait_event(ident, "rejected")["reason"]


def test_no_output_is_no_delivery(make_gateway):
    gan = make_gateway({"r.yaml": rejecting("empty")})
    ident = gan.erp_post("line", {}).json()["id"]
    assert gan.wait_event(ident, "mapped")["deliveries"] == []


def test_two_rules_are_apart(make_gateway, sim):
    gan = make_gateway({"a.yaml": rules.FLEX_ERP, "r.yaml": rejecting('reject("not me")')})
    ident = gan.erp_post("line", {"n": 1, "key": "a"}).json()["id"]
    gan.wait_key("k/a", "delivered")
    assert gan.event(ident)["state"] == "rejected"
    gan.rule("r.yaml", rejecting("empty"))
    gan.ctl("reload")
    gan.ctl("retry", ident)
    gan.wait_event(ident, "mapped")
    assert len(rules.lines(sim)) == 1, "the rule that was content is not run again"


def test_order_of_acceptance_survives_parallel_workers(make_gateway, sim):
    slow = rules.FLEX.replace("{ repLines:", "(if .n % 5 == 0 then [range(300000)] else 0 end) "
                              "| length as $x | $event | { repLines:")
    gan = make_gateway({"f.yaml": slow}, config={"mapping": {"workers": 4}})
    for n in range(1, 31):
        assert gan.send_webhook("lot_created", {"n": n, "key": "a"}).status == 200
    gan.wait_key("k/a", "delivered", n=30, deadline=30)
    assert [n for n, _, _, _ in rules.lines(sim)] == list(range(1, 31))
