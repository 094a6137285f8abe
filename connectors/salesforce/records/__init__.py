"""Salesforce's records as canonical frames: pure functions, no network, no clock.

``rows`` brings what REST and Bulk answer to one shape, a frame of text; ``select`` says which fields
to ask for. ``leads``, ``deals``, ``history``, ``people`` (owners, accounts, meetings), ``stages``,
``currencies`` and ``subscriptions`` shape such frames; ``reconcile`` lists what does not agree.
"""
