# SPDX-License-Identifier: MIT
"""feeds.py - change channels of the simulated Prodsmart, and a gateway that reads them.

A read removes what it returns, as the vendor's does: the simulator's state says what it handed
out, and what a fault ate on the way.
"""

import json
import os

import kit

# The bodies of the vendor's page where they lie beside the tree, else our own of the same form.
BODIES = os.path.join(os.environ.get("GANTRY_DATA") or os.path.join(kit.TOP, "..", "shared", "data"),
                      "..", "apis", "payloads")
FAST = {"limit_per_minute": 1000000}
PS = {"kind": "prodsmart", "api_key": "secret:ps-key", "api_secret": "secret:ps-secret"}


OWN = {
    "down-time": {"id": 8, "start-time": "2026-04-22T14:47:00.000+01:00",
                  "end-time": "2026-04-23T00:00:00.000+01:00", "closed-by": {"number": 1},
                  "workers": [{"number": 1}], "machines": [], "checked-out": True,
                  "downtime-type": "Cleaning", "event-type": "downTime_deleted"},
    "product": {"code": "T1", "name": "Table", "families": [], "notification": None},
    "production": {"id": 9, "production-order": {"code": "W14", "id": 3}, "quantity": 2.0,
                   "operation": {"code": "CUT", "product": "T1"}, "worker": {"number": 6},
                   "produced-waste": [], "status": "deleted"},
    "production-order": {"id": 7, "code": "W14", "description": "", "shipping": {}, "notes": "",
                         "start-date": "2026-04-21T00:00:00.000+01:00",
                         "due-date": "2026-04-28T00:00:00.000+01:00", "ended": False,
                         "products": [{"product": "T1", "quantity-ordered": 30.0}],
                         "machines": [], "is-active": True, "running-status": "notstarted"},
    "punch-clock": {"id": 6, "date": "2026-05-19T14:35:30.000+01:00", "worker": {"number": 0},
                    "entry": 1, "notification": "punchClock_deleted"},
    "stock": {"product-code": "T1", "stock": 2395.0, "lot": [{"code": "L86", "stock": 500.0}]},
}


def sample(name):
    path = os.path.join(BODIES, f"prodsmart.feed.{name}.json")
    if not os.path.exists(path):
        return OWN[name]
    with open(path, encoding="utf-8") as f:
        return json.load(f)[0]


def feed(sim, channels, every="1s", url=None, **source):
    """A configuration with one feed."""
    sim.state(prodsmart=FAST)
    return {"sources": {"feed": {"kind": "prodsmart-feed", "connector": "ps", "every": every,
                                 "channels": channels, **source}},
            "connectors": {"ps": {**PS, "base_url": url or sim.url("prodsmart")}}}


def push(sim, channel, *items):
    sim.state(prodsmart={"changes": {channel: list(items)}})


def handed(sim, channel):
    return sim.state()["prodsmart"]["changes"].get(channel, {}).get("handed_out", [])


def events(gan, topic="*"):
    """All events of the feed, oldest first, with body and meta."""
    rows = gan.ctl("events list", "--source", "feed", "--topic", topic, "--limit", "1000")
    return [gan.ctl("show", row["id"], "--bodies")["events"][0] for row in reversed(rows)]


def channel(gan, name):
    return next(f for f in gan.status()["feeds"] if f["channel"] == name)


def order(n, **more):
    return {"id": n, "code": f"PO-{n}", "products": [], "running-status": "started", **more}
