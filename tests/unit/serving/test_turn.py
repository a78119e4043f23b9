"""One thread answers at a time; one that waits lets another go on."""

from __future__ import annotations

from threading import Event, Lock, Thread

from daybreak.serving.turn import pass_on, take


def test_the_turn_is_one_s_own_until_it_is_passed_on() -> None:
    turn, mine = Lock(), Event()

    def other() -> None:
        take(turn)
        mine.set()
        pass_on()

    take(turn)
    take(turn)  # it is mine already
    waiting = Thread(target=other)
    waiting.start()
    assert not mine.wait(0.05)
    pass_on()
    assert mine.wait(10)
    waiting.join()
    pass_on()  # it was not mine any more
    assert not turn.locked()
