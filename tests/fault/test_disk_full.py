# SPDX-License-Identifier: MIT
"""test_disk_full.py - a disk without space: webhooks go to the emergency spool, the ERP waits.

Needs root for a small tmpfs.
"""

import os

import inject
import kit
import load
import pytest
import rules
from disk import Sender, SmallDisk

MIB = 1 << 20


@pytest.fixture
def on_small_disk(make_gateway):
    """on_small_disk(size, store={...}): a gateway whose data folder is a small disk."""
    disks = []

    def make(size, **store):
        gan = make_gateway(load.RULES, start=False, config={
            **load.CONFIG, "store": {"min_free": 0, **store}})
        disk = SmallDisk(gan.path("data"), size)
        disks.append(disk)
        gan.start()
        return gan, disk

    yield make
    for disk in disks:
        disk.unmount()


def spool(gan):
    return gan.status()["store"]["spool"]


def erp_waits(gan):
    got = gan.erp_post("line", {"n": 1})
    assert got.status == 503 and int(got.headers["retry-after"]) > 0, got


def test_full_disk_spools_then_refuses_then_heals(on_small_disk, sim):
    """The whole story; at its middle a kill -9 on the full disk."""
    gan, disk = on_small_disk(24 * MIB)
    sender = Sender(gan, pad=4000)
    for _ in range(5):
        assert sender.send() == "stored"
    gan.drain()
    disk.fill()
    sender.send_until("spooled")
    erp_waits(gan)
    # Once one waits, no later one is stored before it.
    assert sender.send() == "spooled"
    kept = spool(gan)
    assert kept["records"] == len(sender.told["spooled"]) and kept["since"]
    assert disk.free() == 0

    # A start needs no space either: no -shm file, which SQLite makes unless it is told early.
    gan.kill()
    gan.start()
    assert sorted(os.listdir(disk.path)) == ["filler", "gantry.db", "gantry.db-wal", "gantry.spool"]
    assert spool(gan)["records"] == len(sender.told["spooled"])
    sender.send_until(503)
    erp_waits(gan)
    code, out, _ = gan.ctl_raw("status", "--check", output="table")
    assert code == 1 and "wait in the emergency spool" in out
    doctor = {f["check"]: f for f in gan.ctl("doctor", rc=1)}
    assert "wait in the emergency spool" in doctor["spool"]["finding"]
    assert f"gantry_spool_records {len(sender.told['spooled'])}\n" in metrics(gan)

    disk.empty()
    kit.wait_until(lambda: spool(gan)["records"] == 0, 10, "the spool is imported")
    assert sender.send() == "stored"
    sender.balance(sim)
    assert gan.erp_post("line", {"n": 1}).status == 202
    assert len(sender.told["spooled"]) > 50 and sender.told[503]
    log = gan.log()
    assert log.count("webhooks go to the emergency spool") == 1
    assert log.count("the emergency spool is empty again") == 1
    assert gan.ctl("store check") == []


def test_a_start_on_a_full_disk_waits_with_what_it_has_to_write(on_small_disk, sim):
    """A delivery was under way: that it is unknown now can only be written when there is room."""
    gan, disk = on_small_disk(24 * MIB)
    sender = Sender(gan, pad=4000)
    assert sender.send() == "stored"
    gan.drain()
    sim.fault("movilitas", "hang-after")
    assert gan.erp_post("waste", {"key": "a", "gtin": rules.GTIN, "serials": ["A"]}).status == 202
    kit.wait_until(lambda: sim.journal("movilitas", path="serials/decommission"), 10, "it arrived")
    gan.kill()
    disk.fill()
    gan.start()
    assert gan.status()["store"]["full"] and gan.deliveries(key="po/a")[0]["state"] == "sending"
    sender.send_until("spooled")
    erp_waits(gan)
    # A second start is no worse, and a stop does not hurt.
    assert gan.stop() == 0
    gan.start()
    assert sender.send() == "spooled"
    assert gan.deliveries(key="po/a")[0]["state"] == "sending"
    disk.empty()
    gan.wait_key("po/a", "unknown")
    kit.wait_until(lambda: spool(gan)["records"] == 0, 10, "the spool is imported")
    gan.ctl("resolve", gan.deliveries(key="po/a")[0]["id"], "--as", "sent")
    gan.wait_key("po/a", "delivered")
    gan.drain()
    sent = [n for n, *_ in rules.lines(sim, acted=True)]
    assert sent == sorted(sender.told["stored"] + sender.told["spooled"]), "each once, in order"
    assert len(sim.journal("movilitas", path="serials/decommission")) == 1, "sent again by itself"
    assert gan.ctl("store check") == []


