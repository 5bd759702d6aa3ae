# SPDX-License-Identifier: MIT
"""test_power.py - the power goes, at any moment; what was acknowledged is there.

The daemon runs under load and strace; from every write and sync of its data
folder tests/lib/cutdisk.py builds what a disk may hold after a power cut at a
random point (unsynced writes dropped, reordered, torn; names and sizes too).
In two of its lives a sync of the database fails: webhooks go to the emergency
spool, the daemon ends by itself, and its next life imports them.
The real daemon is started on each image: it starts, `store check` finds
nothing, every event that had been acknowledged at that point is there, byte by
byte, nothing that had been sent by then is sent again, and all is accounted for.

GANTRY_IMAGES=300 says how many images.  The tests of the test take the syncs
out of the trace, as other settings of SQLite would: they must find losses.
"""

import bisect
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import threading

import cutdisk
import inject
import kit
import pytest
import rules
import trace
from control import Control

IMAGES = int(os.environ.get("GANTRY_IMAGES", "300"))
KEYS, THREADS = 60, 4
CONFIG = {"connectors": {"flex2b": {"concurrency": 16}}, "mapping": {"workers": 1},
          "store": {"spool": "4MiB"}}
RULES = {"f.yaml": rules.FLEX, "e.yaml": rules.FLEX_ERP}
ACK = re.compile(rb'\{"id":"(e\w{13})","status":"(?:stored|accepted|duplicate)"\}')
SPOOLED, POSTED = b'"status":"spooled"', re.compile(rb'\{"n":(\d+),"key"')
LIVES = ("stop", "kill", "idle", "refuse", "refuse", "import")  # how each of them ends
EXIT_IO = 74
LINE = re.compile(rb'"name":"n","value":"(\d+)"')


# -- the run that is recorded ----------------------------------------------------------


def ignored(n):
    """No rule listens to some of them: mapping passes them by."""
    return n % 3 > 0 and n % 5 == 0


class Recording:
    """Steps of several runs on one folder, and what was posted in them."""

    def __init__(self):
        self.steps, self.bodies, self.sent, self.ids = [], {}, {}, {}
        self.spooled = set()  # who heard that: there is no event id yet
        self.stopped = None  # so many steps were there at the end of the first run
        self.lock = threading.Lock()

    def add(self, steps):
        base = self.steps[-1].end + 1 if self.steps else 0
        self.steps += [s._replace(begin=s.begin + base, end=s.end + base) for s in steps]

    def post(self, gan, rng, n, refuses):
        key, pad = n % KEYS, rng.randbytes(rng.choice((20, 200, 1000, 9000))).hex()
        # As `show --bodies` prints it (no spaces); 1.50, since only the very bytes are right.
        body = f'{{"n":{n},"key":"{key}","price":1.50,"pad":"{pad}"}}'.encode()
        with self.lock:
            self.bodies[n] = body
        if n % 3:
            topic = "lot_updated" if ignored(n) else "lot_created"
            headers = kit.webhook_headers(gan.SECRETS["prodsmart-hook"], topic, body)
            got = gan.http("POST", "/hooks/prodsmart", body, headers)
            with self.lock:
                self.sent[n] = headers
        else:
            got = gan.erp_post("line", body, key=f"i-{n}")
            if refuses and got.status == 503:
                return
        assert got.status in (200, 202), got
        said = got.json()
        with self.lock:
            if said["status"] == "spooled":
                self.spooled.add(n)
            else:
                self.ids[said["id"]] = n


@contextlib.contextmanager
def load(recording, gan, rng, refuses=False):
    """Threads that post until the block ends, or the daemon is gone.

    refuses: it will end by itself; until then a webhook is taken, the ERP may hear a 503.
    """
    stop, bad, count = threading.Event(), [], iter(range(len(recording.bodies), 10 ** 6))
    seeds = [rng.random() for _ in range(THREADS)]

    def run(seed):
        mine = random.Random(seed)
        while not stop.is_set():
            try:
                recording.post(gan, mine, next(count), refuses)
            except (OSError, http.client.HTTPException):
                if not stop.is_set() and not refuses:
                    bad.append("no answer")
                return
            except AssertionError as why:
                bad.append(why)
                return

    threads = [threading.Thread(target=run, args=(s,)) for s in seeds]
    for t in threads:
        t.start()
    try:
        yield stop
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not bad, bad[:3]


def posted(recording, more):
    """Wait until so many more have their answer."""
    goal = len(recording.ids) + more
    kit.wait_until(lambda: len(recording.ids) >= goal, 60, f"{more} more events accepted")


