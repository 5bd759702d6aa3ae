# SPDX-License-Identifier: MIT
"""test_rule_files.py - rule files that are bombs, links or pipes, or vanish while they are read.

A reload takes a whole set or refuses it, and never keeps the loop: a webhook
is answered meanwhile.  GANTRY_RELOADS is how often the folder is read while
files come and go in it: 40 by default, 100 for the whole test.  That reading is another thread's work is proven in
tests/unit/test_pool_read.c; on the loop again, the largest table held up everybody
for 1.2 s on a fast machine.
"""

import os
import random
import threading

import kit
import process
import pytest
import rules
from witness import Witness

RULE = "rule: bad\nfrom: prodsmart/lot.created\nto: flex2b/replicationpost\n"
PEAK_MIB = 256
RELOADS = int(os.environ.get("GANTRY_RELOADS", "40"))


@pytest.fixture
def gan(make_gateway):
    return make_gateway({"10-flex.yaml": rules.FLEX})


def refused(gan, *words):
    """Reload under a witness: refused with these words, nothing else changed, memory bounded."""
    generation = gan.status()["generation"]
    process.forget_peak(gan.proc.pid)
    with Witness(gan, every=0.01) as seen:
        code, out, err = gan.ctl_raw("reload")
        seen.wait(3)
    seen.check()
    for word in words:
        assert word in out + err, out + err
    assert code == 1
    assert len(out + err) < 200_000, "a report that fits a terminal"
    assert gan.status()["generation"] == generation
    assert process.mib(gan.proc.pid, "VmHWM") < PEAK_MIB * kit.SLOW
    assert [r["name"] for r in gan.ctl("rules list")] == ["to-flex"], "the green set stays"
    assert len(gan.log()) < 200_000


def still_works(gan):
    gan.send_webhook("lot_created", {"n": 1, "key": "a"})
    gan.wait_key("k/a", "delivered")


def laughs():
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    return "\n".join(lines) + "\n" + RULE + "map: .\n"


