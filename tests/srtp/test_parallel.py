"""Several processes give the answers of one: whatever lies at the cut between their pieces."""

import os
from pathlib import Path

import numpy as np
import pytest

from imslab.errors import Malformed, SrtpError
from imslab.srtp import bulk, parallel
from imslab.srtp.bulk import Reason

CM, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
COUNT = 60  # packets of a stream: the cut lies behind the 30th


@pytest.fixture(scope="module", name="workers")
def workers_fixture():
    with parallel.Workers(2) as workers:
        yield workers


@pytest.fixture(autouse=True)
def _few_packets_are_enough(monkeypatch):
    monkeypatch.setattr(parallel, "_FEWEST", 10)


def lay(packets):
    length = np.array([len(packet) for packet in packets], np.int64)
    return b"head" + b"".join(packets), np.cumsum(length) - length + 4, length


@pytest.fixture(name="same")
def same_fixture(workers, master):
    """Give what opens packets both ways, compares everything, and returns the reasons."""

    def compare(name, packets, **options):
        one = bulk.unprotect(*master(name), *lay(packets), **options)
        two = workers.unprotect(*master(name), *lay(packets), **options)
        for field in ("reason", "index", "ssrc", "length"):
            assert getattr(one, field).tolist() == getattr(two, field).tolist(), field
        assert [one[i] for i in range(len(one))] == [two[i] for i in range(len(two))]
        return two.reason

    return compare


