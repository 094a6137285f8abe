"""Quota attainment of sellers and teams."""
