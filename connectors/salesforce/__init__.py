"""Salesforce: an org's leads, opportunities and all that belongs to them. Only reading."""
