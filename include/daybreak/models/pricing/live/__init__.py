"""The price of a moment: what streams say moves it, the same for everybody who asks."""
