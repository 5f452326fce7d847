"""Sequence numbers against TS 33.102, annex C: both sides."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imslab.aka import (
    CounterGenerator,
    Freshness,
    Milenage,
    NotFresh,
    PartlyTimeGenerator,
    SqnArray,
    TimeGenerator,
    c2,
    c3,
    generate_auts,
    generate_vector,
    open_auts,
)
from imslab.aka.digest import nonce_for
from imslab.aka.sqn import join_sqn, split_sqn
from imslab.data import vectors
from imslab.errors import AkaError, MacFailure, Malformed

VECTORS = vectors("sqn")


def by_id(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("v", VECTORS[name], ids=[v["id"] for v in VECTORS[name]])


def octets(v: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(v[name]) for name in names]


@by_id("auc")
def test_auc(v: dict[str, Any]) -> None:
    k, opc, rand, amf = octets(v, "K", "OPc", "RAND", "AMF")
    m, sqn, ind_length = Milenage(k, opc), v["SQN"].to_bytes(6), v.get("ind_len", 5)
    assert split_sqn(sqn, ind_length)[1] == v["IND"]
    if v["kind"] == "auc_resync":
        sqn_ms = open_auts(m, rand, bytes.fromhex(v["AUTS"]))
        assert int.from_bytes(sqn_ms) == v["SQN_MS"]
        start = CounterGenerator(999, ind_length)
        assert start.resynchronise(sqn_ms, v["requested_ind"]).next(v["requested_ind"])[0] == sqn
        assert start.resynchronise(sqn_ms, v["requested_ind"]).next()[0] == sqn
    vector = generate_vector(m, rand, sqn, amf)
    assert vector.autn.hex() == v["AUTN"]
    assert vector.xres.hex() == v["RES"]
    assert vector.ck.hex() == v["CK"]
    assert vector.ik.hex() == v["IK"]
    assert nonce_for(rand, vector.autn) == v["ims_nonce"]
    assert c2(vector.xres).hex() == v["gsm_sres"]
    assert c3(vector.ck, vector.ik).hex() == v["gsm_kc"]


VERDICTS = {
    "accept": Freshness.ACCEPT,
    "sync_failure": Freshness.STALE,
    "sync_failure_delta": Freshness.TOO_FAR,
    "sync_failure_age": Freshness.TOO_OLD,
}


@by_id("usim")
def test_usim(v: dict[str, Any]) -> None:
    seq_ms = {int(ind): seq for ind, seq in v["seq_ms"].items()}
    array = SqnArray(seq_ms, v["ind_len"], v["delta"], v.get("L"))
    sqn = v["sqn"].to_bytes(6)
    assert split_sqn(sqn, v["ind_len"]) == (v["seq"], v["ind"])
    assert array.check(sqn) is VERDICTS[v["expect"]]
    if v["expect"] == "accept":
        assert array.accept(sqn).seq_ms == seq_ms | {v["ind"]: v["new_seq_ms_ind"]}
        return
    with pytest.raises(NotFresh) as refusal:
        array.accept(sqn)
    assert int.from_bytes(refusal.value.highest) == v["sqn_ms_in_auts"]
    assert refusal.value.freshness is VERDICTS[v["expect"]]


@by_id("auts")
def test_auts(v: dict[str, Any]) -> None:
    k, opc, rand, sqn_ms, auts = octets(v, "K", "OPc", "RAND", "SQN_MS", "AUTS")
    m = Milenage(k, opc)
    assert generate_auts(m, rand, sqn_ms) == auts
    assert open_auts(m, rand, auts) == sqn_ms
    for wrong in octets(v, "wrong_if_challenge_amf_used", "wrong_if_f5_used"):
        with pytest.raises(MacFailure):
            open_auts(m, rand, wrong)


# ---- the USIM side: bounds


@pytest.mark.parametrize(("seq", "verdict"), [(15, Freshness.ACCEPT), (16, Freshness.TOO_FAR)])
def test_delta_is_the_greatest_jump(seq: int, verdict: Freshness) -> None:
    array = SqnArray({0: 10}, delta=5)
    assert array.check(join_sqn(seq, 1)) is verdict


@pytest.mark.parametrize(("seq", "verdict"), [(6, Freshness.ACCEPT), (5, Freshness.TOO_OLD)])
def test_age_limit_is_the_first_age_that_is_too_old(seq: int, verdict: Freshness) -> None:
    array = SqnArray({0: 10}, age_limit=5)
    assert array.check(join_sqn(seq, 1)) is verdict


def test_the_limits_look_at_the_highest_of_the_whole_array() -> None:
    array = SqnArray({0: 100, 1: 10}, delta=20)
    assert array.check(join_sqn(115, 1)) is Freshness.ACCEPT


def test_no_limit() -> None:
    assert SqnArray(delta=None).check(b"\xff" * 6) is Freshness.ACCEPT
    assert SqnArray().check(b"\xff" * 6) is Freshness.TOO_FAR
    assert SqnArray().check(join_sqn(2**28, 0)) is Freshness.ACCEPT
    assert SqnArray().check(join_sqn(2**28 + 1, 0)) is Freshness.TOO_FAR


def test_the_array_has_a_slot_for_each_ind() -> None:
    array = SqnArray().accept(join_sqn(7, 3)).accept(join_sqn(5, 4))
    assert dict(array.seq_ms) == {3: 7, 4: 5}
    assert array.check(join_sqn(6, 3)) is Freshness.STALE
    assert array.highest == join_sqn(7, 3)


def test_of_two_equal_seq_the_higher_ind_is_highest() -> None:
    assert SqnArray({2: 9, 8: 9, 5: 9}).highest == join_sqn(9, 8)


def test_accept_leaves_the_old_state_alone() -> None:
    array = SqnArray()
    array.accept(join_sqn(1, 0))
    assert array == SqnArray()
    with pytest.raises(TypeError):
        array.seq_ms[0] = 9  # type: ignore[index]


def test_the_callers_mapping_is_copied() -> None:
    mine = {0: 1}
    array = SqnArray(mine)
    mine[0] = 99
    assert array.seq_ms[0] == 1


def test_from_highest() -> None:
    assert SqnArray.from_highest(join_sqn(77, 4)) == SqnArray({4: 77})
    assert SqnArray.from_highest(bytes(6), delta=None) == SqnArray(delta=None)


def test_copies() -> None:
    array = SqnArray({1: 2}, 6, None, 7)
    for twin in (copy.copy(array), copy.deepcopy(array), pickle.loads(pickle.dumps(array))):
        assert twin == array
        assert hash(twin) == hash(array)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq_ms": {32: 1}},
        {"seq_ms": {-1: 1}},
        {"seq_ms": {0: 2**43}},
        {"seq_ms": {0: -1}},
        {"ind_length": -1},
        {"ind_length": 17},
        {"delta": 0},
        {"age_limit": 0},
    ],
    ids=str,
)
def test_an_array_that_does_not_fit_is_malformed(wrong: Any) -> None:
    with pytest.raises(Malformed):
        SqnArray(**wrong)


@pytest.mark.parametrize("length", [0, 5, 7])
def test_sqn_has_6_octets(length: int) -> None:
    with pytest.raises(Malformed, match="6 octets"):
        SqnArray().check(bytes(length))


@given(st.integers(0, 2**48 - 1), st.integers(0, 16))
def test_split_and_join(value: int, ind_length: int) -> None:
    sqn = value.to_bytes(6)
    assert join_sqn(*split_sqn(sqn, ind_length), ind_length) == sqn


@given(st.lists(st.integers(0, 2**48 - 1), max_size=30))
def test_no_sqn_is_accepted_twice(values: list[int]) -> None:
    array, accepted = SqnArray(delta=None), []
    for value in values + values:
        sqn = value.to_bytes(6)
        if array.check(sqn) is Freshness.ACCEPT:
            array = array.accept(sqn)
            accepted.append(sqn)
    assert len(accepted) == len(set(accepted))


# ---- the AuC side


def run(generator: Any, *times: float, ind: int | None = None) -> list[tuple[int, int]]:
    given_out = []
    for now in times:
        sqn, generator = generator.next(ind, now=now)
        given_out.append(split_sqn(sqn, generator.ind_length))
    return given_out


def test_counter() -> None:
    assert run(CounterGenerator(), 0, 0, 0) == [(1, 1), (2, 2), (3, 3)]
    assert run(CounterGenerator(), 0, 0, ind=9) == [(1, 9), (2, 9)]
    assert run(CounterGenerator(31), 0) == [(1, 0)]


def test_time_based() -> None:
    assert run(TimeGenerator(), 1.0, 2.0) == [(10, 1), (20, 2)]
    assert run(TimeGenerator(dif=100), 1.0) == [(110, 1)]
    assert run(TimeGenerator(unit=1.0), 7.9) == [(7, 1)]


def test_a_clock_that_stands_or_goes_back_still_counts() -> None:
    assert [seq for seq, _ in run(TimeGenerator(), 1.0, 1.0, 0.5, 1.2)] == [10, 11, 12, 13]


def test_time_based_resynchronisation_keeps_the_distance_to_the_clock() -> None:
    generator = TimeGenerator().resynchronise(join_sqn(500, 3), 8, now=10.0)
    assert generator.dif == 400
    assert run(generator, 10.0, 20.0) == [(501, 8), (600, 9)]


def test_partly_time_based() -> None:
    p = 2**24
    assert run(PartlyTimeGenerator(), 5.0, 9.0) == [(5, 1), (9, 2)]
    # at most d vectors in d clock units: count, and do not go back
    assert run(PartlyTimeGenerator(), 5.0, 5.0, 5.0) == [(5, 1), (6, 2), (7, 3)]
    # the clock went round: SEQ1 counts
    assert run(PartlyTimeGenerator(p - 9 << 5), p - 1.0, p + 3.0) == [(p - 1, 1), (p + 3, 2)]


@pytest.mark.parametrize(
    ("seq2", "glc", "seq"),
    [
        (100, 101, 101),  # (i)   SEQ2 < GLC: the clock
        (100, 100, 101),  # (ii)  GLC = SEQ2: count
        (100, 93, 101),  # (ii)  SEQ2 = GLC + D - 1: count
        (100, 92, 256 + 92),  # (iii) GLC + D - 1 < SEQ2: next SEQ1
        (3, 251, 251),  # (i)   GLC < SEQ2 + p - D + 1
        (3, 252, 4),  # (ii)  SEQ2 + p - D + 1 <= GLC: count
    ],
)
def test_the_three_cases_of_annex_c_1_1_1(seq2: int, glc: int, seq: int) -> None:
    generator = PartlyTimeGenerator(seq2 << 5, seq2_length=8, d=8)
    assert run(generator, float(glc), ind=0) == [(seq, 0)]


@pytest.mark.parametrize("make", [CounterGenerator, TimeGenerator, PartlyTimeGenerator])
def test_after_auts_the_card_accepts(make: Any) -> None:
    card = SqnArray({7: 10**6}, delta=None)
    generator = make().resynchronise(card.highest, 7)
    sqn, _ = generator.next(7)
    assert card.check(sqn) is Freshness.ACCEPT


@pytest.mark.parametrize("make", [CounterGenerator, TimeGenerator, PartlyTimeGenerator])
def test_without_a_wish_auts_leads_to_ind_0(make: Any) -> None:
    seq, now = 10**6, 10.0**6  # the clock of PartlyTimeGenerator stands where the card stands
    generator = make().resynchronise(join_sqn(seq, 7), now=now)
    assert run(generator, now, now) == [(seq + 1, 0), (seq + 2, 1)]


@pytest.mark.parametrize("seq2_length", [1, 42])
def test_the_shortest_and_the_longest_seq2(seq2_length: int) -> None:
    assert run(PartlyTimeGenerator(seq2_length=seq2_length, d=1), 0.0, 1.0) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("make", [CounterGenerator, TimeGenerator, PartlyTimeGenerator])
@given(times=st.lists(st.floats(0, 1e9), max_size=20))
def test_a_card_accepts_every_sqn_of_one_generator(make: Any, times: list[float]) -> None:
    generator, array = make(), SqnArray(delta=None)
    for now in times:
        sqn, generator = generator.next(now=now)
        array = array.accept(sqn)


@pytest.mark.parametrize("make", [CounterGenerator, TimeGenerator, PartlyTimeGenerator])
def test_the_last_sqn_is_the_end(make: Any) -> None:
    with pytest.raises(AkaError):
        make(sqn_he=2**48 - 1).next()


@pytest.mark.parametrize("make", [CounterGenerator, TimeGenerator, PartlyTimeGenerator])
@pytest.mark.parametrize("wrong", [{"sqn_he": -1}, {"sqn_he": 2**48}, {"ind_length": 99}])
def test_a_generator_that_does_not_fit_is_malformed(make: Any, wrong: Any) -> None:
    with pytest.raises(Malformed):
        make(**wrong)


@pytest.mark.parametrize("make", [CounterGenerator, TimeGenerator, PartlyTimeGenerator])
def test_an_ind_that_does_not_fit_is_malformed(make: Any) -> None:
    with pytest.raises(Malformed, match="IND"):
        make().next(32)
    with pytest.raises(Malformed, match="IND"):
        make().resynchronise(bytes(6), 32)


@pytest.mark.parametrize(
    "wrong", [{"unit": 0}, {"seq2_length": 0}, {"seq2_length": 43}, {"d": 0}, {"d": 2**24}]
)
def test_a_clock_that_does_not_fit_is_malformed(wrong: Any) -> None:
    with pytest.raises(Malformed):
        PartlyTimeGenerator(**wrong)
