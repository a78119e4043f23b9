"""What both paths share: the predictor and its twin; batch scoring and the audit."""
