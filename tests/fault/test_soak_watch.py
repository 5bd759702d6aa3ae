# SPDX-License-Identifier: MIT
"""test_soak_watch.py - the judge of the long run is judged: what is not flat or bounded is seen."""

import os
import sys

import kit
import pytest

sys.path.insert(0, os.path.join(kit.TOP, "tests", "soak"))

import watch  # noqa: E402

MIB = 1 << 20
LENGTH = 400


def lag(turns, slow, at):
    """Buckets after so many turns, of which `slow` took until `at` seconds."""
    return {le: turns - (slow if le < at else 0)
            for le in (0.001, 0.01, 0.025, 0.05, 0.1, float("inf"))}


def sample(i, **more):
    values = {"pid": 1, "at": float(i), "rss": 20 * MIB, "fds": 40 + i % 9, "limit": 1024,
              "wal": (i % 17) * MIB, "lag": lag(1000 * i, i, 0.01), "lag_max": 0.02, **more}
    return watch.Sample(**values)


def found(tmp_path, change=lambda i: {}):
    class Gateway:
        log_path = str(tmp_path / "log")

    (tmp_path / "log").write_text("")
    seen = watch.Watch(Gateway)
    seen.samples = [sample(i, **change(i)) for i in range(LENGTH)]
    return "; ".join(dict.fromkeys(seen.findings()))


def test_what_is_flat_is_flat(tmp_path):
    assert found(tmp_path) == ""
    # A life before the last one is another matter: only bounds hold for it.
    assert found(tmp_path, lambda i: {"pid": 7, "rss": 90 * MIB} if i < 100 else {}) == ""


@pytest.mark.parametrize("word, change", [
    ("RSS grew", lambda i: {"rss": 20 * MIB + i * MIB // 20}),
    ("descriptors more", lambda i: {"fds": 40 + i // 4}),
    ("the WAL grew", lambda i: {"wal": i * MIB // 10}),
    ("p99 was 0.001 s and is 0.05", lambda i: {"lag": lag(1000 * i, 20 * max(0, i - 300), 0.05)}),
    ("RSS is", lambda i: {"rss": 300 * MIB if i == 9 else 20 * MIB}),
    ("descriptors of", lambda i: {"fds": 1000 if i == 9 else 40}),
    ("the WAL is", lambda i: {"wal": 65 * MIB if i == 9 else 0}),
    ("loop lag: p99", lambda i: {"lag": lag(1000 * i, 20 * i, 0.1)}),
    ("s once", lambda i: {"lag_max": 9.0}),
], ids=lambda v: v.replace(" ", "-") if isinstance(v, str) else None)
def test_what_is_not_is_seen(tmp_path, word, change):
    assert word in found(tmp_path, change)
