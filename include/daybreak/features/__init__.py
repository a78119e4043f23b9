"""Facts to float32 snapshot rows as of a business date and a knowledge time. Pure."""
