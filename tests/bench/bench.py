# SPDX-License-Identifier: MIT
"""bench.py - what every benchmark needs: a record of figures, load, CPU and memory of a process."""

import json
import os
import shutil
import subprocess

import kit

CONNECTIONS = (1, 16, 64, 256)
TICKS = os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, quick):
        self.seconds = 1 if quick else 5
        self.rows = []
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

    def load(self, address, connections, keep_alive, path="/hooks/prodsmart", seconds=None):
        command = [kit.program("tests/bench/load"), "--url", f"http://{address}{path}",
                   "--secret-file", self.secret, "--connections", str(connections),
                   "--seconds", str(seconds or self.seconds)]
        if keep_alive:
            command.append("--keep-alive")
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              timeout=60 + 2 * self.seconds)
        return json.loads(done.stdout)


def cpu_seconds(pid):
    """User and system time of a process and its living children."""
    total = 0
    pids = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            pids += [int(p) for p in f.read().split()]
    except OSError:
        pass
    for p in pids:
        try:
            with open(f"/proc/{p}/stat", encoding="ascii") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / TICKS


def memory_mb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(field + ":"):
                return round(int(line.split()[1]) / 1024, 1)
    return None


def per_event(seconds, n):
    return round(seconds * 1e6 / n, 1) if n else None


def gateway(sim, rules, keep_alive):
    return kit.Gateway(sim, rules, config={
        "site": "bench", "listen": {"public": {"keep_alive": keep_alive,
                                               "max_connections": 600}},
        "connectors": {"flex2b": {"concurrency": 32, "on_unknown": "resend",
                                  "timeout": {"total": "10s"}}},
        "log": {"level": "warning"}}, folder=None)
