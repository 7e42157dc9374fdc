"""What a team may be called, and how a challenge's texts are filled in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.challenge import Challenge, Mail
from pixelproof.errors import CallError, ChallengeError
from pixelproof.submit.mail import (
    NAME_BYTES,
    compose,
    link_line,
    member_line,
    members_text,
    one_line,
    safe_name,
    uses,
)

VALUES = {
    "track": "B",
    "team_id": "42",
    "team_name": "Name",
    "link": "https://example.org/m",
    "members": "Ada, Lovelace, London",
}


def test_submission_mail_is_what_the_challenge_asks(pirm: Challenge) -> None:
    assert pirm.submission is not None and pirm.submission.mail is not None
    message = compose(pirm.submission.mail, where="submission.mail", values=VALUES)
    assert message.subject == "[Track B] [42] [Name] Submission"
    assert message.text == "Link to model.pb file: https://example.org/m"
    assert message.to == "ai.mobile.challenge@gmail.com"
    assert message.rendered == (
        "To: ai.mobile.challenge@gmail.com\nSubject: [Track B] [42] [Name] Submission\n\n"
        "Link to model.pb file: https://example.org/m\n"
    )


def test_registration_mail_lists_one_member_a_line(pirm: Challenge) -> None:
    assert pirm.submission is not None and pirm.submission.registration is not None
    members = members_text(["Ada, Lovelace, London", "Alan, Turing, Manchester"])
    values = {"team_name": "Name", "members": members}
    message = compose(pirm.submission.registration, where="submission.registration", values=values)
    assert message.subject == "AI Mobile Challenge Registration"
    assert message.text == "Name\nAda, Lovelace, London\nAlan, Turing, Manchester"


def test_a_value_is_filled_in_once() -> None:
    mail = Mail(to="a@b.c", subject="{team_name}", text="{{literal}} {team_name}")
    message = compose(mail, where="m", values={**VALUES, "team_name": "{link} {0} {team_id}"})
    assert message.subject == "{link} {0} {team_id}"
    assert message.text == "{literal} {link} {0} {team_id}"


@pytest.mark.parametrize(
    "text",
    ["{unknown}", "{}", "{0}", "{team_name.__class__}", "{team_name!r}", "{team_name:>9}", "{", "a } b"],
)
def test_unknown_placeholders_are_the_challenges_fault(text: str) -> None:
    with pytest.raises(ChallengeError, match=r"submission\.mail\.text"):
        compose(Mail(to="a@b.c", subject="s", text=text), where="submission.mail", values=VALUES)


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("a@b.c\nBcc: x@y.z", "s"),
        ("a@b.c", "s\r\nBcc: x@y.z"),
        ("a@b.c", "line one {members}\u2028two"),
        ("", "s"),
        ("a@b.c", " "),
    ],
)
def test_headers_stay_one_line(to: str, subject: str) -> None:
    with pytest.raises(ChallengeError, match="one line"):
        compose(Mail(to=to, subject=subject, text="t"), where="submission.mail", values=VALUES)


def test_members_of_several_lines_never_reach_a_subject() -> None:
    values = {**VALUES, "members": "Ada, Lovelace, London\nAlan, Turing, Manchester"}
    with pytest.raises(ChallengeError, match=r"submission\.mail\.subject"):
        compose(Mail(to="a@b.c", subject="{members}", text="t"), where="submission.mail", values=values)


def test_a_placeholder_without_its_value_names_the_option() -> None:
    with pytest.raises(CallError, match="--team-id"):
        compose(Mail(to="a@b.c", subject="{team_id}", text=""), where="m", values={**VALUES, "team_id": None})


@pytest.mark.parametrize(
    "name",
    [
        "Name",
        "深層学習 チーム",
        "Équipe n° 1",
        "Команда",
        "👩‍🔬 Lab",
        "O'Neil & Sons",
        "a.b",
        "[x]",
        "{link}",
    ],
)
def test_names_of_all_scripts_work(name: str) -> None:
    assert safe_name(name, option="--team-name") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "a\nb",
        "a\r\nBcc: x@y.z",
        "a\tb",
        "a\0b",
        "a\x1b[31mb",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "\ud800",
        "a\u202eb",
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "a:b",
        "a*b",
        "a?b",
        'a"b',
        "<script>",
        "a|b",
        "..",
        ".hidden",
        "x" * (NAME_BYTES + 1),
        "深" * 67,
    ],
)
def test_bad_names_are_call_errors(name: str) -> None:
    with pytest.raises(CallError, match="--team-name") as caught:
        safe_name(name, option="--team-name")
    message = str(caught.value)
    assert message.isprintable(), "the message itself must be safe to print"
    assert message.isascii() or "深" in message


def test_the_longest_name_works() -> None:
    assert safe_name("x" * NAME_BYTES, option="--team-name") == "x" * NAME_BYTES


def test_names_take_unicodes_composed_form() -> None:
    assert safe_name(" E\u0301quipe ", option="--team-name") == "\u00c9quipe"


@given(st.text(max_size=80))
def test_whatever_is_accepted_adds_no_header(name: str) -> None:
    try:
        accepted = safe_name(name, option="--team-name")
    except CallError:
        return
    mail = Mail(to="a@b.c", subject="[{team_name}]", text="")
    rendered = compose(mail, where="m", values={"team_name": accepted}).rendered
    assert rendered.splitlines() == ["To: a@b.c", f"Subject: [{accepted}]", "", ""]
    assert rendered.encode()


@pytest.mark.parametrize(
    ("given_line", "line"),
    [
        ("Ada, Lovelace, London", "Ada, Lovelace, London"),
        ("Ada,Lovelace,London", "Ada, Lovelace, London"),
        ("Ada , Lovelace , ETH Zurich, Switzerland", "Ada, Lovelace, ETH Zurich, Switzerland"),
        ("光子, 山田, 東京大学/理研", "光子, 山田, 東京大学/理研"),
    ],
)
def test_members_take_the_challenges_form(given_line: str, line: str) -> None:
    assert member_line(given_line) == line


@pytest.mark.parametrize(
    "line", ["Ada", "Ada, Lovelace", "Ada, , London", ", Lovelace, London", "A, B, C\nD", ""]
)
def test_members_of_another_form_are_call_errors(line: str) -> None:
    with pytest.raises(CallError, match="--member"):
        member_line(line)


@pytest.mark.parametrize("link", ["two words", "https://a\nb", "", "x\u00a0y"])
def test_a_link_is_one_word(link: str) -> None:
    with pytest.raises(CallError, match="--link"):
        link_line(link)


def test_one_line_has_a_limit() -> None:
    assert one_line("x" * 10, option="--o", limit_bytes=10)
    with pytest.raises(CallError, match="at most 10 bytes"):
        one_line("x" * 11, option="--o", limit_bytes=10)


def test_uses() -> None:
    assert uses(Mail(to="", subject="", text="{link}"), "link")
    assert not uses(Mail(to="", subject="", text="link"), "link")
    assert not uses(None, "link")
