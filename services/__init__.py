"""What runs between the devices and the people: storage, jobs, forecasting, privacy, the API and the command line."""
