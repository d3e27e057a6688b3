"""The one EM loop: it owns stopping, restarts and the objective path; a model supplies the step."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from partlabel.aggregate.squarem import Chart, Leaps

State = TypeVar("State")
SETTLED = 1e-5


class Outcome(Enum):
    """How a run ended; the value is the sentence for the user."""

    ONCE = "There was nothing to repeat: one pass solved it."
    CONVERGED = "The objective stopped improving."
    SETTLED = "The parameters stopped moving."
    MAX_ITER = "`max_iter` was reached while still improving; raise `max_iter` or `tol`."


@dataclass(frozen=True, slots=True)
class Run(Generic[State]):
    """How a run of EM went.

    Attributes
    ----------
    state : the last parameters.
    path : the objective at each iteration's start, in nats; never falls, if there is one to climb.
    outcome : how it ended.
    start : which of the starts it came from.
    """

    state: State
    path: list[float] = field(repr=False)
    outcome: Outcome
    start: int

    @property
    def objective(self) -> float:
        """The last known value of the objective."""
        return self.path[-1]


def run_em(
    step: Callable[[State], tuple[State, float]],
    starts: Iterable[State],
    *,
    max_iter: int,
    tol: float,
    scale: float,
    far: Callable[[State, State], float] | None = None,
    chart: Chart[State] | None = None,
) -> Run[State]:
    """Climb from each start and keep the highest end.

    Parameters
    ----------
    step : state -> (next state, objective of the given state)
    starts : states
    max_iter : int
        Steps from each start at the most, those that a leap wasted among them.
    tol : float
        Stop once a step improves the objective by less than ``tol * scale``.
    scale : float
        How many items the objective adds up, so that `tol` is in nats per item.
    far : (state, state) -> float, default None
        For a fixed-point iteration without an objective that must rise: stop once two states in a
        row are less than `SETTLED` apart.
    chart : Chart, default None
        Coordinates of the states in which to leap ahead (`squarem`) after every two steps; a leap
        that lowers the objective is taken back. None takes plain steps.
    """
    runs = [
        _climb(step, state, n, max_iter, tol * scale, far, chart) for n, state in enumerate(starts)
    ]
    return max(runs, key=lambda run: run.objective)


def _climb(
    step: Callable[[State], tuple[State, float]],
    state: State,
    start: int,
    max_iter: int,
    enough: float,
    far: Callable[[State, State], float] | None,
    chart: Chart[State] | None,
) -> Run[State]:
    path: list[float] = []
    leaps = Leaps(chart)
    took_off: State | None = None  # where to go back to while a leap isn't judged yet
    for _ in range(max_iter):
        before = state
        state, objective = step(before)
        if took_off is not None:
            rose = objective >= path[-1]
            leaps.judge(rose=rose)
            if rose:
                path.append(objective)
            else:
                state = took_off
            took_off = None
            continue
        path.append(objective)
        if far is not None:
            if far(before, state) < SETTLED:
                return Run(state, path, Outcome.SETTLED, start)
        elif len(path) > 1 and path[-1] - path[-2] < enough:
            return Run(state, path, Outcome.CONVERGED, start)
        ahead = leaps.from_step(before, state)
        if ahead is not None:
            took_off, state = state, ahead
    return Run(state if took_off is None else took_off, path, Outcome.MAX_ITER, start)
