from __future__ import annotations

import pickle

from pgha.errors import BusyError, ConfigurationError, ConflictError


def test_one_problem_is_its_own_sentence() -> None:
    assert str(ConfigurationError(["postgresql_port is 0."])) == "postgresql_port is 0."


def test_several_problems_are_listed() -> None:
    assert str(ConfigurationError(["a.", "b."])) == "2 problems in the pillar:\n  - a.\n  - b."


def test_problems_survive_the_way_between_salts_processes() -> None:
    error = pickle.loads(pickle.dumps(ConfigurationError(["a.", "b."])))

    assert error.problems == ("a.", "b.")


def test_a_held_lock_is_a_conflict() -> None:
    assert issubclass(BusyError, ConflictError)
