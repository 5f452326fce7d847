"""``imslab card write``: give a card in a reader the IMS values of a profile, with the key ADM1.

The key does not belong into the history of a shell: ``@file`` names a file that holds it, and
IMSLAB_ADM in the environment will do as well.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imslab.errors import Malformed
from imslab.octets import unhex

if TYPE_CHECKING:
    from imslab.uicc.provisioning import Report

FROM_FILE, ENVIRONMENT = "@", "IMSLAB_ADM"
_LARGEST = 1000  # octets of a file that holds one key


def write(
    profile: Annotated[Path, typer.Option(help="The profile's file (JSON or YAML).")],
    adm: Annotated[
        str | None, typer.Option(metavar="@FILE", help="ADM1: 4 to 8 digits, or 16 hex digits; or @file.")
    ] = None,
    reader: Annotated[
        str | None, typer.Option(help="A part of the reader's name; default: the first with a card.")
    ] = None,
    pin: Annotated[bool, typer.Option("--pin", help="Ask for PIN1 (once), and present it first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")] = False,
    even_the_last: Annotated[
        bool, typer.Option("--even-the-last", help="Present ADM1 though one try alone remains.")
    ] = False,
) -> int:
    """Write a profile's IMS values to a card that belongs to you; the exit status is 0 when all was kept."""
    from imslab.uicc import Profile, pcsc, provisioning
    from imslab.uicc.verification import verify_pin

    wanted = Profile.load(profile)
    key = None if dry_run else read_adm(adm)
    link = pcsc.connect(reader)
    try:
        if pin:
            verify_pin(link, typer.prompt("PIN1", hide_input=True), even_the_last=even_the_last)
        if key is None:
            report = provisioning.compare(link, wanted)
        else:
            report = provisioning.provision(link, wanted, key, even_the_last=even_the_last)
    finally:
        link.close()
    print(report)
    print(_conclusion(report, dry_run))
    return 0 if dry_run or report.is_done else 1


def read_adm(text: str | None) -> str | bytes:
    """Return the key that an option, a file (``@file``) or the environment gives: digits, or 8 octets.

    Raises Malformed, without repeating the key, when there is none or it is neither.
    """
    text = os.environ.get(ENVIRONMENT) if text is None else text
    if not text:
        raise Malformed("no ADM1 was given", expected=f"--adm @file, or {ENVIRONMENT} in the environment")
    if text.startswith(FROM_FILE):
        text = _from_file(Path(text[1:]))
    if len(text) == 16:
        return unhex("ADM1", text)
    if text.isascii() and text.isdecimal() and 4 <= len(text) <= 8:
        return text
    raise Malformed("ADM1 is no key", expected="4 to 8 digits, or 16 hex digits")


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("ascii").strip()
    except OSError as error:
        raise Malformed(f"{path.name}: cannot be read ({error.strerror or type(error).__name__})") from None
    except ValueError:
        raise Malformed(f"{path.name}: not a key in digits or hex") from None


def _conclusion(report: "Report", dry_run: bool) -> str:
    if not report.differences:
        return "nothing to write: the card holds the profile already"
    count = len(report.differences)
    if dry_run:
        return f"{count} values would be written"
    kept = sum(one.state == "written" for one in report.differences)
    return f"{kept} of {count} values written and read back"
