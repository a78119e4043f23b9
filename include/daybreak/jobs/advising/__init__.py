"""What `daybreak advise` measures of a model's nights; the requests are measured by `serving`."""
