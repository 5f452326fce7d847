"""Wireshark: the table of IPsec associations (``esp_sa``) of one challenge.

Source: Wireshark's User's Guide, "ESP SAs"; 3GPP TS 33.203, 7.1 and annex I (associations and their keys).
The keys follow from K and the RAND of a challenge, so a profile alone is not enough; ``imslab inspect
--export-wireshark`` makes the same table of a capture in which the challenge is.
"""

from imslab.aka import AkaFunctions
from imslab.capture import esp_sa
from imslab.errors import ImslabError, Malformed
from imslab.interop.peer import Agreement, Limit, Peer, Target
from imslab.ipsec import Associations
from imslab.uicc.profile import Profile


def limits(profile: Profile, target: Target) -> list[Limit]:
    """Return what stands between Wireshark and the IPsec of this profile."""
    found = [
        Limit(f"IPsec keys are made of CK and IK of 16 octets; {name} has {length} here")
        for name, length in (("CK", profile.ck_length), ("IK", profile.ik_length))
        if length != 16
    ]
    if found:
        return found
    if target.agreement is None:
        return [
            Limit("its keys follow from a challenge too: give --rand, --security-client, --security-server")
        ]
    try:
        if not rows(profile, target, target.agreement):
            found.append(Limit("Wireshark has no name for AES-GMAC"))
    except ImslabError as error:
        found.append(Limit(str(error)))
    return [*found, Limit("opens ESP, and no SRTP", blocks=False)]


def rows(profile: Profile, target: Target, agreement: Agreement) -> list[esp_sa.Row]:
    """Return a row for each of the four associations that Wireshark can open.

    Raises Malformed when the two announcements do not make associations.
    """
    functions: AkaFunctions = profile.functions
    ck, ik = functions.f3(agreement.rand), functions.f4(agreement.rand)
    made = Associations.agree(agreement.client, agreement.server, ck, ik)
    if made.mode != "trans":
        raise Malformed(f"mod={made.mode}", expected="trans")
    found = []
    for one in made:
        ends = (agreement.ue, target.pcscf) if one.from_ue else (target.pcscf, agreement.ue)
        sa = one.sa
        keys = (sa.encryption, sa.encryption_key, sa.integrity, sa.integrity_key)
        found.append(esp_sa.Row(*ends, f"0x{sa.spi:08x}", *keys))
    return [row for row in found if esp_sa.is_known_to_wireshark(row)]


def files(profile: Profile, target: Target, directory: str = "") -> dict[str, str]:
    """Return the table."""
    assert target.agreement is not None  # else a limit blocks
    return {"esp_sa": esp_sa.written(rows(profile, target, target.agreement))}


def usage(profile: Profile, target: Target) -> str:
    """Return where the table goes."""
    return (
        "Copy esp_sa into Wireshark's configuration folder, and switch on in Preferences, Protocols, ESP:\n"
        "Attempt to detect/decode encrypted ESP payloads. Or: imslab inspect CAPTURE --esp-sa esp_sa"
    )


PEER = Peer(
    "wireshark", "Wireshark 4: opens ESP with a table of associations",
    "Wireshark's User's Guide, ESP SAs", limits, files, usage,
)  # fmt: skip