def metrics(gan):
    return kit.request(gan.admin, "GET", "/metrics").body.decode()


def test_without_a_spool_a_full_disk_is_a_503(on_small_disk, sim):
    gan, disk = on_small_disk(24 * MIB, spool=0)
    sender = Sender(gan, pad=4000)
    sender.send()
    disk.fill()
    sender.send_until(503)
    erp_waits(gan)
    assert not os.path.exists(gan.path("data", "gantry.spool"))
    disk.empty()
    kit.wait_until(lambda: not gan.status()["store"]["full"], 10, "it is not full any more")
    assert sender.send() == "stored"
    sender.balance(sim)
    assert not sender.told["spooled"]


def test_a_quota_that_is_used_up_is_a_full_disk(make_gateway, sim):
    """Red while SQLite's word for it, an I/O error, was believed: the process ended."""
    gan = make_gateway(load.RULES, config={**load.CONFIG, "store": {"min_free": 0, "spool": 0}})
    sender = Sender(gan)
    assert sender.send() == "stored"
    gan.drain()
    used_up = inject.fail("EDQUOT", calls="pwrite64")
    with sender.account.excused(), inject.attached(gan.proc.pid, used_up):
        assert sender.send() == 503
        assert gan.status()["store"]["full"]
    kit.wait_until(lambda: not gan.status()["store"]["full"], 10, "it is not full any more")
    assert sender.send() == "stored"
    sender.balance(sim)


def test_min_free_refuses_early_and_leaves_room_for_deliveries(on_small_disk, sim):
    gan, disk = on_small_disk(48 * MIB, min_free="20MiB")
    sender = Sender(gan)
    fault = sim.fault("flex2b", "status", status=503)
    for _ in range(20):
        assert sender.send() == "stored"
    disk.fill(leave=10 * MIB)
    kit.wait_until(lambda: gan.status()["store"]["full"], 10, "too little is free")
    for _ in range(5):
        assert sender.send() == "spooled"
    erp_waits(gan)
    # What was accepted before is finished meanwhile.
    sim.clear(fault)
    kit.wait_until(lambda: gan.status()["deliveries"]["delivered"] == 20, 20, "deliveries go on")
    assert spool(gan)["records"] == 5
    disk.empty()
    kit.wait_until(lambda: spool(gan)["records"] == 0, 10, "the spool is imported")
    sender.balance(sim)


def test_a_checkpoint_that_finds_no_room_is_made_later(on_small_disk, sim):
    """SQLite copies its log into the file, which must grow for it, and on a full disk cannot."""
    gan, disk = on_small_disk(32 * MIB)
    sender = Sender(gan, pad=20000)
    for _ in range(60):
        assert sender.send() == "stored"
    gan.drain()
    db, wal = gan.path("data", "gantry.db"), gan.path("data", "gantry.db-wal")
    small, log = os.stat(db), os.stat(wal).st_size
    assert small.st_size < MIB < log, "the log was copied before the disk was full"
    disk.fill()
    # After three idle seconds it tries: the pages that are there are written, the next is not.
    kit.wait_until(lambda: os.stat(db).st_mtime_ns > small.st_mtime_ns, 15, "a checkpoint")
    sender.send_until("spooled")
    assert os.stat(db).st_size == small.st_size and os.stat(wal).st_size >= log
    # So does a stop; the log stays, and nothing is lost.
    assert gan.stop() == 0
    gan.start()
    assert sender.send() == "spooled"
    disk.empty()
    kit.wait_until(lambda: spool(gan)["records"] == 0, 10, "the spool is imported")
    assert sender.send() == "stored"
    kit.wait_until(lambda: gan.status()["store"]["wal_bytes"] == 0, 15, "the log is cut")
    assert os.stat(db).st_size > MIB
    sender.balance(sim)
