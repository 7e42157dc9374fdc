"""``package-submission``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixelproof.errors import CallError, SubmissionRefused

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.submit.letters import MailFile
    from pixelproof.submit.package import Packed

_EPILOG = (
    "Exit codes: 0 packed; 1 refused; 2 the call or an input file is wrong; 3 disk full or a folder that "
    "can't be written. docs/package.md lists every reason for a refusal."
)


@click.command("package-submission", epilog=_EPILOG)
@click.option("--model", type=click.Path(path_type=Path), help="The judged file or SavedModel folder.")
@click.option("--team-name", required=True, help="As the organisers know it.")
@click.option("--team-id", help="The id that the organisers gave you at registration.")
@click.option("--challenge", default="pirm2018", show_default=True, help="Id, or a TOML file.")
@click.option("--track", help="Name of the track.  [default: the report's]")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="What validate-pb --json wrote.  [default: report.json beside the model]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("submission.zip"),
    show_default=True,
    help="The zip; its mail goes beside it.",
)
@click.option(
    "--companion",
    type=click.Path(path_type=Path),
    help="The second file, where the challenge takes two.  [default: beside the model]",
)
@click.option("--link", help="Where the organisers will find the model, for the mail.")
@click.option("--member", "members", multiple=True, help='"Name, Surname, Affiliation"; may be repeated.')
@click.option("--registration", is_flag=True, help="Write the registration mail too; alone without --model.")
@click.option("--force", is_flag=True, help="Pack all the same, and mark each reason in the manifest.")
@click.option("--json", "json_to", metavar="FILE|-", help="What was packed, as JSON.")
def package_submission(
    *,
    model: Path | None,
    team_name: str,
    team_id: str | None,
    challenge: str,
    track: str | None,
    report: Path | None,
    out: Path,
    companion: Path | None,
    link: str | None,
    members: tuple[str, ...],
    registration: bool,
    force: bool,
    json_to: str | None,
) -> None:
    """Pack a judged model as its challenge wants it, and write the mail that goes with it.

    The model must be the one that the report is of, and no required check may have failed or been left out.
    The zip is read back and its model judged again for contract before it takes its name.

    Example: package-submission --model model.pb --team-id 42 --team-name "Name"
    """
    from pixelproof.console import Console
    from pixelproof.submit.package import pack

    console = Console(json_to)
    if model is None:
        given = [n for n, v in (("--report", report), ("--link", link), ("--force", force)) if v]
        if not registration or given:
            found = f"{', '.join(given)} without it" if given else "nothing"
            remedy = "Name it with --model, for example --model model.pb."
            raise CallError("A submission needs a model", found=found, remedy=remedy)
        _register_only(console, out, team_name, members, challenge=challenge, team_id=team_id, track=track)
        return
    if team_id is None:
        remedy = "The organisers send it when you register: see --registration."
        raise CallError("A submission needs the team's id", found="no --team-id", remedy=remedy)
    try:
        packed = pack(
            model=model,
            report=report if report is not None else model.parent / "report.json",
            out=out,
            companion=companion,
            team_id=team_id,
            team_name=team_name,
            challenge=challenge,
            track=track,
            link=link,
            members=members,
            registration=registration,
            force=force,
        )
    except SubmissionRefused as error:
        refusal = {"rule": error.rule, "found": error.found, "remedy": error.remedy}
        console.json({"schema_version": 1, "packed": False, "refused": refusal})
        raise
    _show(console, packed, linked=link is not None)
    console.json(_document(packed))


def _register_only(
    console: Console,
    out: Path,
    team_name: str,
    members: tuple[str, ...],
    *,
    challenge: str,
    team_id: str | None,
    track: str | None,
) -> None:
    from pixelproof.submit.letters import register

    written = register(
        out=out, team_name=team_name, members=members, challenge=challenge, team_id=team_id, track=track
    )
    _show_mail(console, "Registration mail", written)
    console.line()
    console.next_step(f"send it to {written.message.to}; the answer brings your team id")
    console.json({"schema_version": 1, "packed": False, "registration": _mail_document(written)})


def _show(console: Console, packed: Packed, *, linked: bool) -> None:
    manifest = packed.manifest
    rows = [(member.name, str(member.size_bytes), member.sha256) for member in manifest.members]
    console.table(f"{packed.path}: {packed.size_bytes} bytes", ("Member", "Bytes", "SHA-256"), rows)
    console.line("Read back: every member is as manifest.json says, and the packed model loads.")
    if manifest.figures_of == "samples":
        console.line(
            "The figures are of the bundled samples: a demonstration, not the challenge's figures. "
            "The manifest says so. Judge on the challenge's data (--data) before you submit.",
            style="yellow",
        )
    for override in manifest.forced:
        console.line(f"FORCED, {override.id}: {override.rule}; found {override.found}.", style="bold red")
    if manifest.forced:
        console.line(
            "Every forced reason stands in manifest.json, where the organisers see it.", style="bold red"
        )
    if packed.registration is not None:
        _show_mail(console, "Registration mail", packed.registration)
    if packed.mail is None:
        console.next_step(f"hand in {packed.path} as the challenge asks")
        return
    _show_mail(console, "Submission mail", packed.mail)
    member = manifest.model.member
    upload = (
        f"put {member} (or {packed.path}) at the link" if linked else f"upload {member} (or {packed.path})"
    )
    fill = "" if linked else ", put its link in the mail (or pack again with --link)"
    daily = f"; at most {packed.per_day} a day on a track" if packed.per_day else ""
    console.line()
    console.next_step(f"{upload}{fill}, then send the mail to {packed.mail.message.to}{daily}")


def _show_mail(console: Console, title: str, mail: MailFile) -> None:
    console.line()
    console.line(f"{title} ({mail.path}):", style="bold")
    for line in mail.message.rendered.splitlines():
        console.line(f"  {line}".rstrip())


def _document(packed: Packed) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "packed": True,
        "path": str(packed.path),
        "sha256": packed.sha256,
        "size_bytes": packed.size_bytes,
        "manifest": packed.manifest.to_json(),
        "mail": _mail_document(packed.mail),
        "registration": _mail_document(packed.registration),
    }


def _mail_document(mail: MailFile | None) -> dict[str, str] | None:
    if mail is None:
        return None
    message = mail.message
    return {"to": message.to, "subject": message.subject, "text": message.text, "path": str(mail.path)}
