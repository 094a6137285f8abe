"""HubSpot's records as canonical frames: pure functions, no network, no clock.

``deals``, ``leads``, ``people`` (owners, companies, meetings), ``stages``, ``history`` and
``subscriptions`` shape records; ``links`` adds what only associations tell; ``reconcile`` lists what
does not agree; ``reading`` says which properties have to be asked for.
"""
