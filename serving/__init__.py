"""The HTTP service: answers forecasts from the registered champion."""
