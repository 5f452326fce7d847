"""SIPp 3.6.1 (Debian sip-tester) calls our terminal, and is called by it, through our core.

SIPp knows neither 100rel nor the session timer, and sends within a dialog what Record-Route tells it.
"""

import asyncio
import socket

import pytest

from imslab.data import profile_path
from imslab.errors import CallFailed
from imslab.ims.call import CallState
from imslab.lab import Seeded
from imslab.net.core import Core
from imslab.net.terminal import Terminal
from imslab.sip.sdp import SessionDescription
from imslab.uicc import Card, IsimClient, Profile

# K with 5b, 00 or 0a breaks SIPp's parser, and it knows OP only: a TS 35.208 set that it can read.
K, OP = "8baf473f2f8fd09487cccbd7097c6862", "8e27b6af0e692e750f32667a3b14605d"
DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
SIPP, ALICE = f"sip:sipp@{DOMAIN}", f"sip:alice@{DOMAIN}"
HOST, SIPP_HOST, ALICE_HOST = "127.0.11.21", "127.0.11.1", "127.0.11.11"
SDP = (
    "v=0\no=sipp 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio 6000 RTP/AVP 0\n"
    "a=rtpmap:0 PCMU/8000"
)

REGISTER = """<send><![CDATA[
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <{sipp}>;tag=[call_number]
To: <{sipp}>
Call-ID: [call_id]
CSeq: {cseq} REGISTER
{credentials}Contact: <sip:sipp@[local_ip]:[local_port]>
Expires: 3600
Content-Length: 0

]]></send>
<recv response="{response}"{auth}/>
"""
CREDENTIALS = f"[authentication username=sipp@{DOMAIN} aka_OP=0x{OP} aka_K=0x{K} aka_AMF=0x0000]\n"

CALLER = f"""<send retrans="500"><![CDATA[
INVITE {ALICE} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <{SIPP}>;tag=c[call_number]
To: <{ALICE}>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
P-Asserted-Identity: <sip:boss@{DOMAIN}>
Content-Type: application/sdp
Content-Length: [len]

{SDP}
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
[routes]
Max-Forwards: 70
From: <{SIPP}>;tag=c[call_number]
To: <{ALICE}>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
<pause milliseconds="50"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
[routes]
Max-Forwards: 70
From: <{SIPP}>;tag=c[call_number]
To: <{ALICE}>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Content-Length: 0

]]></send>
<recv response="200"/>
"""

ANSWER = """<send{retrans}><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:sipp@[local_ip]:[local_port]>
{body}
]]></send>
"""
NOTHING, DESCRIBED = "Content-Length: 0\n", f"Content-Type: application/sdp\nContent-Length: [len]\n\n{SDP}"
CALLEE = (
    '<recv request="INVITE"/>\n'
    + ANSWER.format(retrans="", status="180 Ringing", body=NOTHING)
    + ANSWER.format(retrans=' retrans="500"', status="200 OK", body=DESCRIBED)
    + '<recv request="ACK"/>\n<recv request="BYE"/>\n'
    + ANSWER.replace(";tag=[call_number]", "").format(retrans="", status="200 OK", body=NOTHING)
)
BUSY = (
    '<recv request="INVITE"/>\n'
    + ANSWER.format(retrans=' retrans="500"', status="486 Busy Here", body=NOTHING)
    + '<recv request="ACK"/>\n'
)


def registering():
    first = REGISTER.format(
        domain=DOMAIN, sipp=SIPP, cseq=1, credentials="", response=401, auth=' auth="true"'
    )
    second = REGISTER.format(domain=DOMAIN, sipp=SIPP, cseq=2, credentials=CREDENTIALS, response=200, auth="")
    return first + second


def subscriber():
    return Profile(
        imsi="001010000000077",
        k=bytes.fromhex(K),
        op=bytes.fromhex(OP),
        impi=f"sipp@{DOMAIN}",
        impu=(SIPP,),
    )


