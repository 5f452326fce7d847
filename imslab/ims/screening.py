"""What a UE may not say, and what it is not told: the border between the UEs and the network.

Spec: 3GPP TS 24.229, 4.4 (trust domain), 5.2.2, 5.2.6.3 and 5.2.6.4 (P-CSCF), 7.2A.1 and 7.2A.2 (ck, ik,
integrity-protected), RFC 3325 (identity and privacy), RFC 5009 (early media), RFC 7315 (P-headers).
"""

from imslab.ims.node import credentials_of
from imslab.sip import Challenge, Message

# Header fields that only the network may write (TS 24.229, 4.4 and 5.2.6.3; RFC 3325, 9.1).
NETWORK_ONLY = (
    "P-Asserted-Identity",
    "P-Asserted-Service",
    "P-Associated-URI",
    "P-Called-Party-ID",
    "P-Charging-Function-Addresses",
    "P-Charging-Vector",
    "P-Profile-Key",
    "P-Served-User",
    "P-Visited-Network-ID",
    "Path",
    "Service-Route",
)
# Parameters of Authorization that only the network may write (TS 24.229, 7.2A.2).
NETWORK_ONLY_PARAMETERS = ("integrity-protected", "ck", "ik")
# What stays between the proxies (RFC 7315, 5.6 and 5.7; TS 24.229, 5.2.6.4.3 and 5.2.6.3.4).
NOT_FOR_UES = ("P-Charging-Vector", "P-Charging-Function-Addresses", "P-Profile-Key", "P-Served-User")


# What has to be looked at in a request of a UE; most have nothing of it.
_SUSPECT = frozenset(
    name.lower()
    for name in (
        *NETWORK_ONLY,
        *("P-Access-Network-Info", "P-Early-Media", "Proxy-Authorization", "Authorization"),
    )
)


def request_of_ue(request: Message) -> tuple[Message, list[str]]:
    """Return a request without what its UE may not say, and the names of what it said nevertheless.

    The Authorization of a REGISTER is left to ``register_of_ue``.
    """
    suspects = request.keys & _SUSPECT
    if not suspects or (request.method == "REGISTER" and suspects == {"authorization"}):
        return request, []
    told = [name for name in NETWORK_ONLY if name.lower() in suspects]
    if told:
        request = request.without(*told)
    for name in ("Authorization", "Proxy-Authorization"):
        if name.lower() in suspects and request.method != "REGISTER":
            request, more = _credentials_of_ue(request, name)
            told += more
    if "network-provided" in (request.get("P-Access-Network-Info") or ""):
        request = request.without("P-Access-Network-Info")
    return _early_media_of_ue(request) if "p-early-media" in suspects else request, told


def _early_media_of_ue(request: Message) -> Message:
    # RFC 5009, 6: a UE may say that it understands; what is allowed, the network says.
    understood = "supported" in request.p_early_media
    request = request.without("P-Early-Media")
    return request.extended([("P-Early-Media", "supported")]) if understood else request


def _credentials_of_ue(request: Message, name: str) -> tuple[Message, list[str]]:
    """Return a request whose credentials say nothing that only the network may say (TS 24.229, 7.2A.2)."""
    given = request.authorization if name == "Authorization" else request.proxy_authorization
    told = [one for one in NETWORK_ONLY_PARAMETERS if any(one in said.params for said in given)]
    if not told:
        return request, []
    return request.with_rows(name, [said.without(*told) for said in given]), told


def register_of_ue(request: Message, protected: bool = False) -> tuple[Message, list[str]]:
    """Return a REGISTER whose credentials say whether IPsec protects the access, and what else they said."""
    credentials = credentials_of(request)
    if credentials is None:
        return request, []
    told = [name for name in NETWORK_ONLY_PARAMETERS if name in credentials.params]
    if told:
        credentials = credentials.without(*told)
    return request.with_header(
        "Authorization", credentials.having(integrity_protected="yes" if protected else "no")
    ), told


def response_of_ue(response: Message) -> Message:
    """Return the response of a callee without what only the network may say of it."""
    told = [name for name in NETWORK_ONLY if name in response]
    return response.without(*told, "P-Early-Media", "P-Preferred-Identity")


def request_for_ue(request: Message) -> Message:
    """Return a request as a UE may see it: without charging, and without who wants to stay unknown."""
    secret = [name for name in NOT_FOR_UES if name in request]
    if "id" in (request.get("Privacy") or "").replace(" ", "").split(";"):
        secret.append("P-Asserted-Identity")  # RFC 3325, 7: the UE is not one of us
    return request.without(*secret) if secret else request


def response_for_ue(response: Message) -> Message:
    """Return a response as a UE may see it: without charging, and without ck and ik of a challenge."""
    if response.status in (401, 407):
        response = without_keys(response, "WWW-Authenticate", response.www_authenticate)
        response = without_keys(response, "Proxy-Authenticate", response.proxy_authenticate)
    secret = [name for name in NOT_FOR_UES if name in response]
    return response.without(*secret) if secret else response


def without_keys(response: Message, name: str, offered: tuple[Challenge, ...]) -> Message:
    """Return a response whose challenges ``name`` hold neither ck nor ik (TS 24.229, 5.2.2)."""
    rows = [challenge.without("ck", "ik") for challenge in offered]
    return response.with_rows(name, rows) if rows else response
