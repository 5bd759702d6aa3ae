# SPDX-License-Identifier: MIT
"""flow.py - accept, map, deliver: both ends of the gateway at once."""

import time

import kit
from bench import children, cpu_seconds, gateway, median, memory_mb, per_event, program_json

RULE = """
rule: bench
from: prodsmart/lot.created
to: flex2b/replicationpost
key: '"lot/" + .repLines[0].nodes[0].value'
map: |
  .[0] as $lot
  | { repLines: [ { apiuuid: uuid5("bench/\\($lot.code)"), apiid: "PH",
        senderidentification: "bench",
        nodes: [ {name: "pallet_#", value: $lot.code},
                 {name: "grower_c", value: $lot."supplier-lot"} ] } ] }
"""


def left_over(gan):
    """Deliveries that are still owed, and events that are not mapped yet."""
    now = gan.status()
    return (now["events"]["received"] + now["deliveries"]["waiting"]
            + now["deliveries"]["sending"])


def drained(gan):
    return left_over(gan) == 0


def once(bench, gan, sim):
    """A burst, until its last delivery: rates, and the CPU of each part for one event."""
    sim.reset()
    pids = {"cpu_us": [gan.proc.pid], "worker_us": children(gan.proc.pid), "sim_us": [sim.proc.pid]}
    cpu = {name: cpu_seconds(*p) for name, p in pids.items()}
    start = time.monotonic()
    row = bench.load(gan.public, 64, True)
    sent = time.monotonic()
    during = sim.count()["flex2b"]["acted"]
    kit.wait_until(lambda: drained(gan), 60 * bench.seconds, "drained", every=0.05)
    end = time.monotonic()
    done = sim.count()["flex2b"]["acted"]
    used = {name: per_event(cpu_seconds(*p) - cpu[name], done) for name, p in pids.items()}
    return bench.note("mapped", **row, **used, delivered=done, delivered_meanwhile=during,
                      through=round(done / (end - start)),
                      rate_after_load=round((done - during) / max(end - sent, 0.001)),
                      rss_mb=memory_mb(gan.proc.pid), peak_mb=memory_mb(gan.proc.pid, "VmHWM"))


def bare_delivery(bench, sim):
    """libcurl alone against the same simulator, a fresh connection each, as many at a time."""
    cpu = cpu_seconds(sim.proc.pid)
    row = program_json("bare_curl", sim.url("erp") + "/orders", str(max(1, bench.seconds // 2)),
                       "32", "fresh")
    row["sim_us"] = per_event(cpu_seconds(sim.proc.pid) - cpu, row["ok"])
    return bench.note("curl", **row)


def mapped(bench, sim):
    """Goals (c) and (e): the whole way beside what its parts cost by themselves."""
    gan = gateway(sim, {"bench.yaml": RULE}, True)
    ours, curl = [], []
    try:
        gan.start()
        for _ in range(bench.turns):
            curl.append(bare_delivery(bench, sim))
            ours.append(once(bench, gan, sim))
        trickle(bench, gan, sim)
    finally:
        gan.close()
    bench.goal("c", "CPU per webhook with its delivery, workers apart, µs",
               median([o["cpu_us"] for o in ours]), "<=", 120)
    parts = bench.cost("ingest", 64) , bench.cost("jq"), median([c["cpu_us"] for c in curl])
    if None in parts:
        bench.goal("e", "whole way of what its parts allow", None, ">=", 0.8)
        return
    # What the machine spends for one event besides us: generator and simulator.
    spent = [o["cpu_us"] + o["worker_us"] for o in ours]
    bench.goal("e", "whole way of what its parts allow on the same CPU: (a) %.0f + (d) %.0f + "
               "curl %.0f µs beside %.0f" % (*parts, median(spent)),
               sum(parts) / median(spent), ">=", 0.8)


def trickle(bench, gan, sim):
    """Unhurried: from the post of one event to its arrival at the simulator."""
    sim.reset()
    took = []
    for n in range(50):
        start = time.monotonic()
        gan.send_webhook("lot_created", [{"code": f"T{n}", "supplier-lot": "s"}])
        end = start + 5
        while sim.count()["flex2b"]["acted"] <= n and time.monotonic() < end:
            pass
        took.append((time.monotonic() - start) * 1000)
    took.sort()
    bench.note("one by one", ok=len(took), p50_ms=round(took[25], 2), p99_ms=round(took[-1], 2))


def measure(bench, sim):
    mapped(bench, sim)
