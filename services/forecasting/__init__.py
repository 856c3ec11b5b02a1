"""From stored history to stored forecasts."""
