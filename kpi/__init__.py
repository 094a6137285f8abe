from kpi.conform import conform
from kpi.definitions import Definitions
from kpi.snapshot import Snapshot
from kpi.tables import TABLES, TableError
