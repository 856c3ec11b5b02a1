"""Code concerned with states that are carried forward by one-step errors: what a fitted state-space model leaves behind.

    forecast(t) = design . state(t),   state(t+1) = transition state(t) + gain (value(t) - forecast(t))

This is the innovations form with a steady gain. A missing value has no error, so it only lets the state move on. All
sensors are carried at once.

Reference: Hyndman, Koehler, Ord, Snyder, Forecasting with Exponential Smoothing (2008), doi:10.1007/978-3-540-71918-2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.panel import Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Innovations:
    """For each sensor: transition (sensors x k x k), design, gain and state (sensors x k)."""

    transition: Values
    design: Values
    gain: Values
    state: Values

    @classmethod
    def of(cls, transition: Values, design: Values, gain: Values) -> Innovations:
        """One sensor's, at rest: its state is zero."""
        return cls(transition=transition[None], design=design[None], gain=gain[None], state=np.zeros((1, len(gain))))

    @classmethod
    def stacked(cls, each: Sequence[Innovations], states: int) -> Innovations:
        """Those of several sensors as one, with so many states; what one does not use is zero."""
        width = [states - one.state.shape[1] for one in each]
        return cls(
            transition=np.array([np.pad(e.transition[0], (0, w)) for e, w in zip(each, width, strict=True)]).reshape(
                -1, states, states
            ),
            **{
                name: np.array([np.pad(getattr(e, name)[0], (0, w)) for e, w in zip(each, width, strict=True)]).reshape(
                    -1, states
                )
                for name in ("design", "gain", "state")
            },
        )

    def repeated(self, count: int) -> Innovations:
        """The first sensor's, so many times."""
        return Innovations(
            transition=np.repeat(self.transition[:1], count, axis=0),
            design=np.repeat(self.design[:1], count, axis=0),
            gain=np.repeat(self.gain[:1], count, axis=0),
            state=np.repeat(self.state[:1], count, axis=0),
        )

    def after(self, values: Values) -> tuple[Innovations, Values]:
        """The states after more values (sensors x times), and the one-step errors, NaN where a value is missing."""
        state = self.state.copy()
        errors = np.empty(values.shape)
        for t in range(values.shape[1]):
            errors[:, t] = values[:, t] - (self.design * state).sum(axis=1)
            heard = np.where(np.isfinite(errors[:, t]), errors[:, t], 0.0)
            state = np.matmul(self.transition, state[:, :, None])[:, :, 0] + self.gain * heard[:, None]
        return replace(self, state=state), errors

    def ahead(self, steps: int) -> Values:
        """What is expected of the next steps (sensors x steps)."""
        state = self.state
        made = np.empty((len(state), steps))
        for t in range(steps):
            made[:, t] = (self.design * state).sum(axis=1)
            state = np.matmul(self.transition, state[:, :, None])[:, :, 0]
        return made

    def rolling(self, values: Values, begins: NDArray[np.int64], steps: int) -> Values:
        """What is expected after so many of the values, ascending (begins x sensors x steps)."""
        made = np.empty((len(begins), len(self.state), steps))
        here, done = self, 0
        for k, begin in enumerate(begins):
            here, _ = here.after(values[:, done:begin])
            made[k], done = here.ahead(steps), int(begin)
        return made
