"""SIPp 3.6.1 (Debian sip-tester) registers at our core: AKAv1-MD5 over UDP and TCP.

Its own defects (a RES with a zero octet gives a wrong answer) are kept out of the way by a seed.
"""

import asyncio
import re

import pytest

from imslab.ims.scscf import Policy
from imslab.lab import Seeded
from imslab.net.core import Core
from imslab.uicc import Profile

# K with 5b, 00 or 0a breaks SIPp's parser, and it knows OP only: a TS 35.208 set that it can read.
K, OP = "8baf473f2f8fd09487cccbd7097c6862", "8e27b6af0e692e750f32667a3b14605d"
DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"

SCENARIO = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="register">
{sends}
</scenario>
"""
SEND = """<send><![CDATA[
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:sipp@{domain}>;tag=[call_number]
To: <sip:sipp@{domain}>
Call-ID: [call_id]
CSeq: {cseq} REGISTER
{authentication}Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Expires: 3600
Content-Length: 0

]]></send>
"""
AUTHENTICATION = "[authentication username=sipp@{domain} aka_OP=0x{op} aka_K=0x{k} aka_AMF=0x{amf}]\n"


def scenario(*, amf):
    authentication = AUTHENTICATION.format(domain=DOMAIN, op=OP, k=K, amf=amf)
    sends = SEND.format(domain=DOMAIN, cseq=1, authentication="")
    sends += '<recv response="401" auth="true"/>\n'
    sends += SEND.format(domain=DOMAIN, cseq=2, authentication=authentication)
    sends += '<recv response="200"/>\n'
    return SCENARIO.format(sends=sends)


def subscriber():
    return Profile(
        imsi="001010000000077",
        k=bytes.fromhex(K),
        op=bytes.fromhex(OP),
        impi=f"sipp@{DOMAIN}",
        impu=(f"sip:sipp@{DOMAIN}",),
    )


class NoZeroInRes(Seeded):
    """RANDs for which this subscriber's RES holds no zero octet."""

    def __call__(self, octets):
        while True:
            value = super().__call__(octets)
            if octets != 16 or 0 not in subscriber().functions.f2(value):
                return value


async def run_sipp(tmp_path, core, transport, *, amf="0000", calls=50):
    file = tmp_path / "register.xml"
    file.write_text(scenario(amf=amf))
    address = core.addresses["UDP"]
    options = ["-m", str(calls), "-r", "200", "-l", "20", "-i", "127.0.8.1", "-nostdin", "-timeout", "30"]
    process = await asyncio.create_subprocess_exec(
        "sipp",
        f"{address.host}:{address.port}",
        *("-sf", str(file), "-t", {"UDP": "u1", "TCP": "t1"}[transport]),
        *options,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    text = output.decode("latin-1")
    counts = re.findall(r"(Successful call|Failed call)\s*\|\s*\d+\s*\|\s*(\d+)", text)
    return dict(counts[-2:]), process.returncode, text


@pytest.mark.component("sipp")
@pytest.mark.parametrize("qop", ["auth", "auth,auth-int"])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_sipp_registers(tmp_path, transport, qop):
    events = []
    core = Core(
        host="127.0.8.21",
        port=0,
        websocket_port=0,
        random=NoZeroInRes("sipp"),
        policy=Policy(qop=qop),
        on_event=events.append,
    )
    await core.start()
    core.add([subscriber()])
    try:
        counts, status, output = await run_sipp(tmp_path, core, transport)
    finally:
        core.close()
    assert counts == {"Successful call": "50", "Failed call": "0"}, output[-2000:]
    assert status == 0
    assert sum(event.what == "registered" for event in events) == 50


@pytest.mark.component("sipp")
async def test_a_peer_that_takes_amf_from_its_configuration_fails_at_another_amf(tmp_path):
    """FACTS A.6: SIPp computes XMAC with a configured AMF; with the wrong one it refuses our AUTN."""
    core = Core(host="127.0.8.21", port=0, websocket_port=0, random=NoZeroInRes("amf"))
    await core.start()
    core.add([subscriber()])
    try:
        counts, status, _ = await run_sipp(tmp_path, core, "UDP", amf="8000", calls=3)
    finally:
        core.close()
    assert status != 0 and counts.get("Successful call", "0") == "0"
