"""What every claim is measured with."""