def checkpointed(gan, since):
    """Has the database file itself been written?  Without that there is only the WAL."""
    return os.stat(gan.path("data", "gantry.db")).st_mtime_ns != since


def live(made, gan, rng, ending):
    """One life under load, until its end."""
    out = gan.path("trace")
    if ending == "refuse":
        refused(made, gan, rng, out)
        return out
    gan.start(wrap=trace.wrap(out), deadline=60)
    with load(made, gan, rng) as stop:
        posted(made, 60)
        if ending == "stop":
            since = os.stat(gan.path("data", "gantry.db")).st_mtime_ns
            kit.wait_until(lambda: checkpointed(gan, since), 60, "a checkpoint")
        posted(made, 60 if ending != "import" else 20)
        if ending in ("kill", "import"):
            stop.set()
            gan.kill()
    if ending == "idle":  # long enough for the checkpoint that empties the WAL
        kit.wait_until(lambda: not os.path.getsize(gan.path("data", "gantry.db-wal")),
                       20, "an idle checkpoint")
        with load(made, gan, rng):
            posted(made, 40)
        gan.kill()
    elif ending == "stop":
        assert gan.stop() == 0
    return out


def refused(made, gan, rng, out):
    """A life in which a sync of the database fails: the spool takes the webhooks, it ends."""
    before = len(made.spooled)
    # Later than READY and an import; all of them are the store thread's.
    failing = inject.fail(calls="fdatasync", when=rng.randrange(60, 100))
    gan.start(wrap=trace.wrap(out, failing), deadline=60, rules=False)
    with load(made, gan, rng, refuses=True) as stop:
        kit.wait_until(lambda: gan.proc.poll() is not None, 60, "the end after a failed sync")
        stop.set()
    assert gan.wait_end() == EXIT_IO
    assert len(made.spooled) > before, "nothing was spooled"


