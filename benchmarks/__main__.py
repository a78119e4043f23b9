"""``make bench``: every benchmark in turn, each with its table."""

from __future__ import annotations

import sys

from benchmarks import bench_forecast, bench_recommendations, bench_reports

if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    bench_forecast.main()
    print()
    bench_recommendations.main()
    print()
    bench_reports.main()
