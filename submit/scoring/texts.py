"""The pages of a competition: what participants read, made from the rules, for the organiser to go on from."""

from __future__ import annotations

import html

from pixelproof.challenge import Challenge, Results, Track
from pixelproof.submit.scoring.columns import CAP_DB, columns_of

Page = tuple[str, tuple[str, ...]]
"""Heading, and paragraphs; one that begins with ``- `` is an item of a list."""


def overview(challenge: Challenge, track: Track) -> Page:
    """What it is about."""
    return challenge.title, (track.title, f"The rules: {challenge.url}")


def evaluation(challenge: Challenge, track: Track) -> Page:
    """How it is scored."""
    columns = columns_of(track)
    ranked = columns[0]
    order = "largest" if ranked.sorting == "desc" else "smallest"
    lines = [f"Ranked by {ranked.title}, the {order} first. Published figures:"]
    lines += [f"- {column.title} ({column.key})" for column in columns]
    if track.fidelity is not None:
        psnr = track.fidelity.psnr
        rounded = ", rounded to 8 bit" if psnr.round_to_8_bit else ""
        lines.append(
            f"PSNR is of RGB, with {psnr.crop_border} pixels dropped on each side{rounded}; the mean over the images "
            f"of each image's figure, of which none counts for more than {CAP_DB:g} dB."
        )
    lines.append(
        "A submission that breaks a rule is not scored; its page of detailed results says which, and how."
    )
    return "Evaluation", tuple(lines)


def handing_in(challenge: Challenge, track: Track) -> Page:
    """What a submission is."""
    lines = _pictures(track.results, track) if track.results is not None else _model(challenge)
    if challenge.submission is not None and challenge.submission.per_day is not None:
        lines.append(f"At most {challenge.submission.per_day} submissions a day.")
    return "Submission", tuple(lines)


def terms(challenge: Challenge) -> Page:
    """What participants agree to."""
    lines = [f"The rules of {challenge.title} ({challenge.url}) hold."]
    return "Terms", (*lines, *(f"- {rule}" for rule in challenge.honour))


def as_markdown(page: Page) -> str:
    """A page as Markdown; angle brackets of a challenge's own text stay text."""
    heading, lines = page
    return "\n\n".join(html.escape(line, quote=False) for line in (f"# {heading}", *lines)) + "\n"


def as_html(page: Page) -> str:
    """A page as a piece of HTML."""
    heading, lines = page
    parts = [f"<h2>{html.escape(heading)}</h2>"]
    for line in lines:
        item = line.startswith("- ")
        text = html.escape(line.removeprefix("- "))
        parts.append(f"<ul><li>{text}</li></ul>" if item else f"<p>{text}</p>")
    return "\n".join(parts).replace("</ul>\n<ul>", "\n") + "\n"


def _pictures(results: Results, track: Track) -> list[str]:
    folders = (
        "without a folder" if results.folder_depth == 0 else f"at most {results.folder_depth} folder deep"
    )
    lines = [
        f"A zip with {results.count} {results.extension} files, {folders}, each under the name of its input.",
        "8-bit RGB, without transparency.",
    ]
    size = f"{results.height}x{results.width}" if results.height is not None else "the size of its target"
    lines.append(f"Each picture has {size} (height x width), {track.contract.scale} times its input.")
    if results.zip_mib is not None:
        lines.append(f"The zip weighs at most {results.zip_mib:g} MiB.")
    return lines


def _model(challenge: Challenge) -> list[str]:
    rules = challenge.submission
    if rules is None:
        return ["A zip with one model."]
    taken = " or ".join(rules.formats)
    return [f"A zip with one model ({taken}), named {rules.model_member} with the suffix of its format."]
