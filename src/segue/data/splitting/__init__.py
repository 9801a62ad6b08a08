"""`segue data split`: who is for training, who for validation, who for the test."""
