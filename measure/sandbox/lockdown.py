"""Set-up of the worker process, child's side: runs before NumPy or TensorFlow is imported.

Order matters: Landlock and the filter ask for no_new_privs; another user or fewer capabilities must be taken on
while those calls are still allowed; and all of it before a library starts a thread, which would stay outside.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import FileIO

from pixelproof.measure.sandbox import landlock, limits, privileges, profiles, seccomp
from pixelproof.measure.sandbox.limits import Limits
from pixelproof.measure.sandbox.profiles import ProfileName
from pixelproof.measure.sandbox.system_calls import Machine, machine
from pixelproof.safety import SandboxLayer


@dataclass(frozen=True)
class LockPlan:
    """How to lock a worker in.

    Attributes:
        inbox: folder where the parent puts the model; only read.
        own: home, temporary and working folder; the only place that can be written to.
    """

    profile: ProfileName
    limits: Limits
    inbox: str
    own: str

    def to_argument(self) -> str:
        """As one word of a command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_argument(text: str) -> LockPlan:
        """Back from `to_argument`."""
        table = json.loads(text)
        return LockPlan(**{**table, "limits": Limits(**table["limits"])})


class _NotActive(Exception):
    """Why a layer can't stand here."""


def take_protocol_streams() -> tuple[FileIO, FileIO]:
    """Private copies of stdin and stdout for the protocol.

    Afterwards descriptor 0 is empty and 1 writes to the log (descriptor 2), so that nothing a library
    prints can be taken for an answer.
    """
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    for descriptor in (requests, answers):
        os.set_inheritable(descriptor, False)
    return FileIO(requests, "r"), FileIO(answers, "w")


def lock_down(plan: LockPlan) -> tuple[SandboxLayer, ...]:
    """Give up what the worker doesn't need; returns every layer, with the reason where one is not active."""
    layers: tuple[tuple[str, Callable[[LockPlan], str]], ...] = (
        ("no_new_privs", _no_new_privileges),
        ("rlimits", _rlimits),
        ("setuid", _setuid),
        ("capabilities", _capabilities),
        ("landlock", _landlock),
        ("seccomp", _seccomp),
    )
    return tuple(_tried(name, lock, plan) for name, lock in layers)


def _tried(name: str, lock: Callable[[LockPlan], str], plan: LockPlan) -> SandboxLayer:
    try:
        return SandboxLayer(name, active=True, detail=lock(plan))
    except _NotActive as reason:
        return SandboxLayer(name, active=False, detail=str(reason))
    except ImportError:
        return SandboxLayer(name, active=False, detail="not on this system")
    except (OSError, ValueError) as error:
        return SandboxLayer(name, active=False, detail=f"the system refuses it: {error}")


def _no_new_privileges(plan: LockPlan) -> str:
    _linux()
    privileges.no_new_privileges()
    return ""


def _rlimits(plan: LockPlan) -> str:
    return limits.apply(plan.limits)


def _setuid(plan: LockPlan) -> str:
    _linux()
    if os.geteuid() != 0:
        raise _NotActive("not started by root; the user's own rights hold")
    needed = (*profiles.interpreter_paths(), *profiles.library_paths(), plan.inbox)
    reason = privileges.become_nobody(needed=needed, own=plan.own)
    if reason is not None:
        raise _NotActive(reason)
    return f"user {privileges.NOBODY}"


def _capabilities(plan: LockPlan) -> str:
    privileges.drop_capabilities(_linux())
    return "none left"


def _landlock(plan: LockPlan) -> str:
    _linux()
    if landlock.version() == 0:
        raise _NotActive("the kernel has no Landlock, or has it switched off (Linux 5.13 or newer)")
    allowed = profiles.access(plan.profile, inbox=plan.inbox, own=plan.own)
    return f"version {landlock.restrict(allowed)}, {plan.profile} profile"


def _seccomp(plan: LockPlan) -> str:
    seccomp.install(_linux(), pid=os.getpid())
    return f"{len(seccomp.DENIED)} calls denied"


def _linux() -> Machine:
    here = machine()
    if here is None:
        raise _NotActive("needs Linux on x86_64 or aarch64")
    return here
