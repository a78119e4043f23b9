"""Whether what a model is given, and what it answers, is still what it was: histograms of nights
beside those of earlier ones and of the training, and alarms that follow from them."""
