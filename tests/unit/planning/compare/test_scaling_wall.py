"""The scaling wall: what holds for any number of users."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.planning.compare import compare
from tests.kits.compared import asked, spec

# 1000 tok/s for 10 at once, answers of 300 tokens: 3 s each, and n users beyond 10 wait n x 0.3 s


def test_beyond_the_wall_an_answer_takes_as_long_as_the_users_before_it():
    wall = compare(asked(spec()), "now").walls["cloud-gpu"]
    assert wall.at_once == 10
    took = {crowd.users: crowd.seconds for crowd in wall.points}
    assert took[16] == pytest.approx((16 * 0.3, 16 * 0.3))
    assert took[64] == pytest.approx((64 * 0.3, 64 * 0.3))


def test_below_the_wall_it_goes_in_a_straight_line_from_one_stream_alone():
    # one stream alone at 200 tok/s: 1.5 s; at ten: 3 s; each further one 1/6 s
    question = asked(spec())
    plans = [
        replace(p, sizing=replace(p.sizing, decode_tok_s=(200.0, 200.0)))
        for p in question.plans
        if p.sizing
    ]
    took = dict(compare(replace(question, plans=tuple(plans)), "now").walls["cloud-gpu"].points)
    for users, seconds in ((1, 1.5), (4, 2.0), (8, 1.5 + 7 / 6)):
        assert took[users] == pytest.approx((seconds, seconds))


def test_twice_the_machines_have_their_wall_twice_as_far():
    # 10,000 an hour ask for two copies, and what two cost is compared: their wall is that of two, too
    walls = compare(asked(spec(per_day=240_000)), "now").walls
    assert {target: wall.at_once for target, wall in walls.items()} == {
        "local": 20,
        "cloud-gpu": 20,
        "serverless": 20,
    }


def test_a_speed_that_is_not_known_has_no_wall():
    assert compare(asked(spec(), speed=None), "now").walls == {}


@settings(max_examples=20)
@given(speed=st.floats(1, 1e5), slower=st.floats(1, 5), alone=st.floats(1, 1e5))
def test_more_users_never_get_their_answers_sooner(speed, slower, alone):
    question = asked(spec(), speed=(speed, speed * slower))
    plans = [
        replace(p, sizing=replace(p.sizing, decode_tok_s=(alone, alone * 1.5)))
        for p in question.plans
        if p.sizing
    ]
    for wall in compare(replace(question, plans=tuple(plans)), "now").walls.values():
        for end in (0, 1):
            seconds = [crowd.seconds[end] for crowd in wall.points]
            assert seconds == sorted(seconds)
        assert all(low <= high * (1 + 1e-9) for _, (low, high) in wall.points)