@pytest.fixture(scope="module")
def recording():
    why = trace.usable()
    if why:
        pytest.skip(why)
    value = int(os.environ.get("GANTRY_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"GANTRY_SEED={value}")
    made, rng, sim = Recording(), random.Random(value), kit.Sim()
    made.seed = value
    sim.fault("flex2b", "late", ms=5, probability=0.2, seed=value % 999979)
    gan = kit.Gateway(sim, RULES, config=CONFIG)
    model = cutdisk.Disk()
    try:
        for ending in LIVES:
            names = {name: len(f.live) for name, f in model.live.items()}
            out = live(made, gan, rng, ending)
            kit.wait_until(lambda: trace.complete(out), 20, "strace has written all")
            steps = trace.read(out, gan.path("data"), names)
            os.unlink(out)
            made.add(steps)
            if ending == "stop":
                made.stopped = len(made.steps)
            for step in made.steps[-len(steps):]:
                model.step(step)
            assert model.matches(gan.path("data")) == [], "the trace does not explain the files"
    finally:
        gan.close()
        sim.stop()
    return made


# -- the images ------------------------------------------------------------------------


def around_spool(steps):
    """From the first record that waits in the spool until a little after its import."""
    found, waits, left = [], False, 0
    for i, step in enumerate(steps[:-1]):
        if step.kind == "write" and step.name == "gantry.spool":
            # Behind the header; the end of the records is eight zeros.
            waits, left = step.at >= 4096 and len(step.data) > 8, 8
        if waits or left:
            found.append(i + 1)
            left -= not waits
    return found


class Bench:
    """A daemon that is started on one image after the other, with a vendor of its own."""

    def __init__(self, sim, gan, recording):
        self.sim, self.gan, self.recording = sim, gan, recording
        # (line of the trace, event id), (line, n), and again (line, n)
        self.acks, self.lines, self.spooled = [], [], []
        for step in recording.steps:
            if step.kind == "send":
                self.acks += [(step.begin, i.decode()) for i in ACK.findall(step.data)]
                self.lines += [(step.begin, int(n)) for n in LINE.findall(step.data)]
                if SPOOLED in step.data:  # it names no event: the request does
                    self.spooled.append((step.begin, int(POSTED.findall(step.at)[-1])))
        assert recording.spooled <= {n for _, n in self.spooled}

    def cuts(self, steps, n, rng):
        """Where the power goes: anywhere, after an answer, while much is unsynced or spooled."""
        model, busy, answers, spool = cutdisk.Disk(), [], [], around_spool(steps)
        for i, step in enumerate(steps[:-1]):
            model.step(step)
            if step.kind == "send" and ACK.search(step.data):
                answers.append(i + 1)
            # More than the WAL is open: a checkpoint, a first start, an end.
            elif model.names or any(not f.endswith("-wal") for f in model.open_writes()):
                busy.append(i + 1)
        assert busy and answers and spool
        return sorted(rng.choice((range(1, len(steps)), range(1, len(steps)), answers, busy, spool)[
            rng.randrange(5)]) for _ in range(n))

    def run(self, steps, n, rng, enough=10 ** 9, cuts=None):
        """Start the daemon on n images; returns [(what was wrong, where)]."""
        model, at, wrong = cutdisk.Disk(), 0, []
        for number, cut in enumerate(cuts or self.cuts(steps, n, rng)):
            for step in steps[at:cut]:
                model.step(step)
            at = cut
            line = rng.randrange(steps[cut - 1].begin, steps[cut].begin) \
                if steps[cut].begin > steps[cut - 1].begin + 1 else steps[cut - 1].begin
            model.finish(line)
            folder = self.gan.path("data")
            shutil.rmtree(folder)
            os.mkdir(folder, 0o700)
            style = model.image(folder, rng)
            try:
                self.check(line, rng)
            except (AssertionError, RuntimeError, OSError) as why:
                wrong.append((f"{type(why).__name__}: {why}"[:3000],
                              f"image {number}, cut at step {cut} of {len(steps)}, {style}"))
                if len(wrong) >= enough:
                    break
            finally:
                self.gan.kill()
        return wrong

    def check(self, line, rng):
        """Everything that had been acknowledged at this line of the trace is there."""
        acked = {i for _, i in self.acks[:bisect.bisect_right(self.acks, (line, "~"))]}
        sent = {n for _, n in self.lines[:bisect.bisect_right(self.lines, (line, 10 ** 9))]}
        spooled = {n for _, n in self.spooled[:bisect.bisect_right(self.spooled, (line, 10 ** 9))]}
        self.sim.reset()
        self.gan.start(rules=False)
        with Control(self.gan.socket) as control:
            found = {e["id"] for e in control.all("events list")}
            assert acked <= found, f"LOST {sorted(acked - found)[:5]} of {len(acked)}"
            kit.wait_until(lambda: quiet(control), 30, "drained")
            assert control.ask("store check") == []
            events = control.all("events list")
            seen = self.check_events(control, events)
            assert spooled <= seen, f"LOST {sorted(spooled - seen)[:5]} of {len(spooled)} spooled"
            self.check_deliveries(control, events, sent)
            self.check_duplicate(acked, spooled, rng)

    def check_events(self, control, events):
        """Nothing but what was posted, each byte of it, once; returns what is there."""
        seen = {}
        texts = {d["key"] for e in events for d in e["deliveries"]}
        texts |= {e["id"] for e in events if not e["deliveries"]}
        for text in texts:
            raw = control.raw("show", text=text, bodies=True)
            for event in json.loads(raw)["result"]["events"]:
                assert isinstance(event["body"], dict), "CORRUPT: no JSON any more"
                n = event["body"]["n"]
                assert b'"body":' + self.recording.bodies[n] + b"," in raw, f"CORRUPT {n}"
                assert self.recording.ids.get(event["id"], n) == n, f"CORRUPT {n}"
                assert event["state"] == ("ignored" if ignored(n) else "mapped")
                assert len(event["deliveries"]) == (not ignored(n))
                seen[event["id"]] = n
        assert len(set(seen.values())) == len(seen) == len(events), "an event is there twice"
        return set(seen.values())

    def check_deliveries(self, control, events, sent):
        """One for each event: delivered, unknown and on the list, or behind an unknown one."""
        held = {i["id"]: i["key"] for i in control.all("attention")}
        for delivery in (d for e in events for d in e["deliveries"]):
            state = delivery["state"]
            assert state == "delivered" or (state == "unknown" and delivery["id"] in held) \
                or (state == "waiting" and delivery["key"] in held.values()), delivery
        again = [n for n, _, _, _ in rules.lines(self.sim)]
        assert len(again) == len(set(again)), "sent twice"
        assert not sent & set(again), f"SENT AGAIN {sorted(sent & set(again))[:5]}"

    def check_duplicate(self, acked, spooled, rng):
        """The window of duplicates is as whole as the events."""
        for n in rng.sample(sorted(spooled), min(1, len(spooled))):
            assert self.gan.http("POST", "/hooks/prodsmart", self.recording.bodies[n],
                                 self.recording.sent[n]).json()["status"] == "duplicate"
        ours = sorted(i for i in acked if self.recording.ids.get(i) in self.recording.sent)
        if not ours:
            return
        ident = rng.choice(ours[-5:])
        n = self.recording.ids[ident]
        got = self.gan.http("POST", "/hooks/prodsmart", self.recording.bodies[n],
                            self.recording.sent[n]).json()
        assert got == {"id": ident, "status": "duplicate"}


def quiet(control):
    """All mapped, nothing in flight, nothing waits but behind what waits for a person."""
    now = control.ask("status")
    if now["store"]["spool"]["records"] or now["events"]["received"] \
            or now["deliveries"]["sending"]:
        return False
    if not now["deliveries"]["waiting"]:
        return True
    held = {i["key"] for i in control.all("attention")}
    waits = control.all("deliveries list", state="waiting")
    # What was due has begun meanwhile?
    same = control.ask("status")["deliveries"] == now["deliveries"]
    return same and all(d["key"] in held for d in waits)


@pytest.fixture(scope="module")
def bench(recording):
    sim = kit.Sim()
    gan = kit.Gateway(sim, RULES, config=CONFIG)
    yield Bench(sim, gan, recording)
    gan.close()
    sim.stop()


def tell(wrong):
    return "\n\n".join(f"{where}: {what}" for what, where in wrong[:5])


def test_a_power_cut_at_any_moment_loses_nothing(bench, recording):
    wrong = bench.run(recording.steps, IMAGES, random.Random(recording.seed))
    assert not wrong, f"{len(wrong)} of {IMAGES} images, seed {recording.seed}: {tell(wrong)}"


def as_normal(steps):
    """What synchronous=NORMAL leaves out: the WAL is synced at a checkpoint and for its head."""
    left, before = [], None
    changes = iter([s for s in steps if s.kind not in ("send", "sync")] + [None])
    after = next(changes)
    for step in steps:
        while after is not None and after.begin <= step.begin:
            before, after = after, next(changes)
        commit = step.kind == "sync" and step.name.endswith("-wal") and before.at != 0 \
            and (after is None or after.name == step.name)
        if not commit:
            left.append(step)
    return left


def test_of_the_test_synchronous_normal_loses_events(bench, recording):
    wrong = bench.run(as_normal(recording.steps), 60, random.Random(recording.seed), enough=5)
    assert len(wrong) == 5, tell(wrong)
    assert all("LOST" in what or "SENT AGAIN" in what for what, _ in wrong), tell(wrong)
    assert any("LOST" in what for what, _ in wrong), tell(wrong)


def test_of_the_test_a_spool_without_syncs_loses_events(bench, recording):
    """All but the one with which the file was made."""
    rng = random.Random(recording.seed)
    syncs = [s.begin for s in recording.steps if s.kind == "sync" and s.name == "gantry.spool"]
    steps = [s for s in recording.steps if s.begin not in syncs[1:]]
    where = around_spool(steps)
    cuts = sorted(rng.choice(where) for _ in range(40))
    wrong = bench.run(steps, len(cuts), rng, enough=3, cuts=cuts)
    assert len(wrong) == 3, tell(wrong)
    assert all("LOST" in what and "spooled" in what for what, _ in wrong), tell(wrong)


def test_of_the_test_synchronous_off_loses_more(bench, recording):
    steps = [s for s in recording.steps if s.kind != "sync"]
    wrong = bench.run(steps, 16, random.Random(recording.seed))
    assert len(wrong) >= 8, tell(wrong)
    assert any("LOST" in what for what, _ in wrong), tell(wrong)


def test_of_the_test_one_wrong_byte_is_seen(bench, recording):
    """After the clean stop all is in the database file; a letter of one body becomes another."""
    model = cutdisk.Disk()
    for step in recording.steps[:recording.stopped]:
        model.step(step)
    model.finish(trace.NEVER)
    content, folder = model.live["gantry.db"].live, bench.gan.path("data")
    assert "gantry.db-wal" not in model.live
    at = next(content.find(b) for b in recording.bodies.values() if b in content) + 40
    for wrong in (False, True):
        content[at] ^= wrong
        shutil.rmtree(folder)
        os.mkdir(folder, 0o700)
        with open(os.path.join(folder, "gantry.db"), "wb") as f:
            f.write(content)
        try:
            bench.check(recording.steps[recording.stopped - 1].begin, random.Random(1))
            assert not wrong, "nobody saw it"
        except AssertionError as why:
            assert wrong and "CORRUPT" in str(why)
        finally:
            bench.gan.kill()
