# SPDX-License-Identifier: MIT
"""test_history.py - the judge of the fault tests is judged: each crime is seen, and no other."""

import random

import pytest
from history import Account, Deed, View, check

KEYS = 3


def whole(seed, size=60):
    """A history without fault: all done once, in order, one after another."""
    rng = random.Random(seed)
    account, view, deeds = Account(), View(), []
    for n in range(size):
        key, ident = f"k{rng.randrange(KEYS)}", f"e{n}"
        account.told(n, key, 200, ident)
        view.events[ident] = event(ident, "delivered", at=f"2026-11-21T19:02:{n:02}.500Z")
        deeds.append(Deed(n, key, at=1795287720.0 + n + 0.1, ids=f"u{n}"))
    return account, view, deeds, rng.randrange(5, size - 5)


def event(ident, state, at=None):
    last = {"status": 200, "error": None, "at": at} if at else None
    row = {"id": ident.replace("e", "d"), "key": "", "state": state, "last": last}
    return {"id": ident, "state": "mapped", "deliveries": [row]}


def at_key(deeds, n):
    """n, and the one after it of the same key, as places in the list."""
    key = deeds[n].key
    return n, next(i for i in range(n + 1, len(deeds)) if deeds[i].key == key)


def change(deed, **more):
    return Deed(**{**deed.__dict__, **more})


def only(found, promise, word):
    """One finding at least, all of this promise, one with this word."""
    assert found, f"{word}: not seen"
    assert all(f.startswith(promise) for f in found), found
    assert any(word in f for f in found), found


def test_a_whole_history_is_whole(seed):
    account, view, deeds, _ = whole(seed)
    assert check(account, view, deeds) == []


def test_loss(seed):
    account, view, deeds, n = whole(seed)
    del view.events[f"e{n}"]
    only(check(account, view, deeds), "I1", "does not know it")

    account, view, deeds, n = whole(seed)
    del deeds[n]
    only(check(account, view, deeds), "I1", "never did it")

    account, view, deeds, n = whole(seed)
    view.events[f"e{n}"]["deliveries"] = []
    only(check(account, view, deeds), "I1", "became nothing")

    account, view, deeds, n = whole(seed)
    account.acked[n] = (account.acked[n][0], None)  # its id was not told
    del deeds[n], view.events[f"e{n}"]
    only(check(account, view, deeds), "I1", "never done")


@pytest.mark.parametrize("state", ["unknown", "dead", "expired"])
def test_what_is_held_needs_a_person(seed, state):
    account, view, deeds, n = whole(seed)
    del deeds[n]
    view.events[f"e{n}"] = event(f"e{n}", state)
    only(check(account, view, deeds), "I1", "nobody is told")
    view.attention.add(f"d{n}")
    assert check(account, view, deeds) == []


def test_a_rejected_event_needs_a_person(seed):
    account, view, deeds, n = whole(seed)
    del deeds[n]
    view.events[f"e{n}"] = {"id": f"e{n}", "state": "rejected", "deliveries": []}
    only(check(account, view, deeds), "I1", "nobody is told")
    view.attention.add(f"e{n}")
    assert check(account, view, deeds) == []


def test_invention(seed):
    account, view, deeds, n = whole(seed)
    deeds.insert(n, Deed(1000, "other", at=deeds[n].at, ids="u"))
    only(check(account, view, deeds), "I2", "never sent")
    account.told(1000, "other", 401)
    only(check(account, view, deeds), "I2", "was refused (401)")

    account, view, deeds, n = whole(seed)
    view.events["e1000"] = event("e1000", "waiting")
    only(check(account, view, deeds), "I2", "may have been taken")


def test_what_is_in_doubt_may_be_there_or_not(seed):
    account, view, deeds, n = whole(seed)
    account.silent(1000, "other")
    assert check(account, view, deeds) == []
    deeds.append(Deed(1000, "other", at=deeds[-1].at, ids="u"))
    view.events["e1000"] = event("e1000", "delivered")
    assert check(account, view, deeds) == []


def test_a_repeat_of_the_sender_is_one_event(seed):
    account, view, deeds, n = whole(seed)
    account.told(n, account.acked[n][0], 200, f"e{n}")
    assert check(account, view, deeds) == []
    account.told(n, account.acked[n][0], 200, "e1000")
    view.events["e1000"] = event("e1000", "delivered")
    assert any("taken as another event" in f for f in check(account, view, deeds))


def test_a_double_without_reason(seed):
    account, view, deeds, n = whole(seed)
    deeds.insert(n + 1, change(deeds[n], at=deeds[n].at + 0.2))
    only(check(account, view, deeds), "I3", "nothing explains it")
    account.excuses.append((deeds[n].at + 0.1, deeds[n].at + 0.1))
    assert check(account, view, deeds) == []
    account.excuses[:] = [(deeds[n].at + 0.3, deeds[n].at + 9)]  # what comes later is none
    only(check(account, view, deeds), "I3", "nothing explains it")


def test_a_lost_answer_explains_a_double(seed):
    account, view, deeds, n = whole(seed)
    again = change(deeds[n], at=deeds[n].at + 0.2)
    deeds[n:n + 1] = [change(deeds[n], lost=True), again]
    assert check(account, view, deeds) == []
    deeds[n + 1] = change(again, ids="another")
    only(check(account, view, deeds), "I3", "other ids")


def test_what_must_not_be_repeated(seed):
    account, view, deeds, n = whole(seed)
    deeds[n:n + 1] = [change(deeds[n], repeatable=False, lost=True)] * 2
    only(check(account, view, deeds), "I3", "must not be repeated")


def test_reordering(seed):
    account, view, deeds, n = whole(seed)
    n, after = at_key(deeds, n)
    deeds[n], deeds[after] = (change(deeds[after], at=deeds[n].at),
                              change(deeds[n], at=deeds[after].at))
    found = check(account, view, deeds, clocks=False)
    only(found, "I4", "came after")


def test_a_straggler_is_a_reordering(seed):
    """n, n+1, and n again: the second n should have been first, or not at all."""
    account, view, deeds, n = whole(seed)
    n, after = at_key(deeds, n)
    deeds.insert(after + 1, change(deeds[n], at=deeds[after].at + 0.2, acted=False))
    only(check(account, view, deeds), "I4", "came after")


def test_an_early_start_is_seen(seed):
    account, view, deeds, n = whole(seed)
    n, after = at_key(deeds, n)
    early = change(deeds[after], at=deeds[n].at + 0.2)
    deeds[after] = early
    only(check(account, view, deeds), "I4", "had ended")
