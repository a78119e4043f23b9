"""What demand does when a price moves: cells of a panel, the fit, and how far each is believed."""
