# SPDX-License-Identifier: MIT
"""watch.py - what the daemon uses while it runs, and whether that is bounded and flat (I6)."""

import os
import re
import statistics
import threading
import time

import kit

MIB = 1 << 20
RSS_MAX = 256 * MIB
RSS_GROWTH = 8 * MIB    # of the last quarter over the second, in one process
WAL_MAX = 64 * MIB
WAL_GROWTH = 16 * MIB   # the length at which a checkpoint comes
FDS_SPARE = 32
FDS_GROWTH = 40         # connections come and go
LOG_LINES = 100         # a second
LAG_P99 = 0.05
LAG_GROWTH = 4          # times, from 10 ms on: buckets are coarse, and neighbours are loud
LAG_MAX = 1.0


class Sample:
    def __init__(self, pid, at, rss, fds, limit, wal, lag, lag_max):
        self.pid, self.at, self.rss, self.fds, self.limit = pid, at, rss, fds, limit
        self.wal, self.lag, self.lag_max = wal, lag, lag_max


def lag_of(text):
    """({upper bound: how many turns so far}, longest) of a page of metrics."""
    rows = re.findall(r'gantry_loop_lag_seconds_bucket{le="([^"]+)"} (\d+)', text)
    longest = re.search(r"gantry_loop_lag_max_seconds ([0-9.]+)", text)
    return {float(le.replace("+Inf", "inf")): int(n) for le, n in rows}, float(longest.group(1))


def quantile(buckets, q):
    """The bound of the bucket that holds the q-quantile."""
    total = buckets.get(float("inf"), 0)
    return next((le for le, n in sorted(buckets.items()) if total and n >= q * total), 0.0)


def since(before, now):
    """What came into the buckets meanwhile."""
    return {le: n - before.get(le, 0) for le, n in now.items()}


class Watch:
    def __init__(self, gan, every=1.0):
        self.gan, self.every, self.samples, self.missed = gan, every, [], 0
        self.begin = time.monotonic()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(self.every):
            try:
                self.samples.append(self.look())
            except (OSError, AttributeError, ValueError, IndexError):
                self.missed += 1  # it was dying or being born

    def look(self):
        pid = self.gan.proc.pid
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            rss = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        with open(f"/proc/{pid}/limits", encoding="ascii") as f:
            limit = next(int(l.split()[3]) for l in f if l.startswith("Max open files"))
        fds = len(os.listdir(f"/proc/{pid}/fd"))
        wal = os.path.getsize(self.gan.path("data", "gantry.db-wal"))
        page = kit.request(self.gan.admin, "GET", "/metrics", timeout=5).body.decode()
        return Sample(pid, time.monotonic(), rss, fds, limit, wal, *lag_of(page))

    def last_life(self):
        """The samples of the process that runs now."""
        return [s for s in self.samples if s.pid == self.samples[-1].pid]

    def findings(self):
        """What is not bounded or not flat."""
        life = self.last_life()
        quarter = max(1, len(life) // 4)
        early, late = life[quarter:2 * quarter] or life, life[-quarter:]
        for sample in self.samples:
            if sample.rss > RSS_MAX:
                yield f"RSS is {sample.rss / MIB:.0f} MiB"
            if sample.fds > sample.limit - FDS_SPARE:
                yield f"{sample.fds} descriptors of {sample.limit}"
            if sample.wal > WAL_MAX:
                yield f"the WAL is {sample.wal / MIB:.0f} MiB long"
        grown = median(late, "rss") - median(early, "rss")
        if grown > RSS_GROWTH:
            yield f"RSS grew by {grown / MIB:.1f} MiB and goes on"
        grown = median(late, "fds") - median(early, "fds")
        if grown > FDS_GROWTH:
            yield f"{grown:.0f} descriptors more, and it goes on"
        grown = median(late, "wal") - median(early, "wal")
        if grown > WAL_GROWTH:
            yield f"the WAL grew by {grown / MIB:.1f} MiB and goes on"
        before, after = (quantile(since(part[0].lag, part[-1].lag), 0.99) for part in (early, late))
        if after > LAG_P99 * kit.SLOW or after > LAG_GROWTH * max(before, 0.01) * kit.SLOW:
            yield f"loop lag: p99 was {before} s and is {after} s"
        if quantile(life[-1].lag, 0.99) > LAG_P99 * kit.SLOW:
            yield f"loop lag: p99 {quantile(life[-1].lag, 0.99)} s"
        if life[-1].lag_max > LAG_MAX * kit.SLOW:
            yield f"loop lag: {life[-1].lag_max} s once"
        if lines_per_second(self.gan, time.monotonic() - self.begin) > LOG_LINES:
            yield "more than 100 lines of log a second"

    def summary(self):
        life = self.last_life()
        return (f"RSS {max(s.rss for s in self.samples) / MIB:.1f} MiB at most, "
                f"{median(life, 'rss') / MIB:.1f} in the middle; "
                f"{max(s.fds for s in self.samples)} descriptors, "
                f"WAL {max(s.wal for s in self.samples) / MIB:.1f} MiB; "
                f"loop lag p99 {quantile(life[-1].lag, 0.99) * 1000:g} ms, "
                f"longest {life[-1].lag_max * 1000:.0f} ms; "
                f"{lines_per_second(self.gan, time.monotonic() - self.begin):.1f} lines/s")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def median(samples, name):
    return statistics.median(getattr(s, name) for s in samples)


def lines_per_second(gan, seconds):
    with open(gan.log_path, "rb") as f:
        return sum(1 for _ in f) / seconds


def busy(pid, seconds):
    """The share of one processor that a process uses."""
    def ticks():
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    before = ticks()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds
