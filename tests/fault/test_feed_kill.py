# SPDX-License-Identifier: MIT
"""test_feed_kill.py - killed between the read of a change channel and its events.

The first test needs a second gantryd, built with failpoints (`make check-fault` builds it):
    make BUILD=build-failpoints FAILPOINTS=1 build-failpoints/gantryd
"""

import os
import random
import signal

import kit
import pytest
from feeds import channel, events, feed, handed, push, sample

GANTRYD = os.path.join(os.path.abspath(kit.BUILD) + "-failpoints", "gantryd")

# Where the process dies, and whether the change is in the database by then.
PLACES = {"feed-after-begin": False, "feed-answered": False, "feed-after-answer": True,
          "feed-before-apart": True, "feed-after-apart": True, "before-commit": None}


@pytest.mark.parametrize("place", PLACES)
def test_killed_between_read_and_events(make_gateway, sim, place):
    """What was kept is an event, once; what was read and not kept is told, and found again."""
    if not os.access(GANTRYD, os.X_OK):
        pytest.skip(f"{GANTRYD} is not built: make check-fault does it")
    config = feed(sim, {"PRODUCTION_ORDER": "production-order"},
                  reconcile={"every": "1h", "grace": "0s"})
    gan = make_gateway(config=config, start=False)
    gan.gantryd = GANTRYD
    gan.start()
    gan.ctl("reconcile")
    gan.stop()
    full = [{**sample("production-order"), "id": n, "code": f"PO-{n}", "active": True}
            for n in range(1, 6)]
    sim.state(prodsmart={"changes": {"PRODUCTION_ORDER": full},
                         "merge": {"production_orders": full}})
    try:
        gan.start(env={"GANTRY_FAILPOINT": f"{place}=kill@{3 if place == 'before-commit' else 1}"})
        assert gan.proc.wait(30 * kit.SLOW) == -signal.SIGKILL, gan.log()
        gan.kill()
    except (kit.CtlError, RuntimeError):
        pass  # it was quicker than the question for its ports
    assert f"failpoint {place}: kill" in gan.log()
    gan.start()

    def told():
        rows = events(gan, "production-order.*")
        return {e["body"]["id"] for e in rows if e["topic"] != "production-order.lost"}

    kit.wait_until(lambda: told() == {1, 2, 3, 4, 5}, 20, "every change is an event")
    changed = [e["body"]["id"] for e in events(gan, "production-order.changed")]
    assert len(changed) == len(set(changed))
    lost = gan.attention(source="feed")
    if PLACES[place]:
        assert not lost and sorted(changed) == [1, 2, 3, 4, 5]
        assert channel(gan, "PRODUCTION_ORDER")["events"] == 5
    elif PLACES[place] is False:
        assert len(lost) == 1 and "under way" in lost[0]["reason"]


def test_random_kills_lose_nothing_that_was_kept(make_gateway, sim, seed):
    """Each change is an event once, or one of the reads that are told as lost had it."""
    rng = random.Random(seed)
    gan = make_gateway(config=feed(sim, {"STOCK": "stock"}, every="1s"))
    sent = 0
    for _ in range(6):
        items = [{"product-code": f"P{sent + n}", "stock": n} for n in range(rng.randint(1, 40))]
        sent += len(items)
        push(sim, "STOCK", *items)
        reads = len(sim.journal("prodsmart"))
        after = rng.randint(1, 3)
        kit.wait_until(lambda: len(sim.journal("prodsmart")) >= reads + after or
                       not sim.state()["prodsmart"]["changes"]["STOCK"]["left"], 10, "it reads")
        gan.kill()
        gan.start()
    kit.wait_until(lambda: not sim.state()["prodsmart"]["changes"]["STOCK"]["left"], 20, "all")
    kit.wait_until(lambda: channel(gan, "STOCK")["next_read_at"], 10, "it rests")
    codes = [r["body"]["product-code"] for r in events(gan, "stock.changed")]
    lost = gan.attention(source="feed")
    assert len(codes) == len(set(codes))
    assert len(handed(sim, "STOCK")) == sent
    assert sent - len(codes) <= 25 * len(lost), (sent, len(codes), lost)
