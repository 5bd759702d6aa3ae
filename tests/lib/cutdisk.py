# SPDX-License-Identifier: MIT
"""cutdisk.py - a folder of files as a power cut may leave it.

The model is as unkind as POSIX allows.  A file has what was synced, and the
steps since: each of them may be on the disk or not, in any combination (so a
later one without an earlier one too), and a write may be there in part, cut at
any sector of 512 bytes.  A new size may be there without the data (zeros are
read) or the data without the new size (it is cut off).  A name that was made,
removed or changed is safe only after a sync of the folder.
"""

import os

SECTOR = 512


class _File:
    def __init__(self):
        self.live = bytearray()     # as the running process sees it
        self.safe = bytearray()     # as it is on the disk in any case
        self.pending = []           # steps since


def _put(content, at, data):
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at:at + len(data)] = data


def _resize(content, size):
    del content[size:]
    content.extend(bytes(size - len(content)))


def _apply(content, step):
    if step.kind == "write":
        _put(content, step.at, step.data)
    elif step.kind == "truncate":
        _resize(content, step.data)
    elif step.data > len(content):
        _resize(content, step.data)


class Disk:
    """Feed it steps in order; ask for an image at any point between two of them."""

    def __init__(self):
        self.live = {}      # name -> _File, as the running process sees it
        self.safe = {}      # the same on the disk in any case
        self.names = []     # what changed since: lists of (name, file or None), each atomic
        self.syncs = []     # begun, not over yet

    def step(self, step):
        self.finish(step.begin)
        if step.kind in ("sync", "syncdir"):
            self.syncs.append(step)
        elif step.kind == "create":
            self.live[step.name] = _File()
            self.names.append((step, [(step.name, self.live[step.name])]))
        elif step.kind == "unlink":
            self.live.pop(step.name, None)
            self.names.append((step, [(step.name, None)]))
        elif step.kind == "rename":
            file = self.live.pop(step.name)
            self.live[step.at] = file
            self.names.append((step, [(step.name, None), (step.at, file)]))
        elif step.name in self.live:  # writes to a file that has no name any more matter to nobody
            _apply(self.live[step.name].live, step)
            self.live[step.name].pending.append(step)

    def finish(self, now):
        """The syncs that are over at this line: what was over when they began is safe."""
        for sync in [s for s in self.syncs if s.end <= now]:
            self.syncs.remove(sync)
            if sync.kind == "syncdir":
                for step, changes in [n for n in self.names if n[0].end <= sync.begin]:
                    self.names.remove((step, changes))
                    _rename(self.safe, changes)
                continue
            file = self.live.get(sync.name)
            if file is not None:
                for step in [p for p in file.pending if p.end <= sync.begin]:
                    file.pending.remove(step)
                    _apply(file.safe, step)

    def open_writes(self):
        """{file: how many steps are not safe}"""
        return {name: len(f.pending) for name, f in self.live.items() if f.pending}

    def image(self, folder, rng):
        """Write one of the images that a power cut now may leave; returns how it was made."""
        style = rng.choice(("none", "all", "writes", "writes", "sectors", "sectors", "prefix",
                            "suffix", "one"))
        names = dict(self.safe)
        lost = set()
        for _, changes in self.names:
            touched = {name for name, _ in changes}
            # A change rests on the earlier ones of its name.
            if touched & lost or rng.random() < (0.7 if style == "none" else 0.3):
                lost |= touched
            else:
                _rename(names, changes)
        for name, file in names.items():
            content = self._content(file, style, rng)
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content.rstrip(b"\0"))  # what was reserved costs no time
                f.truncate(len(content))
        return style

    def _content(self, file, style, rng):
        n = len(file.pending)
        if n == 0 or style == "none":
            return file.safe
        content = bytearray(file.safe)
        cut = rng.randrange(n + 1)
        share = rng.choice((0.1, 0.5, 0.9))
        for i, step in enumerate(file.pending):
            whole = {"all": True, "writes": rng.random() < share, "sectors": False,
                     "prefix": i < cut, "suffix": i >= cut, "one": i != cut}[style]
            torn = style == "sectors" or (style in ("prefix", "suffix", "one") and i == cut)
            if whole:
                _apply(content, step)
            elif torn and step.kind == "write":
                _tear(content, step, share, rng)
            elif step.kind == "write" and rng.random() < 0.2:
                _resize(content, max(len(content), step.at + len(step.data)))
            elif step.kind != "write" and torn and rng.random() < share:
                _apply(content, step)
        return content

    def matches(self, folder):
        """What is not as in the real folder, byte by byte: a trace that missed something."""
        real = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as f:
                real[name] = f.read()
        return sorted(name for name in real.keys() | self.live.keys()
                      if name not in real or name not in self.live
                      or real[name] != self.live[name].live)


def _rename(names, changes):
    for name, file in changes:
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _tear(content, step, share, rng):
    """Some of the sectors that a write touches: runs of them, or single ones, or pages."""
    unit = rng.choice((SECTOR, SECTOR, 4096))
    end = step.at + len(step.data)
    at = step.at
    while at < end:
        stop = min(end, (at // unit + 1) * unit)
        if rng.random() < share:
            _put(content, at, step.data[at - step.at:stop - step.at])
        at = stop
