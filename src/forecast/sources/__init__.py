"""Sources: files, databases and the sample -> `Demand`, with every mistake named by its line or row."""

from forecast.sources.check import Finding, Report, check
from forecast.sources.contract import Batch, Mark, Source
from forecast.sources.declaration import Declaration
from forecast.sources.drop import DropFolder
from forecast.sources.facts import SeriesFacts
from forecast.sources.feeds import FeedOptions, open_feed
from forecast.sources.files import CsvFile, ParquetFile
from forecast.sources.once import Once
from forecast.sources.opening import Table, describes_itself, open_source, read
from forecast.sources.remembered import Remembered, is_store, store_url
from forecast.sources.sample import SAMPLE_ORIGIN, SAMPLE_SERIES, Sample, read_sample
from forecast.sources.sql import SqlQuery
from forecast.sources.sqlfeed import SqlFeed

__all__ = [
    "SAMPLE_ORIGIN",
    "SAMPLE_SERIES",
    "Batch",
    "CsvFile",
    "Declaration",
    "DropFolder",
    "FeedOptions",
    "Finding",
    "Mark",
    "Once",
    "ParquetFile",
    "Remembered",
    "Report",
    "Sample",
    "SeriesFacts",
    "Source",
    "SqlFeed",
    "SqlQuery",
    "Table",
    "check",
    "describes_itself",
    "is_store",
    "open_feed",
    "open_source",
    "read",
    "read_sample",
    "store_url",
]
