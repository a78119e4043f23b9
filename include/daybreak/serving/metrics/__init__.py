"""What the service shows of itself: Prometheus by ``GET /metrics``, the essentials by statsd."""
