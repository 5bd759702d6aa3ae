# SPDX-License-Identifier: MIT
"""test_runaway.py - rules that never end, eat, crash or pry, in a gateway that goes on working.

Each is a real rule beside a good one.  The event it gets is rejected with the
rule's name and a reason; the good ones meanwhile are all delivered, in order,
and accepted at once.
"""

import glob
import os
import re
import threading

import kit
import process
import pytest
import rules
from witness import Witness

# name: (map, body of the event, what the reason must say; None: as this jq likes it)
KILLED = r"rule run-NAME (exceeded 500ms|needed more than 64MiB|crashed)"
EITHER = KILLED + r"|cannot allocate|Out of memory|retry-limit|nested deeper"
RUNAWAYS = {
    "endless": ("until(false; .)", {}, r"rule run-NAME exceeded 500ms"),
    "endless-path": ("path(recurse(.a; true))", {}, r"1,?000 outputs"),
    "endless-outputs": ("range(1e18) | empty", {}, r"rule run-NAME exceeded 500ms"),
    "empty-gsub": ('{a: ("abc" | gsub(""; "x"))}', {}, KILLED),
    "memory": ("[range(1e9)]", {}, KILLED),
    "doubling": ('{a: ([range(60)] | reduce .[] as $i ("x"; . + .))}', {}, KILLED),
    "long-text": ('{a: ("x" * 3e8)}', {}, KILLED),
    "large-index": ("{a: (null | .[5e8] = 1)}", {}, EITHER),
    "recursion": ("def f: 1 + f; f", {}, KILLED),
    "deep-value": ("reduce range(1e6) as $i (0; [.]) | {a: tojson}", {}, KILLED),
    "deep-output": ("reduce range(1e5) as $i (0; [.])", {}, EITHER),
    "tree": ("[recurse([., .])] | length", {}, KILLED),
    "abort-by-date": ("{a: (.t | todate)}", {"t": 1e300}, EITHER + "|jq|date|would change"),
    "abort-in-rule": ("{a: (1e300 | todate)}", {}, KILLED),
    "abort-by-slice": ('{a: ("x" | .[nan:])}', {}, KILLED),
    "abort-by-implode": ("{a: (.c | implode)}", {"c": [-1, 1114112, 55296]}, None),
    "regex": ('{a: (.s | test("^(x+x+)+y$"))}', {"s": "x" * 60}, EITHER),
    "regex-of-the-data": ("{a: (.re as $re | .s | test($re))}",
                          {"s": "x" * 60, "re": "^(x+x+)+y$"}, EITHER),
    "regex-large": ('{a: ("x" | test("(" * 100000))}', {}, EITHER + "|regex|not valid"),
    "many-outputs": ("range(1000000) | {n: .}", {}, r"1,?000"),
    "many-by-doubling": ("def a: (., .); def b: (a | a | a | a | a); b | b | b | b | {a: 1}", {},
                         r"1,?000"),
    "large-output": ('("x" * 65536) as $s | {a: [range(80) | $s]}', {}, r"4 ?MiB"),
    "large-in-all": ('("x" * 65536) as $s | range(900) | {a: $s}', {}, r"4 ?MiB"),
    "long-key": ("{a: 1}", {}, "key"),
    "error-null": ("{a: 1}, error(null)", {}, "null"),
    "error-large": ('error("x" * 1000000)', {}, "x{900}"),
    "break-out": ("label $out | {a: 1}, break $out, until(false; .)", {}, None),
}
if kit.SLOW > 1:  # a sanitizer's own memory is beyond what a worker is limited to
    for name in ("memory", "doubling", "large-index", "tree"):
        RUNAWAYS.pop(name)


def rule_file(name, code):
    key = "key: '\"k\" * 300'\n" if name == "long-key" else ""
    return (f"rule: run-{name}\nfrom: erp/run.{name}\nto: flex2b/replicationpost\n{key}"
            f"map: |\n  {code}\n")


class Load:
    """Good events, one key, until it is told to stop; all must be taken."""

    def __init__(self, gan):
        self.gan, self.n, self.over = gan, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(0.02):
            assert self.gan.send_webhook("lot_created", {"n": self.n, "key": "a"}).status == 200
            self.n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def test_runaways_cost_one_event_each(make_gateway, sim):
    files = {f"r-{name}.yaml": rule_file(name, code) for name, (code, _, _) in RUNAWAYS.items()}
    gan = make_gateway({"10-flex.yaml": rules.FLEX, **files},
                       config={"mapping": {"timeout": "500ms", "memory": "64MiB"}})
    pid, wrong = gan.proc.pid, []
    with Witness(gan) as seen, Load(gan) as good:
        for name, (_, body, told) in RUNAWAYS.items():
            before = gan.status()["mapping"]["restarts"]
            ident = gan.erp_post(f"run.{name}", body).json()["id"]
            if told is None:
                kit.wait_until(lambda i=ident: gan.event(i)["state"] in ("mapped", "rejected"), 20,
                               f"{name} comes to an end")
                continue
            event = gan.wait_event(ident, "rejected", 20)
            reason, killed = event["reason"] or "", KILLED.replace("NAME", name)
            after = gan.status()["mapping"]["restarts"]
            # On a busy machine any of them may take too long first.
            if not re.search(told.replace("NAME", name) + f"|rule run-{name} exceeded", reason):
                wrong.append((name, reason))
            if event["deliveries"]:
                wrong.append((name, "all or nothing", event["deliveries"]))
            if re.search(killed, reason) and after - before < 2:
                wrong.append((name, reason, f"{after - before} workers were killed"))
            print(f"{name}: {reason[:120]}")
        seen.wait(3)
    assert not wrong, wrong
    seen.check()
    assert gan.proc.pid == pid and gan.proc.poll() is None
    gan.wait_key("k/a", "delivered", n=min(good.n, 1000), deadline=30)
    gan.drain()
    assert [n for n, key, _, _ in rules.lines(sim, acted=True) if key == "a"] == list(range(good.n))
    items = gan.attention(kind="rejected")
    assert {i["rule"] for i in items} >= {f"run-{n}" for n, r in RUNAWAYS.items() if r[2]}
    assert all(len(i["reason"]) <= 1100 for i in items)
    kit.wait_until(lambda: gan.status()["mapping"]["workers"] == 2, 10, "both workers are back")
    assert gan.http("GET", "/readyz").status == 200
    assert process.mib(gan.proc.pid, "VmHWM") < 256 * kit.SLOW
    lines = gan.log().split("\n")
    assert len(lines) < 400, "a line for each, not a flood"


