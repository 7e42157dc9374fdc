"""Templates, style and script as one page that asks for nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pixelproof.printable import printable
from pixelproof.report import Report
from pixelproof.schema import to_jsonable
from pixelproof.validate.page import words
from pixelproof.validate.page.view import PLACES, ROLES, STATUS_WORDS, View, marks

TEMPLATES = Path(__file__).with_name("templates")
_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def page_of(view: View) -> str:
    """The whole page. Text of strangers stays text: templates escape all that is not marked as safe."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    style, script = (_text(name) for name in ("style.css", "script.js"))
    return environment.get_template("page.html.j2").render(
        view=view,
        words=words,
        roles=ROLES,
        places=PLACES,
        status_words=STATUS_WORDS,
        marks=marks(),
        style=Markup(style),
        script=Markup(script),
        policy=policy_for(style=style, script=script),
        document=script_json(view.report),
    )


def policy_for(*, style: str, script: str) -> str:
    """Content-Security-Policy: this style, this script, pictures that stand in the page; nothing else."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def script_json(report: Report) -> Markup:
    """A report's document as it may stand in a script element: nothing in it can end the element."""
    text = json.dumps(to_jsonable(report.to_json()), allow_nan=False, separators=(",", ":"))
    for character, escape in _IN_SCRIPT.items():
        text = text.replace(character, escape)
    return Markup(text)


def _text(name: str) -> str:
    return "\n" + (TEMPLATES / name).read_text(encoding="utf-8").strip() + "\n"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _plain(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
