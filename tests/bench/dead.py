# SPDX-License-Identifier: MIT
"""dead.py - one dead connector among ten: what the other nine still do.

Each event becomes one delivery for each of ten connectors.  Ten that live and
nine beside a dead one take turns in one run; the rate is that of the nine, from
the first event to their last delivery.
"""

import socket
import time

import kit
from bench import cpu_seconds, median, per_event

NAMES = [f"c{i}" for i in range(10)]
DEAD = NAMES[-1]
RULE = """
rule: to-{name}
from: prodsmart/lot.created
to: {name}/replicationpost
key: '"lot/" + $event[0].code'
map: |
  .[0] as $lot
  | {{ repLines: [ {{ apiuuid: uuid5("{name}/\\($lot.code)"), apiid: "PH",
        senderidentification: "bench",
        nodes: [ {{name: "pallet_#", value: $lot.code}} ] }} ] }}
"""


def connectors(sim, dead_url):
    made = {name: {"kind": "flex2b", "base_url": sim.url("flex2b"), "user": "secret:f2b-user",
                   "password": "secret:f2b-pass", "token_header": "bearer", "concurrency": 4,
                   "on_unknown": "resend", "breaker": {"failures": 5, "open": "1s"},
                   "timeout": {"connect": "1s", "total": "2s"}} for name in NAMES}
    if dead_url is not None:
        made[DEAD]["base_url"] = dead_url
    return {**made, "flex2b": None, "movilitas": None}


def one(bench, sim, dead_url):
    """Of the nine: deliveries a second, and CPU of the gateway for each; then the tenth's."""
    gan = kit.Gateway(sim, {f"{name}.yaml": RULE.format(name=name) for name in NAMES}, config={
        "site": "bench", "connectors": connectors(sim, dead_url),
        "log": {"level": "error"}})

    def delivered():
        return {c["name"]: c["delivered"] for c in gan.status()["connectors"]}

    try:
        gan.start()
        start, cpu = time.monotonic(), cpu_seconds(gan.proc.pid)
        accepted = bench.load(gan.public, 16, True, seconds=1)["ok"]

        def done():
            return all(n >= accepted for name, n in delivered().items() if name != DEAD)

        kit.wait_until(done, 120, "the nine have delivered", every=0.05)
        took = time.monotonic() - start
        cpu = cpu_seconds(gan.proc.pid) - cpu
        return round(9 * accepted / took), per_event(cpu, 9 * accepted), delivered()[DEAD]
    finally:
        gan.close()


def measure(bench, sim):
    silent = socket.socket()  # takes connections and never answers
    silent.bind(("127.0.0.1", 0))
    silent.listen(512)
    refusing = socket.socket()  # bound, not listening
    refusing.bind(("127.0.0.1", 0))
    for how, sock in (("silent", silent), ("refusing", refusing)):
        url = "http://127.0.0.1:%d" % sock.getsockname()[1]
        rates = []
        for _ in range(bench.turns):
            rates.append((*one(bench, sim, None)[:2], *one(bench, sim, url)))
            assert rates[-1][4] == 0
        middle = [median(column) for column in zip(*rates)]
        ratios = sorted(r[2] / r[0] for r in rates)
        bench.note(f"nine of ten, the tenth {how}", rate=middle[2], rate_all_alive=middle[0],
                   ratios=[round(r, 2) for r in ratios], cpu_us=middle[3],
                   cpu_us_all_alive=middle[1])
        bench.goal("g", f"nine of ten connectors, the tenth {how}", median(ratios), ">=", 0.9)
    silent.close()
    refusing.close()
