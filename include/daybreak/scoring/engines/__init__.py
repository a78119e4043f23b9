"""What turns rows of features into margins: the booster, and its twin for single rows."""
