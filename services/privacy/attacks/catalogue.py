"""Code concerned with which attacks there are. A new attack is one file and one line here."""

from __future__ import annotations

from typing import Final

from services.privacy.attacks.appliance_events import ApplianceEvents
from services.privacy.attacks.averaging import Averaging
from services.privacy.attacks.contract import Attack
from services.privacy.attacks.differencing import Differencing
from services.privacy.attacks.forecaster import MembershipThroughForecasts
from services.privacy.attacks.home_work import HomeFromWork
from services.privacy.attacks.linkage import DayToDayLinkage
from services.privacy.attacks.membership_likelihood import MembershipByLikelihood
from services.privacy.attacks.membership_product import MembershipInPresence
from services.privacy.attacks.noise_quality import NoiseQuality
from services.privacy.attacks.side_channels import SideChannels
from services.privacy.attacks.smart_meter import SmartMeterMembership
from services.privacy.attacks.sybil import SybilIsolation
from services.privacy.attacks.trajectory import TrajectoryRecovery
from services.privacy.attacks.unicity import Unicity

ATTACKS: Final[tuple[Attack, ...]] = (
    TrajectoryRecovery(),
    MembershipByLikelihood(),
    MembershipInPresence(),
    Differencing(),
    Averaging(),
    Unicity(),
    HomeFromWork(),
    DayToDayLinkage(),
    SmartMeterMembership(),
    ApplianceEvents(),
    SybilIsolation(),
    NoiseQuality(),
    SideChannels(),
    MembershipThroughForecasts(),
)
