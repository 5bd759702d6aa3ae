# SPDX-License-Identifier: MIT
"""inject.py - disks that are slow or broken, played by strace's fault injection.

From the start:      gan.start(wrap=inject.wrap(inject.delay(5)))
                     gan.start(wrap=inject.wrap(inject.fail(when=7)))
For a while only:    with inject.attached(gan.proc.pid, inject.delay(200)): ...

strace runs beside the daemon (-D): gan.proc is still gantryd itself, so kill(),
stop() and exit codes mean what they always mean.  Only the named calls stop in
the tracer; all others run at full speed.

strace counts `when` in each thread apart.  All syncs of the database come from
the store thread, so its n-th sync is the n-th there is; a count begins anew for
every start() and attached().
"""

import contextlib
import os
import shutil
import subprocess
import tempfile

import pytest

from place import die_with_parent, wait_until

SYNCS = "fdatasync,fsync"
WRITES = "pwrite64,write"


def delay(ms, calls=SYNCS, when=None):
    """Each of the calls returns ms later than the disk did its work."""
    return _rule(calls, f"delay_exit={int(ms * 1000)}", when)


def fail(error="EIO", calls=SYNCS, when=None):
    """The calls fail and do nothing. when: 3 is the third, "3+" all from there, "1..4" some."""
    return _rule(calls, f"error={error}", when)


def _rule(calls, action, when):
    return f"{calls}:{action}" + (f":when={when}" if when is not None else "")


def need():
    """Skip the test on a machine that cannot trace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not here")
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "-e", "inject=getppid:error=EIO",
                            "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()[-200:]}")


def _command(injections, log, *how):
    calls = ",".join(sorted({c for i in injections for c in i.split(":")[0].split(",")}))
    command = ["strace", *how, "-f", "-q", "-o", log or os.devnull, "-e", "signal=none",
               "-e", f"trace={calls}"]
    for injection in injections:
        command += ["-e", f"inject={injection}"]
    return command


def wrap(*injections, log=None, only=None):
    """What to put before a command, as Gateway.start(wrap=...) takes it.

    log: a file for strace's lines, one per call (see injected()).
    only: a file that is there already; calls on others are neither hit nor counted.
    """
    need()
    return [*_command(injections, log, "-D", "--seccomp-bpf", *(["-P", only] if only else [])), "--"]


@contextlib.contextmanager
def attached(pid, *injections, log=None):
    """The faults hold for all threads of a running process while the block runs."""
    need()
    with tempfile.TemporaryFile("w+") as said:
        proc = subprocess.Popen([*_command(injections, log), "-p", str(pid)], stderr=said,
                                stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        try:
            threads = set(os.listdir(f"/proc/{pid}/task"))
            wait_until(lambda: proc.poll() is not None or _traced(pid, threads), 10,
                       "strace has attached")
            if proc.poll() is not None:
                said.seek(0)
                raise RuntimeError(f"strace: {said.read()}")
            yield
        finally:
            if proc.poll() is None:
                proc.terminate()  # it detaches and lets the process go on
            proc.wait()


def _traced(pid, threads):
    """True when every thread that is still there has a tracer."""
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as f:
                if "TracerPid:\t0\n" in f.read():
                    return False
        except FileNotFoundError:
            continue
    return True


def injected(log):
    """How many calls a log of wrap() or attached() shows as spoiled."""
    with open(log, encoding="ascii", errors="replace") as f:
        return sum(line.rstrip().endswith(("(INJECTED)", "(DELAYED)")) for line in f)
