"""Make the traces of this folder again: each is a live run of imslab, recorded by its own tap.

Run it with ``make traces``, or ``python data/traces/make.py [NAME ...]``. Random octets follow
from a seed; times and ports are those of the run. README.md of this folder says what is in each.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from imslab import Lab, refuses
from imslab.aka import generate_vector
from imslab.data import profile_path
from imslab.errors import AkaError, NetworkError, RegistrationFailed
from imslab.ims.scscf import Policy
from imslab.kamailio import Kamailio, missing
from imslab.lab import LiveCall, Seeded
from imslab.lab.akav2 import everybody_computes_akav1, hss_gives_xres
from imslab.media import RtpEndpoint
from imslab.uicc import Profile, apdu, exchange
from imslab.uicc.files import isim
from imslab.uicc.ota import TAR_ISIM, command_packet, isim_update, seal
from imslab.web.stage import call_state, dial, launched, staged, state

HERE = Path(__file__).parent


async def register_akav1(lab: Lab) -> None:
    """Record a login with AKAv1-MD5 over UDP, and the reading of the card before it."""
    await lab.alice.register("AKAv1-MD5")


async def register_akav2(lab: Lab) -> None:
    """Record logins of alice and bob with AKAv2-SHA-256, over UDP, TCP and WebSocket."""
    await lab.alice.register("AKAv2-SHA-256")
    await lab.alice.register("AKAv2-SHA-256", transport="TCP")
    await lab.alice.register("AKAv2-SHA-256", transport="WS")
    await lab.bob.register("AKAv2-SHA-256", transport="WS")


async def register_resync(lab: Lab) -> None:
    """Record a login whose first challenge is stale: the HSS has forgotten how far it had counted."""
    await lab.alice.register("AKAv2-MD5")
    lab.core.hss.forget_sqn(lab.alice.card.profile.impi)
    await lab.alice.register("AKAv2-MD5")


async def register_ipsec(lab: Lab) -> None:
    """Record protected logins of alice (UDP), who then agrees anew, and of bob (TCP), and a text to him."""
    await lab.alice.register(ipsec=True)
    await lab.alice.register(ipsec=True)
    await lab.bob.register(ipsec="aes-gcm/null", transport="TCP")
    await lab.alice.message(lab.bob, "nobody between us reads this")


async def card_session(lab: Lab) -> None:
    """Record what a terminal asks a card: the profile, what is refused, and three kinds of challenge."""
    await lab.start()
    card, functions = lab.alice.card, Profile.load(profile_path("alice")).functions
    _ = card.profile
    exchange(card, apdu.select_file(isim.Impi.FID))
    exchange(card, bytes(apdu.Command(0x00, apdu.UPDATE_BINARY, 0, 0, bytes(8))))  # refused: no ADM1
    exchange(card, apdu.select_file(0x6FFF))  # there is no such file
    vector = generate_vector(functions, bytes(range(16)), bytes.fromhex("000000000020"))
    wrong_mac = vector.autn[:-1] + bytes([vector.autn[-1] ^ 1])
    for autn in (vector.autn, vector.autn, wrong_mac):  # fresh, replayed (AUTS), forged (9862)
        try:
            card.authenticate(vector.rand, autn)
        except AkaError:
            continue


async def gba_login(lab: Lab) -> None:
    """Record two logins to a web application with alice's SIM: Ks in the terminal, then Ks in the card."""
    await (await lab.alice.browser()).open("http://shop.example.com/basket")
    await (await lab.alice.browser(uicc=True)).open("http://shop.example.com/account")


async def webrtc_call(lab: Lab) -> None:
    """Record two calls with sound and picture: SRTP keyed by DTLS with AES-GCM, then with AES-CM."""
    await lab.alice.register("AKAv2-SHA-256")
    for profile in ("SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_HMAC_SHA1_80"):
        await _talk(lab, profiles=[profile])


async def sdes_call(lab: Lab) -> None:
    """Record a call whose SRTP keys stand in the session descriptions (SDES), and a text message."""
    await _talk(lab, media="sdes")
    await lab.bob.message(lab.alice, "every proxy has read the keys of that call")


class Mute(RtpEndpoint):
    """An end that hears and says nothing, though its description promises to: as behind a firewall."""

    @property
    def _sends(self) -> bool:
        return False


def _mute_bob(name: str, host: str, **common: Any) -> RtpEndpoint:
    return (Mute if name == "bob" else RtpEndpoint)(name, host, **common)


async def faulty_network(lab: Lab) -> None:
    """Record a network in which things are wrong; notebook 11 asks which.

    The P-CSCF leaves ck and ik in the 401, and a UE takes the weakest algorithm; the random numbers of the
    authentication centre stand still; a restored backup has forgotten SQN; a call shows its keys to every
    proxy, and one end of it is mute.
    """
    await lab.start()
    core: Any = lab.core
    honest = core.pcscf._challenged
    core.pcscf._challenged = lambda response, _: response
    await lab.alice.register("AKAv1-MD5")
    core.pcscf._challenged = honest
    random, core.hss._random = core.hss._random, Seeded("stuck")
    await lab.bob.register("AKAv2-MD5")
    core.hss._random = Seeded("stuck")
    await lab.bob.register("AKAv2-MD5")
    core.hss._random = random
    core.hss.forget_sqn(lab.bob.card.profile.impi)
    await lab.bob.register("AKAv2-MD5")
    try:
        await lab.alice.call(lab.bob, media=_mute_bob)
    except NetworkError:
        return


