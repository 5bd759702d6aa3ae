# SPDX-License-Identifier: MIT
"""ingest.py - durable webhooks, beside bare SQLite and a bare libmicrohttpd handler."""

import json
import subprocess

import kit
from bench import CONNECTIONS, cpu_seconds, gateway, memory_mb, per_event


def sqlite(bench):
    done = subprocess.run([kit.program("tests/bench/bare_sqlite"), bench.dir,
                           str(max(1, bench.seconds // 2)), *map(str, CONNECTIONS)],
                          capture_output=True, text=True, check=True, timeout=120)
    for line in done.stdout.splitlines():
        row = json.loads(line)
        bench.note("sqlite", connections=row.pop("group"), **row)


def mhd(bench, keep_alive):
    with subprocess.Popen([kit.program("tests/bench/bare_mhd")]
                          + (["--keep-alive"] if keep_alive else []),
                          stdout=subprocess.PIPE, text=True) as proc:
        port = json.loads(proc.stdout.readline())["port"]
        try:
            for c in CONNECTIONS:
                before = cpu_seconds(proc.pid)
                row = bench.load(f"127.0.0.1:{port}", c, keep_alive,
                                 seconds=max(1, bench.seconds // 2))
                row["cpu_us"] = per_event(cpu_seconds(proc.pid) - before, row["ok"])
                bench.note("mhd", **row)
        finally:
            proc.terminate()


def ingest(bench, sim, keep_alive):
    """Nobody listens to the topic: accept, sync, answer, mark as ignored."""
    gan = gateway(sim, {}, keep_alive)
    try:
        gan.start()
        bench.note("idle", rss_mb=memory_mb(gan.proc.pid))
        for c in CONNECTIONS:
            cpu = cpu_seconds(gan.proc.pid)
            commits = gan.status()["store"]["commits"]
            row = bench.load(gan.public, c, keep_alive)
            cpu = cpu_seconds(gan.proc.pid) - cpu
            commits = gan.status()["store"]["commits"] - commits
            kit.wait_until(lambda: gan.status()["events"]["received"] == 0, 60, "mapped",
                           every=0.1)
            bench.note("ingest", **row, cpu_us=per_event(cpu, row["ok"]), commits=commits,
                       rss_mb=memory_mb(gan.proc.pid), peak_mb=memory_mb(gan.proc.pid, "VmHWM"))
    finally:
        gan.close()


def share(rows):
    """What the gateway reaches of its ceilings."""
    for keep_alive in (False, True):
        for c in CONNECTIONS:
            rate = {r["bench"]: r["rate"] for r in rows
                    if r.get("connections") == c and r.get("keep_alive", keep_alive) is keep_alive
                    and r["bench"] in ("sqlite", "mhd", "ingest")}
            if len(rate) == 3 and min(rate.values()) > 0:
                print(f"{c:4} connections, keep-alive {'on' if keep_alive else 'off'}: "
                      f"{100 * rate['ingest'] / rate['mhd']:.0f} % of bare libmicrohttpd, "
                      f"{100 * rate['ingest'] / rate['sqlite']:.0f} % of bare SQLite in groups "
                      f"of {c}")


def measure(bench, sim):
    sqlite(bench)
    for keep_alive in (False, True):
        mhd(bench, keep_alive)
        ingest(bench, sim, keep_alive)
