"""Zips as bytes: ordinary ones, as common writers make them, and hostile ones, one for each way to lie.

Everything here is pure and needs the standard library alone. `HOSTILE` names each zip, the rule that it breaks (a
name of `pixelproof.submit.zip_rules.Rule`) and the function that builds it; `ORDINARY` are those that must unpack,
`NO_ZIPS` what is no zip at all.
"""

from __future__ import annotations

import io
import random
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

MIB = 1024 * 1024
STORED, DEFLATED = 0, 8
DESCRIPTOR, UTF8 = 0x0008, 0x0800
REGULAR, FOLDER = 0o100644 << 16, 0o040755 << 16 | 0x10
GRAPH = random.Random(1).randbytes(700) + bytes(300)
"""What stands for a model: no graph, and it begins as no archive does."""


class Part(NamedTuple):
    """One member; what is None follows from the rest. The fields up to ``packed_bytes`` go into both headers.

    Args:
        payload: what lies in the zip instead of the compressed data.
        offset: what the directory claims.
        own: what differs in the member's own header, by the names of these fields.
        before: bytes in front of the member's own header.
        behind: bytes right behind its data, such as a data descriptor.
        listed: whether the directory has it.
        written: whether it lies there at all.
    """

    name: bytes = b"model.pb"
    data: bytes = GRAPH
    flags: int = 0
    method: int = STORED
    extra: bytes = b""
    crc: int | None = None
    size: int | None = None
    packed_bytes: int | None = None
    payload: bytes | None = None
    attributes: int = REGULAR
    comment: bytes = b""
    disk: int = 0
    offset: int | None = None
    own: Mapping[str, Any] = {}
    before: bytes = b""
    behind: bytes = b""
    listed: bool = True
    written: bool = True


def deflated(data: bytes, level: int = 9) -> bytes:
    """Raw deflate data."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def payload_of(part: Part) -> bytes:
    """The bytes that stand for a member's data in the zip."""
    if part.payload is not None:
        return part.payload
    return deflated(part.data) if part.method == DEFLATED else part.data


def _filled(part: Part) -> Part:
    """A part with its checksum and sizes."""
    payload = payload_of(part)
    return part._replace(
        payload=payload,
        crc=zlib.crc32(part.data) if part.crc is None else part.crc,
        size=len(part.data) if part.size is None else part.size,
        packed_bytes=len(payload) if part.packed_bytes is None else part.packed_bytes,
    )


def own_header(part: Part) -> bytes:
    """The header in front of a member's data."""
    p = _filled(part)._replace(**part.own)
    fixed = (20, p.flags, p.method, 0, 33, p.crc, p.packed_bytes, p.size, len(p.name), len(p.extra))
    return struct.pack("<4s5H3L2H", b"PK\x03\x04", *fixed) + p.name + p.extra


def record(part: Part, offset: int) -> bytes:
    """A member's record in the directory."""
    p = _filled(part)
    lengths = (len(p.name), len(p.extra), len(p.comment))
    at = offset if p.offset is None else p.offset
    fixed = (0x0314, 20, p.flags, p.method, 0, 33, p.crc, p.packed_bytes, p.size, *lengths, p.disk, 0)
    return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *fixed, p.attributes, at) + p.name + p.extra + p.comment


def end_record(comment: bytes = b"", **claims: int) -> bytes:
    """An end record with these claims."""
    names = ("disk", "directory_disk", "here", "count", "directory_bytes", "directory_offset")
    fields = (claims.get(name, 0) for name in names)
    return (
        struct.pack("<4s4H2LH", b"PK\x05\x06", *fields, claims.get("comment_bytes", len(comment))) + comment
    )


def build(*parts: Part, comment: bytes = b"", gap: bytes = b"", **claims: int) -> bytes:
    """A zip of these members.

    Args:
        parts: the members.
        comment: behind the end record.
        gap: between the last member and the directory.
        claims: fields of the end record that are not as they should be.
    """
    body, directory = b"", b""
    for part in parts:
        body += part.before
        if part.listed:
            directory += record(part, len(body))
        if part.written:
            body += own_header(part) + payload_of(part) + part.behind
    body += gap
    count = sum(part.listed for part in parts)
    true = {"here": count, "count": count, "directory_bytes": len(directory), "directory_offset": len(body)}
    return body + directory + end_record(comment, **{**true, **claims})


