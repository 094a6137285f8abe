"""The errors of everything that touches a file, a folder or the network, in one tree.

::

    ConnectorError           whatever could not be fetched, read or kept
    ├── StoreError           the local store: not one, in use, or a version that is gone
    └── FileError            an export (CSV, Excel, Parquet) or mapping that cannot be read

Every message says what failed, where, and what to do; none ever holds a password or token.
What is wrong with the *content* of a table is a `kpi.tables.TableError`.

Examples
--------
>>> issubclass(StoreError, ConnectorError)
True
"""


class ConnectorError(Exception):
    """Something outside the program could not be fetched, read or kept."""


class StoreError(ConnectorError):
    """The local store cannot do what was asked: it is not there, in use, or past its keeping."""


class FileError(ConnectorError):
    """An export or a mapping file cannot be read."""