class NoZeroInRes(Seeded):
    """RANDs for which SIPp's RES holds no zero octet: with one its answer would be wrong."""

    def __call__(self, octets):
        while True:
            value = super().__call__(octets)
            if octets != 16 or 0 not in subscriber().functions.f2(value):
                return value


class Described:
    """Media that are descriptions."""

    async def offer(self, direction="sendrecv"):
        return (
            f"v=0\r\no=- 1 1 IN IP4 {ALICE_HOST}\r\ns=-\r\nc=IN IP4 {ALICE_HOST}\r\nt=0 0\r\n"
            f"m=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
        ).encode()

    async def answer(self, offer):
        self.offered = SessionDescription.parse(offer)
        return await self.offer()

    async def accept(self, answer):
        self.accepted = SessionDescription.parse(answer)

    async def close(self):
        pass


@pytest.fixture
async def lab(tmp_path):
    """A core with alice registered, and what starts SIPp at one port of its own."""
    core = Core(host=HOST, port=0, websocket_port=0, random=NoZeroInRes("sipp calls"))
    await core.start()
    alice = Profile.load(profile_path("alice"))
    core.add([alice, subscriber()])
    client = IsimClient(Card(alice))
    terminal = Terminal(client.read_profile(), client, core.addresses["UDP"], host=ALICE_HOST)
    await terminal.register()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((SIPP_HOST, 0))
        port = free.getsockname()[1]
    running = []

    async def sipp(name, scenario):
        file = tmp_path / f"{name}.xml"
        file.write_text(f'<?xml version="1.0"?>\n<scenario name="{name}">\n{scenario}</scenario>\n')
        address = core.addresses["UDP"]
        process = await asyncio.create_subprocess_exec(
            *("sipp", f"{address.host}:{address.port}", "-sf", str(file), "-i", SIPP_HOST, "-p", str(port)),
            *("-m", "1", "-nostdin", "-timeout", "20", "-trace_err"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        running.append(process)
        return process

    async def done(process):
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        errors = "".join(path.read_text() for path in tmp_path.glob("*_errors.log"))
        assert process.returncode == 0, errors + output.decode("latin-1")[-1500:]

    async def listens(process):
        """Wait until SIPp has bound its port: it answers nothing before that."""
        async with asyncio.timeout(10):
            while process.returncode is None:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    try:
                        probe.bind((SIPP_HOST, port))
                    except OSError:
                        return
                await asyncio.sleep(0.02)

    try:
        await done(await sipp("register", registering()))
        yield terminal, sipp, done, listens
    finally:
        await terminal.aclose()
        core.close()
        for process in running:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.mark.component("sipp")
async def test_sipp_calls_alice(lab):
    terminal, sipp, done, _ = lab
    media, calls = Described(), []

    async def answer(call):
        calls.append(call)
        await call.ring()
        await call.answer(media)

    terminal.on_call = answer
    await done(await sipp("caller", CALLER))
    (call,) = calls
    ending = await asyncio.wait_for(call.ended(), 5)
    assert ending.by == "peer" and media.offered.media[0].port == 6000
    assert (call.peer, call.is_asserted) == (SIPP, True)  # and not the boss
    assert {"ringing", "answered", "acknowledged", "ended"} <= set(call.moments)


@pytest.mark.component("sipp")
async def test_alice_calls_sipp(lab):
    terminal, sipp, done, listens = lab
    process = await sipp("callee", CALLEE)
    await listens(process)
    media = Described()
    call = await terminal.call(SIPP, media)
    assert call.state is CallState.CONFIRMED and media.accepted.media[0].port == 6000
    assert [progress.status for progress in call.progress] == [180]
    await call.hang_up()
    await done(process)


@pytest.mark.component("sipp")
async def test_sipp_is_busy(lab):
    terminal, sipp, done, listens = lab
    process = await sipp("busy", BUSY)
    await listens(process)
    with pytest.raises(CallFailed, match="486 Busy Here"):
        await terminal.call(SIPP, Described())
    await done(process)
