"""Company: its tenants, the agents that they run, and who answers for them. Pure; the seed fixes all of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from random import Random

from .archetypes import AGENTS, PLATFORM, UNPRICED, Archetype

__all__ = [
    "APPROVERS",
    "INTERNAL",
    "MAX_TENANTS",
    "TASK_BYTES",
    "Company",
    "Workload",
    "company",
    "other_owner",
]

INTERNAL = "platform"
"""The tenant of what is run for all others."""

_CUSTOMERS = (
    *("northwind", "contoso", "halden-retail", "meridian-bank", "orchard-health", "castellan-insurance"),
    *("brightline", "vesper-telecom", "atlas-freight", "civic", "lumen-energy", "quillmark-media"),
    *("harbour-foods", "sable-motors", "juniper-travel", "kestrel-aero", "fern-and-co", "ironbridge-steel"),
    *("opaline-beauty", "rookery-games", "tidewater-utilities", "windmere-hotels", "yarrow-pharma"),
    *("zephyr-sports", "alder-legal", "beacon-schools", "cobalt-mining", "dunmore-estates", "elmwood-print"),
)
MAX_TENANTS = len(_CUSTOMERS) + 1
TASK_BYTES = 5
"""Of its trace's id, in the name of a task."""
_REGIONS = ("emea", "apac", "amer", "dach", "nordics", "uk", "iberia", "latam")
# The cost centre and the owners of each department.
_DEPARTMENTS = {
    "Customer Support": ("CC-110", ("Ines Duarte", "Tom Okafor", "Lena Brandt")),
    "Knowledge Management": ("CC-140", ("Priya Nair", "Marek Zielinski")),
    "Data Platform": ("CC-210", ("Jonas Vogel", "Aiko Tanaka")),
    "Engineering": ("CC-220", ("Sara Lindqvist", "Diego Ramos", "Hannah Weiss")),
    "AI Platform": ("CC-230", ("Noor Haddad",)),
    "Workplace": ("CC-310", ("Claire Moreau",)),
    "Legal": ("CC-320", ("Ruth Adeyemi",)),
    "Finance Operations": ("CC-330", ("Peter Novak", "Yuki Mori")),
    "Sales Operations": ("CC-410", ("Amara Singh", "Oliver Kane")),
    "Marketing": ("CC-420", ("Julia Costa",)),
}
APPROVERS = {
    "CC-110": "Grace Otieno",
    "CC-140": "Grace Otieno",
    "CC-210": "Viktor Larsen",
    "CC-220": "Viktor Larsen",
    "CC-230": "Viktor Larsen",
    "CC-310": "Helen Fischer",
    "CC-320": "Helen Fischer",
    "CC-330": "Samir Patel",
    "CC-410": "Isabel Rocha",
    "CC-420": "Isabel Rocha",
}
"""Who approves what is charged to a cost centre."""
_NEW, _RETIRED = 0.05, 0.04
# Of each tenant's agents the smaller ones fall off as its rank does among all.
_ZIPF = 0.85


@dataclass(frozen=True, slots=True)
class Workload:
    """One named agent of a tenant."""

    number: int
    tenant: str
    name: str
    kind: Archetype
    weight: float
    """Calls, relative to the other workloads."""
    weekly_growth: float
    owner: str | None
    """None where nobody answers for it."""
    cost_centre: str | None
    begins: float = 0.0
    """The share of the history after which it appears."""
    ends: float = 1.0
    """The share of the history after which it is retired."""

    @property
    def models(self) -> tuple[tuple[str, float, float], ...]:
        """As its archetype's; the legal agents of one tenant ask a model of the house too."""
        if self.kind.department == "Legal" and self.tenant == "northwind":
            return (*self.kind.models, (UNPRICED, 0.3, 0.3))
        return self.kind.models

    def task_id(self, trace_id: bytes) -> str:
        """What its task with that trace is called."""
        return f"{self.name}-{trace_id[:TASK_BYTES].hex()}"


