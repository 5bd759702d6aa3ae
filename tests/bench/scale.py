# SPDX-License-Identifier: MIT
"""scale.py - the same work with nothing waiting and with very much.

Two gateways run side by side, one on an empty store, one on a store that
`fill` has made; what is compared is measured in turns, so that a machine that
grows slower slows both.  WAITING in the environment says how many deliveries
wait (`make bench WAITING=10000000`; 10^6 takes 2 GB of disk, 10^7 20 GB and
ten minutes to fill).  WAITING_STORE names a file that `fill` made before: it
is used as it is, and kept.
"""

import json
import os
import statistics
import subprocess
import time

import kit
from bench import cpu_seconds, gateway, memory_mb, per_event
from flow import RULE

WAL = 32 << 20
CLAIMS = ("200", "32")  # rounds, lanes in each


def program(name, *args, rc=0):
    done = subprocess.run([kit.program(f"tests/bench/{name}"), *map(str, args)],
                          capture_output=True, text=True, check=False)
    if done.returncode != rc:
        raise RuntimeError(f"{name}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def forget(path):
    """Drop what the kernel has cached of a file; only clean pages go."""
    for name in (path, path + "-wal"):
        if not os.path.exists(name):
            continue
        fd = os.open(name, os.O_RDONLY)
        try:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


class Store:
    """A gateway whose connector is paused, on a store with so many deliveries waiting."""

    def __init__(self, bench, sim, name, waiting, path=None):
        self.name, self.waiting = name, waiting
        self.gan = gateway(sim, {"bench.yaml": RULE}, True,
                           folder=os.path.join(bench.dir, name))
        self.path = path or self.gan.path("data", "gantry.db")
        if path:
            self.gan.reconfigure(store={"path": path})
        start = time.monotonic()
        if not os.path.exists(self.path):
            program("fill", self.path, waiting)
        bench.note("fill", store=name, waiting=waiting,
                   seconds=round(time.monotonic() - start, 1),
                   mb=round(os.path.getsize(self.path) / 1e6))

    def start(self):
        """Milliseconds from exec to READY=1."""
        self.gan.start()
        return round(self.gan.ready_s * 1000, 1)

    def load(self, bench, topic):
        """One load; mapping has caught up when it returns."""
        gan = self.gan
        cpu = cpu_seconds(gan.proc.pid)
        row = bench.load(gan.public, 64, True, topic=topic)
        kit.wait_until(lambda: gan.status()["events"]["received"] == 0, 120, "mapped", every=0.1)
        row["cpu_us"] = per_event(cpu_seconds(gan.proc.pid) - cpu, row["ok"])
        return row


def ratio(rows, figure):
    """The full store's figure by the empty one's, in the median of the rounds."""
    pairs = zip((r for r in rows if r["store"] == "full"),
                (r for r in rows if r["store"] == "empty"))
    return round(statistics.median(f[figure] / max(e[figure], 0.001) for f, e in pairs), 2)


def compare(bench, what, rows, figures):
    return bench.note("scale", of=what, **{f: ratio(rows, f) for f in figures})


def claims(bench, stores):
    rows = []
    for _ in range(bench.turns):
        for s in stores:
            row = program("claim", s.path, *CLAIMS)
            rows.append({"store": s.name, **row})
            bench.note("claim", store=s.name, **row)
    row = compare(bench, "claim", rows, ("claim_p50_us", "settle_p50_us", "cpu_us"))
    bench.goal("f", "time of a claim, by the empty store's", row["claim_p50_us"], "<=", 1.2)


def starts(bench, stores):
    worst = 0
    for cold in (False, True):
        rows = []
        for _ in range(bench.turns):
            for s in stores:
                if cold:
                    forget(s.path)
                rows.append({"store": s.name, "ready_ms": s.start()})
                s.gan.stop()
        for s in stores:
            bench.note("start", store=s.name, cold=cold,
                       ready_ms=[r["ready_ms"] for r in rows if r["store"] == s.name])
        worst = max(worst, *(r["ready_ms"] for r in rows))
    bench.goal("f", "ready after so many ms, cold or warm, at worst", worst, "<=", 1000)


def start_with_wal(bench, stores):
    """After a kill -9 that left 32 MB that no checkpoint has moved."""
    worst = 0
    for s in stores:
        for cold in (False, True):
            while not os.path.exists(s.path + "-wal") or os.path.getsize(s.path + "-wal") < WAL:
                program("fill", s.path, 1500, "--keep-wal", rc=-9)
            mb = round(os.path.getsize(s.path + "-wal") / 1e6)
            if cold:
                forget(s.path)
            ready = s.start()
            s.gan.stop()
            worst = max(worst, ready)
            bench.note("start", store=s.name, cold=cold, wal_mb=mb, ready_ms=[ready])
    bench.goal("f", "the same after kill -9 with a WAL of 32 MB", worst, "<=", 1000)


def ingest(bench, stores):
    """Nobody listens: accept, sync, answer.  Then with a delivery of its own key for each."""
    for what, topic in (("ignored", "stock_created"), ("mapped", "lot_created")):
        rows = []
        for _ in range(bench.turns):
            for s in stores:
                row = s.load(bench, topic)
                rows.append({"store": s.name, **row})
                bench.note("waiting", store=s.name, of=what, **row,
                           rss_mb=memory_mb(s.gan.proc.pid),
                           peak_mb=memory_mb(s.gan.proc.pid, "VmHWM"))
        row = compare(bench, what, rows, ("rate", "p50_ms", "p99_ms", "cpu_us"))
        bench.goal("f", f"ingest, {what}: rate by the empty store's", row["rate"], ">=", 0.8)
        bench.goal("f", f"ingest, {what}: p99 by the empty store's", row["p99_ms"], "<=", 2)
    rss, peak = ([memory_mb(s.gan.proc.pid, field) for s in stores] for field in ("VmRSS", "VmHWM"))
    row = bench.note("scale", of="memory", rss_mb=round(rss[1] / rss[0], 2),
                     peak_mb=round(peak[1] / peak[0], 2))
    bench.goal("f", "RSS after the load, by the empty store's", row["rss_mb"], "<=", 1.2)
    bench.goal("f", "peak RSS under load, by the empty store's", row["peak_mb"], "<=", 1.2)


def delivered(gan):
    return gan.status()["deliveries"]["delivered"]


def drain(bench, s):
    """Ingest with and without a drain at full speed beside it, in turns."""
    gan = s.gan
    shares, rates = [], []
    for _ in range(bench.turns):
        alone = s.load(bench, "stock_created")
        gan.ctl("resume flex2b")
        first = delivered(gan)
        kit.wait_until(lambda: delivered(gan) > first + 2000, 60, "the drain runs")
        before, start = delivered(gan), time.monotonic()
        row = s.load(bench, "stock_created")
        after, end = delivered(gan), time.monotonic()
        gan.ctl("pause flex2b")
        kit.wait_until(lambda: gan.status()["deliveries"]["sending"] == 0, 60, "paused")
        shares.append(row["rate"] / max(alone["rate"], 1))
        rates.append(round((after - before) / (end - start)))
        bench.note("waiting", store=s.name, of="while draining", **row, drained=rates[-1],
                   rss_mb=memory_mb(gan.proc.pid), peak_mb=memory_mb(gan.proc.pid, "VmHWM"))
    row = bench.note("scale", of="while draining", rate=round(statistics.median(shares), 2),
                     drained=statistics.median(rates))
    bench.goal("f", "ingest beside a full drain, by its rate alone", row["rate"], ">=", 0.5)


def measure(bench, sim):
    waiting = int(os.environ.get("WAITING") or (20000 if bench.seconds == 1 else 1000000))
    stores = (Store(bench, sim, "empty", 20000),
              Store(bench, sim, "full", waiting, os.environ.get("WAITING_STORE")))
    try:
        claims(bench, stores)
        starts(bench, stores)
        start_with_wal(bench, stores)
        for s in stores:
            s.start()
        ingest(bench, stores)
        drain(bench, stores[1])
    finally:
        for s in stores:
            s.gan.close()
