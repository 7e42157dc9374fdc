"""The rules for handed-in pictures, one function each: pure, from what was found to a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pixelproof.challenge import Gates, Results
from pixelproof.files import MIB
from pixelproof.report import CheckResult, Fidelity, Status
from pixelproof.validate.image_results.expected import Expected
from pixelproof.validate.image_results.listing import Listing
from pixelproof.validate.image_results.look import Look

NAMED = 5


def layout(listing: Listing, rules: Results) -> CheckResult:
    """The pictures lie together, and no deeper than allowed; nothing is a link."""
    depth = len(listing.place.parts)
    expected = f"the pictures in one folder, at most {rules.folder_depth} deep; plain files"
    if listing.strange:
        remedy = "Hand in the files themselves."
        found = f"links or devices: {some(listing.strange)}"
        return _result("layout", "failed", expected, found, remedy)
    if listing.elsewhere:
        found = f"pictures of these names outside {_named(listing)}: {some(listing.elsewhere)}"
        return _result("layout", "failed", expected, found, "Keep one picture for each name, in one folder.")
    if depth > rules.folder_depth:
        found = f"pictures {depth} deep, in {listing.place}"
        remedy = f"Zip the folder {listing.place.name} itself, without what is around it."
        if rules.folder_depth == 0:
            remedy = f"Zip what is in {listing.place.name}, not the folder."
        return _result("layout", "failed", expected, found, remedy)
    found = f"in {_named(listing)}"
    if listing.others:
        found += f"; not looked at: {some(listing.others)}"
    return _result("layout", "passed", expected, found)


def weight(listing: Listing, *, limit_mib: float, zip_bytes: int | None) -> CheckResult:
    """The zip's size; of a folder what it holds, since PNG hardly shrinks in a zip."""
    expected = f"at most {limit_mib:g} MiB"
    remedy = "Save the pictures with the best PNG compression, and leave other files out."
    mib = (listing.total_bytes if zip_bytes is None else zip_bytes) / MIB
    if zip_bytes is not None:
        status: Status = "passed" if mib <= limit_mib else "failed"
        return _result("zip_size", status, expected, f"{mib:.2f} MiB", remedy)
    found = f"{mib:.2f} MiB of files; a folder is not the zip"
    return _result("zip_size", "passed" if mib <= limit_mib else "warning", expected, found, remedy)


def count(listing: Listing, rules: Results) -> CheckResult:
    """As many pictures as the rules say."""
    held = len(listing.pictures)
    status: Status = "passed" if held == rules.count else "failed"
    remedy = "Run the model on every input." if held < rules.count else "Leave out what is no result."
    return _result("picture_count", status, f"{rules.count} {rules.extension} files", str(held), remedy)


def names(listing: Listing, expected: Expected | None) -> CheckResult:
    """One picture for each name, and no other."""
    if expected is None:
        return _result(
            "picture_names", "not_run", "the inputs' names", "no targets or inputs to compare with"
        )
    missing = [name for name in expected.sources if name not in listing.pictures]
    extra = [name for name in listing.pictures if name not in expected.sources]
    what = "the targets' names" if expected.are_targets else "the inputs' names"
    if not missing and not extra:
        return _result("picture_names", "passed", what, f"all {len(expected.sources)}")
    parts = [f"{len(missing)} missing: {some(missing)}"] if missing else []
    parts += [f"{len(extra)} extra: {some(extra)}"] if extra else []
    remedy = "Give each result its input's name, letter by letter."
    return _result("picture_names", "failed", what, "; ".join(parts), remedy)


def formats(looks: Sequence[Look], rules: Results) -> CheckResult:
    """Every picture is a whole PNG of 8-bit RGB."""
    expected = f"{rules.extension[1:].upper()}, 8-bit RGB, undamaged"
    wrong = [f"{look.name} ({look.format_problem})" for look in looks if look.format_problem]
    if not looks:
        return _result("picture_format", "not_run", expected, "no picture to look at")
    if wrong:
        remedy = "Save them as 8-bit RGB: Image.fromarray(pixels).save(path) with Pillow, pixels uint8."
        return _result("picture_format", "failed", expected, f"{len(wrong)}: {some(wrong)}", remedy)
    return _result("picture_format", "passed", expected, f"all {len(looks)}")


def sizes(looks: Sequence[Look], rules: Results, expected: Expected | None) -> CheckResult:
    """Every picture has the size that the rules say, or its target's."""
    told = "each its target's"
    if rules.height is not None:
        told = f"{rules.height}x{rules.width}"
    elif expected is not None and not expected.are_targets:
        told = f"{expected.scale} times its input's"
    if not looks:
        return _result("picture_size", "not_run", told, "no picture to look at")
    wrong = [f"{look.name} ({look.size_problem})" for look in looks if look.size_problem]
    if wrong:
        remedy = "Hand in the output of the model as it is, at the challenge's scale."
        return _result("picture_size", "failed", told, f"{len(wrong)}: {some(wrong)}", remedy)
    if rules.height is None and expected is None:
        return _result("picture_size", "not_run", told, "no targets or inputs to compare with")
    unread = sum(1 for look in looks if look.format_problem)
    return _result("picture_size", "passed", told, f"{len(looks) - unread} pictures")


def fidelity(measured: Fidelity | None, expected: Expected | None) -> CheckResult:
    """Every picture was measured against its target."""
    told = "measured on every picture"
    if expected is None or not expected.are_targets:
        return _result("fidelity", "not_run", told, "no targets to compare with")
    if measured is None:
        return _result("fidelity", "failed", told, "no usable picture", "See the checks above.")
    found = f"PSNR {measured.psnr_db:.4f} dB"
    if measured.ms_ssim is not None:
        found += f", MS-SSIM {measured.ms_ssim:.5f}"
    done, wanted = len(measured.per_image), measured.images_available
    if done < wanted:
        found += f" on {done} of {wanted} pictures, which is not the challenge's figure"
        return _result("fidelity", "failed", told, found, "See the checks above.")
    return _result("fidelity", "passed", told, f"{found} on {done} pictures")


def gate(measured: Fidelity | None, gates: Gates) -> CheckResult:
    """PSNR above the gate, to the 0.01 dB that challenges publish."""
    expected = f"at least {gates.psnr_db:.2f} dB"
    if measured is None or len(measured.per_image) < measured.images_available:
        return _result("psnr_gate", "not_run", expected, "not measured on every picture")
    is_reached = not math.isnan(measured.psnr_db) and round(measured.psnr_db, 2) >= gates.psnr_db
    remedy = "Train further; the gate is about the challenge's own images."
    found = f"{measured.psnr_db:.2f} dB"
    return _result("psnr_gate", "passed" if is_reached else "failed", expected, found, remedy)


def some(listed: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more


TITLES = {
    "layout": "Folders",
    "zip_size": "Size of the zip",
    "picture_count": "Number of pictures",
    "picture_names": "Names",
    "picture_format": "Format",
    "picture_size": "Size in pixels",
    "fidelity": "Fidelity",
    "psnr_gate": "PSNR gate",
}


def _named(listing: Listing) -> str:
    return f"{listing.place}/" if listing.place.parts else "the top folder"


def _result(name: str, status: Status, expected: str, found: str, remedy: str = "") -> CheckResult:
    kept = remedy if status in ("failed", "warning") else ""
    return CheckResult(
        id=name, title=TITLES[name], status=status, expected=expected, found=found, remedy=kept
    )
