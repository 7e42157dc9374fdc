"""Who hands in: the numbers and names that courses sort hand-ins by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pixelproof.errors import CallError
from pixelproof.submit.mail import NAME_BYTES, one_line

_MATRICULATION = re.compile(r"[A-Z][0-9]{7,8}[A-Z]")
_STUDENT = re.compile(r"1155[0-9]{6}")
_NAME = re.compile(r"[a-z]+(-[a-z]+)*")


@dataclass(frozen=True)
class Identity:
    """Whose hand-in it is; every value is one line.

    Attributes:
        matriculation: the number at NTU.
        name, codalab_user: as the user writes them.
        fields: (title, text) of further lines.
    """

    matriculation: str
    name: str
    codalab_user: str = ""
    fields: tuple[tuple[str, str], ...] = ()


def matriculation_number(value: str, *, option: str = "--matric") -> str:
    """A matriculation number of NTU: a capital letter, seven or eight digits, a capital letter.

    Raises:
        CallError: another form.
    """
    if _MATRICULATION.fullmatch(value):
        return value
    remedy = "Write it as on your student card, in capitals, for example A12345678B."
    rule = f"{option} must be a letter, seven or eight digits and a letter"
    raise CallError(rule, found=ascii(value), remedy=remedy)


def student_number(value: str) -> str:
    """A student number of CUHK: ten digits, of which the first are 1155.

    Raises:
        CallError: another form.
    """
    if _STUDENT.fullmatch(value):
        return value
    remedy = "Write the number of your student card without spaces, for example 1155123456."
    found = f"{value!a}, {len(value)} characters"
    raise CallError("--student must be ten digits that begin with 1155", found=found, remedy=remedy)


def name_in_file(value: str, *, option: str) -> str:
    """A name as it stands in the zip's name: a to z in lower case, with hyphens inside.

    Capitals become small letters, which changes no spelling. Anything else is asked for: how a name is written in
    Latin letters is its owner's to say.

    Raises:
        CallError: other characters.
    """
    small = value.lower() if value.isascii() else value
    if _NAME.fullmatch(small):
        return small
    bad = next((c for c in value if not (c.isascii() and (c.isalpha() or c == "-"))), None)
    found = ascii(value) if bad is None else f"{bad!r} in {value!r}" if bad.isprintable() else ascii(value)
    remedy = (
        "Write it yourself as you spell it in these letters, as one word, or with hyphens between its parts."
    )
    raise CallError(f"{option} must be ASCII letters", found=found, remedy=remedy)


def person(value: str) -> str:
    """A name as text, in any script.

    Raises:
        CallError: empty, too long, or more than one line.
    """
    return one_line(value, option="--name", limit_bytes=NAME_BYTES)


def codalab_user(value: str) -> str:
    """A user's name at CodaLab.

    Raises:
        CallError: empty, too long, with spaces, or more than one line.
    """
    text = one_line(value, option="--codalab-user", limit_bytes=NAME_BYTES)
    if any(c.isspace() for c in text):
        raise CallError("--codalab-user must be a user's name without spaces", found=repr(value))
    return text


def further_fields(values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Lines of the user's own, each given as ``Title: text``.

    Raises:
        CallError: no colon, or an empty side of it.
    """
    pairs = []
    for value in values:
        title, _, text = one_line(value, option="--readme-field").partition(":")
        if not title.strip() or not text.strip():
            remedy = 'For example --readme-field "Team: Two pixels".'
            raise CallError("--readme-field must be Title: text", found=repr(value), remedy=remedy)
        pairs.append((title.strip(), text.strip()))
    return tuple(pairs)
