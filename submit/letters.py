"""Which mails a submission needs, filled in with what a team said of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pixelproof.errors import CallError
from pixelproof.files import replacing_file, write_text
from pixelproof.submit.mail import (
    LINK_BLANK,
    Message,
    compose,
    link_line,
    member_line,
    members_text,
    safe_name,
    uses,
)
from pixelproof.submit.rules import SubmissionRules, check_out, load_rules


@dataclass(frozen=True)
class MailFile:
    """A mail and the file that it was written to."""

    message: Message
    path: Path


@dataclass(frozen=True)
class Sender:
    """What a team says of itself, checked; ``members`` holds one a line."""

    team_name: str
    team_id: str | None = None
    link: str | None = None
    members: str | None = None

    def values(self, *, track: str | None) -> Mapping[str, str | None]:
        """Placeholder to value."""
        return {
            "team_name": self.team_name,
            "team_id": self.team_id,
            "link": self.link,
            "members": self.members,
            "track": track,
        }


def sender_of(*, team_name: str, team_id: str | None, link: str | None, members: Sequence[str]) -> Sender:
    """A sender, each value checked.

    Raises:
        CallError: a value that can't stand in a mail or a file's name.
    """
    return Sender(
        team_name=safe_name(team_name, option="--team-name"),
        team_id=None if team_id is None else safe_name(team_id, option="--team-id"),
        link=None if link is None else link_line(link),
        members=members_text([member_line(member) for member in members]),
    )


def submission_letter(
    rules: SubmissionRules, *, track: str, sender: Sender, registration: bool
) -> Message | None:
    """The mail that announces a submission; None where the challenge wants none. A missing link is a blank.

    Raises:
        CallError: a link or members are given that no mail mentions.
        ChallengeError: the challenge's texts are wrong.
    """
    mail = rules.submission.mail
    if sender.link and not uses(mail, "link"):
        raise CallError(f"--link must have a place in a mail of {rules.challenge.id}", found="none")
    if sender.members and not registration and not uses(mail, "members"):
        remedy = "Add --registration to write that mail too."
        raise CallError("--member belongs to the registration mail", found="--member alone", remedy=remedy)
    if mail is None:
        return None
    values = {**sender.values(track=track), "link": sender.link or LINK_BLANK}
    return compose(mail, where="submission.mail", values=values)


def registration_letter(rules: SubmissionRules, *, track: str | None, sender: Sender) -> Message:
    """The mail that registers a team.

    Raises:
        CallError: no members, or a challenge without such a mail.
        ChallengeError: the challenge's texts are wrong.
    """
    mail = rules.submission.registration
    if mail is None:
        raise CallError("--registration needs a challenge with that mail", found=f"none in {rules.label}")
    if sender.members is None:
        remedy = 'Add --member "Name, Surname, Affiliation", once for each member.'
        raise CallError("--registration needs the team's members", found="none", remedy=remedy)
    return compose(mail, where="submission.registration", values=sender.values(track=track))


def register(
    *,
    out: Path,
    team_name: str,
    members: Sequence[str],
    challenge: str = "pirm2018",
    team_id: str | None = None,
    track: str | None = None,
) -> MailFile:
    """Write the registration mail alone, for a team that has no model yet.

    Args:
        out: the zip that will follow; the mail goes to ``<stem>.registration.mail.txt`` beside it.
        team_name: one line, usable as a file's name.
        members: ``Name, Surname, Affiliation`` each.
        challenge: id or TOML file.
        team_id, track: only where the challenge's text asks for them.

    Raises:
        CallError: a bad name or member, an unknown challenge or track.
        ChallengeError: the challenge takes no submissions, or its texts are wrong.
        EnvironmentFault: the disk is full or the folder can't be written.
    """
    rules = load_rules(challenge)
    check_out(out, inputs=())
    sender = sender_of(team_name=team_name, team_id=team_id, link=None, members=members)
    if track is not None:
        rules.challenge.track(track)
    message = registration_letter(rules, track=track, sender=sender)
    path = registration_path(out)
    write_text(path, message.rendered)
    return MailFile(message, path)


def mail_path(out: Path) -> Path:
    """Where the submission mail goes, beside the zip."""
    return out.with_name(f"{out.stem}.mail.txt")


def registration_path(out: Path) -> Path:
    """Where the registration mail goes, beside the zip."""
    return out.with_name(f"{out.stem}.registration.mail.txt")


def write_with(files: ExitStack, message: Message | None, path: Path) -> MailFile | None:
    """Write a mail that takes its name when the stack closes well."""
    if message is None:
        return None
    files.enter_context(replacing_file(path)).write_bytes(message.rendered.encode())
    return MailFile(message, path)
