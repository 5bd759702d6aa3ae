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
import statistics
import subprocess
import time

import kit
import yaml
from flow import RULE

ROUNDS = 3
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


def run(program, gan, events, n, ms):
    done = subprocess.run([kit.program(f"tests/bench/{program}"), gan.path("gantry.yaml"), events,
                           str(n), str(ms)], capture_output=True, text=True, check=False,
                          timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr}")
    return json.loads(done.stdout)


def beside(bench, what, rules, tables, events):
    gan = kit.Gateway(None, rules, tables)
    path = gan.write("events", "".join("\t".join(e) + "\n" for e in events))
    try:
        for n in sorted({1, min(4, os.cpu_count())}):
            rows = []
            for _ in range(ROUNDS):
                bare = run("bare_jq", gan, path, n, 300 * bench.seconds)
                rows.append((bare, run("map_pool", gan, path, n, 300 * bench.seconds)))
            bench.note("mapping " + what, workers=n,
                       rate=statistics.median(pool["rate"] for _, pool in rows),
                       rate_bare=statistics.median(bare["rate"] for bare, _ in rows),
                       ratio=round(statistics.median(p["rate"] / b["rate"] for b, p in rows), 2),
                       cpu_us=statistics.median(pool["cpu_us"] for _, pool in rows),
                       loop_us=statistics.median(pool["loop_us"] for _, pool in rows),
                       bare_us=statistics.median(bare["cpu_us"] for bare, _ in rows),
                       peak_mb=max(pool["rss_mb"] for _, pool in rows))
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
    for _ in range(ROUNDS):
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
    middle = [round(statistics.median(column), 3) for column in zip(*rows)]
    bench.note(f"start with {RULES} rules", ready_s=middle[0], first_200_s=middle[1],
               in_force_s=middle[2], reload_one_changed_s=middle[3])


def measure(bench):
    beside(bench, "1 rule", {"bench.yaml": RULE}, None, lots())
    beside(bench, "5 rules", {f"{n}.yaml": named(n) for n in range(5)}, None, lots())
    beside(bench, "sample rules", *samples())
    start(bench)
