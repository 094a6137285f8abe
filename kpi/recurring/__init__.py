"""Recurring revenue and the customers who pay it: movements, churn, retention, lifetime value."""
