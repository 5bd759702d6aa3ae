# SPDX-License-Identifier: MIT
"""bench.py - what every benchmark needs: a record of figures, load, CPU and memory of a process."""

import json
import os
import re
import shutil
import statistics
import subprocess

import kit

CONNECTIONS = (1, 16, 64, 256)
TICKS = os.sysconf("SC_CLK_TCK")


class Bench:
    """The record of one run: figures (`rows`) and how they compare to the goals."""

    def __init__(self, quick):
        self.seconds, self.turns = (1, 1) if quick else (5, 3)
        self.rows, self.goals = [], []
        self.dir = os.path.join(kit.BUILD, "bench")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.out = open(os.path.join(self.dir, "bench.jsonl"), "w", encoding="utf-8")
        self.secret = os.path.join(self.dir, "secret")
        with open(self.secret, "w", encoding="utf-8") as f:
            f.write(kit.Gateway.SECRETS["prodsmart-hook"])

    def note(self, what, **figures):
        row = {"bench": what, **figures}
        self.rows.append(row)
        line = json.dumps(row)
        print(line, flush=True)
        self.out.write(line + "\n")
        self.out.flush()
        return row

    def goal(self, letter, what, value, op, limit):
        """A ratio or figure of this run beside what is wanted; None: could not be measured."""
        met = None if value is None else value >= limit if op == ">=" else value <= limit
        row = {"goal": letter, "what": what, "op": op, "limit": limit, "met": met,
               "value": None if value is None else round(value, 3)}
        self.goals.append(row)
        line = json.dumps(row, ensure_ascii=False)
        print(line, flush=True)
        self.out.write(line + "\n")
        self.out.flush()

    def cost(self, what, connections=None):
        """The median CPU in µs of the rows of that name."""
        return median([r["cpu_us"] for r in self.rows if r["bench"] == what
                       and connections in (None, r.get("connections"))
                       and r.get("keep_alive", True)])

    def load(self, address, connections, keep_alive, path="/hooks/prodsmart", seconds=None,
             rate=None, topic=None):
        command = [kit.program("tests/bench/load"), "--url", f"http://{address}{path}",
                   "--secret-file", self.secret, "--connections", str(connections),
                   "--seconds", str(seconds or self.seconds)]
        if keep_alive:
            command.append("--keep-alive")
        if rate:
            command += ["--rate", str(rate)]
        if topic:
            command += ["--topic", topic]
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              timeout=60 + 2 * self.seconds)
        return json.loads(done.stdout)


def program_json(name, *args):
    """What a program of tests/bench prints: one JSON object."""
    done = subprocess.run([kit.program(f"tests/bench/{name}"), *args], capture_output=True,
                          text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def median(values):
    return statistics.median(values) if values else None


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def cpu_seconds(*pids):
    """User and system time of processes, their children apart."""
    total = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/stat", encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / TICKS


def lag_ms(gan):
    """The 99th percentile of the loop's lateness so far, from /metrics; None without that."""
    text = kit.request(gan.admin, "GET", "/metrics").body.decode()
    buckets = sorted((float(m[1]), int(m[2])) for m in re.finditer(
        r'gantry_loop_lag_seconds_bucket\{le="([0-9.e-]+)"\} (\d+)', text))
    total = re.search(r"gantry_loop_lag_seconds_count (\d+)", text)
    if not buckets or not total:
        return None
    want = 0.99 * int(total[1])
    return next((1000 * le for le, n in buckets if n >= want), float("inf"))


def memory_mb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(field + ":"):
                return round(int(line.split()[1]) / 1024, 1)
    return None


def per_event(seconds, n):
    return round(seconds * 1e6 / n, 1) if n else None


def gateway(sim, rules, keep_alive, folder=None):
    return kit.Gateway(sim, rules, config={
        "site": "bench", "listen": {"public": {"keep_alive": keep_alive,
                                               "max_connections": 600}},
        "connectors": {"flex2b": {"concurrency": 32, "on_unknown": "resend",
                                  "timeout": {"total": "10s"}}},
        "log": {"level": "warning"}}, folder=folder)
