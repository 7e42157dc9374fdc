"""The mails to the organisers: what a team may be called, and the challenge's texts filled in."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixelproof.challenge import Mail
from pixelproof.errors import CallError, ChallengeError

NAME_BYTES = 200
LINE_BYTES = 2000
LINK_BLANK = "<put the link here>"
OPTIONS = {
    "track": "--track",
    "team_id": "--team-id",
    "team_name": "--team-name",
    "link": "--link",
    "members": "--member",
}

_NOT_IN_NAMES = '/\\:*?"<>|'
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Message:
    """A mail ready to send."""

    to: str
    subject: str
    text: str

    @property
    def rendered(self) -> str:
        """As it stands in a file: the two headers, an empty line, the text."""
        return f"To: {self.to}\nSubject: {self.subject}\n\n{self.text}\n"


def one_line(value: str, *, option: str, limit_bytes: int = LINE_BYTES) -> str:
    """A value that fits on one line of a mail, in Unicode's composed form, without spaces around it.

    Raises:
        CallError: empty, too long, or with line breaks, control characters or changes of writing direction.
    """
    text = unicodedata.normalize("NFC", value).strip(" ")
    if not text:
        raise CallError(f"{option} must not be empty", found=repr(value))
    bad = next((c for c in text if _breaks_a_line(c)), None)
    if bad is not None:
        raise CallError(
            f"{option} must be one line of text",
            found=f"the character U+{ord(bad):04X} in {_shown(text)}",
            remedy="Leave out line breaks and control characters.",
        )
    size = len(text.encode())
    if size > limit_bytes:
        rule = f"{option} must be at most {limit_bytes} bytes of UTF-8"
        raise CallError(rule, found=f"{size} in {_shown(text)}", remedy="Shorten it.")
    return text


def safe_name(value: str, *, option: str) -> str:
    """A team's name or id: one line that organisers can use as a file's name on any system.

    Raises:
        CallError: as `one_line`, longer than 200 bytes, with one of ``/ \\ : * ? " < > |``, or starting with
            a dot.
    """
    text = one_line(value, option=option, limit_bytes=NAME_BYTES)
    bad = next((c for c in text if c in _NOT_IN_NAMES), None)
    if bad is None and text.startswith("."):
        bad = "."
    if bad is not None:
        raise CallError(
            f"{option} must be usable as a file's name, as organisers sort submissions by it",
            found=f"{bad!r} in {text!r}",
            remedy=f"Leave out {' '.join(_NOT_IN_NAMES)} and a dot at the start.",
        )
    return text


def member_line(value: str) -> str:
    """A team member as ``Name, Surname, Affiliation``; the affiliation may hold commas of its own.

    Raises:
        CallError: another form, or as `one_line`.
    """
    parts = [part.strip() for part in one_line(value, option="--member").split(",", maxsplit=2)]
    if len(parts) != 3 or not all(parts):
        remedy = 'For example --member "Ada, Lovelace, University of London".'
        raise CallError("--member must be Name, Surname, Affiliation", found=repr(value), remedy=remedy)
    return ", ".join(parts)


def link_line(value: str) -> str:
    """An address without spaces.

    Raises:
        CallError: spaces in it, or as `one_line`.
    """
    text = one_line(value, option="--link")
    if any(c.isspace() for c in text):
        raise CallError("--link must be one address without spaces", found=repr(value))
    return text


def members_text(members: Sequence[str]) -> str | None:
    """One member a line; None where there are none."""
    return "\n".join(members) or None


def uses(mail: Mail | None, placeholder: str) -> bool:
    """Whether a mail's subject or text mentions ``{placeholder}``."""
    return mail is not None and f"{{{placeholder}}}" in mail.subject + mail.text


def compose(mail: Mail, *, where: str, values: Mapping[str, str | None]) -> Message:
    """The challenge's texts with their placeholders filled in, once: braces inside a value stay text.

    Args:
        mail: the challenge's texts.
        where: key of the mail in the challenge file, for messages.
        values: placeholder to value; None where it was not given.

    Raises:
        ChallengeError: an unknown placeholder, a stray brace, or a header that is not one line.
        CallError: a placeholder whose value was not given.
    """
    subject = _filled(mail.subject, where=f"{where}.subject", values=values)
    for key, header in (("to", mail.to), ("subject", subject)):
        if not header.strip() or any(_breaks_a_line(c) for c in header):
            found = _shown(header)
            raise ChallengeError(f"{where}.{key} must be one line of text", found=found)
    text = _filled(mail.text, where=f"{where}.text", values=values).strip("\n")
    return Message(to=mail.to, subject=subject, text=text)


def _filled(template: str, *, where: str, values: Mapping[str, str | None]) -> str:
    parts: list[str] = []
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        remedy = "Write a brace that is meant as text twice: {{ or }}."
        raise ChallengeError(f"{where} must have matching braces", found=str(error), remedy=remedy) from error
    for literal, name, spec, conversion in pieces:
        parts.append(literal)
        if name is None:
            continue
        if name not in OPTIONS or spec or conversion:
            known = ", ".join(f"{{{known}}}" for known in OPTIONS)
            found = "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
            raise ChallengeError(f"{where} may hold the placeholders {known}", found=found)
        value = values.get(name)
        if value is None:
            raise CallError(f"{where} of this challenge needs {OPTIONS[name]}", found="nothing")
        parts.append(value)
    return "".join(parts)


def _breaks_a_line(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI_CONTROLS


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:57] + "...")
