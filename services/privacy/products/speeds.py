"""Code concerned with speeds: how fast vehicles moved in each H3 cell of resolution 7 and local hour."""

from __future__ import annotations

from collections.abc import Iterator

from services.domain import to_us
from services.privacy import movement
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Figure, Integers, Numbers, Product
from services.privacy.products.geography import city_cells
from services.storage import personal, releases
from services.storage.database import Connection

_MINUTE_US = 60_000_000
_WIDER = 1.25
"""Two intervals of 97.5 % hold together with 95 %; of Laplace noise each is ln 40 / ln 20 = 1.23 times as wide as at 95 %."""


class Speeds(Product):
    """The product `speeds`."""

    def domain(self, connection: Connection) -> Integers:
        """The parents of the city's cells."""
        return city_cells(connection, movement.RESOLUTION)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded counts and sums of differences from 65 km/h, each of shape (cells, hours of the day)."""
        return self.bound(personal.movements(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.Movements, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of positions at hand, in any order."""
        total = plan.measure_named("speed_sum_kmh")
        counts, sums = movement.speeds(
            rows.subject,
            rows.cell,
            rows.observed_us,
            rows.speed_kmh,
            domain=domain,
            day_start_us=to_us(day.start),
            slot_us=plan.grid.slot_minutes * _MINUTE_US,
            slots=len(day.slots(plan.grid.slot_minutes)),
            cells_per_subject=total.cells_per_subject,
            clip_kmh=total.per_cell,
        )
        return {"vehicles": counts, "speed_sum_kmh": sums}

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store noisy vehicles and, as their quotient, the mean speed in whole km/h, for every cell and hour."""
        sums, ci95 = numbers.values["speed_sum_kmh"], numbers.ci95

        def figures() -> Iterator[Figure]:
            for i, cell in enumerate(numbers.domain.tolist()):
                for j, hour in enumerate(numbers.day.slots(numbers.plan.grid.slot_minutes)):
                    vehicles, half_width = numbers.said("vehicles", i, j)
                    speed = (None, None) if vehicles is None else mean_speed(int(vehicles), int(sums[i, j]), ci95)
                    yield (f"{cell:x}", "", hour, "vehicles", vehicles, half_width)
                    yield (f"{cell:x}", "", hour, "speed_kmh", *speed)

        releases.publish_figures(connection, numbers.release_key, figures())


def mean_speed(count: int, total: int, ci95: dict[str, float]) -> tuple[int, float]:
    """Mean speed [km/h] of a noisy count and a noisy sum of differences from 65 km/h, and the half-width of its interval.

    The half-width is the largest error of the quotient while both numbers are within 97.5 % intervals of their own.
    """
    exact = movement.MIDDLE_KMH + total / count
    off_count, off_total = _WIDER * ci95["vehicles"], _WIDER * ci95["speed_sum_kmh"]
    least = max(count - off_count, 1.0)
    half_width = (off_total + abs(total) / count * off_count) / least
    speed = min(max(exact, 0.0), 2.0 * movement.MIDDLE_KMH)
    return round(speed), round(min(half_width, 2.0 * movement.MIDDLE_KMH) + 0.5, 1)
