"""EAP-AKA on our card: wpa_supplicant's PC/SC code is the peer, hostapd the server, our HSS has the keys."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imslab.ims.hss import Hss
from imslab.net.hlr import Hlr, HlrSocket
from imslab.uicc import Profile

if TYPE_CHECKING:
    from tests.pcsc.conftest import Station

pytestmark = pytest.mark.component("pcscd", "vpcd", "pyscard", "eapol_test", "hostapd")
HOSTAPD = """driver=none
interface=lo
radius_server_clients={0}/clients
radius_server_auth_port=18120
eap_server=1
eap_user_file={0}/users
eap_sim_db=unix:{0}/hlr.sock
"""
NETWORK = 'network={\n key_mgmt=WPA-EAP\n eap=AKA\n pcsc=""\n}\n'
PEER = ["eapol_test", "-c", "network.conf", "-a", "127.0.0.1", "-p", "18120", "-s", "secret", "-t", "10"]


@dataclass
class Site:
    """A station with hostapd in it, and the HSS behind it."""

    station: "Station"
    hss: Hss
    hlr: Hlr
    answering: HlrSocket
    profile: Profile

    def authenticate(self) -> tuple[str, str]:
        """Let the peer authenticate: return its verdict, and all that it said."""
        file, end = self.station.scratch / "said", time.monotonic() + 40
        with file.open("w") as output:
            peer = self.station.start(*PEER, "-R", "Virtual PCD 00 00", output=output.fileno())
            while peer.poll() is None and time.monotonic() < end:
                self.answering.serve(0.05)
        said = file.read_text("utf-8", "replace")
        return said.split()[-1], said


@pytest.fixture
def site(station: "Station") -> Iterator[Site]:
    there = Path(station.scratch)
    (there / "clients").write_text("127.0.0.1 secret\n")
    (there / "users").write_text('"0"*\tAKA\n')
    (there / "hostapd.conf").write_text(HOSTAPD.format(there))
    (there / "network.conf").write_text(NETWORK)
    profile = Profile.load(station.profile("alice"))
    hss = Hss(random=os.urandom)
    hss.add(profile)
    hlr = Hlr(hss, {profile.imsi: profile.impi})
    answering = HlrSocket(hlr, there / "hlr.sock")
    # T=0 alone: wpa_supplicant leaves room for 61xx and no more, which a T=1 card does not answer.
    station.serve("--profile", "alice")
    hostapd = station.start("hostapd", str(there / "hostapd.conf"))
    station.wait_for(hostapd, "AP-ENABLED")
    yield Site(station, hss, hlr, answering, profile)
    answering.close()
    hss.close()


def test_the_card_proves_itself_and_catches_up(site: Site) -> None:
    verdict, said = site.authenticate()
    assert verdict == "SUCCESS", said
    assert "SCARD: 3G USIM app found" in said
    assert (
        f"0{site.profile.imsi}@wlan.mnc001.mcc001.3gppnetwork.org" in said
    )  # EF.AD says how long the MNC is
    assert site.hlr.resynchronised == 0
    site.hss.forget_sqn(site.profile.impi)  # a restored backup: the card answers AUTS, the HSS learns from it
    verdict, said = site.authenticate()
    assert verdict == "SUCCESS", said
    assert site.hlr.resynchronised == 1


def test_a_network_that_does_not_know_k_is_refused(site: Site) -> None:
    site.hss.add(replace(site.profile, k=bytes(16)))
    verdict, said = site.authenticate()
    assert verdict == "FAILURE", said
    assert "98 62" in said  # the card said: incorrect MAC
