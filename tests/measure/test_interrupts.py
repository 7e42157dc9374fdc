"""Ctrl-C waits for the end of a step in native code, and no longer."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pixelproof.measure.interrupts import interrupts_deferred


def _press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_ctrl_c_waits_for_the_end_of_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        steps.append("started")
        _press()
        with interrupts_deferred():
            steps.append("inner")
        steps.append("ended")
    assert steps == ["started", "inner", "ended"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_does_not_wait() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        _press()
        steps.append("went on")
        _press()
        steps.append("never")
    assert steps == ["went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_errors_pass_and_nothing_is_left_installed() -> None:
    with pytest.raises(ValueError, match="of the block"), interrupts_deferred():
        raise ValueError("of the block")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_somebody_else_is_left_alone() -> None:
    came = []
    usual = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    try:
        with interrupts_deferred():
            _press()
            assert came == [1]
    finally:
        signal.signal(signal.SIGINT, usual)


def test_other_threads_do_not_touch_it() -> None:
    seen = []

    def work() -> None:
        with interrupts_deferred():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
