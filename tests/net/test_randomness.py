"""The page of random octets: every draw is new, and none is cut short."""

from imslab.net.randomness import Randomness


def test_no_octet_is_given_out_twice(monkeypatch):
    pages = []

    def urandom(count):
        pages.append(bytes([len(pages) + 1]) * count)
        return pages[-1]

    monkeypatch.setattr("os.urandom", urandom)
    draw = Randomness()
    taken = [draw(n) for n in (16, 4000, 80, 1, 4095, 4096, 9000, 5)]
    assert [len(one) for one in taken] == [16, 4000, 80, 1, 4095, 4096, 9000, 5]
    for mark, page in enumerate(pages, 1):
        assert sum(one.count(mark) for one in taken) <= len(page)
    assert all(len(set(one)) == 1 for one in taken)  # no draw is patched together from two pages


def test_draws_differ():
    draw = Randomness()
    assert len({draw(16) for _ in range(1000)}) == 1000
