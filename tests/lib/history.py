# SPDX-License-Identifier: MIT
"""history.py - what was promised, what was done, and whether the two agree.

Three witnesses: the senders (Account: what each was told), the peers (Deed: each
request that reached one, in order) and the gateway (View: what it says of its own
store).  check() compares them and returns what is wrong with the four promises:

  I1  nothing acknowledged is lost: it was done, or it waits, or a person is told
  I2  nothing is done that nobody sent, or whose sender was refused
  I3  a second time only where a crash, a time-out or a lost answer explains it,
      with the same ids, and never for an operation that must not be repeated
  I4  per key in the order of acceptance; the next never starts before the one
      before it is finished

Everything here is plain data, so that test_history.py can feed it histories that
are wrong on purpose.  Numbers: every event has a number n of its own; the numbers
of one key grow in the order in which its sender posted them.
"""

import contextlib
import dataclasses
import threading
import time

import kit

CLOCK_S = 0.05  # between a sender's look at the clock and ours
HELD = ("unknown", "dead", "expired")
# What the simulator does after the deed so that the gateway cannot know of it.
LOST = ("drop-after", "hang-after", "garbage", "raw", "half", "huge")


@dataclasses.dataclass(frozen=True)
class Deed:
    """One request with event n that reached a peer."""

    n: int
    key: str
    at: float
    ids: str = ""            # what a repeat must carry unchanged
    acted: bool = True       # the peer did what it was asked
    repeatable: bool = True  # the operation may be asked for again
    lost: bool = False       # its answer cannot have been understood


@dataclasses.dataclass
class View:
    """What the gateway says: its events with their deliveries, and its attention list."""

    events: dict = dataclasses.field(default_factory=dict)   # id: as in `events list`
    attention: set = dataclasses.field(default_factory=set)  # ids


