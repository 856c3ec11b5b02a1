"""How fast the city is forecast, beside the package people would use instead."""
