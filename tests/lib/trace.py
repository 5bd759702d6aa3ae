# SPDX-License-Identifier: MIT
"""trace.py - what a process did to the files of one folder, as strace saw it.

wrap(path) is the command that runs a program under strace; read(path, folder)
gives its steps in order.  Every step knows the line where it began and the line
where it was over (for a call that another thread's line cuts in two these are
not the same): a sync covers what was over before it began, and bytes that were
sent may have arrived from the moment their call began.
"""

import collections
import os
import re
import shutil
import subprocess

CALLS = ("openat,open,creat,close,lseek,pwrite64,pwritev,pwritev2,write,writev,fsync,fdatasync,"
         "ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,"
         "sendto,sendmsg,recvfrom,execve")
# What would change a file behind the model's back; replaying the trace must give the real files.
Step = collections.namedtuple("Step", "kind name at data begin end")
# kind     name      at        data
# create   file      -         -         truncate  file  -        new size
# write    file      offset    bytes     grow      file  -        new size, if it is larger
# sync     file      -         -         syncdir   -     -        -
# unlink   file      -         -         rename    file  new name -
# send     -         received  bytes: an answer, and what that socket had received before it

NEVER = 10 ** 12

_LINE = re.compile(r"(\d+) +(.*)", re.S)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.S)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|\?)", re.S)
_STRING = re.compile(r'"([^"]*)"')
_FD = re.compile(r"(\d+)<([^>]*)>")
_PATH = re.compile(r'<((?:\\x[0-9a-f]{2})+)>|"([^"]*)"')
_NUMBER = re.compile(r"(?<![\w\\])(\d+)(?![\w<])")


