# SPDX-License-Identifier: MIT
"""test_disk_damage.py - a database or spool that is damaged or somebody else's.

The start ends with a clear error; there is never a new file by itself, and not one byte of what
is there is changed, with a write-ahead log beside it or without.
"""

import os
import shutil
import sqlite3

import kit
import load
import pytest
import rules
from disk import Sender

PAGE = 4096


@pytest.fixture(scope="module")
def killed():
    """What a kill -9 leaves: a database, and a log that has the newest events alone."""
    sim = kit.Sim()
    gan = kit.Gateway(sim, load.RULES, config={**load.CONFIG, "store": {"min_free": 0}})
    try:
        gan.start()
        sender = Sender(gan)
        for count in (40, 5):
            for _ in range(count):
                assert sender.send() == "stored"
            gan.drain()
            if count == 40:
                gan.restart()
        gan.kill()
        assert os.path.getsize(gan.path("data", "gantry.db-wal")) > PAGE
        yield gan.path("data")
    finally:
        gan.close()
        sim.stop()


@pytest.fixture
def gan(make_gateway, killed):
    made = make_gateway(load.RULES, start=False,
                        config={**load.CONFIG, "store": {"min_free": 0}})
    shutil.copytree(killed, made.path("data"), dirs_exist_ok=True)
    return made


def overwrite(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def rotten_pages(gan):
    db = gan.path("data", "gantry.db")
    for at in range(PAGE, os.path.getsize(db), PAGE):
        overwrite(db, at, b"\xa5" * PAGE)


def rotten_header(gan):
    os.unlink(gan.path("data", "gantry.db-wal"))  # which has the first page, too
    overwrite(gan.path("data", "gantry.db"), 16, b"\xa5" * 84)


def cut_short(gan):
    os.truncate(gan.path("data", "gantry.db"), 3 * PAGE)


def a_text(gan):
    db = gan.path("data", "gantry.db")
    os.truncate(db, 0)
    overwrite(db, 0, b"Dear operator, this is a letter.\n" * 300)


def a_text_without_a_log(gan):
    os.unlink(gan.path("data", "gantry.db-wal"))
    a_text(gan)


def another_program(gan):
    for name in ("gantry.db", "gantry.db-wal"):
        os.unlink(gan.path("data", name))
    other = sqlite3.connect(gan.path("data", "gantry.db"))
    other.execute("CREATE TABLE invoice(id, total)")
    other.execute("INSERT INTO invoice VALUES(1, 2)")
    other.commit()
    other.close()


def a_newer_version(gan):
    overwrite(gan.path("data", "gantry.db"), 60, (999).to_bytes(4, "big"))
    os.unlink(gan.path("data", "gantry.db-wal"))


def a_folder(gan):
    os.unlink(gan.path("data", "gantry.db"))
    os.unlink(gan.path("data", "gantry.db-wal"))
    os.mkdir(gan.path("data", "gantry.db"))


def a_damaged_spool(gan):
    overwrite(gan.path("data", "gantry.spool"), 512 + 16, b"\xa5" * 8)


def a_foreign_spool(gan):
    overwrite(gan.path("data", "gantry.spool"), 0, b"\xa5" * 1024)


def contents(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        found[name] = None
        if os.path.isfile(path):
            with open(path, "rb") as f:
                found[name] = f.read()
    return found


@pytest.mark.parametrize("spoil,code,text", [
    (rotten_pages, 65, "damaged"),
    (rotten_header, 73, "is no database"),
    (cut_short, 65, "damaged"),
    (a_text, 65, "damaged"),  # its first page is in the log
    (a_text_without_a_log, 73, "is no database"),
    (another_program, 73, "is a database of another program"),
    (a_newer_version, 73, "has format 999"),
    (a_folder, 73, "cannot be opened"),
    (a_damaged_spool, 65, "gantry.spool is damaged"),
    (a_foreign_spool, 73, "is no spool of Gantry"),
])
def test_what_cannot_be_read_is_left_as_it_is(gan, spoil, code, text):
    spoil(gan)
    before = contents(gan.path("data"))
    with pytest.raises(RuntimeError) as ended:
        gan.start()
    assert f"ended with {code}" in str(ended.value)
    assert text in gan.log()
    after = contents(gan.path("data"))
    if "spool" in text:  # the database is well, and closed: its log goes into it
        before, after = ({"gantry.spool": c["gantry.spool"]} for c in (before, after))
    if after.get("gantry.db-wal") == b"" and "gantry.db-wal" not in before:
        del after["gantry.db-wal"]  # whoever reads a database with a log makes an empty one
    assert list(after) == list(before), "files came or went"
    assert [n for n in before if after[n] != before[n]] == [], "bytes were changed"


def test_a_restored_backup_takes_what_is_in_the_spool(gan, sim):
    """Webhooks that came while the database failed are in no backup, but they are kept."""
    sender = Sender(gan)
    sender.n = 100
    gan.start()
    gan.ctl("backup", gan.path("backup.db"))
    gan.reconfigure(store={"min_free": "1TiB"})
    gan.hup()
    gan.wait_notify("READY=1")
    for _ in range(3):
        assert sender.send() == "spooled"
    gan.kill()
    rotten_pages(gan)
    with pytest.raises(RuntimeError):
        gan.start()
    os.unlink(gan.path("data", "gantry.db-wal"))
    os.replace(gan.path("backup.db"), gan.path("data", "gantry.db"))
    gan.reconfigure(store={"min_free": 0})
    gan.start()
    kit.wait_until(lambda: gan.status()["store"]["spool"]["imported"] == 3, 10, "imported")
    gan.drain()
    assert {n for n, *_ in rules.lines(sim)} == {101, 102, 103}
