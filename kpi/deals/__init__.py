"""Deals: how many are made and won, what they are worth, how long they take."""
