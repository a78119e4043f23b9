"""What a data set file may say: sections, canonical columns, durations."""
