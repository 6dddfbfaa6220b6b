"""Figures for reports: each function returns a matplotlib `Figure` and touches no global state.

Colours are Okabe and Ito's, which colour-blind readers tell apart; times are local and the zone is named.
"""

from forecast.plots.explanations import attention_map, attribution_bars, explanation_figures, similar_days_fan
from forecast.plots.fan import demo_picture, fan_chart
from forecast.plots.judgement import calibration_diagram, comparison_bars, error_by_lead_and_hour
from forecast.plots.learning import gradient_report
from forecast.plots.quality import quality_closeups, quality_overview

__all__ = [
    "attention_map",
    "attribution_bars",
    "calibration_diagram",
    "comparison_bars",
    "demo_picture",
    "error_by_lead_and_hour",
    "explanation_figures",
    "fan_chart",
    "gradient_report",
    "quality_closeups",
    "quality_overview",
    "similar_days_fan",
]