def test_both_workers_busy_with_runaways(make_gateway, sim):
    """As many runaway events at once as there are workers, and more: the good ones come through."""
    gan = make_gateway({"10-flex.yaml": rules.FLEX, "20-run.yaml": rule_file(
        "endless", "until(false; .)")}, config={"mapping": {"timeout": "200ms"}})
    with Witness(gan) as seen:
        idents = []
        for n in range(8):
            idents.append(gan.erp_post("run.endless", {"n": n}).json()["id"])
            assert gan.send_webhook("lot_created", {"n": n, "key": "a"}).status == 200
        for ident in idents:
            gan.wait_event(ident, "rejected", 30)
        gan.wait_key("k/a", "delivered", n=8, deadline=30)
    seen.check()
    assert [n for n, _, _, _ in rules.lines(sim, acted=True)] == list(range(8))


def closed():
    """The rule files of tests/data whose code pries: env, halt, input, include …"""
    folder = os.path.join(kit.TOP, "tests", "data", "rules", "bad")
    for path in sorted(glob.glob(os.path.join(folder, "closed-*.yaml"))):
        with open(path, encoding="utf-8") as f, open(path[:-4] + "txt", encoding="utf-8") as t:
            yield os.path.basename(path)[:-5], f.read(), t.read()


def test_what_pries_is_a_load_error_with_its_place(make_gateway, sim):
    gan = make_gateway({"10-flex.yaml": rules.FLEX})
    generation, tried = gan.status()["generation"], 0
    for name, text, told in closed():
        gan.rule("r.yaml", text.replace("to: wms/op", "to: flex2b/replicationpost"))
        code, out, err = gan.ctl_raw("reload", output="table")
        assert code == 1, name
        for line in told.rstrip("\n").split("\n"):
            if "wms" not in line:
                assert line in out + err, (name, line, out + err)
        assert gan.status()["generation"] == generation
        tried += 1
    assert tried >= 12
    assert gan.send_webhook("lot_created", {"n": 1, "key": "a"}).status == 200
    gan.wait_key("k/a", "delivered")


# Ways round the words that the scan looks for; each must come out empty-handed.
PRYING = {
    "environ": "$__prog_args", "quoted": '"\\(env)"', "spaced": "$ ENV", "by-path": "getpath([])",
    "home": '{a: ("~/.jq" | ltrimstr("~"))}', "variables": "{a: [$__loc__]}",
    "library": 'import "a" as a; {}', "module": 'include "../secrets/prodsmart-hook"; {}',
    "data": 'import "secrets/prodsmart-hook" as $s; {}', "late": '({} | include "x"; {})',
    "builtins": "{a: builtins}", "search": "{a: get_search_list}", "line": "{a: input_line_number}",
}


def test_no_rule_sees_the_environment_or_a_file(make_gateway, sim):
    """The workers have neither: nothing that a rule says gets at what is not there."""
    gan = make_gateway({"10-flex.yaml": rules.FLEX}, start=False)
    canary = "canary-0123456789-canary"
    gan.start(env={"GANTRY_CANARY": canary, "HOME": gan.dir, "JQ_LIBRARY_PATH": gan.dir})
    assert gan.send_webhook("lot_created", {"n": 1, "key": "a"}).status == 200
    gan.wait_key("k/a", "delivered")
    workers = process.children(gan.proc.pid)
    assert workers
    for pid in workers:
        environ = process.read(pid, "environ")
        assert canary.encode() not in environ
        names = {pair.split(b"=")[0] for pair in environ.split(b"\0") if pair}
        assert names <= {b"TZ", b"LC_ALL", b"ASAN_OPTIONS", b"UBSAN_OPTIONS"}, names
        limits = process.read(pid, "limits").decode()
        assert re.search(r"Max core file size +0 +0", limits), limits
        memory = 256 << 20  # mapping.memory; a sanitizer needs more for itself
        assert kit.SLOW > 1 or re.search(rf"Max address space +{memory} +{memory}", limits), limits
    gan.write(".jq", "def leak: \"leaked\";\n")
    said = []
    for name, code in PRYING.items():
        gan.rule("20-pry.yaml", "rule: pry\nfrom: erp/pry\nto: flex2b/replicationpost\n"
                 f"map: |\n  {code}\n")
        rc, out, err = gan.ctl_raw("reload")
        said.append((name, rc, out + err))
        if rc == 0:
            ident = gan.erp_post("pry", {}).json()["id"]
            kit.wait_until(lambda: gan.event(ident)["state"] != "received", 10, "mapped")
            said.append((name, gan.event(ident), gan.ctl_raw("show", ident, "--bodies")[1]))
    text = str(said) + gan.log() + str(sim.journal())
    for secret in [canary, *gan.SECRETS.values()]:
        assert secret not in text
    assert "leaked" not in text
