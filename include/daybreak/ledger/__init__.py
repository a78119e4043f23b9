"""What was decided and is only added to: generations and their states, champions, verdicts."""
