"""``make bench``: every benchmark in turn, each with its table."""

from __future__ import annotations

import sys

from benchmarks import bench_forecast, bench_recommendations, bench_reports

if __name__ == "__main__":
    given = sys.argv  # --shards-in-processes N is for those that have shards
    bench_forecast.main()
    print()
    bench_recommendations.main()
    print()
    sys.argv = given[:1]
    bench_reports.main()
