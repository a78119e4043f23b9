"""One thread reads and answers at a time; one that waits lets another go on."""

from __future__ import annotations

from threading import Event, Thread, get_ident

from daybreak.serving.turn import Turn, pass_on


def taken(turn: Turn, mine: Event) -> Thread:
    def other() -> None:
        turn.take()
        mine.set()
        turn.leave()

    thread = Thread(target=other)
    thread.start()
    return thread


def test_the_turn_is_one_s_own_until_it_is_passed_on() -> None:
    turn, mine = Turn(), Event()
    turn.take()
    turn.lend(now=1.0)
    waiting = taken(turn, mine)
    assert not mine.wait(0.05)
    pass_on()
    assert mine.wait(10)
    waiting.join()
    pass_on()  # it was not mine any more
    assert not turn.back()
    turn.take()
    turn.lend(now=2.0)
    assert turn.back(), "nobody passed it on"
    pass_on()  # nor is it, where nothing is answered
    assert not turn.pass_on(get_ident())
    turn.leave()


def test_it_is_taken_away_from_who_answers_for_long_and_from_nobody_else() -> None:
    turn, mine = Turn(), Event()
    assert not turn.take_away(before=100.0)
    turn.take()
    assert not turn.take_away(before=100.0), "who reads keeps it"
    turn.lend(now=50.0)
    assert not turn.take_away(before=50.0)
    assert turn.take_away(before=50.1)
    assert not turn.take_away(before=50.1), "once"
    assert (turn.taken(after=49.9), turn.taken(after=50.0)) == (1, 0)
    taken(turn, mine).join()
    assert mine.is_set()
    pass_on()
    assert not turn.back()
    assert turn.taken(after=0.0) == 0
    turn.take()
    turn.leave()
