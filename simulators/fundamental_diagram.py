"""Code concerned with the one relation between flow, speed and density that each detector's road obeys.

Smulders' two-branch diagram (1990, https://doi.org/10.1016/0191-2615(90)90023-R), per lane: while density k is below the
critical density, speed falls linearly from free flow to 80 % of it; above, flow falls linearly to zero at jam density.

    v(k) = vf - (vf - vc) k / kc      for k <= kc
    q(k) = w (kj - k)                 for k >  kc,    w = kc vc / (kj - kc)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.streams import Bools, Floats

JAM_DENSITY = 135.0
"""Vehicles per kilometre and lane at standstill."""
EFFECTIVE_LENGTH_KM = 0.0065
"""Length of a vehicle plus that of the loop: occupancy is density per lane times this."""
_CRITICAL_SPEED_SHARE = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class FundamentalDiagram:
    """Arrays over detectors: free-flow speed [km/h] and capacity [veh/h] and density [veh/km] per lane."""

    free_flow_kmh: Floats
    lane_capacity_vph: Floats

    @property
    def critical_kmh(self) -> Floats:
        """Speed at capacity."""
        return _CRITICAL_SPEED_SHARE * self.free_flow_kmh

    @property
    def critical_density(self) -> Floats:
        """Density at capacity [veh/km per lane]."""
        return self.lane_capacity_vph / self.critical_kmh

    @property
    def wave_kmh(self) -> Floats:
        """How fast a queue's end moves upstream [km/h]."""
        return self.lane_capacity_vph / (JAM_DENSITY - self.critical_density)

    def density(self, flow: Floats, congested: Bools) -> Floats:
        """Density [veh/km per lane] at which a flow [veh/h per lane] passes, on the branch that `congested` names."""
        drop = (self.free_flow_kmh - self.critical_kmh) / self.critical_density
        root = np.sqrt(np.maximum(0, self.free_flow_kmh**2 - 4 * drop * flow))
        free = (self.free_flow_kmh - root) / (2 * drop)
        return np.where(congested, JAM_DENSITY - flow / self.wave_kmh, free)

    def flow(self, density: Floats) -> Floats:
        """Flow [veh/h per lane] at a density [veh/km per lane]."""
        share = density / self.critical_density
        free = density * (self.free_flow_kmh - (self.free_flow_kmh - self.critical_kmh) * share)
        return np.where(share <= 1, free, self.wave_kmh * (JAM_DENSITY - density))
