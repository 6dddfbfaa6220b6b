"""Several processes as one: started in order, kept alive, stopped together; nothing here knows what they do."""

from forecast.supervising.lock import only_one
from forecast.supervising.part import Part
from forecast.supervising.ports import check_ports
from forecast.supervising.supervisor import Supervisor

__all__ = ["Part", "Supervisor", "check_ports", "only_one"]
