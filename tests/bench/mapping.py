# SPDX-License-Identifier: MIT
"""mapping.py - rules at work beside a bare loop of libjq, and the start with 200 rules.

bare_jq and map_pool take turns in one run, on the same programs and events; the
ratio is the median of the rounds.  CPU is told too: it does not depend on what
else the machine does.
"""

import json
import os
import re
import shutil
import time

import kit
import yaml
from bench import median, program_json
from flow import RULE

RULES = 200
LOT = {"code": "LOT-@N@", "creation-date": "2026-11-21T19:02:11.123Z",
       "expiration-date": "2027-11-21T00:00:00.000Z", "supplier-lot": "agriculture1",
       "product": {"id": 222, "code": "product-code", "uom": "kg"}, "quantity": 10.5,
       "comment": "A comment of the length that people write when they have a moment, "
                  "and no longer than that.",
       "warehouse-location": {"id": 333, "code": "warehouse-location-code",
                              "warehouse": {"id": 444, "code": "warehouse-code"}},
       "sales-order": {"id": 555, "code": "sales-order-code",
                       "client": {"id": 777, "code": "client-code"},
                       "parameters": [{"name": "parameterX", "value": "valueX"}]},
       "shipping": {"id": 666, "code": "shipping-code"},
       "worker": {"id": 333, "number": 0, "name": "worker-name"}}


def named(n):
    return RULE.replace("rule: bench", f"rule: bench-{n}")


def lots():
    text = json.dumps([LOT], separators=(",", ":"))
    return [("prodsmart", "lot.created", text.replace("@N@", str(n))) for n in range(100)]


def samples():
    """The rules that are shipped, with the events of their tests that make requests."""
    rules, tables, events = {}, {}, []
    folder = os.path.join(kit.TOP, "etc", "rules.d")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            rules[name] = f.read()
        rule = yaml.safe_load(rules[name])
        source, topic = rule["from"].replace("*", "created").split("/")
        events += [(source, topic, json.dumps(t["event"])) for t in rule["tests"]
                   if "expect_reject" not in t]
        for table in (rule.get("tables") or {}).values():
            path = os.path.join(kit.TOP, "etc", table)
            with open(path, encoding="utf-8") as f:
                tables[os.path.basename(table)] = f.read()
    return rules, tables, events


def beside(bench, name, rules, tables, events):
    """Goals (d) and (c): each number of workers beside as many loops, turn by turn."""
    gan = kit.Gateway(None, rules, tables)
    path = gan.write("events", "".join("\t".join(e) + "\n" for e in events))
    try:
        for n in sorted({1, min(4, os.cpu_count())}):
            ratios, peak = [], []
            for _ in range(bench.turns):
                job = (gan.path("gantry.yaml"), path, str(n), str(300 * bench.seconds))
                bare = bench.note("jq" + name, workers=n, **program_json("bare_jq", *job))
                ours = bench.note("mapping" + name, workers=n, **program_json("map_pool", *job))
                ratios.append(ours["rate"] / bare["rate"])
                peak.append(ours["peak_mb"])
            bench.goal("d", f"{n} worker{'s' if n > 1 else ''} of as many bare loops of libjq{name}",
                       median(ratios), ">=", 0.85)
        bench.goal("c", f"RSS peak of a worker, MB{name}", max(peak), "<=", 12)
    finally:
        shutil.rmtree(gan.dir)


def many(n):
    """A rule of its own topic with a test: no two programs are equal."""
    return (named(n).replace("lot.created", f"lot{n}.created").replace('"PH"', f'"P{n}"')
            + "tests:\n  - name: a lot\n    event: [{code: a, supplier-lot: b}]\n"
              "    expect_key: lot/a\n")


def start(bench):
    """Exec to READY, to the first 200, to rules in force; then a reload with one rule changed."""
    rows = []
    for _ in range(bench.turns):
        gan = kit.Gateway(None, {f"{n:03}.yaml": many(n) for n in range(RULES)},
                          config={"log": {"level": "warning"}})
        try:
            begin = time.monotonic()
            gan.start(rules=False)
            ready = time.monotonic() - begin
            status = gan.send_webhook("lot1_created", [{"code": "a", "supplier-lot": "b"}]).status
            accepted = time.monotonic() - begin
            assert status == 200, status
            kit.wait_until(gan.rules_known, 120, "rules in force", every=0.1)
            in_force = time.monotonic() - begin
            gan.rule("007.yaml", many(7) + "  # changed\n")
            gan.rule("008.yaml", many(8).replace('"bench"', '"other"'))
            begin = time.monotonic()
            unchanged = re.search(r"\((\d+) unchanged\)", gan.ctl("reload")["text"]).group(1)
            rows.append((ready, accepted, in_force, time.monotonic() - begin))
            assert int(unchanged) == RULES - 1, unchanged
        finally:
            gan.close()
    middle = [round(median(column), 3) for column in zip(*rows)]
    bench.note(f"start with {RULES} rules", ready_s=middle[0], first_200_s=middle[1],
               in_force_s=middle[2], reload_one_changed_s=middle[3])
    bench.goal("d", f"from exec to the first accepted event with {RULES} rules, s", middle[1],
               "<=", 0.5)


def measure(bench, _sim):
    beside(bench, "", {"bench.yaml": RULE}, None, lots())
    beside(bench, ", 5 rules", {f"{n}.yaml": named(n) for n in range(5)}, None, lots())
    beside(bench, ", sample rules", *samples())
    start(bench)
