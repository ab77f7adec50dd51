from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgha.errors import ConfigurationError
from pgha.voters import VoterPlan, plan_voters, quorum_of, tolerance_of

NAMES = st.lists(
    st.text("abcdefgh-0123", min_size=1, max_size=8), min_size=1, max_size=40, unique=True
)


@given(NAMES)
def test_automatic_plan_is_odd_and_tolerates_as_much_as_any(names: list[str]) -> None:
    plan = plan_voters(names)

    assert len(plan.voters) % 2 == 1
    assert len(plan.voters) <= 7
    assert (*plan.voters, *plan.learners, *plan.clients) == tuple(names)
    assert len(plan.learners) == min(1, len(names) - len(plan.voters))
    # No other number of voters within etcd's limit survives the loss of more servers.
    assert plan.tolerance == max(tolerance_of(n) for n in range(1, min(len(names), 7) + 1))


@given(NAMES, st.data())
def test_a_list_is_taken_as_given_or_refused(names: list[str], data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.sampled_from(names), unique=True))
    if len(wanted) % 2 == 0 or len(wanted) > 7:
        with pytest.raises(ConfigurationError, match="etcd_voters"):
            plan_voters(names, wanted)
    else:
        plan = plan_voters(names, wanted)
        assert plan.voters == tuple(wanted)
        assert len(plan.learners) <= 1
        others = [name for name in names if name not in wanted]
        assert [*plan.learners, *plan.clients] == others


@given(st.integers(1, 50))
def test_a_quorum_survives_the_tolerated_losses_and_no_more(voters: int) -> None:
    assert voters - tolerance_of(voters) >= quorum_of(voters)
    assert voters - tolerance_of(voters) - 1 < quorum_of(voters)


def test_four_nodes_have_three_voters() -> None:
    assert plan_voters(["a", "b", "c", "d"]) == VoterPlan(("a", "b", "c"), ("d",), 1)


@pytest.mark.parametrize(("nodes", "voters", "clients"), [(8, 7, 0), (9, 7, 1), (40, 7, 32)])
def test_what_etcd_does_not_take_is_a_client(nodes: int, voters: int, clients: int) -> None:
    plan = plan_voters([f"n{number}" for number in range(nodes)])

    assert (len(plan.voters), len(plan.learners), len(plan.clients)) == (voters, 1, clients)


def test_three_listed_voters_of_five_nodes_leave_a_learner_and_a_client() -> None:
    plan = plan_voters(["a", "b", "c", "d", "e"], ["e", "c", "a"])

    assert plan == VoterPlan(("e", "c", "a"), ("b",), 1, ("d",))


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (["a", "b"], "the number must be odd, because 2 voters survive no more losses than 1"),
        ([], "empty list"),
        (["a", "x", "b"], "names 'x', which is not a declared node; the nodes are a, b, c, d"),
        (["a", "a", "b"], "names 'a' more than once"),
        ("everyone", "must be auto or a list"),
        ([1, 2, 3], "must be auto or a list"),
    ],
)
def test_what_cannot_be_planned(wanted: object, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        plan_voters(["a", "b", "c", "d"], wanted)


def test_nine_voters_are_too_many() -> None:
    names = [f"n{number}" for number in range(9)]

    with pytest.raises(ConfigurationError, match="at most 7"):
        plan_voters(names, names)
