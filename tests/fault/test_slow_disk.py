# SPDX-License-Identifier: MIT
"""test_slow_disk.py - a disk whose every sync takes its time: slower, and nothing else."""

import time

import history
import inject
import kit
import load


def test_slow_syncs_from_the_start(make_gateway, sim):
    """5 ms more for each sync: 2xx or 503 and nothing else, and what was 2xx is there."""
    gan = make_gateway(load.RULES, config=load.CONFIG, start=False)
    log = gan.path("strace.log")
    gan.start(wrap=inject.wrap(inject.delay(5), log=log), deadline=40)
    with load.Load(gan, threads=8) as senders:
        kit.wait_until(lambda: len(senders.acked) > 200, 60, "events are accepted")
    gan.drain(60)
    assert set(senders.account.statuses) <= {200, 202, 503}
    assert not senders.account.doubt
    assert inject.injected(log) > 20, "hardly a sync was slow"
    history.verify(gan, sim, senders.account)
    assert gan.attention() == []


def test_syncs_that_hang_for_a_while(make_gateway, sim, seed):
    """Half a second each, then well again: requests wait, the loop does not, nothing is lost."""
    gan = make_gateway(load.RULES, config=load.CONFIG)
    with load.Load(gan, threads=8) as senders:
        kit.wait_until(lambda: len(senders.acked) > 40, 20, "events are accepted")
        log = gan.path("strace.log")
        with inject.attached(gan.proc.pid, inject.delay(500), log=log):
            before = len(senders.acked)
            # What needs no disk is answered at once all the while.
            begin = time.monotonic()
            assert gan.http("GET", "/healthz").status == 200
            assert time.monotonic() - begin < 1 * kit.SLOW
            kit.wait_until(lambda: len(senders.acked) > before + 24, 60, "events are still accepted")
        assert inject.injected(log) >= 3
        before = len(senders.acked)
        kit.wait_until(lambda: len(senders.acked) > before + 100, 20, "it is well again")
    gan.drain(60)
    assert set(senders.account.statuses) <= {200, 202, 503}
    history.verify(gan, sim, senders.account)
    assert gan.attention() == []


def test_killed_while_syncs_are_slow(make_gateway, sim):
    """Many requests wait for one sync when the daemon dies: none of them was acknowledged."""
    gan = make_gateway(load.RULES, config=load.CONFIG, start=False)
    slow = {"wrap": inject.wrap(inject.delay(40)), "deadline": 40}
    gan.start(**slow)
    with load.Load(gan, threads=16) as senders:
        for _ in range(3):
            before = len(senders.acked)
            kit.wait_until(lambda: len(senders.acked) > before + 30, 60, "events are accepted")
            with senders.account.excused():
                gan.kill()
            gan.start(**slow)
    assert senders.account.doubt, "nobody waited for a sync"
    load.settle(gan, sim)
    history.verify(gan, sim, senders.account)
