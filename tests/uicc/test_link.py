import pytest

from imslab.errors import CardError, CardGone, Departed
from imslab.uicc import Card, Exchange, Link, Profile, Recorder, Replayer, exchange, obtain
from imslab.uicc.apdu import select_aid, select_file, verify_pin

ISIM = bytes.fromhex("a0000000871004")


class Scripted:
    """A card that answers what it was told to, and remembers what it was asked."""

    def __init__(self, *answers: str | Exception, protocol: str | None = None) -> None:
        self.answers, self.asked = list(answers), list[str]()
        if protocol:
            self.protocol = protocol

    def transmit(self, apdu: bytes, /) -> bytes:
        self.asked.append(apdu.hex())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes.fromhex(answer)

    def reset(self) -> bytes:
        return b"\x3b\x00"


def ticks(step: float = 0.5) -> "Clock":
    return Clock(step)


class Clock:
    """A clock that moves by ``step`` seconds at each look."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 100.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_everything_is_a_link(card: Card) -> None:
    for link in (card, Recorder(card, clock=ticks()), Replayer(()), Scripted()):
        assert isinstance(link, Link)


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_exchange_gives_the_same_in_both_protocols(alice: Profile, protocol: str) -> None:
    card = Card(alice, protocol=protocol)  # type: ignore[arg-type]
    data, sw = exchange(card, select_aid(ISIM))
    assert sw == 0x9000
    assert data[0] == 0x62
    assert exchange(card, bytes.fromhex("00b0820000"))[0][:2] == b"\x80\x31"


def test_t0_behind_a_link_that_does_not_say_so(alice: Profile) -> None:
    card = Card(alice, protocol="T=0")

    class Silent:
        def transmit(self, apdu: bytes, /) -> bytes:
            return card.transmit(apdu)

        def reset(self) -> bytes:
            return card.reset()

    assert exchange(Silent(), select_aid(ISIM))[1] == 0x9000


def test_a_trailing_le_is_left_out_for_t0() -> None:
    link = Scripted("9000", protocol="T=0")
    assert exchange(link, select_file(0x3F00)) == (b"", 0x9000)
    assert link.asked == ["00a40004023f00"]


def test_6cxx_is_repeated_once_with_the_right_le() -> None:
    link = Scripted("6c02", "abcd9000")
    assert exchange(link, bytes.fromhex("00b0000000")) == (b"\xab\xcd", 0x9000)
    assert link.asked == ["00b0000000", "00b0000002"]
    link = Scripted("6c02", "6c03")
    assert exchange(link, bytes.fromhex("00b0000000")) == (b"", 0x6C03)


def test_61xx_is_fetched_on_the_channel_of_the_command() -> None:
    link = Scripted("6103", "ab6102", "cdef9000")
    assert exchange(link, bytes.fromhex("82ca00000102")) == (b"\xab\xcd\xef", 0x9000)
    assert link.asked[1:] == ["02c0000003", "02c0000002"]


def test_a_wrong_length_in_get_response_is_repeated() -> None:
    link = Scripted("6104", "6c03", "abcdef9000")
    assert exchange(link, bytes.fromhex("00a40004023f00")) == (b"\xab\xcd\xef", 0x9000)


def test_a_card_that_never_stops_is_given_up() -> None:
    with pytest.raises(CardError, match="more and more"):
        exchange(Scripted("6100", *["6100"] * 5), bytes.fromhex("00a40004023f00"))
    with pytest.raises(CardError, match="more and more"):
        exchange(Scripted("61ff", *["00" * 255 + "61ff"] * 400), bytes.fromhex("00a40004023f00"))


@pytest.mark.parametrize("answer", ["", "90"])
def test_an_answer_without_a_status_word_is_a_card_that_is_gone(answer: str) -> None:
    with pytest.raises(CardGone, match="SELECT MF"):
        exchange(Scripted(answer), select_file(0x3F00))


@pytest.mark.parametrize("error", [OSError("pulled"), TimeoutError(), EOFError(), ConnectionResetError()])
def test_a_link_that_breaks_is_a_card_that_is_gone(error: Exception) -> None:
    with pytest.raises(CardGone, match="went away during READ BINARY") as caught:
        exchange(Scripted(error), bytes.fromhex("00b0000000"))
    assert caught.value.sw1 is None


def test_a_pin_is_in_no_message() -> None:
    with pytest.raises(CardGone) as caught:
        exchange(Scripted(OSError()), bytes.fromhex("0020000108") + b"4711\xff\xff\xff\xff")
    assert b"4711".hex() not in str(caught.value)


def test_the_recorder_keeps_time_and_octets(card: Card) -> None:
    seen: list[Exchange] = []
    recorder = Recorder(card, seen.append, clock=ticks())
    answer = recorder.transmit(bytes.fromhex("80f2000c"))
    recorder.reset()
    assert seen == recorder.exchanges == [Exchange(100.5, 0.5, bytes.fromhex("80f2000c"), answer)]
    assert recorder.protocol == "T=1"
    assert Recorder(Scripted(), clock=ticks()).protocol is None


def test_a_recording_plays_back(card: Card) -> None:
    recorder = Recorder(card, clock=ticks())
    commands = [select_file(0x3F00), select_aid(ISIM), bytes.fromhex("00b0820000")]
    answers = [recorder.transmit(command) for command in commands]
    replayer = Replayer(recorder.exchanges, atr=card.reset())
    assert [replayer.transmit(command) for command in commands] == answers
    assert replayer.position == 3
    assert replayer.reset() == card.reset()


def test_a_replay_says_where_it_departs(card: Card) -> None:
    recorder = Recorder(card, clock=ticks())
    recorder.transmit(select_file(0x3F00))
    recorder.transmit(select_aid(ISIM))
    replayer = Replayer(recorder.exchanges)
    replayer.transmit(select_file(0x3F00))
    with pytest.raises(Departed, match=r"recorded SELECT ADF\.ISIM.*; got READ BINARY") as caught:
        replayer.transmit(bytes.fromhex("00b0000000"))
    assert caught.value.position == 1
    replayer.transmit(select_aid(ISIM))  # the position did not move
    with pytest.raises(Departed, match="2 exchanges and ends before SELECT MF") as caught:
        replayer.transmit(select_file(0x3F00))
    assert caught.value.position == 2


def test_a_recording_rewinds_where_that_is_asked_for(card: Card) -> None:
    recorder = Recorder(card, clock=ticks())
    data, _ = exchange(recorder, select_file(0x2F00))
    for rewinds, position in ((False, 1), (True, 0)):
        replayer = Replayer(recorder.exchanges[:1], rewinds=rewinds)
        assert exchange(replayer, select_file(0x2F00))[0] == data
        replayer.reset()
        assert replayer.position == position


def test_obtain_gives_the_data_or_says_why_not(card: Card) -> None:
    assert obtain(card, select_file(0x2F00))[:1] == b"\x62"
    with pytest.raises(CardError, match=r"SELECT .*6A82, file not found") as caught:
        obtain(card, select_file(0x2FFF))
    assert (caught.value.sw1, caught.value.sw2) == (0x6A, 0x82)
    with pytest.raises(CardError, match="63C2, verification failed, 2 tries remain"):
        obtain(card, verify_pin(0x0A, b"9999\xff\xff\xff\xff"))
