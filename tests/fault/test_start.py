# SPDX-License-Identifier: MIT
"""test_start.py - what a start must refuse, and what it must survive."""


def test_second_daemon_on_one_database_leaves_with_a_message(make_gateway):
    first = make_gateway()
    second = make_gateway(start=False)
    second.reconfigure(store={"path": first.path("data", "gantry.db")})
    try:
        second.start()
    except RuntimeError as ended:
        assert "ended with 73" in str(ended)
        assert "locked by another process" in second.log()
    else:
        raise AssertionError("two daemons share one database")
    assert first.send_webhook("lot_created", {"n": 1}).status == 200
