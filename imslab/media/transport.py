"""One ICE and DTLS transport of aiortc: kept to one address, and watched.

Spec: RFC 8445 (ICE), RFC 5763 and RFC 5764 (DTLS-SRTP). aiortc 1.16 and aioice 0.13 have no option for the
address, the SRTP profile, the key log or the datagrams, so each is put on the objects of this one connection;
nothing is changed for anybody else's. Tests fail when a later version moves what is used here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imslab.errors import FingerprintMismatch, ImslabError, NetworkError, SrtpError
from imslab.media.description import readable
from imslab.srtp.dtls import Ledger, Role
from imslab.srtp.fingerprint import check_fingerprints
from imslab.srtp.profiles import Profile

Datagram = Callable[[tuple[str, int], tuple[str, int], bytes], None]  # source, destination, octets


@dataclass(frozen=True, slots=True)
class Keying:
    """What a DTLS handshake left for SRTP, as this end sees it.

    ``ledger``         the exporter's octets, and who uses which (RFC 5764, section 4.2)
    ``role``           this end's: "client" (a=setup:active) or "server"
    ``client_random``  32 octets: the second word of the line in the key log
    ``server_random``  32 octets
    ``cipher``         of DTLS itself, in OpenSSL's words
    ``certificate``    the peer's, DER: what ``a=fingerprint`` is the hash of
    """

    ledger: Ledger
    role: Role
    client_random: bytes
    server_random: bytes
    cipher: str
    certificate: bytes = field(repr=False)

    @property
    def profile(self) -> Profile:
        """The SRTP protection profile that was agreed."""
        return self.ledger.profile


class Watched:
    """A DTLS transport of aiortc, before it is used."""

    def __init__(
        self,
        dtls: Any,
        *,
        host: str,
        profiles: tuple[Profile, ...],
        on_state: Callable[[], None],
        on_secret: Callable[[bytes], None],
        on_rtp: Callable[[bytes, bool], None],
        on_sent: Datagram,
        on_arrived: Datagram,
    ) -> None:
        self.dtls, self.ice = dtls, dtls.transport
        self.host = host
        self._on_sent, self._on_arrived = on_sent, on_arrived
        self._mismatch: FingerprintMismatch | None = None
        self._keep_to_the_host()
        if profiles:
            dtls._srtp_profiles = [_for_aiortc(profile) for profile in profiles]
        self._log_keys(on_secret)
        self._watch_rtp(on_rtp)
        self._check_identity()
        self.dtls.on("statechange", on_state)
        self.ice.on("statechange", on_state)

    @property
    def keyed(self) -> bool:
        """Whether the handshake is done and the peer is who its SDP says; still true after the end."""
        return self.dtls.state in ("connected", "closed") and self.dtls._rx_srtp is not None

    @property
    def keying(self) -> Keying | None:
        """The keys of the handshake, once it is done."""
        if not self.keyed:
            return None
        ssl = self.dtls._ssl
        return Keying(
            Ledger.from_connection(ssl),
            self.dtls._role,
            ssl.client_random(),
            ssl.server_random(),
            ssl.get_cipher_name(),
            self._certificate,
        )

    @property
    def fault(self) -> ImslabError | None:
        """Why the transport failed, or None while it has not."""
        if self.ice.state == "failed":
            return NetworkError(f"ICE found no way from {self.host} to the peer: its addresses do not answer")
        if self.dtls.state != "failed":
            return None
        if not self.dtls.encrypted:
            return NetworkError("the DTLS handshake failed: the peer refused it, or went away")
        if self._mismatch is not None:
            return self._mismatch
        return SrtpError("the two ends have no SRTP profile in common: let both offer one that both know")

    @property
    def _certificate(self) -> bytes:
        """The peer's, DER."""
        from cryptography.hazmat.primitives.serialization import Encoding

        certificate = self.dtls._ssl.get_peer_certificate(as_cryptography=True)
        return bytes(certificate.public_bytes(Encoding.DER))

    def _keep_to_the_host(self) -> None:
        """Gather one candidate, on this host; ask nobody for names of the local network (mDNS)."""
        connection = self.ice._connection
        add = connection.add_remote_candidate

        async def gather() -> None:
            if connection._local_candidates_start:
                return
            connection._local_candidates_start = True
            connection._local_candidates += await connection.get_component_candidates(1, [self.host])
            connection._local_candidates_end = True
            if not connection._local_candidates:
                raise NetworkError(f"{self.host} is no address of this machine: choose another")
            for protocol in connection._protocols:
                self._watch_datagrams(protocol)

        hidden: list[Any] = []

        async def unless_a_name(candidate: Any) -> None:
            # Where a browser hides its addresses behind names its checks will tell them: more is to come.
            if candidate is not None and candidate.host.endswith(".local"):
                hidden.append(candidate)
            elif candidate is not None or not hidden:
                await add(candidate)

        connection.gather_candidates = gather
        connection.add_remote_candidate = unless_a_name

    def _watch_datagrams(self, protocol: Any) -> None:
        local = protocol.transport.get_extra_info("sockname")[:2]
        receive = protocol.datagram_received

        def received(data: bytes, addr: tuple[Any, ...]) -> None:
            self._on_arrived(addr[:2], local, data)
            receive(data, addr)

        protocol.datagram_received = received
        protocol.transport = _Telling(protocol.transport, lambda to, data: self._on_sent(local, to, data))

    def _log_keys(self, on_secret: Callable[[bytes], None]) -> None:
        certificate = self.dtls._RTCDtlsTransport__local_certificate
        create = certificate._create_ssl_context

        def create_and_log(srtp_profiles: Any) -> Any:
            context = create(srtp_profiles)
            context.set_keylog_callback(lambda _, line: on_secret(line))
            return context

        certificate._create_ssl_context = create_and_log

    def _watch_rtp(self, on_rtp: Callable[[bytes, bool], None]) -> None:
        """Show each RTP packet in clear: those that were opened, and those before they are protected."""
        from aiortc.rtp import is_rtcp

        receive, send = self.dtls._handle_rtp_data, self.dtls._send_rtp

        async def received(data: bytes, arrival_time_ms: int) -> None:
            on_rtp(data, True)
            await receive(data, arrival_time_ms)

        async def sent(data: bytes) -> None:
            await send(data)
            if not is_rtcp(data):
                on_rtp(data, False)

        self.dtls._handle_rtp_data, self.dtls._send_rtp = received, sent

    def _check_identity(self) -> None:
        """Find out why, where aiortc's comparison of the fingerprints only says that the transport failed.

        aiortc wants every fingerprint to match, where RFC 8122, 5.1, is content with the strongest.
        """
        validate = self.dtls._validate_peer_identity

        def validated(parameters: Any) -> None:
            for one in parameters.fingerprints:
                try:
                    check_fingerprints(readable([f"{one.algorithm} {one.value}"]), self._certificate)
                except FingerprintMismatch as error:
                    self._mismatch = self._mismatch or error
            validate(parameters)

        self.dtls._validate_peer_identity = validated


class _Telling:
    """A datagram transport that tells what it sends."""

    def __init__(self, transport: Any, tell: Callable[[tuple[str, int], bytes], None]) -> None:
        self._transport, self._tell = transport, tell

    def sendto(self, data: bytes, addr: tuple[str, int]) -> None:
        self._tell(addr[:2], data)
        self._transport.sendto(data, addr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _for_aiortc(profile: Profile) -> Any:
    """Return aiortc's value for a profile; it knows three, and takes a fourth."""
    from aiortc.rtcdtlstransport import SRTPProtectionProfile
    from pylibsrtp import Policy

    number = getattr(Policy, f"SRTP_PROFILE_{_openssl(profile).removeprefix('SRTP_')}", None)
    if number is None:
        raise SrtpError(f"{profile} is no profile of a WebRTC call: choose one of {', '.join(WEBRTC)}")
    return SRTPProtectionProfile(number, _openssl(profile).encode(), profile.key_length, profile.salt_length)


def _openssl(profile: Profile) -> str:
    return (profile.dtls_name or "").replace("_HMAC", "")


WEBRTC = ("AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
