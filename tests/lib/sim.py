# SPDX-License-Identifier: MIT
"""sim.py - gantry-sim and its control port."""

import json
import subprocess
import urllib.parse

from place import die_with_parent, program
from wire import request


class Sim:
    """gantry-sim and its control port."""

    SYSTEMS = ("prodsmart", "movilitas", "flex2b", "erp")

    def __init__(self, *args):
        self.proc = subprocess.Popen([program("gantry-sim"), *args], stdout=subprocess.PIPE,
                                     text=True, preexec_fn=die_with_parent)
        line = self.proc.stdout.readline()
        if not line:
            raise RuntimeError(f"gantry-sim ended with {self.proc.wait()}")
        self.ports = json.loads(line)
        self.control = f"127.0.0.1:{self.ports['control']}"

    def address(self, system):
        return f"127.0.0.1:{self.ports[system]}"

    def url(self, system):
        return f"http://{self.address(system)}"

    def ask(self, method, path, obj=None):
        body = None if obj is None else json.dumps(obj).encode()
        got = request(self.control, method, path, body)
        if got.status != 200:
            raise ValueError(f"gantry-sim: {method} {path}: {got}")
        return got.json()

    def fault(self, system, kind, **more):
        """Misbehave; see contrib/gantry-sim/README.md.  Returns the fault's number."""
        return self.ask("POST", "/fault", {"system": system, "kind": kind, **more})["id"]

    def clear(self, fault=None):
        self.ask("DELETE", "/fault" + (f"?id={fault}" if fault else ""))

    def hits(self, fault):
        return next(f["hits"] for f in self.ask("GET", "/fault") if f["id"] == fault)

    def state(self, **systems):
        if systems:
            self.ask("POST", "/state", systems)
        return self.ask("GET", "/state")

    def count(self):
        return self.ask("GET", "/journal/count")

    def journal(self, system=None, path=None, after=0, tokens=False):
        """What was received, oldest first; `json` is the parsed body or None."""
        query = {"after": after}
        if system:
            query["system"] = system
        if path:
            query["path"] = path
        rows = self.ask("GET", "/journal?" + urllib.parse.urlencode(query, safe="/"))
        for row in rows:
            try:
                row["json"] = json.loads(row["body"])
            except (TypeError, ValueError):
                row["json"] = None
        hidden = ("/v1/generatetoken", "/v1/api_auth", "/api/authorization", "/oauth/token")
        return [r for r in rows if tokens or r["path"] not in hidden]

    def tokens(self, system):
        """The token requests of a system."""
        return [r for r in self.journal(system, tokens=True) if r["body"] is None]

    def reset(self):
        self.ask("POST", "/reset")

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            self.proc.wait(10)
        self.proc.stdout.close()
