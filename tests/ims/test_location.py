"""Where a callee is: the identity that is meant, and the way to each contact (TS 24.229, 5.4.3.3)."""

import pytest

from imslab.ims import cx
from imslab.ims.bindings import Binding, Registration
from imslab.ims.location import called, targets
from imslab.ims.node import Address
from imslab.ims.procedure import run
from imslab.sip import Message, Uri

KNOWN, UNKNOWN = cx.Result.SUCCESS, cx.Result.USER_UNKNOWN
SILENT = cx.Result.UNABLE_TO_DELIVER
PHONE = "sip:+15550100001@ims.example;user=phone"


@pytest.mark.parametrize(
    ("uri", "results", "asked", "found"),
    [
        ("sip:Alice@IMS.example;x=y", [KNOWN], ["sip:Alice@ims.example"], KNOWN),
        ("sip:nobody@ims.example", [UNKNOWN], ["sip:nobody@ims.example"], UNKNOWN),
        (PHONE, [KNOWN], ["sip:+15550100001@ims.example"], KNOWN),
        (PHONE, [UNKNOWN, KNOWN], ["sip:+15550100001@ims.example", "tel:+15550100001"], KNOWN),
        (PHONE, [UNKNOWN, UNKNOWN], ["sip:+15550100001@ims.example", "tel:+15550100001"], UNKNOWN),
        (PHONE, [SILENT], ["sip:+15550100001@ims.example"], SILENT),
        ("tel:+1-555", [KNOWN], ["tel:+1555"], KNOWN),
    ],
)
def test_the_hss_is_asked_for_each_form_of_a_name(
    uri: str, results: list[cx.Result], asked: list[str], found: cx.Result
) -> None:
    questions: list[str] = []
    ends: list[tuple[str, cx.Result, float]] = []

    def ask(request: cx.Request, now: float) -> cx.Answer:
        questions.append(request.impu)
        return cx.LocationInfoAnswer(results.pop(0))

    def failed(error: Exception, now: float) -> None:
        raise error

    run(called(Uri.parse(uri)), ask, 7.0, lambda end, now: ends.append(end), failed)
    ((impu, result, now),) = ends
    assert questions == asked and (result, now) == (found, 7.0)
    assert impu == (asked[-1] if found is not UNKNOWN else asked[0])


INVITE = Message.request("INVITE", "sip:bob@ims.example", headers=[("Call-ID", "c")])


def registration(*bindings: Binding) -> Registration:
    return Registration("bob@x", ("sip:bob@ims.example",), {one.contact: one for one in bindings})


def test_each_contact_that_stands_has_its_way() -> None:
    path = ("<sip:flow@127.0.0.21:5060;lr>", "<sip:second.example;lr>")
    known = registration(
        Binding("<sip:b@10.0.0.1:5070>", path, "c", 1, 100.0),
        Binding("<sip:b@10.0.0.2:5071;transport=tcp>", (), "c", 1, 50.1),
        Binding("<sip:b@10.0.0.3>", path, "c", 1, 50.0),  # has just run out
    )
    first, second = targets(INVITE, known, 50.0)
    assert first.destination == Address("127.0.0.21", 5060)
    assert first.request.uri_text == "sip:b@10.0.0.1:5070" and first.request.all("Route") == [*path]
    assert second.destination == Address("10.0.0.2", 5071, "TCP") and second.request.routes == ()
    assert [t.request.get("P-Called-Party-ID") for t in (first, second)] == ["<sip:bob@ims.example>"] * 2


def test_nobody_is_nowhere() -> None:
    assert list(targets(INVITE, None, 0.0)) == list(targets(INVITE, registration(), 0.0)) == []
