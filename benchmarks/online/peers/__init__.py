"""One booster behind each of the usual servers, beside ours through its full path."""
