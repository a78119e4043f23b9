"""How the recommendations learn and are judged. Neither scoring nor serving imports it."""
