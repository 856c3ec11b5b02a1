"""Forecasting models: numpy panels in, quantiles out. No database, no broker, no clock."""
