"""The interop kit: one profile, for peers that imslab did not write (floor 4).

    for verdict in judge(Profile.load("alice.json")):      # which peer can take it, and why not
        print(verdict.peer.name, verdict.takes, verdict.reasons)
    write(profile, "build/alice")                          # a folder for each, and a README

Peers: SIPp, pjsua, Kamailio, PyHSS, pySim, Wireshark; each is a module that names where its format and its
limits are from. What is written holds keys, as a card does.
"""

from imslab.interop.kit import PEERS, Verdict, chosen, judge, write
from imslab.interop.peer import Agreement, Limit, Peer, Target

__all__ = ["PEERS", "Agreement", "Limit", "Peer", "Target", "Verdict", "chosen", "judge", "write"]
