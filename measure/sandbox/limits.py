"""Resource limits of the worker: backstops behind the parent's clock and its watch over memory."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
LARGEST_FILE_MIB = 64
OPEN_FILES = 512
ROOM_MIB = 8192
ROOM_PER_CORE_MIB = 256
START_CPU_S = 300


@dataclass(frozen=True)
class Limits:
    """What the kernel itself enforces.

    Attributes:
        data_mib: private memory that may be written to, reserved or used; counts more than is resident, and thus
            stands well above the limit that the parent watches. None for no limit.
        cpu_s: processor time; what runs so long has lost its parent, and all else that should have ended it.
    """

    data_mib: int | None
    cpu_s: int


def limits_for(*, memory_limit_mib: float | None, cores: int, lifetime_s: float, threads: int) -> Limits:
    """Limits for a worker.

    Args:
        memory_limit_mib: resident size at which the parent stops it; None or infinite where it doesn't.
        lifetime_s: longer than it may be busy in all.
    """
    watched = memory_limit_mib is not None and memory_limit_mib < float("inf")
    data = round(memory_limit_mib or 0) + ROOM_MIB + ROOM_PER_CORE_MIB * cores if watched else None
    return Limits(data_mib=data, cpu_s=round(lifetime_s * (threads + 1)) + START_CPU_S)


def apply(limits: Limits) -> str:
    """Set the limits on this process; returns them in words.

    Raises:
        ImportError: a system without them.
        OSError, ValueError: the system refuses.
    """
    import resource

    wanted = {
        "CORE": (0, 0),
        "CPU": (limits.cpu_s, resource.RLIM_INFINITY),
        "FSIZE": (LARGEST_FILE_MIB * MIB,) * 2,
        "NOFILE": (OPEN_FILES,) * 2,
    }
    if limits.data_mib is not None:
        wanted["DATA"] = (limits.data_mib * MIB,) * 2
    for name, (soft, hard) in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(kind)[1]
        capped = [n if most == resource.RLIM_INFINITY else min(n, most) for n in (soft, hard)]
        if hard == resource.RLIM_INFINITY:
            capped[1] = most
        resource.setrlimit(kind, (capped[0], capped[1]))
    return ", ".join(wanted)
