"""Leads: how many, how fast they grow, what becomes of them and when."""