@dataclass(frozen=True, slots=True)
class Company:
    """All of it."""

    tenants: tuple[str, ...]
    workloads: tuple[Workload, ...]


def company(*, seed: int, tenants: int, workloads: int) -> Company:
    """So many tenants, the platform among them, with so many workloads.

    Raises ValueError for fewer than 2 tenants or more than there are names for, or fewer workloads than each needs.
    """
    if not 2 <= tenants <= MAX_TENANTS:
        raise ValueError(f"{tenants} tenants: there are 2 to {MAX_TENANTS}")
    least = len(PLATFORM) + tenants - 1
    most = len(PLATFORM) + (tenants - 1) * len(AGENTS) * len(_REGIONS)
    if not least <= workloads <= most:
        raise ValueError(f"{workloads} workloads of {tenants} tenants: there are {least} to {most}")
    draw = Random(f"{seed}/company")  # noqa: S311 - a workload, not a secret
    names = _CUSTOMERS[: tenants - 1]
    sizes = {name: (rank + 1) ** -_ZIPF for rank, name in enumerate(names)}
    found: list[Workload] = []
    for kind in PLATFORM:
        found.append(_workload(len(found), INTERNAL, kind.name, kind, 2.5, draw))
    for tenant, count in _shared(workloads - len(PLATFORM), sizes).items():
        # The first tenant, who pays most, has one of each kind that it can have.
        kinds = [*AGENTS] if tenant == names[0] else draw.sample(AGENTS, len(AGENTS))
        # A tenant with more agents is larger, and each of its agents smaller.
        size = sizes[tenant] / count**0.7
        for place in range(count):
            kind = kinds[place % len(kinds)]
            region = place // len(kinds)
            name = f"{kind.name}-{_REGIONS[region - 1]}" if region else kind.name
            found.append(_workload(len(found), tenant, name, kind, size * 0.8**region, draw))
    return Company((INTERNAL, *names), tuple(_with_exceptions(found, draw)))


def other_owner(workload: Workload) -> tuple[str, str]:
    """An owner and a cost centre of another department, the next one in their order."""
    centres = [centre for centre, _ in _DEPARTMENTS.values()]
    place = centres.index(workload.cost_centre) if workload.cost_centre else -1
    centre, owners = [*_DEPARTMENTS.values()][(place + 1) % len(centres)]
    return owners[0], centre


def _workload(number: int, tenant: str, name: str, kind: Archetype, size: float, draw: Random) -> Workload:
    centre, owners = _DEPARTMENTS[kind.department]
    weight = size * kind.weight * draw.lognormvariate(0.0, 0.3)
    return Workload(number, tenant, name, kind, weight, draw.gauss(0.012, 0.01), draw.choice(owners), centre)


def _shared(workloads: int, sizes: dict[str, float]) -> Counter[str]:
    """How many workloads each tenant has: one, and of the others more the larger it is."""
    counts = Counter(dict.fromkeys(sizes, 1))
    most = len(AGENTS) * len(_REGIONS)
    for _ in range(workloads - len(sizes)):
        # The one that is most behind its size, as parliaments share their seats.
        counts[max((n for n in sizes if counts[n] < most), key=lambda n: sizes[n] / (counts[n] + 1))] += 1
    return counts


def _with_exceptions(found: list[Workload], draw: Random) -> list[Workload]:
    """Some appear or are retired meanwhile, and the last of a middling tenant has no owner."""
    ours = [each.number for each in found if each.tenant != INTERNAL]
    changing = draw.sample(ours[1:], min(len(ours) - 1, round(len(found) * (_NEW + _RETIRED))))
    new = round(len(changing) * _NEW / (_NEW + _RETIRED))
    for place, number in enumerate(changing):
        moment = draw.uniform(0.3, 0.75)
        begins, ends = (moment, 1.0) if place < new else (0.0, moment)
        found[number] = replace(found[number], begins=begins, ends=ends)
    nobody = ours[len(ours) // 3]
    found[nobody] = replace(found[nobody], owner=None, cost_centre=None)
    return found