def extra_field(kind: int, data: bytes) -> bytes:
    """One extra field."""
    return struct.pack("<2H", kind, len(data)) + data


def descriptor(data: bytes, payload: bytes, *, signed: bool = True, wide: bool = False) -> bytes:
    """A data descriptor."""
    sizes = struct.pack("<L2Q" if wide else "<3L", zlib.crc32(data), len(payload), len(data))
    return (b"PK\x07\x08" if signed else b"") + sizes


# Ordinary zips


class _Pipe(io.RawIOBase):
    """A stream that can't seek."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


FILES = {
    "model.pb": GRAPH,
    "nets/saved/saved_model.pb": GRAPH[:100],
    "nets/saved/variables/variables.index": b"",
    "read me é.txt": "Zürich\n".encode() * 5,
}
"""What `python_zip` packs."""


def python_zip(
    files: Mapping[str, bytes] = FILES,
    *,
    method: int = zipfile.ZIP_STORED,
    streamed: bool = False,
    zip64: bool = False,
    comment: bytes = b"",
) -> bytes:
    """As Python's zipfile writes it; streamed means with data descriptors."""
    pipe, buffer = _Pipe(), io.BytesIO()
    with zipfile.ZipFile(pipe if streamed else buffer, "w", compression=method) as archive:
        archive.comment = comment
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(data)
    return bytes(pipe.written) if streamed else buffer.getvalue()


def streamed_part(name: bytes, data: bytes, *, signed: bool = True, wide: bool = False) -> Part:
    """A deflated member with its sizes in a data descriptor."""
    behind = descriptor(data, deflated(data), signed=signed, wide=wide)
    left_open = {"crc": 0, "size": 0, "packed_bytes": 0}
    return Part(name, data, DESCRIPTOR, DEFLATED, own=left_open, behind=behind)


def finder_zip() -> bytes:
    """As macOS's Finder writes it: data descriptors, AppleDouble files, UTF-8 names without the flag."""
    forks = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(40)
    return build(
        Part(b"sub/", b"", attributes=FOLDER),
        streamed_part(b"sub/mode\xcc\x80le.pb", GRAPH),
        Part(b"__MACOSX/", b"", attributes=FOLDER),
        streamed_part(b"__MACOSX/sub/._mode\xcc\x80le.pb", forks),
    )


ORDINARY: Mapping[str, Callable[[], bytes]] = {
    "stored": python_zip,
    "deflated": lambda: python_zip(method=zipfile.ZIP_DEFLATED),
    "streamed stored": lambda: python_zip(streamed=True),
    "streamed deflated": lambda: python_zip(method=zipfile.ZIP_DEFLATED, streamed=True),
    "zip64 sizes": lambda: python_zip(zip64=True),
    "zip64 sizes streamed": lambda: python_zip(method=zipfile.ZIP_DEFLATED, streamed=True, zip64=True),
    "zip64 sizes in the directory": lambda: build(_wide_part()),
    "comment": lambda: python_zip(comment=b"with love"),
    "longest comment": lambda: python_zip(comment=bytes(65535)),
    "member's comment": lambda: build(Part(comment=b"mine")),
    "finder": finder_zip,
    "descriptor without signature": lambda: build(streamed_part(b"model.pb", GRAPH, signed=False)),
    "wide descriptor without signature": lambda: build(
        streamed_part(b"model.pb", GRAPH, signed=False, wide=True)
    ),
    "directory in another order": lambda: _reversed_directory(),
    "its own name in Unicode too": lambda: build(
        Part(extra=extra_field(0x7075, b"\x01" + struct.pack("<L", zlib.crc32(b"model.pb")) + b"model.pb"))
    ),
    "no mode": lambda: build(Part(attributes=0)),
    "setuid": lambda: build(Part(attributes=0o104777 << 16)),
    "empty file": lambda: build(Part(data=b"")),
    "empty file deflated": lambda: build(Part(data=b"", method=DEFLATED)),
    "200 members": lambda: build(*many(200)),
    "ratio of 200": lambda: build(Part(data=of_ratio(200), method=DEFLATED)),
    "longest name": lambda: build(Part(b"n" * 255 + b"/" + b"m" * 255)),
    "deepest name": lambda: build(Part(b"d/" * 31 + b"f")),
}