MILLION = 1_000_000
BOMBS = {
    "aliases": (laughs, "anchors (&name) are not allowed"),
    "alias of itself": (lambda: RULE + "settings: &s {s: *s}\nmap: .\n", "not allowed"),
    "deep flow": (lambda: RULE + "settings: " + "[" * 500_000 + "\n", "nested deeper"),
    "deep map": (lambda: RULE + "settings: " + "{a: " * 200_000 + "\n", "nested deeper"),
    "deep block": (lambda: RULE + "settings:\n" + "".join(
        " " * i + "a:\n" for i in range(1, 1200)), "nested deeper"),
    "dashes": (lambda: RULE + "settings:\n  " + "- " * 400_000 + "a\n", "nested deeper"),
    "many keys": (lambda: RULE + "settings:\n" + "".join(
        f"  k{i}: 1\n" for i in range(90_000)) + "map: '{'\n", "50-bad.yaml"),
    "a million keys": (lambda: "".join(f"k{i}: 1\n" for i in range(MILLION)), "larger than 1MiB"),
    "a million short keys": (lambda: RULE + "settings: {" + "a," * 500_000 + "}\n",
                             "more than 100000 values"),
    "100 MB": (lambda: "# " + "x" * 100_000_000 + "\n", "larger than 1MiB"),
    "one long line": (lambda: RULE + "map: '" + "x " * 500_000 + "'\n", "50-bad.yaml"),
    "many documents": (lambda: "---\n" * 250_000, "50-bad.yaml"),
    "many errors": (lambda: RULE + "map: .\n" + "".join(
        f"wrong{i}: 1\n" for i in range(45_000)), "more findings are not shown"),
    "brackets of jq": (lambda: RULE + "map: '" + "[" * 900_000 + "'\n", "50-bad.yaml"),
    "deep jq": (lambda: RULE + "map: '" + "[" * 40_000 + "]" * 40_000 + "'\n", "50-bad.yaml"),
    "NUL and binary": (lambda: "\0\1\2\xff" * 1000, "50-bad.yaml:1:1"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(gan, name):
    make, told = BOMBS[name]
    gan.rule("50-bad.yaml", make())
    refused(gan, told)
    gan.unrule("50-bad.yaml")
    gan.ctl("reload")
    still_works(gan)


def test_too_many_files_are_refused(gan):
    for i in range(1100):
        gan.rule(f"many-{i}.yaml", "x")
    refused(gan, "more than 1000 rule files")


def test_too_much_in_all_is_refused(gan):
    for i in range(40):
        gan.rule(f"big-{i}.yaml", RULE.replace("bad", f"b{i}") + "map: .\ndescription: '"
                 + "x" * 1_000_000 + "'\n")
    refused(gan, "the rule files together are larger than 16MiB")


def test_a_million_findings_do_not_flood_the_log(gan):
    """Warnings too: 100 are shown, the others only counted."""
    for i in range(900):
        gan.rule(f"many-{i}.yml", "x")
    code, out, err = gan.ctl_raw("reload")
    assert code == 0, out + err
    assert len(gan.log().split("\n")) < 150


LINKS = {
    "to /etc/shadow": ("/etc/shadow", "leads out of the folder of gantry.yaml"),
    "to a secret": ("../secrets/prodsmart-hook", "lies in the folder of secrets"),
    "to the database": ("../data/gantry.db", "is the database of gantryd"),
    "dangling": ("nowhere.txt", "cannot be read"),
    "loop": ("50-bad.yaml", "cannot be read"),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_out_is_refused(gan, name):
    to, told = LINKS[name]
    os.symlink(to, gan.path("rules.d/50-bad.yaml"))
    refused(gan, told)
    if os.path.exists("/etc/shadow"):
        with open("/etc/shadow", encoding="utf-8") as f:
            shadow = f.readline().strip()
        assert shadow not in gan.log() + str(gan.status())
    for secret in gan.SECRETS.values():
        assert secret not in gan.log() + str(gan.status())
    os.unlink(gan.path("rules.d/50-bad.yaml"))
    gan.ctl("reload")
    still_works(gan)


def test_a_link_inside_is_followed(gan):
    os.mkdir(gan.path("available"))
    gan.write("available/more.yaml", rules.FLEX_ERP)
    os.symlink("../available/more.yaml", gan.path("rules.d/50-more.yaml"))
    gan.ctl("reload")
    assert [r["name"] for r in gan.ctl("rules list")] == ["to-flex", "erp-to-flex"]


ODD = {
    "fifo": lambda path: os.mkfifo(path),
    "folder": lambda path: os.mkdir(path),
    "link to a fifo": lambda path: (os.mkfifo(path + ".p"), os.symlink(path + ".p", path)),
    "device": lambda path: os.symlink("/dev/zero", path),
    "terminal": lambda path: os.symlink("/dev/tty", path),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_file_is_left_alone(gan, name):
    """Skipped as a rule, with a warning; refused as a table, an event file, a secret."""
    ODD[name](gan.path("rules.d/50-odd.yaml"))
    with Witness(gan, every=0.01) as seen:
        code, out, err = gan.ctl_raw("reload")
        assert code == 0, out + err
        assert "50-odd.yaml: warning: not read: this is no regular file" in out + err
        seen.wait(3)
    seen.check()
    ODD[name](gan.path("lookups/odd.csv"))
    gan.rule("50-bad.yaml", RULE + "tables: {t: lookups/odd.csv}\nmap: .\n")
    refused(gan, "50-bad.yaml:4:", "lookups/odd.csv")
    gan.rule("50-bad.yaml", RULE + "map: .\ntests:\n  - name: t\n"
             "    event_file: lookups/odd.csv\n    expect: []\n")
    refused(gan, "50-bad.yaml:7:", "lookups/odd.csv")
    gan.unrule("50-bad.yaml")
    os.unlink(gan.path("secrets/mv-token"))
    ODD[name](gan.path("secrets/mv-token"))
    refused(gan, "mv-token", "not a regular file" if name != "terminal" else "mv-token")
    still_works(gan)


def table(gan, rows, name="big.csv"):
    with open(gan.path("lookups", name), "w", encoding="ascii") as f:
        f.write("key,value\n")
        f.writelines(f"key-{i:08d},value-{i}\n" for i in range(rows))


def with_table(name="big.csv"):
    return rules.FLEX.replace("map: |", f"tables: {{t: lookups/{name}}}\nmap: |")


def test_a_large_table_keeps_nobody_waiting(gan):
    """300,000 rows: reading and parsing them is the work of another thread."""
    table(gan, 300_000)
    gan.rule("10-flex.yaml", with_table())
    with Witness(gan, every=0) as seen:
        gan.ctl("reload")
        gan.ctl("rules check")
        seen.wait(10)
    seen.check()
    still_works(gan)


def test_the_largest_table_keeps_nobody_waiting(gan):
    """Some 40 MiB: more than a worker may hold here, so it is refused, but by the worker."""
    table(gan, 1_500_000)
    gan.rule("10-flex.yaml", with_table())
    with Witness(gan, every=0) as seen:
        code, out, err = gan.ctl_raw("reload")
        seen.wait(10)
    seen.check()
    assert code == 1 and "256MiB" in out + err, out + err
    with open(gan.path("lookups/big.csv"), "a", encoding="ascii") as f:
        f.write("x" * (64 << 20))
    refused(gan, "lookups/big.csv' is larger than 64 MiB")


def test_stop_while_a_table_is_read(gan):
    table(gan, 500_000)
    gan.rule("10-flex.yaml", with_table())
    gan.hup()
    gan.wait_notify("RELOADING=1")
    assert gan.stop() == 0
    gan.start(rules=False)
    assert gan.stop() == 0
    assert "Sanitizer" not in gan.log()


SETS = (["a", "b"], ["a", "b", "c"])


def content(name, generation):
    return rules.FLEX.replace("to-flex", name).replace("lot.created", f"lot.{generation}")


def test_files_that_come_and_go_during_a_reload(make_gateway, seed):
    """Reloads while files are renamed, replaced, cut and removed: whole sets only."""
    gan = make_gateway({f"{n}.yaml": content(n, 0) for n in "abc"})
    choice, over = random.Random(seed), threading.Event()

    def disturb():
        n = 0
        while not over.is_set():
            n += 1
            name = choice.choice("ab")
            path, other = gan.path(f"rules.d/{name}.yaml"), gan.path(f"rules.d/{name}-x.yaml")
            how = choice.randrange(4)
            if how == 0:  # renamed: always there, under one name or the other
                os.rename(path, other)
                os.rename(other, path)
            elif how == 1:  # replaced, as a careful editor does
                with open(path + ".new", "w", encoding="utf-8") as f:
                    f.write(content(name, n))
                os.rename(path + ".new", path)
            elif how == 2:  # cut and written again, as a careless one does
                with open(path, "w", encoding="utf-8") as f:
                    f.write(content(name, n)[:40])
                    f.flush()
                    f.write(content(name, n)[40:])
            elif os.path.exists(gan.path("rules.d/c.yaml")):
                os.unlink(gan.path("rules.d/c.yaml"))
            else:
                with open(gan.path("c.new"), "w", encoding="utf-8") as f:
                    f.write(content("c", n))
                os.rename(gan.path("c.new"), gan.path("rules.d/c.yaml"))

    worker = threading.Thread(target=disturb)
    taken = 0
    with Witness(gan, every=0.01) as seen:
        worker.start()
        try:
            for _ in range(RELOADS):
                code, out, err = gan.ctl_raw("reload")
                taken += code == 0
                assert code in (0, 1), out + err
                names = sorted(r["name"] for r in gan.ctl("rules list"))
                assert names in SETS, (names, code, out + err)
        finally:
            over.set()
            worker.join()
    seen.check()
    print(f"{taken} of {RELOADS} reloads were taken")
    assert taken > 0, "it is not refused for ever"
    gan.ctl("reload")
    assert process.mib(gan.proc.pid, "VmHWM") < PEAK_MIB * kit.SLOW


def test_a_rule_that_is_renamed_is_not_missed(make_gateway):
    """The folder is too long to be listed in one system call: without a second look at it
    the rule is sometimes under neither name."""
    gan = make_gateway({"a-0.yaml": content("a", 0), "b.yaml": content("b", 0)})
    for i in range(5000):
        gan.write(f"rules.d/some-other-file-{i}.txt", "")
    over = threading.Event()

    def rename():
        n = 0
        while not over.is_set():
            os.rename(gan.path(f"rules.d/a-{n}.yaml"), gan.path(f"rules.d/a-{(n + 1) % 16}.yaml"))
            n = (n + 1) % 16
            over.wait(0.0005)

    worker = threading.Thread(target=rename)
    worker.start()
    codes = []
    try:
        for _ in range(20):
            codes.append(gan.ctl_raw("reload")[0])
            assert [r["name"] for r in gan.ctl("rules list")] == ["a", "b"]
    finally:
        over.set()
        worker.join()
    print(f"{codes.count(0)} of {len(codes)} reloads were taken")


def test_a_folder_that_vanishes(gan):
    os.rename(gan.path("rules.d"), gan.path("gone"))
    refused(gan, "rules.d")
    os.rename(gan.path("gone"), gan.path("rules.d"))
    gan.ctl("reload")
    still_works(gan)


CONFIG_BOMBS = {
    "aliases": (laughs, "not allowed"),
    "deep": (lambda: "sources: " + "[" * 500_000, "nested deeper"),
    "large": (lambda: "# " + "x" * 100_000_000, "larger than"),
    "many keys": (lambda: "".join(f"k{i}: 1\n" for i in range(45_000)), "unknown key"),
}


@pytest.mark.parametrize("name", CONFIG_BOMBS)
def test_a_bomb_in_the_configuration_is_refused(gan, name):
    make, told = CONFIG_BOMBS[name]
    gan.write("gantry.yaml", make())
    refused(gan, told)
    gan.write_config()
    gan.ctl("reload")
    still_works(gan)
