"""Fraud: how likely an event of a stream is one that will be complained about, as it comes."""
