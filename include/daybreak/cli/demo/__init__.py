"""`daybreak demo`: seven business days from nothing, and what they show."""
