"""A certificate that is made at the start: who it names, how long it lives, that TLS takes it."""

import asyncio
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509

from imslab.errors import Malformed
from imslab.web.certificate import DAYS, make


def test_it_names_hosts_and_addresses() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    made = make(["127.0.0.1", "localhost", "::1"], now)
    read = x509.load_pem_x509_certificate(made.pem)
    names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("127.0.0.1"), ip_address("::1")]
    assert read.not_valid_before_utc < now < read.not_valid_after_utc
    assert read.not_valid_after_utc == now + timedelta(days=DAYS)
    assert not read.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.fingerprint == hashlib.sha256(ssl.PEM_cert_to_DER_cert(made.pem.decode())).digest()


def test_its_key_is_shown_nowhere() -> None:
    assert "PRIVATE" not in repr(make(["localhost"]))


def test_no_certificate_is_like_another() -> None:
    assert make(["localhost"]).fingerprint != make(["localhost"]).fingerprint


@pytest.mark.parametrize("names", [[], [""], ["UPPER"], ["ex ample"], ["exämple"]])
def test_what_is_no_name(names: list[str]) -> None:
    with pytest.raises(Malformed):
        make(names)


async def test_a_server_speaks_tls_with_it() -> None:
    made = make(["127.0.0.1"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=made.context())
    trusting = ssl.create_default_context(cadata=made.pem.decode())
    try:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()
    finally:
        server.close()
        await server.wait_closed()