class Account:
    """What the senders were told; may be used from many threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acked = {}     # n: (key, event id)
        self.doubt = {}     # n: key; nobody knows: the connection died
        self.refused = {}   # n: status; None: no connection was made
        self.statuses = {}  # status: how often
        self.excuses = []   # (from, to): something here may cause a second time
        self.torn = []      # numbers whose repeats were given different ids

    def told(self, n, key, status, event=None):
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if 200 <= status < 300:
                before = self.acked.get(n)
                if before is not None and before[1] != event:
                    self.torn.append(n)
                self.acked[n] = (key, event)
            elif n not in self.acked and n not in self.doubt:
                self.refused[n] = status

    def silent(self, n, key):
        """The connection died after it was made: the event is stored, or it is not."""
        with self.lock:
            if n not in self.acked:
                self.doubt[n] = key

    def unreached(self, n):
        with self.lock:
            if n not in self.acked and n not in self.doubt:
                self.refused[n] = None

    @contextlib.contextmanager
    def excused(self):
        """What is broken while the block runs may cause a second time."""
        begin = time.time()
        try:
            yield
        finally:
            with self.lock:
                self.excuses.append((begin, time.time()))

    def settled(self):
        """Numbers that were told 2xx after they had been refused or in doubt are acknowledged."""
        for n in self.acked:
            self.doubt.pop(n, None)
            self.refused.pop(n, None)
        for n in self.doubt:
            self.refused.pop(n, None)
        return self


# -- the four promises ------------------------------------------------------------


def no_loss(account, view, deeds):
    done = {d.n for d in deeds if d.acted}
    for n in account.torn:
        yield f"I1 {n}: its repeat was taken as another event"
    for n, (_, ident) in account.acked.items():
        if ident is None:
            if n not in done:
                yield f"I1 {n}: acknowledged, and never done"
            continue
        event = view.events.get(ident)
        if event is None:
            yield f"I1 {n}: acknowledged as {ident}, and the gateway does not know it"
        elif event["state"] == "rejected" and ident not in view.attention:
            yield f"I1 {n}: {ident} is rejected, and nobody is told"
        elif event["state"] == "ignored" or (event["state"] == "mapped"
                                             and not event["deliveries"]):
            yield f"I1 {n}: {ident} became nothing"
        else:
            for row in event["deliveries"]:
                yield from _accounted(n, row, n in done, view)


def _accounted(n, row, done, view):
    if row["state"] == "delivered" and not done:
        yield f"I1 {n}: {row['id']} is called delivered, and the peer never did it"
    if row["state"] in HELD and row["id"] not in view.attention:
        yield f"I1 {n}: {row['id']} is {row['state']}, and nobody is told"


def no_invention(account, view, deeds):
    known = set(account.acked) | set(account.doubt)
    for n in sorted({d.n for d in deeds if d.acted} - known):
        what = f"was refused ({account.refused[n]})" if n in account.refused else "was never sent"
        yield f"I2 {n}: done, and it {what}"
    if len(view.events) > len(known):
        yield f"I2: {len(view.events)} events from {len(known)} that may have been taken"


def doubles(deeds):
    """{n: its deeds} of what was done more than once."""
    by_n = {}
    for deed in deeds:
        if deed.acted:
            by_n.setdefault(deed.n, []).append(deed)
    return {n: rows for n, rows in by_n.items() if len(rows) > 1}


def duplicates(account, deeds):
    for n, rows in doubles(deeds).items():
        if len({d.ids for d in rows}) > 1:
            yield f"I3 {n}: resent with other ids"
        if not all(d.repeatable for d in rows):
            yield f"I3 {n}: an operation that must not be repeated was done {len(rows)} times"
        for first, second in zip(rows, rows[1:]):
            if not first.lost and not any(first.at - CLOCK_S <= end and begin <= second.at
                                          for begin, end in account.excuses):
                yield f"I3 {n}: done twice, and nothing explains it"


def order(deeds, view, clocks):
    """clocks: the peers' clock and the gateway's are one, so times can be compared."""
    by_key = {}
    for deed in deeds:
        by_key.setdefault(deed.key, []).append(deed)
    ended = _ends(view) if clocks else {}
    for key, rows in by_key.items():
        before = None
        for deed in rows:
            if before is not None and deed.n < before.n:
                yield f"I4 {key}: {deed.n} came after {before.n}"
            if before is not None and deed.n > before.n and deed.at < ended.get(before.n, 0):
                yield f"I4 {key}: {deed.n} was sent before {before.n} had ended"
            before = deed


def _ends(view):
    """{n: when the last attempt of its delivery ended}, for events that carry their number."""
    ends = {}
    for event in view.events.values():
        for row in event["deliveries"]:
            if "n" in event and row["last"] and row["state"] == "delivered":
                ends[event["n"]] = kit.epoch(row["last"]["at"])
    return ends


def check(account, view, deeds, clocks=True):
    """What is wrong, as a list of texts."""
    account.settled()
    for n, (_, ident) in account.acked.items():
        if ident in view.events:
            view.events[ident]["n"] = n
    return [*no_loss(account, view, deeds), *no_invention(account, view, deeds),
            *duplicates(account, deeds), *order(deeds, view, clocks)]


# -- the witnesses --------------------------------------------------------------------


def view_of(gan):
    """All that the gateway tells of its events."""
    view, before = View(), []
    while True:
        page = gan.ctl("events list", "--limit", "1000", *before)
        view.events.update((e["id"], e) for e in page)
        if len(page) < 1000:
            break
        before = ["--before", page[-1]["id"]]
    view.attention = {i["id"] for i in gan.attention() if i.get("id")}
    return view


def deeds_of(journal):
    """What the simulator was asked by the rules of load.py, in the order of arrival."""
    deeds = []
    for entry in journal:
        more = {"at": kit.epoch(entry["time"]), "acted": entry["acted"],
                "lost": entry["fault"] in LOST}
        if entry["json"] is None:
            continue
        for line in entry["json"].get("repLines", ()):
            value = {node["name"]: node["value"] for node in line["nodes"]}
            deeds.append(Deed(int(value["n"]), value["key"], ids=line["apiuuid"], **more))
        for serial in entry["json"].get("serials", ()):
            n, key = serial[1:].split("-")
            deeds.append(Deed(int(n), key, repeatable=False, **more))
    return deeds


def verify(gan, sim, account, clocks=True, journal=None):
    """Ask all witnesses and fail with what does not agree; returns what was seen."""
    deeds = deeds_of(sim.journal() if journal is None else journal)
    view = view_of(gan)
    wrong = check(account, view, deeds, clocks)
    wrong += [f"store: {finding}" for finding in gan.ctl("store check")]
    print(f"{len(account.acked)} acknowledged, {len(account.doubt)} in doubt, "
          f"{len(account.refused)} refused, {len({d.n for d in deeds if d.acted})} done, "
          f"{len(doubles(deeds))} of them twice, {len(view.attention)} need attention, "
          f"{len(account.excuses)} excuses")
    assert not wrong, f"{len(wrong)} findings:\n" + "\n".join(wrong[:20])
    return view, deeds
