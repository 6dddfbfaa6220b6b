"""Sources: files, databases and the sample -> `Demand`, with every mistake named by its line or row."""

from forecast.sources.check import Finding, Report, check
from forecast.sources.contract import Batch, Mark, Source
from forecast.sources.declaration import Declaration
from forecast.sources.facts import SeriesFacts
from forecast.sources.files import CsvFile, ParquetFile
from forecast.sources.sample import SAMPLE_ORIGIN, SAMPLE_SERIES, Sample, read_sample
from forecast.sources.opening import Table, describes_itself, open_source, read
from forecast.sources.sql import SqlQuery

__all__ = [
    "SAMPLE_ORIGIN",
    "SAMPLE_SERIES",
    "Batch",
    "CsvFile",
    "Declaration",
    "Finding",
    "Mark",
    "ParquetFile",
    "Report",
    "Sample",
    "SeriesFacts",
    "Source",
    "SqlQuery",
    "Table",
    "check",
    "describes_itself",
    "open_source",
    "read",
    "read_sample",
]
