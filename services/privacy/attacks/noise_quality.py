"""Code concerned with whether the noise is what the plans say: whole numbers of the right distribution, from a safe source."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import numpy as np
from scipy.stats import chi2, norm

from services.privacy import drawing
from services.privacy.attacks.contract import Finding, exactly
from services.privacy.attacks.estimates import Floats
from services.privacy.attacks.ground import PRESENCE, Ground
from services.privacy.attacks.people import Integers
from services.privacy.mechanisms.catalogue import GAUSSIAN, mechanism_of
from services.privacy.plan import Measure, load_plans

_DRAWS, _FEW_DRAWS = 1_000_000, 20_000
_OTHER_DRAWS: Final = 100_000
_LEAST_P: Final = 1e-6
_LEAST_EXPECTED: Final = 25
_RANDOM: Final = frozenset({"random", "secrets", "numpy.random"})
_WHOLE_NUMBERS_ONLY: Final = ("bounding.py",)
_EXACT_ALL_THE_SAME: Final = frozenset({"_root_above"})  # a whole root, found near a floating point one and put right


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseQuality:
    """Compares draws of every plan's noise with its probabilities, and reads the release code."""

    name: str = "noise-quality"

    def run(self, ground: Ground) -> Finding:
        """Show that continuous noise is found out, then test the product's."""
        parts = [
            (plan, measure, plan.parts(plan.price(ground.micro_epsilon)))
            for plan in load_plans()
            for measure in plan.measure
        ]
        smallest, tested, wrong = 1.0, 0, 0
        wrong_kind = 0
        control = 1.0
        for done, (plan, measure, paid) in enumerate(parts):
            ground.tell(done, len(parts))
            deciding = plan.name == "presence" and measure.name == plan.threshold.measure
            draws = _FEW_DRAWS if ground.short else _DRAWS if deciding else _OTHER_DRAWS
            noise = mechanism_of(measure, paid[measure.name])
            drawn = noise.release(np.zeros(draws, dtype=np.int64))
            wrong_kind += drawn.dtype != np.int64
            p = chi_square_p(drawn, measure, noise.scale)
            smallest = min(smallest, p)
            wrong += p < _LEAST_P
            tested += draws
            if deciding:
                narrow = np.rint(ground.rng(self.name).laplace(0, noise.scale * 0.95, draws)).astype(np.int64)
                control = chi_square_p(narrow, measure, noise.scale)
        wrong_kind += _kinds(ground)
        imports, floats = _random_imports(), _float_marks()
        return Finding(
            control=1 - control,
            control_needed=1 - _LEAST_P,
            lines=(
                exactly("noises that differ from their probabilities (chi-square, p < 1e-6)", float(wrong), 0),
                exactly("numbers that are not whole between bounding and store", float(wrong_kind), 0),
                exactly("imports of unsafe or seeded randomness in release code", float(len(imports)), 0),
                exactly("floating point in the bounding code", float(len(floats)), 0),
            ),
            explanation=(
                f"{tested:,} draws of all plans' noise against their probabilities: smallest p {smallest:.3g}, where noise 5 % "
                f"too narrow has {control:.1g}. Unsafe randomness is imported {'in ' + ', '.join(imports) if imports else 'nowhere'}"
                f"; floating point marks in bounding: {len(floats)}."
            ),
        )


def chi_square_p(drawn: Integers, measure: Measure, scale: float) -> float:
    """How likely draws of that distribution differ at least as much from it as these; bins of at least 25 expected draws."""
    reach = int(np.abs(drawn).max()) + 2
    width = max(1, int(scale / 8))
    edges = np.arange(-(reach // width + 1) * width, reach + 2 * width, width)
    expected = np.diff(_below(edges, measure, scale)) * len(drawn)
    seen = np.histogram(drawn, bins=edges - 0.5)[0]
    kept = expected >= _LEAST_EXPECTED
    middle = np.append(seen[kept], seen[~kept].sum())
    rest = np.append(expected[kept], len(drawn) - expected[kept].sum())
    used = rest > 0
    statistic = float(((middle - rest)[used] ** 2 / rest[used]).sum())
    return float(chi2.sf(statistic, int(used.sum()) - 1))


def _below(edges: Integers, measure: Measure, scale: float) -> Floats:
    """The probability of a number below each edge."""
    if measure.mechanism == GAUSSIAN:
        if scale > 50:
            return np.asarray(norm.cdf((edges - 0.5) / scale))
        numbers = np.arange(edges[0] - 1, edges[-1] + 1)
        weight = np.exp(-(numbers**2) / (2 * scale**2))
        total = np.exp(-(np.arange(-60 * int(scale + 1), 60 * int(scale + 1) + 1) ** 2) / (2 * scale**2)).sum()
        below: Floats = np.cumsum(weight)[edges - 1 - numbers[0]] / total
        return below
    a = np.exp(-1 / scale)
    z = edges - 1.0
    return np.asarray(np.where(z < 0, a**-z / (1 + a), 1 - a ** (z + 1) / (1 + a)))


def _kinds(ground: Ground) -> int:
    """How many vectors between bounding and store are not whole numbers."""
    exact = ground.city.exact
    drawn = drawing.draw(ground.presence, PRESENCE, ground.paid, exact)
    return sum(vector.dtype != np.int64 for vector in (*exact.values(), *drawn.values.values()))


def release_code() -> list[Traversable]:
    """The files that personal numbers pass through on their way out."""
    package = files("services.privacy")
    folders = [package, package / "mechanisms", package / "products"]
    return [file for folder in folders for file in folder.iterdir() if file.name.endswith(".py")]


def _random_imports() -> list[str]:
    """Files of the release that import randomness other than OpenDP's, or reach for `numpy.random`."""
    found = set()
    for file in release_code():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Attribute) and node.attr == "random":
                names = ["numpy.random"]
            if _RANDOM.intersection(names):
                found.add(file.name)
    return sorted(found)


def _float_marks() -> list[int]:
    """Lines of the bounding code with a floating point constant, a true division or a conversion to float."""
    lines = []
    for name in _WHOLE_NUMBERS_ONLY:
        module = ast.parse((files("services.privacy") / name).read_text(encoding="utf-8"))
        kept = [part for part in module.body if getattr(part, "name", "") not in _EXACT_ALL_THE_SAME]
        for node in (inner for part in kept for inner in ast.walk(part)):
            constant = isinstance(node, ast.Constant) and isinstance(node.value, float)
            division = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            conversion = isinstance(node, ast.Name) and node.id == "float"
            kind = isinstance(node, ast.Attribute) and node.attr.startswith("float")
            if constant or division or conversion or kind:
                lines.append(int(getattr(node, "lineno", 0)))
    return lines
