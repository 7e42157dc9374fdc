"""Landlock: from here on, this process sees no files but those that are listed, and opens no TCP connection.

Facts: landlock(7) and include/uapi/linux/landlock.h. A right that a kernel doesn't know can't be denied by it; each
version of the interface adds some, and all that the running kernel knows are asked for.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pixelproof.measure.sandbox.system_calls import (
    LANDLOCK_ADD_RULE,
    LANDLOCK_CREATE_RULESET,
    LANDLOCK_RESTRICT_SELF,
    system_call,
)

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << n for n in range(6))
MAKE_DIR, MAKE_REG = 1 << 7, 1 << 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FILE_RIGHTS = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
"""Rights by the version of the interface that brought them."""
NETWORK_SINCE, BIND_AND_CONNECT_TCP = 4, 0b11
SCOPES_SINCE, ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11
CREATE_RULESET_VERSION, RULE_PATH_BENEATH = 1, 1

READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE
USE_DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEV
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV


@dataclass(frozen=True)
class Access:
    """Paths that stay open to the process; those that don't exist are left out.

    Attributes:
        read: files, and folders with all below them.
        write: folders in which files may be made, changed and removed as well.
        devices: device nodes that are opened, written to and controlled.
    """

    read: tuple[str, ...]
    write: tuple[str, ...]
    devices: tuple[str, ...] = ()


def version() -> int:
    """The version of Landlock's interface that the kernel has; 0 where it has none, or has it switched off."""
    try:
        return system_call(LANDLOCK_CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)
    except OSError:
        return 0


def handled_rights(version: int) -> int:
    """All rights on files that a version of the interface can deny."""
    rights = 0
    for since, more in FILE_RIGHTS.items():
        if version >= since:
            rights |= more
    return rights


def ruleset_attributes(version: int) -> bytes:
    """`struct landlock_ruleset_attr`, as long as the version knows it."""
    fields = [handled_rights(version)]
    if version >= NETWORK_SINCE:
        fields.append(BIND_AND_CONNECT_TCP)
    if version >= SCOPES_SINCE:
        fields.append(ABSTRACT_SOCKETS_AND_SIGNALS)
    return struct.pack(f"={len(fields)}Q", *fields)


def restrict(access: Access) -> int:
    """Close everything else to this thread and to all that it will start; needs no_new_privs.

    Returns:
        The version of the interface.

    Raises:
        OSError: the kernel has no Landlock, or refuses a rule.
    """
    known = version()
    attributes = ruleset_attributes(max(known, 1))
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    ruleset = system_call(LANDLOCK_CREATE_RULESET, buffer, len(attributes), 0)
    try:
        rights = handled_rights(known)
        _allow(ruleset, access.read, READ & rights)
        _allow(ruleset, access.write, WRITE & rights)
        _allow(ruleset, access.devices, USE_DEVICE & rights)
        system_call(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return known


def _allow(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            rule = struct.pack("=Qi", rights if is_folder else rights & OF_FILES, descriptor)
            buffer = ctypes.create_string_buffer(rule, len(rule))
            system_call(LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, buffer, 0)
        finally:
            os.close(descriptor)
