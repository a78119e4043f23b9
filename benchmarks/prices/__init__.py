"""What a night of prices costs."""
