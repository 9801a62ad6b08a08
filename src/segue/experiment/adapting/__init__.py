"""Another hospital: a finished run goes on with its images, where nobody has drawn masks."""
