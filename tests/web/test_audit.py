"""The audit log: bounded, and on one line each."""

from imslab.web.audit import MOST, AuditLog, Entry


def test_the_last_thousand_are_kept_and_each_is_told() -> None:
    told: list[Entry] = []
    log = AuditLog(told.append)
    for number in range(MOST + 5):
        log.note(float(number), "http://a", "connect", "ok")
    assert len(log.entries) == MOST == 1000
    assert log.entries[0].at == 5.0
    assert len(told) == MOST + 5


def test_what_a_stranger_sends_stays_on_one_short_line() -> None:
    log = AuditLog()
    log.note(0.0, "http://a\r\nforged: line", "x" * 5000, "ok\x1b[31m")
    (entry,) = log.entries
    assert "\n" not in str(entry) and "\r" not in str(entry) and "\x1b" not in str(entry)
    assert len(str(entry)) < 300
    assert str(entry).startswith("http://a??forged: line: xxx")
