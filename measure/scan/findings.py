"""What a scan finds, gathered into few refusals: a file with 100,000 forbidden nodes gets a short answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pixelproof.safety import Refusal

MAX_REFUSALS = 20
PLACES_SHOWN = 3
NAME_SHOWN = 80
CHAIN_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule.

    Attributes:
        rule: what must hold.
        what: what stands there instead, without its place; findings of one kind share it.
        place: a node, a function or a file, in words.
        remedy: the way out.
    """

    rule: str
    what: str
    place: str = ""
    remedy: str = ""


def shown(name: str) -> str:
    """A stranger's name, safe to print: escaped where it isn't plain ASCII, and cut where it is long."""
    cut = name if len(name) <= NAME_SHOWN else f"{name[:NAME_SHOWN]}..."
    return cut if cut.isascii() and cut.isprintable() else ascii(cut)[1:-1]


def chained(names: Sequence[str]) -> str:
    """Names that lead from one to the next, the middle of a long chain left out."""
    kept = names if len(names) <= CHAIN_SHOWN else [*names[: CHAIN_SHOWN - 1], "...", names[-1]]
    return " -> ".join(shown(name) for name in kept)


def gathered(findings: Iterable[Finding], *, label: str) -> tuple[Refusal, ...]:
    """One refusal for each kind of finding, in the order in which they come; the places that it counts are named.

    Beyond `MAX_REFUSALS` kinds the last refusal says how many more there are.
    """
    places: dict[tuple[str, str, str], list[str]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for finding in findings:
        kind = (finding.rule, finding.what, finding.remedy)
        counts[kind] = counts.get(kind, 0) + 1
        seen = places.setdefault(kind, [])
        if finding.place and len(seen) < PLACES_SHOWN:
            seen.append(finding.place)
    refusals = [
        Refusal(rule, _sentence(what, places[kind], counts[kind], label), remedy)
        for kind in list(counts)[:MAX_REFUSALS]
        for rule, what, remedy in (kind,)
    ]
    more = len(counts) - MAX_REFUSALS
    if more > 0:
        refusals.append(
            Refusal("A judged file keeps the rules of the scan", f"{more} more kinds of faults in {label}")
        )
    return tuple(refusals)


def _sentence(what: str, places: list[str], count: int, label: str) -> str:
    if not places:
        return f"{what} in {label}"
    more = f" and {count - len(places)} more" if count > len(places) else ""
    return f"{what}: {', '.join(places)}{more} in {label}"


def counted(operations: Mapping[str, int], *, limit: int = 500) -> dict[str, int]:
    """Operations and how often each occurs, the most frequent first, names as `shown`; the rest as one entry."""
    ordered = sorted(operations.items(), key=lambda item: (-item[1], item[0]))
    result: dict[str, int] = {}
    for name, count in ordered[:limit]:
        result[shown(name)] = result.get(shown(name), 0) + count
    rest = sum(count for _, count in ordered[limit:])
    return {**result, "(others)": rest} if rest else result
