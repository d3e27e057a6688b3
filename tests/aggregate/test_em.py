import pytest

from partlabel.aggregate import Outcome, run_em


def halve_towards_two(x: float) -> tuple[float, float]:
    """One step of a climb of -(x - 2)^2; the objective is that of the point given."""
    return (x + 2.0) / 2, -((x - 2.0) ** 2)


def test_stops_when_it_no_longer_improves() -> None:
    run = run_em(halve_towards_two, [0.0], max_iter=100, tol=1e-6, scale=1.0)
    assert run.outcome is Outcome.CONVERGED
    assert run.state == pytest.approx(2.0, abs=1e-2)
    assert run.path == sorted(run.path)


def test_says_when_it_ran_out_of_steps() -> None:
    run = run_em(halve_towards_two, [0.0], max_iter=3, tol=1e-12, scale=1.0)
    assert run.outcome is Outcome.MAX_ITER
    assert len(run.path) == 3


def test_keeps_the_highest_end() -> None:
    peaks = {0: (0, -5.0), 1: (1, -1.0), 2: (2, -3.0)}
    run = run_em(lambda state: peaks[state], [0, 1, 2], max_iter=5, tol=1e-6, scale=1.0)
    assert (run.start, run.objective) == (1, -1.0)


def test_tolerance_is_per_item() -> None:
    short = run_em(halve_towards_two, [0.0], max_iter=100, tol=1e-6, scale=1e4)
    long = run_em(halve_towards_two, [0.0], max_iter=100, tol=1e-6, scale=1.0)
    assert len(short.path) < len(long.path)