def streams(session, rtp, *, first=65510, ssrcs=(7, 9), count=COUNT):
    """Return the packets of two mixed streams over the wrap."""
    return [session.protect(rtp(first + n // len(ssrcs), ssrc=ssrcs[n % len(ssrcs)])) for n in range(count)]


@pytest.mark.parametrize("name", [CM, GCM])
def test_a_good_stream(name, same, session, rtp):
    assert same(name, streams(session(name), rtp)).tolist() == [Reason.OPENED] * COUNT


def test_the_roc_is_another_behind_the_cut(same, session, rtp):
    packets = streams(session(), rtp, first=65520, ssrcs=(7,))
    assert same(CM, packets, roc=0).tolist() == [Reason.OPENED] * COUNT
    assert Reason.OPENED not in same(CM, packets, roc=3)


@pytest.mark.parametrize("distance", [1, 5, 20])
def test_a_replay_over_the_cut(distance, same, session, rtp):
    packets = streams(session(), rtp)
    packets.insert(31, packets[31 - distance])
    assert np.flatnonzero(same(CM, packets) == Reason.REPLAYED).tolist() == [31]


@pytest.mark.parametrize("name", [CM, GCM])
@pytest.mark.parametrize("position", [0, 28, 29, 30, 59])
def test_a_forgery_near_the_cut(name, position, same, session, rtp):
    packets = streams(session(name), rtp)
    forged = packets[position][:-1] + bytes([packets[position][-1] ^ 1])
    good = [*packets[:position], forged, *packets[position:]]
    assert np.flatnonzero(same(name, good) == Reason.AUTHENTICATION_FAILED).tolist() == [position]


def test_a_forged_jump_before_the_cut(same, session, rtp):
    """Everything behind it would have another ROC, if it were believed."""
    packets = streams(session(), rtp, ssrcs=(7,))
    packets.insert(29, packets[29][:2] + b"\x7f\xff" + packets[29][4:])
    reason = same(CM, packets)
    assert np.flatnonzero(reason != Reason.OPENED).tolist() == [29]


def test_a_stream_of_another_key_among_ours(same, session, rtp, master):
    theirs = session("AES_CM_128_HMAC_SHA1_80", roc=5)
    packets = [
        packet
        for pair in zip(streams(session(), rtp), streams(theirs, rtp, ssrcs=(11,)), strict=True)
        for packet in pair
    ]
    reason = same(CM, packets)
    assert set(reason[1::2].tolist()) == {Reason.AUTHENTICATION_FAILED}
    assert set(reason[::2].tolist()) == {Reason.OPENED}


def test_bad_packets_and_a_roc_by_ssrc(same, session, rtp):
    packets = streams(session(mki=b"k"), rtp, ssrcs=(7,))
    packets[5], packets[40] = b"\x80", packets[40][:-11] + b"x" + packets[40][-10:]
    reason = same(CM, packets, mki=b"k", roc={7: 0})
    assert (reason[5], reason[40]) == (Reason.MALFORMED, Reason.REFUSED)


def test_srtcp(same, session, rtcp):
    sender = session()
    packets = [sender.protect_rtcp(rtcp(7 + n % 2)) for n in range(COUNT)]
    assert same(CM, [*packets, packets[29]], rtcp=True)[-1] == Reason.REPLAYED


def test_checking_alone_gives_no_octets(workers, session, rtp, master):
    found = workers.unprotect(*master(CM), *lay(streams(session(), rtp)), decrypt=False)
    assert found.ok.all() and not found.length.any()


def test_packets_tried_under_several_indices_may_not_fit_their_room(same, session, rtp):
    """A jump that is forged makes a process open all others twice."""
    packets = streams(session(), rtp, first=100, ssrcs=(7,), count=40)
    packets.insert(21, packets[21][:2] + b"\x90\0" + packets[21][4:])
    assert np.flatnonzero(same(CM, packets) != Reason.OPENED).tolist() == [21]


def test_octets_may_be_in_a_file(workers, session, rtp, master, tmp_path):
    octets, start, length = lay(streams(session(), rtp))
    path = tmp_path / "capture"
    path.write_bytes(octets)
    path.chmod(0o400)
    found = workers.unprotect(*master(CM), path, start, length)
    assert list(found) == list(bulk.unprotect(*master(CM), octets, start, length))
    assert path.read_bytes() == octets
    empty = tmp_path / "empty"
    empty.touch()
    assert len(workers.unprotect(*master(CM), empty, [], [])) == 0


def test_a_few_packets_are_not_sent_away(workers, session, rtp, master, monkeypatch):
    monkeypatch.setattr(parallel, "_open", None)  # nobody could be asked
    found = workers.unprotect(*master(CM), *lay(streams(session(), rtp, count=19)))
    assert found.ok.all()


def test_places_outside_the_octets_are_refused(workers, master):
    with pytest.raises(Malformed, match="start and length"):
        workers.unprotect(*master(CM), b"abcd", [0] * 100, [5] * 100)


@pytest.mark.parametrize("processes", [0, -1, 65])
def test_how_many_processes_there_may_be(processes):
    with pytest.raises(Malformed, match="1 to 64"):
        parallel.Workers(processes)


def test_no_file_is_left_and_what_was_given_stays(session, rtp, master, monkeypatch, tmp_path):
    monkeypatch.setattr(parallel, "_MEMORY", str(tmp_path))
    with parallel.Workers(2) as workers:
        found = workers.unprotect(*master(CM), *lay(streams(session(), rtp)))
        assert list(tmp_path.iterdir()) == []  # nor is there one while they work
        workers.unprotect(*master(CM), *lay(streams(session(), rtp, first=7)))
    assert found[59] == rtp(65539, ssrc=9) and found.ok.all()


def test_memory_grows_with_what_is_asked(session, rtp, master):
    with parallel.Workers(2) as workers:
        for count in (20, 60, 40, 200):
            packets = streams(session(), rtp, count=count)
            assert len(list(workers.unprotect(*master(CM), *lay(packets)))) == count


def test_a_process_that_is_killed_is_said(session, rtp, master):
    with parallel.Workers(2) as workers:
        workers.unprotect(*master(CM), *lay(streams(session(), rtp)))
        for process in list(workers._pool._processes.values()):
            process.kill()
            process.join()
        with pytest.raises(SrtpError, match="ended from outside"):
            workers.unprotect(*master(CM), *lay(streams(session(), rtp)))


def test_nothing_is_left_running(session, rtp, master):
    workers = parallel.Workers(2)
    workers.unprotect(*master(CM), *lay(streams(session(), rtp)))
    processes = [process.pid for process in workers._pool._processes.values()]
    workers.close()
    assert processes and not any(Path(f"/proc/{pid}").exists() for pid in processes if os.name == "posix")
