# SPDX-License-Identifier: MIT
"""test_dead_connector.py - one dead connector among ten: the other nine deliver everything.

While the tenth refuses connections, swallows them, or hangs with its token in hand,
all that the nine are owed is delivered, in order per key, and what the tenth is owed
waits; when it heals, it gets all of it, once.

Seen red with one window of deliveries for all connectors instead of one for each
(free_slots() in dispatch.c counting what is in flight anywhere).
"""

import kit
import pytest
from proxy import Fault, Proxy

NAMES = [f"c{i}" for i in range(10)]
DEAD = NAMES[-1]
EVENTS, KEYS = 60, 6
RULE = """
rule: to-{name}
from: prodsmart/lot.created
to: {name}/replicationpost
key: '"{name}/" + ($event.key | tostring)'
map: |
  {{ repLines: [ {{ apiuuid: uuid5("{name}/\\(.n)"), apiid: "PH", senderidentification: "{name}",
                  nodes: [ {{name: "n", value: (.n | tostring)}},
                           {{name: "key", value: (.key | tostring)}} ] }} ] }}
"""


def lines(sim):
    """(connector, key, n) of every line that the vendor took, in the order of arrival."""
    for entry in sim.journal("flex2b"):
        if entry["acted"]:
            line = entry["json"]["repLines"][0]
            nodes = {node["name"]: node["value"] for node in line["nodes"]}
            yield line["senderidentification"], nodes["key"], int(nodes["n"])


def config(sim, dead_url):
    """Ten connectors to one vendor; a repeat is allowed, so that nothing needs a person."""
    made = {name: {"kind": "flex2b", "base_url": sim.url("flex2b"), "user": "secret:f2b-user",
                   "password": "secret:f2b-pass", "token_header": "bearer",
                   "on_unknown": "resend", "timeout": {"connect": "1s", "total": "10s"}}
            for name in NAMES}
    # Dead for longer than the test waits: nobody can be waiting for its time-out.
    made[DEAD].update(base_url=dead_url, timeout={"connect": "1s", "total": "5m"})
    return {"connectors": {**made, "flex2b": None, "movilitas": None}}


def tenth(gan):
    return next(c for c in gan.status()["connectors"] if c["name"] == DEAD)


def is_trying(gan, how, proxy):
    """The tenth is really at it: what it is owed waits in a dead connection, or has failed."""
    if how == "refusing":
        return tenth(gan)["consecutive_failures"] > 0
    return bool(proxy.faults) and (how == "silent" or tenth(gan)["in_flight"] > 0)


@pytest.mark.parametrize("how", ["refusing", "silent", "hanging"])
def test_nine_deliver_while_the_tenth_is_dead(make_gateway, sim, how):
    with Proxy(sim.address("flex2b")) as proxy:
        gan = make_gateway({f"{name}.yaml": RULE.format(name=name) for name in NAMES},
                           None, config(sim, proxy.url))
        before = 0
        if how == "hanging":  # its token is here; requests go into a hole
            assert gan.send_webhook("lot_created", {"n": -1, "key": "first"}).status == 200
            gan.drain()
            before = 1
        if how == "refusing":
            proxy.deaf()
        else:
            proxy.fault = Fault(hole=True)
        for n in range(EVENTS):
            answer = gan.send_webhook("lot_created", {"n": n, "key": n % KEYS})
            assert answer.status == 200
        kit.wait_until(lambda: is_trying(gan, how, proxy), 20, "the tenth is tried")

        def nine_have_all():
            counts = {c["name"]: c["delivered"] for c in gan.status()["connectors"]}
            return all(counts[name] == EVENTS + before for name in NAMES[:-1])

        kit.wait_until(nine_have_all, 60, "the nine have delivered everything")
        got = list(lines(sim))
        for name in NAMES[:-1]:
            for key in range(KEYS):
                assert [n for c, k, n in got if (c, k) == (name, str(key))] == list(
                    range(key, EVENTS, KEYS))
        # The dead one has delivered nothing since, and is still owed all of it.
        assert tenth(gan)["delivered"] == before
        assert sum(1 for c, _, _ in got if c == DEAD) == before
        owed = gan.deliveries(connector=DEAD, state="waiting")
        owed += gan.deliveries(connector=DEAD, state="sending")
        assert len({row["id"] for row in owed}) == EVENTS
        assert not gan.attention(kind="dead") and not gan.attention(kind="unknown")

        if how == "refusing":
            proxy.listen()
        proxy.heal()
        kit.wait_until(lambda: tenth(gan)["delivered"] == EVENTS + before, 60,
                       "the tenth has caught up")
        got = [(k, n) for c, k, n in lines(sim) if c == DEAD and n >= 0]
        for key in range(KEYS):
            assert [n for k, n in got if k == str(key)] == list(range(key, EVENTS, KEYS))
