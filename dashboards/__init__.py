"""What city operators see: pages, figures and their theme."""
