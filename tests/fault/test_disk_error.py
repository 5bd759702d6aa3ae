# SPDX-License-Identifier: MIT
"""test_disk_error.py - the n-th sync of the store fails: nothing acknowledged is lost or doubled.

strace makes the sync fail; n goes from 1 to GANTRY_EIO_SYNCS (10; the full run has 60).  It
counts for each thread, so the first few hit the start itself.
"""

import os

import inject
import kit
import load
import pytest
import rules
from disk import Sender

SYNCS = int(os.environ.get("GANTRY_EIO_SYNCS", "10"))
EXIT_IO = 74


@pytest.fixture
def gan(make_gateway):
    """Stopped, with a database that is there already."""
    made = make_gateway(load.RULES, config={**load.CONFIG, "store": {"min_free": 0}})
    made.stop()
    return made


def start_failing(gan, when, only=None):
    """False when the start itself was hit: then that ends, with the right code."""
    try:
        gan.start(wrap=inject.wrap(inject.fail(when=when), only=only and gan.path("data", only)))
    except RuntimeError as ended:
        assert f"ended with {EXIT_IO}" in str(ended), ended
        return False
    except kit.CtlError:  # right after READY, when the rules are stored
        assert "the store failed, stopping so that a restart can recover" in gan.log()
        return False
    return True


def send_until_it_ends(sender):
    """Send until one is not stored, and a few more; what they were told from there on."""
    said = []
    for i in range(80):
        answer = sender.send(key=f"k{i % 3}")
        if answer != "stored":
            said.append(answer)
        if answer is None or len(said) == 4:
            break
    return said


def run_failing(gan, sender, when):
    """One life that ends with a failed sync; what was said, None: it never failed."""
    said = []
    with sender.account.excused():
        if start_failing(gan, when):
            said = send_until_it_ends(sender)
            if not said:
                gan.stop()
                return None
            assert gan.wait_end() == EXIT_IO
    return said


def run_hit(gan, sender, when):
    """An idle gateway whose next sync is that of a webhook's COMMIT; what its sender was told."""
    with sender.account.excused():
        gan.start()
        gan.drain()
        with inject.attached(gan.proc.pid, inject.fail(when=when)):
            said = sender.send()
            assert gan.wait_end() == EXIT_IO
    return said


def test_the_nth_sync_fails(gan, sim):
    """The spool's own sync works: who waited for the failed COMMIT, or came after it, hears 200."""
    sender = Sender(gan)
    seen, unseen = set(), []
    for n in range(1, SYNCS + 1):
        said = run_failing(gan, sender, n)
        if said is None:
            unseen.append(n)
        seen.update(said or [])
        gan.start()
        kit.wait_until(lambda: gan.status()["store"]["spool"]["records"] == 0, 10, "imported")
        assert sender.send() == "stored"
        gan.stop()
    assert run_hit(gan, sender, 1) == "spooled"
    gan.start()
    # SQLite looks past a failed sync of the folder, which is why the store syncs it as well.
    assert len(unseen) <= 1, unseen
    assert seen <= {"spooled", None}, seen
    sender.balance(sim)


def test_every_sync_from_the_nth_on_fails(gan, sim):
    """Database and spool both fail: 503, which is the truth, and the process ends all the same."""
    sender = Sender(gan)
    for n in range(2, SYNCS + 1, 3):
        run_failing(gan, sender, f"{n}+")
        gan.start()
        assert sender.send() == "stored"
        gan.stop()
    assert run_hit(gan, sender, "1+") == 503
    gan.start()
    assert not sender.told["spooled"]
    sender.doubt_refused()
    sender.balance(sim)


def test_the_erp_gets_a_503_and_comes_again(gan, sim):
    gan.rule("erp.yaml", rules.FLEX_ERP)
    gan.start()
    with inject.attached(gan.proc.pid, inject.fail(when=1)):
        got = gan.erp_post("line", {"n": 1, "key": "k"}, key="i-1")
        assert got.status == 503 and int(got.headers["retry-after"]) > 0
        assert gan.wait_end() == EXIT_IO
    gan.start()
    assert gan.status()["store"]["spool"]["records"] == 0
    # Perhaps the failed COMMIT is there: its idempotency key tells, and it is done once.
    assert gan.erp_post("line", {"n": 1, "key": "k"}, key="i-1").status in (200, 202)
    gan.drain()
    assert [n for n, *_ in rules.lines(sim, acted=True)] == [1]


def test_a_failed_sync_of_a_checkpoint_ends_it(gan, sim):
    """The dangerous one: after it the log must not be cut, and it is not."""
    sender = Sender(gan)
    assert start_failing(gan, 1, only="gantry.db")
    for _ in range(5):
        assert sender.send() == "stored"
    with sender.account.excused():
        assert gan.wait_end() == EXIT_IO  # three idle seconds later
    assert "checkpoint" in gan.log()
    assert os.path.getsize(gan.path("data", "gantry.db-wal")) > 0
    gan.start()
    sender.balance(sim)


def test_a_spool_that_fails_is_told_and_nothing_else_happens(gan, sim):
    gan.config["store"]["min_free"] = "1TiB"
    gan.write_config()
    sender = Sender(gan)
    assert start_failing(gan, 1, only="gantry.spool")
    assert sender.send() == 503
    # What is on the disk now nobody knows, so it takes nothing more.
    assert sender.send() == 503
    assert gan.status()["store"]["spool"]["broken"] is True
    assert "the emergency spool cannot be used" in gan.log()
    assert {f["check"] for f in gan.ctl("doctor", rc=1)} >= {"spool", "store"}
    gan.reconfigure(store={"min_free": 0})
    gan.hup()
    gan.wait_notify("READY=1")
    assert sender.send() == "stored"
    assert gan.stop() == 0
    gan.start()
    assert gan.status()["store"]["spool"]["broken"] is False
    sender.balance(sim)


def test_a_failed_sync_while_it_stops(gan, sim):
    """The drain that is under way goes on to its end; the exit code tells what happened."""
    sender = Sender(gan)
    gan.start()
    slow = sim.fault("flex2b", "late", ms=2000)
    assert sender.send() == "stored"
    kit.wait_until(lambda: sim.hits(slow) > 0, 10, "the request is with the vendor")
    with sender.account.excused(), inject.attached(gan.proc.pid, inject.fail(when=1)):
        gan.proc.terminate()
        assert gan.wait_end() == EXIT_IO, gan.log()
    assert "the store failed" in gan.log()
    sim.clear(slow)
