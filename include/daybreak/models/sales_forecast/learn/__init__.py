"""How the sales forecast learns and is judged. Neither scoring nor serving imports it."""