def _wide_part() -> Part:
    field = extra_field(0x0001, struct.pack("<2Q", len(GRAPH), len(GRAPH)))
    return Part(size=0xFFFFFFFF, packed_bytes=0xFFFFFFFF, extra=field)


def _reversed_directory() -> bytes:
    first, second = Part(b"a.pb"), Part(b"b.pb")
    body = own_header(first) + GRAPH + own_header(second) + GRAPH
    directory = record(second, len(own_header(first)) + len(GRAPH)) + record(first, 0)
    return (
        body
        + directory
        + end_record(here=2, count=2, directory_bytes=len(directory), directory_offset=len(body))
    )


def many(count: int) -> list[Part]:
    """Members with one byte each."""
    return [Part(b"%d.bin" % number, b"x") for number in range(count)]


def of_ratio(ratio: int) -> bytes:
    """Bytes that `deflated` shrinks by exactly this ratio, below 500."""
    noise, size = random.Random(ratio).randbytes(4000), MIB
    while (packed := len(deflated(noise + bytes(size - len(noise))))) * ratio != size:
        size = packed * ratio
    return noise + bytes(size - len(noise))


# Hostile zips


def truncated(share: float) -> bytes:
    """The first part of a zip."""
    whole = build(Part(), Part(b"second.pb"))
    return whole[: int(len(whole) * share)]


def with_second_end() -> bytes:
    """Two zips in one: the comment of one end record holds the other."""
    inner = end_record(here=1, count=1, directory_bytes=54, directory_offset=0)
    return build(Part(), comment=inner)


def with_zip64_end(count: int = 1) -> bytes:
    """A zip64 end record and its locator, as large zips need them, which claims this many members."""
    part = Part()
    body, directory = own_header(part) + GRAPH, record(part, 0)
    sizes = (count, count, len(directory), len(body))
    wide_end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *sizes)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body) + len(directory), 1)
    claimed = min(count, 0xFFFF)
    end = end_record(here=claimed, count=claimed, directory_bytes=len(directory), directory_offset=len(body))
    return body + directory + wide_end + locator + end


def quoted_overlap() -> bytes:
    """A member whose deflate data quotes the next member's header and goes on with its data.

    The construction of D. Fifield, "A better zip bomb" (USENIX WOOT 2019), with two files: each header agrees
    with the directory, and only the extents tell.
    """
    inner = Part(b"b.pb", GRAPH, method=DEFLATED)
    header = own_header(inner)
    quote = struct.pack("<B2H", 0, len(header), len(header) ^ 0xFFFF) + header
    outer = Part(
        b"a.pb",
        header + GRAPH,
        method=DEFLATED,
        payload=quote,
        packed_bytes=len(quote) + len(payload_of(inner)),
    )
    start = len(own_header(outer)) + 5
    return build(outer, inner._replace(written=False, offset=start), gap=payload_of(inner))


def shared_data() -> bytes:
    """Two members that lie in the same place: the second's data are the first's."""
    first = Part(b"model.pb", own_header(Part(b"other.pb")) + GRAPH)
    inside = len(own_header(first))
    return build(first, Part(b"other.pb", written=False, offset=inside))


