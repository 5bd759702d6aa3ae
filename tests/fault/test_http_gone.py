# SPDX-License-Identifier: MIT
"""test_http_gone.py - the client goes while its request waits for the COMMIT.

Syncs are slowed to 6 ms each, and clients leave, by a close or a reset, 0 to
5 ms after their request: suspended in libmicrohttpd, in the store's queue, in
the transaction, in the sync.  The event is stored whole or not at all, the
daemon lives, and the next webhook is fine.
"""

import socket
import struct
import time

import inject
import pytest
import raw
from witness import Witness

ROUNDS = 15
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the close is a reset


def leave(sock, how):
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    elif how == "half":
        # It only says no more, and listens.  Libmicrohttpd takes that for its end when it looks
        # before it answers (and has nothing to say then): the event is stored all the same.
        sock.shutdown(socket.SHUT_WR)
        assert [status for status, _, _ in raw.answers(raw.read_all(sock))] in ([200], [])
    sock.close()


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_gone_at_every_millisecond(make_gateway, how):
    gan = make_gateway(start=False)
    gan.start(wrap=inject.wrap(inject.delay(6)))
    sent = {}
    with Witness(gan) as seen:
        for ms in range(6):
            for i in range(ROUNDS):
                uuid = f"91cb972d-b476-4936-947c-{ms:04d}{i:08d}"
                body = b'{"ms":%d,"i":%d,"pad":"%s"}' % (ms, i, b"x" * 700)
                sent[uuid] = body
                sock = raw.connect(gan)
                raw.send(sock, raw.whole(gan, body, uuid))
                time.sleep(ms / 1000)  # this moment is what is tested
                leave(sock, how)
                # The next one, on a connection of its own, is answered.
                status, = [s for s, _, _ in raw.answers(raw.talk(gan, raw.whole(gan, b"{}")))]
                assert status == 200
    extra = seen.check() + 6 * ROUNDS
    before = raw.stored(gan) - extra
    assert 0 <= before <= len(sent)
    print(f"{before} of {len(sent)} whose clients had gone were stored")
    assert before > 0, "no client was gone too late: nothing was tested"
    # Sent once more, those that were stored are duplicates: whole, then, to the last byte.
    for uuid, body in sent.items():
        assert raw.status_of(raw.talk(gan, raw.whole(gan, body, uuid))) == 200
    assert gan.status()["duplicates"] == before
    assert gan.stop() == 0
    bodies = [b for b in raw.stored_bodies(gan) if b.startswith(b'{"ms"')]
    assert sorted(bodies) == sorted(sent.values())


def test_gone_in_a_crowd(make_gateway):
    """A hundred that share one COMMIT, every second one gone before it."""
    gan = make_gateway(start=False)
    gan.start(wrap=inject.wrap(inject.delay(20)))
    with Witness(gan) as seen:
        for turn in range(5):
            socks = [raw.connect(gan) for _ in range(100)]
            for i, s in enumerate(socks):
                raw.send(s, raw.whole(gan, b'{"turn":%d,"i":%d}' % (turn, i)))
            for s in socks[::2]:
                leave(s, "reset")
            for s in socks[1::2]:
                with s:
                    assert [status for status, _, _ in raw.answers(raw.read_all(s))] == [200]
        seen.wait(1)
    assert 250 <= raw.stored(gan) - seen.check(least=1) <= 500
    assert gan.stop() == 0
    bodies = raw.stored_bodies(gan)
    assert len(set(bodies)) == len(bodies)
    assert all(b'{"turn":%d,"i":%d}' % (t, i) in bodies for t in range(5)
               for i in range(1, 100, 2))
