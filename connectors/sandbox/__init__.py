"""Servers on this machine that behave like a CRM: to try things without an account, and to test.

They know nothing of the connectors that read them, so that either can prove the other wrong.
"""
