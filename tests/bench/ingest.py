# SPDX-License-Identifier: MIT
"""ingest.py - durable webhooks, beside the disk, bare SQLite and a bare libmicrohttpd handler.

Goals (a) to (c): what is compared is measured turn by turn in one run, and
the median of the turns counts.
"""

import json
import subprocess

import kit
from bench import (CONNECTIONS, cpu_seconds, gateway, lag_ms, median, memory_mb, per_event,
                   program_json)

SLOW_SYNC_US = 5000


class BareHandler:
    """libmicrohttpd that answers 200, in a process of its own."""

    def __init__(self, keep_alive):
        self.proc = subprocess.Popen([kit.program("tests/bench/bare_mhd")]
                                     + (["--keep-alive"] if keep_alive else []),
                                     stdout=subprocess.PIPE, text=True)
        self.address = f"127.0.0.1:{json.loads(self.proc.stdout.readline())['port']}"
        self.keep_alive = keep_alive

    def measure(self, bench, connections, seconds=None):
        cpu = cpu_seconds(self.proc.pid)
        row = bench.load(self.address, connections, self.keep_alive, seconds=seconds)
        row["cpu_us"] = per_event(cpu_seconds(self.proc.pid) - cpu, row["ok"])
        return bench.note("mhd", **row)

    def stop(self):
        self.proc.terminate()
        self.proc.wait()
        self.proc.stdout.close()


def durable(bench, gan, connections, keep_alive, what="ingest", **more):
    """Nobody listens to the topic: accept, sync, answer."""
    cpu, commits = cpu_seconds(gan.proc.pid), gan.status()["store"]["commits"]
    row = bench.load(gan.public, connections, keep_alive, **more)
    cpu, now = cpu_seconds(gan.proc.pid) - cpu, gan.status()["store"]["commits"]
    return bench.note(what, **row, cpu_us=per_event(cpu, row["ok"]),
                      group=round(row["ok"] / max(now - commits, 1), 1),
                      rss_mb=memory_mb(gan.proc.pid), peak_mb=memory_mb(gan.proc.pid, "VmHWM"))


def at_64(bench, sim):
    """The goals' case: 64 keep-alive connections, turn by turn with its ceilings."""
    gan, handler = gateway(sim, {}, True), BareHandler(True)
    bare, ours, rows = [], [], []
    try:
        gan.start()
        idle = bench.note("idle", rss_mb=memory_mb(gan.proc.pid))
        for _ in range(bench.turns):
            bare.append(handler.measure(bench, 64))
            ours.append(durable(bench, gan, 64, True))
            group = max(1, round(ours[-1]["group"]))
            row = program_json("bare_sqlite", bench.dir, str(max(1, bench.seconds // 2)),
                               str(group))
            rows.append(bench.note("sqlite", connections=64, **row))
        for c in (1, 16, 256):
            handler.measure(bench, c)
            durable(bench, gan, c, True)
        peak = memory_mb(gan.proc.pid, "VmHWM")
    finally:
        handler.stop()
        gan.close()
    ratio = [o["rate"] / b["rate"] for o, b in zip(ours, bare)]
    bench.goal("a", "durable webhooks of bare libmicrohttpd", median(ratio), ">=", 0.30)
    ratio = [o["rate"] / r["rate"] for o, r in zip(ours, rows)]
    bench.goal("a", "durable webhooks of bare SQLite, same rows and groups", median(ratio),
               ">=", 0.75)
    bench.goal("b", "p99 / p50 at 64 connections",
               median([o["p99_ms"] / o["p50_ms"] for o in ours]), "<=", 5)
    bench.goal("c", "RSS idle, MB", idle["rss_mb"], "<=", 16)
    bench.goal("c", "RSS peak under load, MB", peak, "<=", 40)
    bench.goal("c", "CPU per webhook, µs", median([o["cpu_us"] for o in ours]), "<=", 40)


def one_request_a_connection(bench, sim):
    gan, handler = gateway(sim, {}, False), BareHandler(False)
    try:
        gan.start()
        for c in CONNECTIONS:
            handler.measure(bench, c)
            durable(bench, gan, c, False)
    finally:
        handler.stop()
        gan.close()


def slow_disk(bench, sim):
    """Each sync takes 5 ms longer."""
    gan = gateway(sim, {}, True)
    try:
        gan.start(env={"LD_PRELOAD": kit.program("tests/bench/slow_sync.so"),
                       "SLOW_SYNC_US": str(SLOW_SYNC_US)})
        one, many = [], []
        for _ in range(bench.turns):
            one.append(durable(bench, gan, 1, True, "slow sync"))
            many.append(durable(bench, gan, 64, True, "slow sync"))
        lag = lag_ms(gan)
    finally:
        gan.close()
    bench.goal("a", "5 ms a sync: 64 connections / one",
               median([m["rate"] / o["rate"] for m, o in zip(many, one)]), ">=", 25)
    bench.goal("b", "5 ms a sync: loop lag p99, ms", lag, "<=", 10)


def unhurried(bench, sim):
    """400 a second, however long the answers take."""
    gan = gateway(sim, {}, True)
    took = []
    try:
        gan.start()
        for _ in range(bench.turns):
            sync = bench.note("sync", **program_json("bare_sync", bench.dir,
                                                     str(max(1, bench.seconds // 2))))
            row = durable(bench, gan, 64, True, "400/s", rate=400)
            took.append(row["p50_ms"] / sync["p50_ms"])
    finally:
        gan.close()
    bench.goal("b", "400/s: p50 / append of 4 KiB with fdatasync", median(took), "<=", 12)


def measure(bench, sim):
    at_64(bench, sim)
    unhurried(bench, sim)
    slow_disk(bench, sim)
    one_request_a_connection(bench, sim)