def zeros_deflated(mib: int) -> bytes:
    """Deflate data of so many MiB of zeros, about 1 KiB for each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * mib + deflated(b"")


def zip_bomb(mib: int = 64) -> bytes:
    """An honest bomb: zeros, compressed a thousandfold."""
    crc = 0
    for _ in range(mib):
        crc = zlib.crc32(bytes(MIB), crc)
    part = Part(method=DEFLATED, crc=crc, size=mib * MIB, payload=zeros_deflated(mib))
    return build(part)


def lying_bomb(mib: int = 64, claimed: int = 64 * 1024) -> bytes:
    """A bomb that claims to be small, and not much smaller than its packed bytes."""
    return build(Part(data=bytes(claimed), method=DEFLATED, payload=zeros_deflated(mib)))


def empty_blocks(count: int = 10_000) -> bytes:
    """Deflate data of stored blocks that hold nothing: bytes to read, nothing to count."""
    return build(Part(data=b"x", method=DEFLATED, payload=b"\0\0\0\xff\xff" * count + deflated(b"x")))


def symlink_slip() -> bytes:
    """A link out of the folder, and a file that would be written through it."""
    link = Part(b"models", b"/tmp", attributes=0o120777 << 16)
    return build(link, Part(b"models/evil.pb"))


def named(*names: bytes) -> Callable[[], bytes]:
    """A zip of members with these names."""
    return lambda: build(
        *(Part(name, b"", attributes=FOLDER) if name.endswith(b"/") else Part(name) for name in names)
    )


def holding(data: bytes, name: bytes = b"model.pb", method: int = STORED) -> Callable[[], bytes]:
    """A zip of one member with these bytes."""
    return lambda: build(Part(name, data, method=method))


def part(**fields: Any) -> Callable[[], bytes]:
    """A zip of one member with these fields."""
    return lambda: build(Part(**fields))


def with_own(**fields: Any) -> Callable[[], bytes]:
    """A zip of one member whose own header differs in these fields."""
    return part(own=fields)


def mode(kind: int) -> Callable[[], bytes]:
    """A zip of one member of this kind."""
    return part(data=b"/etc/passwd", attributes=(kind | 0o777) << 16)


def tar_of_one() -> bytes:
    """A small tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("model.pb")
        info.size = len(GRAPH)
        archive.addfile(info, io.BytesIO(GRAPH))
    return buffer.getvalue()


class Hostile(NamedTuple):
    """The name of the rule that a zip breaks, and the function that builds it."""

    rule: str
    build: Callable[[], bytes]


def _all(rule: str, **builders: Callable[[], bytes]) -> dict[str, Hostile]:
    return {name: Hostile(rule, builder) for name, builder in builders.items()}


_NESTED_STARTS = {
    "zip": python_zip(),
    "empty_zip": end_record(),
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "bzip2": b"BZh91AY&SY" + bytes(20),
    "xz": b"\xfd7zXZ\x00" + bytes(20),
    "zstd": b"\x28\xb5\x2f\xfd" + bytes(20),
    "seven_zip": b"7z\xbc\xaf\x27\x1c" + bytes(20),
    "rar": b"Rar!\x1a\x07\x01\x00" + bytes(20),
    "tar": tar_of_one(),
}
_SUFFIXES = "zip gz tgz bz2 tbz2 xz txz zst 7z rar tar lzma jar".split()
_METHODS = {"shrunk": 1, "deflate64": 9, "bzip2": 12, "lzma": 14, "zstd": 93, "xz": 95, "aes": 99}
_DEVICES = (b"con", b"NUL", b"aux.pb", b"Com1.txt", b"lpt9", b"CONIN$", b"nets/prn/model.pb", "com¹".encode())

