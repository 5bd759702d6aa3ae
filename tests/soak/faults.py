# SPDX-License-Identifier: MIT
"""faults.py - one thing after another goes wrong, chosen by a seed."""

import os
import random
import shutil
import signal
import time

import inject
from proxy import Fault

VENDOR_FAULTS = (
    {"kind": "status", "status": 500}, {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "status", "status": 429, "retry_after": 1}, {"kind": "drop-before"},
    {"kind": "drop-after"}, {"kind": "late", "ms": 300}, {"kind": "garbage"}, {"kind": "half"},
    {"kind": "hang-after", "ms": 5000}, {"kind": "huge"}, {"kind": "raw"})


class Faults:
    """Each fault is a method; it breaks something, waits, and mends it."""

    def __init__(self, gan, sim, traffic, operator, proxies, listen, seed):
        self.gan, self.sim, self.traffic, self.operator = gan, sim, traffic, operator
        self.proxies, self.listen = proxies, listen
        self.rng = random.Random(f"{seed}/faults")
        self.count = {}
        self.deaths = 0

    def wait(self, least=0.5, most=3.0):
        time.sleep(least + self.rng.random() * (most - least))

    def vendor(self):
        """A vendor answers some requests badly."""
        system = self.rng.choice(("flex2b", "movilitas"))
        fault = dict(self.rng.choice(VENDOR_FAULTS), probability=0.3,
                     seed=self.rng.randrange(1 << 20))
        with self.traffic.account.excused():  # `late` and `status` may act, and be cut by others
            self.sim.fault(system, **fault)
            self.wait()
            self.sim.clear()

    def vendor_down(self):
        system = self.rng.choice(("flex2b", "movilitas"))
        with self.traffic.account.excused():
            self.sim.state(**{system: {"down": True}})
            self.wait()
            self.sim.state(**{system: {"down": False}})

    def tokens_forgotten(self):
        self.sim.state(**{self.rng.choice(("flex2b", "movilitas")): {"forget_tokens": True}})

    def network(self):
        """Connections are cut, delayed or swallowed, on one side."""
        proxy, rng = self.rng.choice(self.proxies), random.Random(self.rng.random())

        def plan():
            if rng.random() < 0.6:
                return None
            where, how = rng.randrange(400), rng.choice(("reset", "close"))
            return rng.choice((Fault(up=where, how=how), Fault(down=where, how=how),
                               Fault(delay=rng.random() * 0.2), Fault(hole=True)))
        with self.traffic.account.excused():
            proxy.plan = plan
            self.wait()
            proxy.reset_all()
            proxy.heal()

    def unreachable(self):
        proxy = self.rng.choice(self.proxies[:2])
        proxy.deaf()
        self.wait(0.2, 1.5)
        proxy.listen()

    def slow_disk(self):
        if shutil.which("strace") is None:
            return
        with inject.attached(self.gan.proc.pid, inject.delay(self.rng.choice((2, 5, 20)))):
            self.wait()

    def worker_killed(self):
        pid = self.gan.proc.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            children = f.read().split()
        if children:
            os.kill(int(self.rng.choice(children)), signal.SIGKILL)

    def die(self):
        """kill -9, or a clean restart; senders wait at the socket, which stays."""
        self.deaths += 1
        with self.operator.away, self.traffic.account.excused():
            if self.rng.random() < 0.7:
                self.gan.kill()
            else:
                self.gan.stop(30)
            self.gan.start(listen=self.listen, deadline=60)

    def run(self, until, deadly):
        """Until that monotonic time; deadly: the daemon itself may die, too."""
        kinds = [self.vendor, self.vendor, self.network, self.network, self.vendor_down,
                 self.tokens_forgotten, self.unreachable, self.slow_disk, self.worker_killed]
        kinds += [self.die] * 2 if deadly else []
        while time.monotonic() < until:
            kind = self.rng.choice(kinds)
            self.count[kind.__name__] = self.count.get(kind.__name__, 0) + 1
            kind()
            self.wait(0.3, 2.0)
