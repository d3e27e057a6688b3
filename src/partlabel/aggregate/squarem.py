r"""SQUAREM: leap ahead along the path of EM, so that it needs fewer passes over the votes.

=======================  =========  =============================================
symbol                   code       meaning
=======================  =========  =============================================
:math:`x_0, x_1, x_2`    trail      two steps of EM, in unbounded coordinates
:math:`r`                first      :math:`x_1 - x_0`
:math:`v`                bend       :math:`(x_2 - x_1) - (x_1 - x_0)`
:math:`-\alpha`          length     of the leap; at 1 it ends at :math:`x_2`
=======================  =========  =============================================

.. math:: x' = x_0 - 2 \alpha r + \alpha^2 v, \qquad \alpha = -\|r\| / \|v\|

(R. Varadhan and C. Roland, Simple and globally convergent methods for accelerating the convergence
of any EM algorithm, Scandinavian Journal of Statistics 2008, scheme S3, eqs. 8 and 9). The next
step of EM begins at :math:`x'`. As it gives the objective there, whether the leap was good costs no
pass of its own; one that fell costs one.
"""

from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

State = TypeVar("State")
FIRST_LENGTH = 4.0
GROWTH = 4.0
SHORTEST = 1.5
FARTHEST = 5.0  # that a leap moves a coordinate (nats, where it is a logarithm)


class Chart(Protocol[State]):
    """Coordinates of the states of an iteration in which every point is a state."""

    def point(self, at: State) -> NDArray[np.float64]:
        """(n,) Coordinates of a state."""
        ...

    def at(self, point: NDArray[np.float64], near: State) -> State:
        """The state with some coordinates; `near` has all that isn't iterated."""
        ...


class Leaps(Generic[State]):
    """Leaps of one climb: remembers the last steps, and how long a leap may be.

    Without a chart there are none.
    """

    def __init__(self, chart: Chart[State] | None) -> None:
        self._chart = chart
        self._trail: list[NDArray[np.float64]] = []
        self._longest = FIRST_LENGTH
        self._length = 1.0

    def from_step(self, before: State, after: State) -> State | None:
        """Note a plain step; after every second one, give the state to leap to, if there is one."""
        if self._chart is None:
            return None
        self._trail = self._trail or [self._chart.point(before)]
        self._trail.append(self._chart.point(after))
        if len(self._trail) < 3:
            return None
        start, middle, end = self._trail
        self._trail = []
        first, bend = middle - start, end - 2.0 * middle + start
        moved, turned = float(np.linalg.norm(first)), float(np.linalg.norm(bend))
        straight = moved >= self._longest * turned
        self._length = self._longest if straight else moved / turned
        if self._length <= 1.0 or moved == 0.0:
            return None
        ahead = start + 2.0 * self._length * first + self._length**2 * bend
        return self._chart.at(np.clip(ahead, end - FARTHEST, end + FARTHEST), after)

    def judge(self, *, rose: bool) -> None:
        """Learn from a leap's end whether leaps may become longer, or must become shorter."""
        if not rose:
            self._longest = max(self._longest / GROWTH, SHORTEST)
        elif self._length >= self._longest:
            self._longest *= GROWTH