HOSTILE: Mapping[str, Hostile] = {
    **_all(
        "COMPLETE",
        cut_in_the_end_record=lambda: build(Part())[:-5],
        cut_before_the_end_record=lambda: build(Part())[:-30],
        cut_in_half=lambda: truncated(0.5),
        cut_in_the_comment=lambda: build(Part(), comment=b"comment")[:-3],
        first_bytes_only=lambda: b"PK\x03\x04",
    ),
    **_all(
        "END",
        bytes_behind=lambda: build(Part()) + b"\n",
        zip_behind_a_zip_with_bytes_behind=lambda: build(Part()) + build(Part()) + b"\0\0",
        two_end_records=with_second_end,
    ),
    **_all(
        "ONE_FILE",
        last_disk_of_two=lambda: build(Part(), disk=1),
        directory_on_another_disk=lambda: build(Part(), directory_disk=1),
        members_on_another_disk=lambda: build(Part(), count=2),
        member_on_another_disk=part(disk=1),
    ),
    **_all(
        "ZIP64_END",
        zip64_end=with_zip64_end,
        ten_million_members_claimed=lambda: with_zip64_end(10_000_000),
        directory_size_in_zip64=lambda: build(Part(), directory_bytes=0xFFFFFFFF),
    ),
    **_all(
        "DIRECTORY",
        gap_before_the_end_record=lambda: build(Part(), directory_offset=0),
        directory_beyond_the_file=lambda: build(Part(), directory_offset=10**9),
        directory_too_large=lambda: build(*(p._replace(comment=bytes(65535)) for p in many(20))),
        more_listed_than_claimed=lambda: build(*many(3), here=2, count=2),
        fewer_listed_than_claimed=lambda: build(*many(3), here=4, count=4),
        directory_of_zeros=lambda: (
            bytes(90) + end_record(here=1, count=1, directory_bytes=60, directory_offset=30)
        ),
        record_longer_than_the_directory=lambda: _with_long_record(),
        member_beyond_the_directory=part(offset=10**9),
        member_in_the_directory=part(offset=1030),
    ),
    **_all(
        "MEMBERS",
        no_members=end_record,
        members_201=lambda: build(*many(201)),
        members_65534_claimed=lambda: build(Part(), here=65534, count=65534),
        folders_only=lambda: build(Part(b"a/", b"", attributes=FOLDER)),
    ),
    **_all(
        "TOTAL",
        two_gib_claimed=lambda: build(Part(size=2**31, packed_bytes=2**31)),
        many_that_are_too_much=lambda: build(
            *(p._replace(size=MIB * 6, packed_bytes=MIB * 6) for p in many(200))
        ),
        exabytes_in_zip64=lambda: build(
            Part(
                size=0xFFFFFFFF,
                packed_bytes=0xFFFFFFFF,
                extra=extra_field(0x0001, struct.pack("<2Q", 2**62, 2**62)),
            )
        ),
    ),
    **_all(
        "RATIO",
        bomb=zip_bomb,
        small_bomb=holding(bytes(10_000), method=DEFLATED),
        ratio_of_201=lambda: build(Part(data=of_ratio(201), method=DEFLATED)),
        gigabyte_claimed_by_nothing=part(method=DEFLATED, size=2**30 - 1),
    ),
    **_all(
        "NAME_TEXT",
        name_in_a_code_page=named(b"mod\x8ele.pb"),
        name_in_a_code_page_flagged_utf8=part(name=b"mod\x8ele.pb", flags=UTF8),
        nul_in_name=named(b"model.pb\0.txt"),
        newline_in_name=named(b"model\n.pb"),
        escape_in_name=named(b"\x1b[2Jmodel.pb"),
        delete_in_name=named(b"model\x7f.pb"),
        turned_round_name=named("model\u202ebp.exe".encode()),
        unseen_space_in_name=named("model\u200b.pb".encode()),
        surrogate_in_name=named(b"model\xed\xa0\x80.pb"),
        overlong_slash_in_name=named(b"..\xc0\xafmodel.pb"),
    ),
    **_all(
        "NAME_PATH",
        absolute=named(b"/etc/cron.d/model"),
        parent=named(b"../model.pb"),
        parent_inside=named(b"a/../../model.pb"),
        parent_that_stays=named(b"a/../model.pb"),
        parent_as_folder=named(b"model.pb", b"../"),
        parent_at_the_end=named(b"a/.."),
        here=named(b"./model.pb"),
        here_inside=named(b"a/./model.pb"),
        empty_part=named(b"a//model.pb"),
        two_closing_slashes=named(b"model.pb", b"a//"),
        slash_alone=named(b"model.pb", b"/"),
        no_name=named(b""),
        backslash=named(b"a\\model.pb"),
        backslash_parent=named(b"..\\..\\model.pb"),
        network_share=named(b"//host/share/model.pb"),
        full_width_slash=named("..／model.pb".encode()),
        two_dot_leader=named("‥/model.pb".encode()),
    ),
    **_all(
        "NAME_PORTABLE",
        drive=named(b"C:/model.pb"),
        drive_relative=named(b"c:model.pb"),
        stream_of_a_file=named(b"model.pb:hidden"),
        question_mark=named(b"model?.pb"),
        pipe_in_name=named(b"model|sh.pb"),
        closing_dot=named(b"model.pb."),
        closing_space=named(b"model.pb "),
        closing_space_of_a_folder=named(b"nets /model.pb"),
        three_dots=named(b".../model.pb"),
        **{f"device_{number}": named(name) for number, name in enumerate(_DEVICES)},
    ),
    **_all(
        "NAME_LENGTH",
        long_part=named(b"n" * 256),
        long_name=named(b"/".join([b"n" * 100] * 6)),
        name_of_60000=named(b"n" * 60_000),
        deep_name=named(b"d/" * 32 + b"f"),
    ),
    **_all(
        "UNIQUE",
        twice=named(b"model.pb", b"model.pb"),
        twice_in_other_case=named(b"model.pb", b"Model.PB"),
        twice_in_other_form=named("modèle.pb".encode(), "mode\u0300le.pb".encode()),
        twice_in_full_width=named(b"model.pb", "ｍodel.pb".encode()),
        twice_by_sharp_s=named("straße.pb".encode(), b"STRASSE.pb"),
        folder_in_other_case=named(b"nets/a.pb", b"Nets/b.pb"),
        folder_twice=named(b"model.pb", b"a/", b"a/"),
        file_and_folder=named(b"model.pb", b"model.pb/model.pb"),
        file_and_listed_folder=named(b"model.pb/", b"model.pb"),
        file_and_folder_in_other_case=named(b"model/a.pb", b"MODEL"),
    ),
    **_all(
        "PLAIN",
        link=mode(stat.S_IFLNK),
        link_and_file_through_it=symlink_slip,
        pipe=mode(stat.S_IFIFO),
        character_device=mode(stat.S_IFCHR),
        block_device=mode(stat.S_IFBLK),
        socket=mode(stat.S_IFSOCK),
        unknown_kind=mode(0o170000),
        link_from_dos=part(attributes=0o120777 << 16 | 0x20),
        windows_link=part(attributes=0x0400),
        windows_device=part(attributes=0x0040),
        folder_with_a_files_name=part(attributes=FOLDER),
        dos_folder_with_a_files_name=part(attributes=0x10),
        file_with_a_folders_name=lambda: build(Part(), Part(b"a/", b"", attributes=REGULAR)),
        folder_with_data=lambda: build(Part(), Part(b"a/", b"data", attributes=FOLDER)),
    ),
    **_all(
        "UNENCRYPTED",
        encrypted=part(flags=0x0001),
        strongly_encrypted=part(flags=0x0041),
        hidden_headers=part(flags=0x2000),
    ),
    **_all("METHOD", **{f"method_{name}": part(method=number) for name, number in _METHODS.items()}),
    **_all("FLAGS", patch_data=part(flags=0x0020), reserved_flag=part(flags=0x8000)),
    **_all(
        "EXTRA",
        extra_cut_off=part(extra=extra_field(0x5455, b"12345")[:-1]),
        extra_of_two_bytes=part(extra=b"UT"),
        extra_cut_off_in_its_own_header=with_own(extra=b"UT\xff\xff"),
        wide_sizes_missing=part(size=0xFFFFFFFF, packed_bytes=0xFFFFFFFF),
        wide_sizes_twice=part(extra=extra_field(1, bytes(16)) * 2),
    ),
    **_all(
        "AGREE",
        other_name=with_own(name=b"evil0.pb"),
        longer_name=with_own(name=b"model.pb.exe"),
        name_cut_at_nul=with_own(name=b"model.pb\0.exe"),
        other_flags=with_own(flags=UTF8),
        encrypted_in_its_own_header=with_own(flags=1),
        other_method=with_own(method=DEFLATED),
        other_size=with_own(size=5),
        other_packed_size=with_own(packed_bytes=5),
        other_checksum=with_own(crc=5),
        no_own_header=lambda: build(Part()).replace(b"PK\x03\x04", b"PK\x09\x09"),
        other_name_in_unicode=part(extra=extra_field(0x7075, b"\x01" + bytes(4) + b"../evil.pb")),
        other_sizes_in_its_descriptor=lambda: build(
            streamed_part(b"model.pb", GRAPH)._replace(behind=descriptor(b"", b""))
        ),
        other_size_in_a_streamed_header=lambda: build(
            streamed_part(b"model.pb", GRAPH)._replace(own={"size": 5})
        ),
    ),
    **_all(
        "OVERLAP",
        quoted_overlap=quoted_overlap,
        shared_data=shared_data,
        reaching_into_the_directory=part(size=1050, packed_bytes=1050),
        half_a_gigabyte_claimed=part(size=2**29, packed_bytes=2**29),
    ),
    **_all(
        "HIDDEN",
        program_before=part(before=b"MZ" + bytes(100)),
        gap_between=lambda: build(Part(), Part(b"b.pb", before=b"hidden")),
        gap_before_the_directory=lambda: build(Part(), gap=b"hidden"),
        unlisted_member=lambda: build(Part(), Part(b"hidden.pb", listed=False)),
        unlisted_member_first=lambda: build(Part(b"hidden.pb", listed=False), Part()),
        descriptor_without_its_flag=part(behind=descriptor(GRAPH, GRAPH)),
        flag_without_its_descriptor=part(flags=DESCRIPTOR),
        behind_the_descriptor=lambda: build(
            streamed_part(b"a.pb", GRAPH)._replace(behind=descriptor(GRAPH, deflated(GRAPH)) + b"hidden")
        ),
        behind_the_compressed_data=part(method=DEFLATED, payload=deflated(GRAPH) + b"hidden"),
        empty_blocks=empty_blocks,
        stored_in_much_padding=part(data=b"", method=DEFLATED, payload=deflated(b"") + bytes(1000)),
    ),
    **_all(
        "NESTED",
        **{f"holds_{kind}": holding(data) for kind, data in _NESTED_STARTS.items()},
        **{f"named_{suffix}": named(f"data.{suffix}".encode()) for suffix in _SUFFIXES},
        named_in_capitals=named(b"DATA.ZIP"),
        holds_zip_deflated=holding(python_zip(), method=DEFLATED),
    ),
    **_all(
        "SIZE",
        lying_bomb=lying_bomb,
        more_than_claimed=part(method=DEFLATED, size=len(GRAPH) - 1),
        less_than_claimed=part(method=DEFLATED, size=len(GRAPH) + 1),
        stored_in_other_bytes=part(packed_bytes=len(GRAPH) - 1),
        claims_nothing=part(method=DEFLATED, data=b"x", size=0),
    ),
    **_all(
        "CHECKSUM",
        other_checksum_in_both=part(crc=5),
        changed_byte=part(payload=b"\0" + GRAPH[1:]),
    ),
    **_all(
        "INTACT",
        no_deflate_data=part(method=DEFLATED, payload=b"\xff" * 900),
        deflate_data_cut_off=part(method=DEFLATED, payload=deflated(GRAPH)[:-3]),
        deflate_data_missing=part(method=DEFLATED, data=b"", payload=b""),
    ),
}


def _with_long_record() -> bytes:
    whole = bytearray(build(Part()))
    at = whole.index(b"PK\x01\x02") + 32  # the length of the record's comment
    whole[at : at + 2] = b"\xff\xff"
    return bytes(whole)


NO_ZIPS: Mapping[str, bytes] = {
    "nothing": b"",
    "one byte": b"P",
    "words": b"not a zip\n",
    "page": b"<!DOCTYPE html><html><body>404</body></html>",
    "noise": random.Random(3).randbytes(100_000),
    "gzip": b"\x1f\x8b\x08" + bytes(1000),
    "tar": tar_of_one(),
    "graph": GRAPH,
}
