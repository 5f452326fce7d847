"""The card: a software UICC with USIM and ISIM, its files, the client of any card, links, recordings.

Spec: ETSI TS 102 221; 3GPP TS 31.102, TS 31.103. Octets in, octets out: no reader, no clock, no socket here.
"""

from imslab.uicc.apdu import Command
from imslab.uicc.card import Card
from imslab.uicc.fcp import Fcp
from imslab.uicc.isim import IsimClient, IsimProfile
from imslab.uicc.link import Exchange, Link, Recorder, Replayer, exchange, obtain
from imslab.uicc.narrator import Narrator, authenticate_parts, explain_apdu
from imslab.uicc.profile import Profile
from imslab.uicc.store import FileStore, MemoryStore, Store

__all__ = [
    "Card",
    "Command",
    "Exchange",
    "Fcp",
    "FileStore",
    "IsimClient",
    "IsimProfile",
    "Link",
    "MemoryStore",
    "Narrator",
    "Profile",
    "Recorder",
    "Replayer",
    "Store",
    "authenticate_parts",
    "exchange",
    "explain_apdu",
    "obtain",
]
