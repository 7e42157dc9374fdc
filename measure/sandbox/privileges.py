"""Giving up what an identity may do: capabilities, and root itself where another user can do the work."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from pixelproof.measure.sandbox.system_calls import CAPSET, Machine, prctl, system_call

NOBODY = 65534
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 24, 47, 4
CAPABILITY_VERSION_3 = 0x20080522
MOST_CAPABILITIES = 64


def no_new_privileges() -> None:
    """No program that this process might start gains rights; the kernel asks for it before the filters.

    Raises:
        OSError: a kernel before Linux 3.5.
    """
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities(machine: Machine) -> None:
    """Give up every capability for good; the user id stays.

    Raises:
        OSError: the kernel refuses.
    """
    for capability in range(MOST_CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EPERM):  # past the last one; or there are none to drop
                break
            raise
    try:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), 8)
    nothing = ctypes.create_string_buffer(bytes(24), 24)
    system_call(CAPSET[machine], header, nothing)


def become_nobody(*, needed: Iterable[str], own: str) -> str | None:
    """Change root's process to the unprivileged user, for good, if that user can read what is needed.

    Args:
        needed: files and folders that must stay readable.
        own: the folder that the process writes to; it is given to the user.

    Returns:
        Why it was not done, naming the first path that would be lost; None where it was.

    Raises:
        OSError: the system refuses the change.
    """
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(NOBODY)
    os.chown(own, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    lost = first_unreadable(needed)
    if lost is None and not os.access(own, os.W_OK, effective_ids=True):
        lost = own
    os.seteuid(0)
    if lost is not None:
        os.setegid(group)
        os.setgroups(groups)
        os.chown(own, 0, group)
        return f"an unprivileged user can't read {lost}"
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    return None


def first_unreadable(paths: Iterable[str]) -> str | None:
    """The first existing path that the present user can't open, or list where it is a folder."""
    for path in paths:
        try:
            if Path(path).is_dir():
                os.scandir(path).close()
            else:
                os.close(os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            continue
        except OSError:
            return path
    return None
