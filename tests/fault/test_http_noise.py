# SPDX-License-Identifier: MIT
"""test_http_noise.py - 100,000 connections of noise and of damaged requests.

GANTRY_NOISE: how many; `make check-asan` runs all 100,000 against the daemon
under AddressSanitizer and UBSan (leaks are looked for when it stops), `make
check-fault` 5,000.
"""

import os

import raw
from noise import Noise
from witness import Witness

COUNT = int(os.environ.get("GANTRY_NOISE", "5000"))


def test_noise(make_gateway, seed):
    gan = make_gateway()
    noise = Noise(gan, seed)
    with Witness(gan) as seen:
        noise.run(COUNT)
        seen.wait(1)
    print(f"{noise.sent} sent, answers: {dict(sorted(noise.by_status.items()))}")
    honest = seen.check()
    assert gan.proc.poll() is None
    assert not noise.odd, noise.odd[:5]
    assert noise.sent == COUNT
    # Some were still good, most were not; those that were answered 200 are stored.
    good = noise.by_status.get(200, 0)
    assert COUNT // 50 < good < COUNT // 2
    assert set(noise.by_status) <= {0, 200, 400, 401, 404, 405, 408, 413, 414, 415, 417, 431, 501,
                                    505}
    log = gan.log()
    assert gan.stop(30) == 0, log[-3000:]
    assert len(log.splitlines()) < 100, log[:3000]
    bodies = raw.stored_bodies(gan)
    assert len(set(bodies)) == len(bodies)
    unheard = noise.by_status.get(0, 0)
    ours = [b for b in bodies if not b.startswith(b'{"witness"')]
    assert len(bodies) - len(ours) == honest
    assert good <= len(ours) <= good + unheard
    # Nothing is invented: only what was signed, to the byte.
    assert set(ours) <= noise.signed