async def _talk(lab: Lab, **how: Any) -> None:
    call = await lab.alice.call(lab.bob, **how)
    assert isinstance(call, LiveCall)
    await call.talk(1.5)
    await call.hang_up()


async def ota_update(lab: Lab) -> None:
    """Record an update over the air (identity, P-CSCF), the same packet once more, and the login after it."""
    keys = Profile.load(profile_path("alice")).ota[0]
    await lab.start()
    impu = ("sip:alice.new@ims.mnc001.mcc001.3gppnetwork.org", *lab.alice.card.profile.impu[1:])
    script = isim_update(impu=impu[:1], pcscf=["pcscf2.ims.mnc001.mcc001.3gppnetwork.org"])
    packet = seal(command_packet(keys, TAR_ISIM, script, 1), keys)
    lab.alice.card.ota(packet)
    lab.alice.card.ota(packet)
    await lab.alice.provision(impu=impu)
    await lab.alice.register("AKAv2-SHA-256")


async def kamailio_call(lab: Lab) -> None:
    """Record a real IMS core, Kamailio, with our HSS behind it: logins with AKAv1 and AKAv2, a call, an end.

    Then what AKAv2 is in Kamailio, a name: when the HSS gives XRES, as others do, and not the password of
    RFC 4169, the right answer gets 403, and that of AKAv1 under the name of AKAv2 gets 200.
    """
    await lab.start()
    core = lab.core
    assert isinstance(core, Kamailio)
    await _offer(core, "AKAv1-MD5")
    await lab.alice.register("AKAv1-MD5")
    await lab.alice.deregister()
    await _offer(core, "AKAv2-MD5")
    await lab.alice.register("AKAv2-MD5")
    await lab.bob.register("AKAv2-MD5")
    await _talk(lab, media="rtp")
    for subscriber in (lab.alice, lab.bob):
        await subscriber.deregister()
    with hss_gives_xres(), refuses(RegistrationFailed):
        await lab.alice.register("AKAv2-MD5")
    with everybody_computes_akav1():
        await lab.alice.register("AKAv2-MD5")
        await lab.alice.deregister()


async def _offer(core: Kamailio, algorithm: str) -> None:
    """Let the S-CSCF offer another algorithm: Kamailio offers one, and reads it when it starts."""
    core.configuration = replace(core.configuration, algorithm=algorithm)
    core.configuration.write(core.directory)
    await core.restart("scscf")


async def browser_demo() -> bytes:
    """Record the demo: alice's page in Chromium logs in with her card, calls the robot, sends it a message.

    The robot's end of the media is aiortc's, so that the secrets of the handshake are in the file.
    """
    file = io.BytesIO()
    settings = {"trace": file, "random": Seeded("browser-demo"), "subscribers": ["alice"]}
    async with launched() as browser, staged(browser, **settings) as stage:
        alice = await stage.login("alice", viewport={"width": 800, "height": 600})
        await alice.fill("#text", "hello, robot")
        await alice.click("#write button")
        await alice.wait_for_selector("#chat li:not(.mine)")
        await dial(alice, "carol")
        await alice.wait_for_selector(".stage.seen")
        await asyncio.sleep(1)
        await alice.click("#hangup")
        await call_state(alice, "ended")
        await alice.click("#logout")
        await state(alice, "ready")
        await stage.demo.close()
        return stage.demo.recording()


TRACES: dict[str, Callable[[Lab], Awaitable[None]]] = {
    "card-session": card_session,
    "faulty-network": faulty_network,
    "gba-login": gba_login,
    "ota-update": ota_update,
    "register-akav1": register_akav1,
    "register-akav2": register_akav2,
    "register-ipsec": register_ipsec,
    "register-resync": register_resync,
    "sdes-call": sdes_call,
    "webrtc-call": webrtc_call,
}


WITH_BROWSER = {"browser-demo": browser_demo}  # they need Chromium
ON_KAMAILIO = {"kamailio-call": kamailio_call}
# Where IPsec protects the access, networks ask for AKAv1 alone (TS 33.203, 6.1).
SETTINGS: dict[str, dict[str, Any]] = {"register-ipsec": {"policy": Policy(algorithms=("AKAv1-MD5",))}}


async def make(name: str) -> Path:
    """Make one trace and return its path."""
    if name in WITH_BROWSER:
        path = HERE / f"{name}.pcapng"
        path.write_bytes(await WITH_BROWSER[name]())
        return path
    lab = Lab(seed=name, core="kamailio" if name in ON_KAMAILIO else "embedded", **SETTINGS.get(name, {}))
    try:
        await {**TRACES, **ON_KAMAILIO}[name](lab)
        return lab.save(HERE / f"{name}.pcapng")
    finally:
        await lab.aclose()


def main(names: list[str]) -> int:
    """Make the named traces, or all."""
    known = [*TRACES, *WITH_BROWSER, *ON_KAMAILIO]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no trace is called {unknown[0]}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        if name in ON_KAMAILIO and (reason := missing()):
            print(f"{name}.pcapng stays as it is: {reason}", file=sys.stderr)
            continue
        path = asyncio.run(make(name))
        print(f"{path.name}: {path.stat().st_size} octets")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
