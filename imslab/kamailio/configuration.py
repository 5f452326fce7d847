"""What Kamailio is told: a configuration file for each CSCF, its Diameter peer, and the table of S-CSCFs.

The templates beside this module are complete and commented Kamailio configurations; ``@NAME@`` in them stands
for a value of ``Configuration``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from imslab.aka import digest
from imslab.errors import ImslabError, Malformed

CSCFS = ("scscf", "icscf", "pcscf")  # in the order in which they are started
ALGORITHMS = ("AKAv1-MD5", "AKAv2-MD5")  # the AKA that Kamailio knows by name
_MODULES = (
    "/usr/lib/x86_64-linux-gnu/kamailio/modules",
    "/usr/lib/aarch64-linux-gnu/kamailio/modules",
    "/usr/lib/kamailio/modules",
    "/usr/lib64/kamailio/modules",
    "/usr/local/lib/kamailio/modules",
    "/usr/local/lib64/kamailio/modules",
)
_PLACE = re.compile(r"@([A-Z_]+)@")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where each node listens, and what the S-CSCF asks for.

    ``algorithm``  the digest that the S-CSCF offers: Kamailio offers one. It computes AKAv1 only; under
                   AKAv2-MD5 it compares with what the HSS gives it, and ours gives the password of RFC 4169
    ``trace``      host and port that get a copy of every message (HEP version 3)

    Raises Malformed for an algorithm that Kamailio does not know, and for a domain that is none.
    """

    pcscf: str = "127.0.0.21"
    icscf: str = "127.0.0.25"
    scscf: str = "127.0.0.31"
    hss: str = "127.0.0.41"
    domain: str = "ims.mnc001.mcc001.3gppnetwork.org"
    port: int = 5060
    websocket_port: int = 5080
    diameter_port: int = 3868
    algorithm: str = "AKAv1-MD5"
    trace: tuple[str, int] = ("127.0.0.1", 9060)

    def __post_init__(self) -> None:
        if digest.canonical(self.algorithm) not in ALGORITHMS:
            raise Malformed(f"Kamailio does not know {self.algorithm}", expected=" or ".join(ALGORITHMS))
        if not _DOMAIN.fullmatch(self.domain):
            raise Malformed(f"{self.domain!r} is no domain name")

    def write(self, directory: Path) -> dict[str, Path]:
        """Write all files into ``directory``; return the configuration file of each CSCF.

        Raises ImslabError when that cannot be done.
        """
        try:
            (directory / "tables").mkdir(parents=True, exist_ok=True)
            for name, text in self.files(directory).items():
                (directory / name).write_text(text, "utf-8")
        except OSError as error:
            raise ImslabError(f"{directory} cannot be written: {error.strerror or error}") from None
        return {name: directory / f"{name}.cfg" for name in CSCFS}

    def files(self, directory: Path) -> dict[str, str]:
        """Return the text of each file by its name in ``directory``, where Kamailio will look for it."""
        found = {f"tables/{name}": text for name, text in self._tables().items()}
        found |= {f"{name}.cfg": self._render(f"{name}.cfg", directory) for name in CSCFS}
        for name in ("icscf", "scscf"):
            found[f"{name}.xml"] = self._render("diameter.xml", directory, self._diameter(name))
        return found

    def _render(self, template: str, directory: Path, own: Mapping[str, str] | None = None) -> str:
        values = {**self._values(directory), **(own or {})}
        text = (files("imslab.kamailio") / "templates" / template).read_text("utf-8")
        return _PLACE.sub(lambda found: values[found[1]], text)

    def _values(self, directory: Path) -> dict[str, str]:
        host, port = self.trace
        return {
            "PCSCF": self.pcscf,
            "ICSCF": self.icscf,
            "SCSCF": self.scscf,
            "HSS": self.hss,
            "PORT": str(self.port),
            "WEBSOCKET_PORT": str(self.websocket_port),
            "DIAMETER_PORT": str(self.diameter_port),
            "DOMAIN": self.domain,
            "ALGORITHM": self.algorithm,
            "TRACE": f"{host}:{port}",
            "DIRECTORY": str(directory),
            "MODULES": next((path for path in _MODULES if Path(path).is_dir()), _MODULES[0]) + "/",
        }

    def _diameter(self, name: str) -> dict[str, str]:
        place = {"icscf": (self.icscf, 3869), "scscf": (self.scscf, 3870)}[name]
        return {"NAME": name, "ADDRESS": place[0], "ACCEPTOR": str(place[1])}

    def _tables(self) -> dict[str, str]:
        """Return the tables of the I-CSCF, as db_text has them: a colon within a field is escaped."""
        uri = f"sip:{self.scscf}:{self.port}".replace(":", r"\:")
        return {
            "nds_trusted_domains": f"id(int) trusted_domain(string)\n1:{self.domain}\n",
            "s_cscf": f"id(int) name(string) s_cscf_uri(string)\n1:first:{uri}\n",
            "s_cscf_capabilities": "id(int) id_s_cscf(int) capability(int)\n1:1:0\n2:1:1\n",
        }
