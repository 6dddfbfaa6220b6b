"""Prefect flows: thin steps that call one library function each and hold the retries."""

import os

# Prefect reads this when it is imported, which happens after this line.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
