"""Schedules of crashes, run for real (R1, R11). `make crash` runs 10,000 of them."""

from tests.crash import parallel

SCHEDULES = 200


def test_nothing_is_lost_or_doubled_whatever_is_killed_when() -> None:
    reports = list(parallel.run(first=0, count=SCHEDULES, jobs=2))
    failed = [str(report) for report in reports if report.problem]
    assert not failed, "\n\n".join(failed)
    assert len(reports) == SCHEDULES
    assert sum(report.struck for report in reports) > SCHEDULES / 3, "the crashes did not happen"