def usable():
    """None, or why strace cannot be used here."""
    if shutil.which("strace") is None:
        return "strace is not here"
    done = subprocess.run(["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"],
                          capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"strace cannot trace here: {done.stderr.strip()}"


def wrap(path, *injections):
    """The program stays the caller's own child; strace watches from the side.

    injections: as inject.fail() makes them, of calls that are traced.  A call that was made to
    fail did nothing, and is no step.
    """
    command = ["strace", "-D", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "4194304", "-o", path,
               "-e", f"trace={CALLS}"]
    for injection in injections:
        command += ["-e", f"inject={injection}"]
    return command


def complete(path):
    """Has the program ended, and strace written all of it?  Its first thread is told last."""
    with open(path, "rb") as f:
        pid = f.read(20).split(b" ")[0]
        f.seek(max(0, f.seek(0, 2) - 2000))
        return re.search(rb"^" + pid + rb" +\+\+\+ (exited with|killed by) .*\n", f.read(),
                         re.M) is not None


def _plain(hexed):
    return bytes.fromhex(hexed.replace("\\x", ""))


def _strings(args):
    return b"".join(_plain(text) for text in _STRING.findall(args))


def _calls(path):
    """(pid, name, arguments, result, begin, end) of every call that did not fail.

    A call in which the process was killed has no result and is over at no time: its bytes may
    be there.
    """
    begun = {}
    with open(path, encoding="ascii") as f:
        for at, line in enumerate(f):
            match = _LINE.match(line.rstrip("\n"))
            pid, text = match.group(1), match.group(2)
            begin = at
            if text.endswith("<unfinished ...>"):
                begun[pid] = (at, text[:-len("<unfinished ...>")].rstrip())
                continue
            resumed = _RESUMED.match(text)
            if resumed:
                if pid not in begun:
                    continue
                begin, head = begun.pop(pid)
                text = head + resumed.group(2)
            call = _CALL.match(text)
            if call and call.group(3) == "?":
                yield pid, call.group(1), call.group(2), None, begin, NEVER
            elif call and int(call.group(3)) >= 0:
                yield pid, call.group(1), call.group(2), int(call.group(3)), begin, at
    for pid, (begin, text) in begun.items():
        name, _, args = text.partition("(")
        yield pid, name, args, None, begin, NEVER


class _Reader:
    def __init__(self, folder):
        self.folder = folder.rstrip("/") + "/"
        self.sizes = {}      # of the files, to know where an append goes
        self.places = {}     # (pid's descriptor) -> [name, position, appends]
        self.heard = {}      # socket -> what it received since it last sent
        self.workers = set()  # processes that run another program: their sends are no answers
        self.first = None
        self.steps = []

    def inside(self, path):
        return path[len(self.folder):] if path.startswith(self.folder) else None

    def add(self, kind, name, at, data, begin, end):
        self.steps.append(Step(kind, name, at, data, begin, end))

    def paths(self, args):
        """The paths of a call, each resolved against the descriptor before it."""
        found, base = [], "/"
        for fd, text in _PATH.findall(args):
            if fd:
                base = _plain(fd).decode(errors="replace")
            else:
                found.append(os.path.normpath(os.path.join(base, _plain(text).decode(
                    errors="replace"))))
        return found

    def call(self, pid, name, args, result, begin, end):
        if name == "execve":
            if self.first is None:
                self.first = pid
            else:
                self.workers.add(pid)
        elif name in ("open", "openat", "creat"):
            self.opened(args, result, begin, end)
        elif name in ("rename", "renameat", "renameat2"):
            old, new = (self.inside(p) for p in self.paths(args))
            if old or new:
                self.add("rename", old, new, None, begin, end)
                self.sizes[new] = self.sizes.pop(old, 0)
        elif name in ("unlink", "unlinkat"):
            gone = self.inside(self.paths(args)[0])
            if gone:
                self.add("unlink", gone, None, None, begin, end)
                self.sizes.pop(gone, None)
        elif name == "truncate":
            if self.inside(self.paths(args)[0]):
                raise ValueError("truncate() by path is not modelled")
        else:
            self.on_descriptor(pid, name, args, result, begin, end)

    def opened(self, args, fd, begin, end):
        name = self.inside(self.paths(args)[0])
        if name is None:
            return
        if "O_CREAT" in args and name not in self.sizes:
            self.add("create", name, None, None, begin, end)
            self.sizes[name] = 0
        if "O_TRUNC" in args and self.sizes.get(name):
            self.add("truncate", name, None, 0, begin, end)
            self.sizes[name] = 0
        if fd is None:
            return
        self.places[fd] = [name, 0, "O_APPEND" in args]

    def on_descriptor(self, pid, name, args, result, begin, end):
        found = _FD.match(args)
        if not found:
            return
        fd, path = int(found.group(1)), _plain(found.group(2)).decode(errors="replace")
        file = self.inside(path)
        if name in ("fsync", "fdatasync"):
            if path + "/" == self.folder:
                self.add("syncdir", None, None, None, begin, end)
            elif file:
                self.add("sync", file, None, None, begin, end)
        elif file:
            self.on_file(fd, file, name, args[found.end():], result, begin, end)
        elif pid not in self.workers and name in ("sendto", "sendmsg", "write", "writev") \
                and path.startswith("socket:"):
            self.add("send", None, self.heard.pop(path, b""), _strings(args), begin, end)
        elif name == "recvfrom" and pid not in self.workers and path.startswith("socket:"):
            self.heard[path] = self.heard.get(path, b"") + _strings(args)[:result]

    def on_file(self, fd, file, name, rest, result, begin, end):
        size = self.sizes.setdefault(file, 0)
        place = self.places.get(fd)
        # Numbers are looked for behind the data only: it is long.
        numbers = [int(v) for v in _NUMBER.findall(rest[rest.rfind('"') + 1:])]
        if name == "pwritev2":
            raise ValueError("pwritev2() is not modelled")
        if name == "lseek":
            place[1] = result
        elif name in ("write", "writev", "pwrite64", "pwritev"):
            data = _strings(rest)[:result]
            if name.startswith("p"):
                at = numbers[-1]
            else:
                at = size if place[2] else place[1]
                place[1] = at + len(data)
            if result is None and not self.shows(file, at, data):
                return  # killed before it
            self.add("write", file, at, data, begin, end)
            self.sizes[file] = max(size, at + len(data))
        elif name == "ftruncate":
            self.sizes[file] = numbers[-1]
            self.add("truncate", file, None, self.sizes[file], begin, end)
        elif name == "fallocate" and "KEEP_SIZE" not in rest:
            self.sizes[file] = max(size, numbers[-2] + numbers[-1])
            self.add("grow", file, None, self.sizes[file], begin, end)

    def shows(self, file, at, data):
        """Does the real file have these bytes there?"""
        with open(self.folder + file, "rb") as f:
            f.seek(at)
            return f.read(len(data)) == data


def read(path, folder, sizes=None):
    """The steps of one run, in the order in which they began; sizes: of the files before it."""
    reader = _Reader(folder)
    reader.sizes.update(sizes or {})
    for call in _calls(path):
        reader.call(*call)
    return sorted(reader.steps, key=lambda s: s.begin)
