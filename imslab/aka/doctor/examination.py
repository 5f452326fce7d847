"""The whole examination: AUTN, freshness, AUTS, RES, response, in the order in which they come into being."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from imslab.aka import digest
from imslab.aka.doctor.answer import attempts_as_given, changes_for, res_shapes, search
from imslab.aka.doctor.causes import Fault, cause_of
from imslab.aka.doctor.credentials import Reading, answer_readings, singles
from imslab.aka.doctor.diagnosis import Check, Diagnosis, Result
from imslab.aka.doctor.evidence import Evidence
from imslab.aka.doctor.network import Network, View, examine_network, reading_as_given
from imslab.aka.doctor.resynchronisation import examine_auts
from imslab.aka.sqn import DELTA, Freshness, SqnArray, split_sqn
from imslab.aka.vector import generate_auts
from imslab.errors import Malformed


def explain(evidence: Evidence, *, reveal: bool = False) -> Diagnosis:
    """Return what is right and what is wrong in ``evidence``, and the cause of what is wrong.

    A cause is named only when the computation with this fault gives exactly what was seen; single faults
    are tried before pairs. RES, CK and IK are shown only with ``reveal``; K and the operator values never.
    Raises Malformed when there is no K.
    """
    if not evidence.k:
        raise Malformed("k is missing", expected="16 or 32 octets")
    examination = _Examination(evidence, examine_network(evidence))
    examination.check_autn()
    if examination.network.reading is not None:
        examination.check_configured_amf()
        examination.check_auts()
        examination.check_freshness()
        examination.check_res()
        examination.check_keys()
        examination.check_response()
        if reveal:
            examination.reveal()
    return examination.diagnosis()


def explain_known(evidence: Evidence, known: Reading, source: str) -> Diagnosis:
    """Return what is right and wrong in an answer when RES, CK and IK are known and K is not.

    ``known`` (``known_reading``) computes them for this challenge; ``source`` says in words where they
    stand. Whether MAC-A and MAC-S are right stays open: that takes K.
    """
    rand, autn, _ = evidence.challenge()
    examination = _Examination(evidence, Network(False, View((), rand, autn), known))
    examination.leave_open(source)
    examination.check_res()
    examination.check_keys()
    examination.check_response()
    return examination.diagnosis()


@dataclass(slots=True)
class _Examination:
    evidence: Evidence
    network: Network
    checks: list[Check] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    tried: dict[str, None] = field(default_factory=dict)

    # ---- the network's side

    def check_autn(self) -> None:
        view, reading = self.network.view, self.network.reading
        self.faults += self.network.faults
        if reading is None:
            self._say("credentials", Result.WRONG, "they cannot be those of the algorithm that is named")
            self.tried.update(dict.fromkeys(self.network.tried))
            return
        xmac = self.values["XMAC"] = _xmac_as_given(self.evidence, reading)
        if not self.network.verified:
            self._say("MAC-A", Result.WRONG, f"XMAC is {xmac}, AUTN has {view.autn[8:].hex()}")
            self.tried.update(dict.fromkeys(self.network.tried))
            return
        sqn = view.sqn(reading)
        seq, ind = split_sqn(sqn, self.evidence.ind_length)
        self.values["SQN"] = f"{sqn.hex()} (SEQ {seq}, IND {ind})"
        if self.network.faults:
            self._say("MAC-A", Result.WRONG, f"XMAC is {xmac}; it is right only with the fault named below")
        else:
            self._say("MAC-A", Result.RIGHT, "XMAC, with the AMF of AUTN, is MAC-A: the network knows K")

    def leave_open(self, source: str) -> None:
        """Say what cannot be checked without K."""
        self._say("MAC-A", Result.OPEN, f"that takes K; RES, CK and IK are those that stand in {source}")
        if self.evidence.auts is not None:
            self._say("AUTS", Result.OPEN, "MAC-S takes K")

    def check_configured_amf(self) -> None:
        """Say that a client with a configured AMF refuses a right AUTN, unless something was accepted."""
        configured, amf = self.evidence.amf, self.network.view.autn[6:8]
        if configured is None or configured == amf or not self.network.verified:
            return
        if any(fault.code == "amf-from-configuration" for fault in self.faults):
            return
        e = self.evidence
        accepted = e.res is not None or e.auts is not None or e.response
        detail = f"AUTN has {amf.hex()}, the configuration {configured.hex()}"
        self._say("AMF", Result.NOTE if accepted else Result.WRONG, detail)
        if not accepted:
            self.faults.append(Fault("amf-from-configuration", configured.hex()))

    def check_freshness(self) -> None:
        reading, e = self.network.reading, self.evidence
        if reading is None or not self.network.verified or e.sqn is None:
            return
        sqn = self.network.view.sqn(reading)
        array = SqnArray.from_highest(e.sqn, e.ind_length, e.delta)
        freshness = array.check(sqn)
        seq, ind = split_sqn(sqn, e.ind_length)
        seq_ms, ind_ms = split_sqn(e.sqn, e.ind_length)
        against = f"SEQ {seq} (IND {ind}) against SEQ_MS {seq_ms} (IND {ind_ms})"
        if freshness is not Freshness.ACCEPT:
            self._say("freshness", Result.WRONG, f"{freshness}: {against}")
            self.faults.append(Fault("sqn-not-fresh", f"{freshness}, {against}"))
            self.values["AUTS"] = generate_auts(reading.functions, self.network.view.rand, e.sqn).hex()
        elif seq <= seq_ms:
            self._say("freshness", Result.NOTE, f"{against}: fresh only in a card with an array of INDs")
        else:
            self._say("freshness", Result.RIGHT, against)

    # ---- the card's side

    def check_auts(self) -> None:
        reading, e = self.network.reading, self.evidence
        if reading is None or e.auts is None:
            return
        rand, amf = self.network.view.rand, self.network.view.autn[6:8]
        try:
            found = examine_auts(e, reading, self._other_readings(reading), rand, amf)
        except Malformed as error:
            self._say("AUTS", Result.WRONG, str(error))
            return
        self.faults += found.faults
        if found.sqn_ms is None:
            self._say("AUTS", Result.WRONG, "MAC-S is not what it should be")
            self.tried.update(dict.fromkeys(found.tried))
            return
        self.values["SQN_MS"] = found.sqn_ms.hex()
        if found.faults:
            self._say("AUTS", Result.WRONG, "MAC-S is right only with the fault named below")
            self.values["AUTS"] = generate_auts(reading.functions, rand, found.sqn_ms).hex()
        else:
            self._say("AUTS", Result.RIGHT, "MAC-S is right: the card knows K")
        self._compare_with_sqn_ms(reading, found.sqn_ms)

    def _compare_with_sqn_ms(self, reading: Reading, sqn_ms: bytes) -> None:
        if not self.network.verified:
            return
        seq, _ = split_sqn(self.network.view.sqn(reading), self.evidence.ind_length)
        seq_ms, _ = split_sqn(sqn_ms, self.evidence.ind_length)
        if seq <= seq_ms:
            why = "the challenge is not above it, so the card was right to ask for more"
        elif seq - seq_ms > DELTA:
            why = "the challenge is more than delta above it, so the card was right to refuse"
        else:
            why = "the challenge is above it: look at the slot of its IND, or at a smaller delta"
        self._say("SQN_MS", Result.NOTE, f"SEQ_MS is {seq_ms}, SEQ {seq}: {why}")

    def check_res(self) -> None:
        reading, seen = self.network.reading, self.evidence.res
        if reading is None or seen is None:
            return
        rand = self.network.view.rand
        steps = [((), reading.functions.f2(rand)), *self._wrong_res(reading, rand)]
        faults = next((faults for faults, res in steps if hmac.compare_digest(res, seen)), None)
        if faults is None:
            self._say("RES", Result.WRONG, f"the RES that was seen ({len(seen)} octets) is another")
            self.tried.update(dict.fromkeys(fault.code for faults, _ in steps for fault in faults))
            return
        self._found("RES", faults, "the RES that was seen is the one that the card computes")

    def _wrong_res(self, reading: Reading, rand: bytes) -> Iterable[tuple[tuple[Fault, ...], bytes]]:
        found: list[tuple[tuple[Fault, ...], bytes]] = [((), reading.functions.f2(rand))]
        found += [(other.faults, other.functions.f2(rand)) for other in self._other_readings(reading)]
        yield from found[1:]
        for faults, res in found:
            for description, shape in res_shapes(res):
                yield (*faults, Fault("res-length", description)), shape
            yield (*faults, Fault("res-as-hex")), res.hex().encode()
            yield (*faults, Fault("res-as-hex")), res.hex().upper().encode()

    def check_keys(self) -> None:
        reading, e = self.network.reading, self.evidence
        if reading is None or e.ck is None or e.ik is None:
            return
        _, ck, ik, _ = reading.functions.f2_to_f5(self.network.view.rand)
        steps: list[tuple[tuple[Fault, ...], tuple[bytes, bytes]]] = [((), (ck, ik))]
        if e.derived:
            expected = digest.session_keys(e.digest_algorithm, ck, ik)
            steps = [((), expected), ((Fault("ck-ik-not-derived"),), (ck, ik))]
        swapped = Fault("ck-ik-exchanged")
        steps += [((*faults, swapped), (two, one)) for faults, (one, two) in steps]
        faults = next(
            (faults for faults, keys in steps if hmac.compare_digest(b"".join(keys), e.ck + e.ik)), None
        )
        if faults is None:
            self._say("CK and IK", Result.WRONG, "those that were seen are others")
        else:
            self._found("CK and IK", faults, "those that were seen are the ones that the card computes")

    def check_response(self) -> None:
        reading, e = self.network.reading, self.evidence
        if reading is None or e.response is None:
            return
        rand = self.network.view.rand
        attempts = attempts_as_given(e, reading, rand)
        self.values["response"] = attempts[0][0].response()
        if not e.response:
            self._say(
                "response", Result.WRONG, "empty: whoever answered did not accept MAC-A (TS 24.229 5.1.1.5.3)"
            )
            return
        found: list[tuple[Fault, ...]] = []
        tried: dict[str, None] = {}
        for base, already in attempts:
            changes = changes_for(e, base, self._other_readings(reading), rand)
            faults = search(base, changes, e.response)
            found += [] if faults is None else [(*already, *faults)]
            tried.update(dict.fromkeys(fault.code for change in changes for fault in change.faults))
        if found:
            self._found("response", min(found, key=len), "it is the one that was expected")
            return
        self.tried.update(tried)
        self._say("response", Result.WRONG, f"{self.values['response']} was expected")

    def _other_readings(self, reading: Reading) -> list[Reading]:
        """Return the credentials as the other side may have them."""
        given = reading_as_given(self.evidence)
        others = [*answer_readings(reading), *singles(self.evidence)]
        if given is not None and reading.faults:
            others.insert(0, given)
        return [other for other in others if other.credentials != reading.credentials]

    # ---- the end

    def reveal(self) -> None:
        reading = self.network.reading
        if reading is not None:
            res, ck, ik, ak = reading.functions.f2_to_f5(self.network.view.rand)
            for name, value in (("RES", res), ("CK", ck), ("IK", ik), ("AK", ak)):
                self.values[name] = value.hex()

    def diagnosis(self) -> Diagnosis:
        view = self.network.view
        parts = {
            "RAND": view.rand,
            "SQN xor AK": view.autn[:6],
            "AMF": view.autn[6:8],
            "MAC-A": view.autn[8:],
        }
        server_data = self.evidence.challenge()[2]
        if server_data:
            parts["server data"] = server_data
        causes = tuple(cause_of(fault) for fault in dict.fromkeys(self.faults))
        return Diagnosis(parts, tuple(self.checks), self.values, causes, tuple(self.tried))

    def _found(self, name: str, faults: tuple[Fault, ...], right: str) -> None:
        self.faults += faults
        wrong = "what was seen comes out only with the fault named below"
        self._say(name, Result.WRONG if faults else Result.RIGHT, wrong if faults else right)

    def _say(self, name: str, result: Result, detail: str) -> None:
        self.checks.append(Check(name, result, detail))


def _xmac_as_given(evidence: Evidence, fitting: Reading) -> str:
    given = reading_as_given(evidence) or fitting
    rand, autn, _ = evidence.challenge()
    xmac = View((), rand, autn).xmac(given)
    if given.credentials.algorithm == "xor" and not hmac.compare_digest(xmac, autn[8:]):
        return "another (not shown: with the XOR algorithm it would give K away)"
    return xmac.hex()
