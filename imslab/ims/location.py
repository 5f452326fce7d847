"""Where a callee is: which public identity is meant, and the contacts at which it is registered.

Spec: 3GPP TS 24.229, 5.4.3.3 (terminating S-CSCF), TS 29.228, 6.1.4 (LIR), RFC 3261, 16.5, RFC 3327, 5.2
(Path).
"""

from collections.abc import Iterator

from imslab.ims import cx
from imslab.ims.bindings import Binding, Registration
from imslab.ims.procedure import Procedure
from imslab.ims.proxy import Target, hop
from imslab.sip import Message, NameAddr, Uri


def called(uri: Uri) -> Procedure[tuple[str, cx.Result, float]]:
    """Return the public identity that a Request-URI names, what the HSS says of it, and when."""
    forms = [uri.canonical]
    if uri.is_sip and (uri.params.get("user") or "").lower() == "phone":
        forms.append(Uri("tel", uri.user).canonical)  # RFC 3261, 19.1.6
    for impu in forms:
        found, now = yield cx.LocationInfoRequest(impu)
        if found.result in (cx.Result.SUCCESS, cx.Result.UNABLE_TO_DELIVER):
            return impu, found.result, now
    return forms[0], found.result, now


def targets(request: Message, registration: Registration | None, now: float) -> Iterator[Target]:
    """Give ``request`` the way to each contact that is registered at ``now``."""
    if registration is None:
        return
    request = request.with_header("P-Called-Party-ID", f"<{request.uri_text}>")
    for binding in registration.bindings.values():
        if binding.expires_at > now:
            yield _towards(request, binding)


def _towards(request: Message, binding: Binding) -> Target:
    """Return the request as it goes to one contact, along the Path of its registration (RFC 3327, 5.2)."""
    contact = NameAddr.parse(binding.contact).uri
    path = [NameAddr.parse(row) for row in binding.path]
    return Target(request.with_uri(contact).with_rows("Route", path), hop(path[0].uri if path else contact))
