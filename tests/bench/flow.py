# SPDX-License-Identifier: MIT
"""flow.py - accept, map, deliver: both ends of the gateway at once."""

import sys
import time

import kit
from bench import cpu_seconds, gateway, memory_mb, per_event

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


def mapped(bench, sim, keep_alive):
    """Accept, map, deliver: the rates of both ends, and the rest after the load."""
    gan = gateway(sim, {"bench.yaml": RULE}, keep_alive)
    try:
        gan.start()
        sim.reset()
        cpu = cpu_seconds(gan.proc.pid)
        start = time.monotonic()
        row = bench.load(gan.public, 64, keep_alive)
        sent = time.monotonic()
        during = sim.count()["flex2b"]["acted"]
        try:
            kit.wait_until(lambda: drained(gan), 20 * bench.seconds, "drained", every=0.05)
        except kit.Late as late:
            print(f"bench: {late}", file=sys.stderr)
        end = time.monotonic()
        done = sim.count()["flex2b"]["acted"]
        bench.note("mapped", **row, delivered_meanwhile=during,
                   cpu_us=per_event(cpu_seconds(gan.proc.pid) - cpu, done),
                   rss_mb=memory_mb(gan.proc.pid), peak_mb=memory_mb(gan.proc.pid, "VmHWM"))
        bench.note("drain", ok=done, seconds=round(end - start, 2), left=left_over(gan),
                   rate=round(done / (end - start)),
                   rate_after_load=round((done - during) / max(end - sent, 0.001)))
        trickle(bench, gan, sim)
    finally:
        gan.close()


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
    mapped(bench, sim, False)
