# SPDX-License-Identifier: MIT
"""process.py - what /proc tells about the daemon and its workers."""

import os


def read(pid, name):
    """A file of /proc/PID, b"" when the process has just ended."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def mib(pid, field="VmRSS"):
    """A memory figure of /proc/PID/status in MiB; VmHWM is the peak so far."""
    for line in read(pid, "status").decode().split("\n"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def forget_peak(pid):
    """Let VmHWM begin again at what is used now."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


def children(pid):
    """The processes that a daemon started: its mapping workers."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = read(name, "stat").decode(errors="replace").rsplit(")", 1)
            if len(stat) == 2 and int(stat[1].split()[1]) == pid:
                found.append(int(name))
    return sorted(found)
