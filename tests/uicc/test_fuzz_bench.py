"""The bounded fuzz run of benchmarks/fuzz_card.py, shorter and with another seed."""

from benchmarks.fuzz_card import run


def test_twenty_thousand_malformed_commands() -> None:
    seen = run(20_000, 4711)
    assert sum(seen.values()) == 20_000
    assert {0x61, 0x67, 0x69, 0x6A, 0x6C, 0x6D, 0x6E, 0x90} <= seen.keys()  # the run got far
    assert seen[0x90] > 300
