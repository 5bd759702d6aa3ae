# SPDX-License-Identifier: MIT
"""test_start.py - what a start must refuse, and what it must survive."""

import os

import history
import kit
import load
import pytest


@pytest.mark.parametrize("before", ["new", "stopped", "killed"])
def test_second_daemon_on_one_database_leaves_with_a_message(make_gateway, before):
    """Not only on a new database: one that is in WAL mode from before must be locked as well."""
    first = make_gateway()
    if before != "new":
        assert first.send_webhook("lot_created", {"n": 0}).status == 200
        first.stop() if before == "stopped" else first.kill()
        first.start()
    # One connection with an exclusive lock keeps the index of its WAL in its own memory.
    assert "gantry.db-shm" not in os.listdir(first.path("data"))
    second = make_gateway(start=False)
    second.reconfigure(store={"path": first.path("data", "gantry.db")})
    try:
        second.start()
    except RuntimeError as ended:
        assert "ended with 73" in str(ended)
        assert "locked by another process" in second.log()
    else:
        raise AssertionError("two daemons share one database")
    assert first.send_webhook("lot_created", {"n": 1}).status == 200


def test_the_second_daemon_hurts_nothing_and_takes_over_later(make_gateway, sim):
    """Under load, with webhooks in the spool: its opening must not touch either file."""
    first = make_gateway(load.RULES, config=load.CONFIG)
    second = make_gateway(load.RULES, start=False, config=load.CONFIG)
    second.reconfigure(store={"path": first.path("data", "gantry.db")})
    with load.Load(first, pause=0.02) as senders:
        for _ in range(3):
            before = len(senders.acked)
            with pytest.raises(RuntimeError, match="ended with 73"):
                second.start()
            kit.wait_until(lambda: len(senders.acked) > before + 20, 20, "the first goes on")
    assert set(senders.account.statuses) <= {200, 202}
    first.drain(60)
    history.verify(first, sim, senders.account)
    first.reconfigure(store={"min_free": "1TiB"})
    first.hup()
    first.wait_notify("READY=1")
    assert first.send_webhook("lot_deleted", {"n": 1}).json()["status"] == "spooled"
    with pytest.raises(RuntimeError, match="ended with 73"):
        second.start()
    assert first.status()["store"]["spool"]["records"] == 1
    assert first.stop() == 0
    second.start()
    kit.wait_until(lambda: second.status()["store"]["spool"]["imported"] == 1, 10, "imported")
