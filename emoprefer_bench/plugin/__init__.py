"""What pytest sees. No other room imports pytest."""
