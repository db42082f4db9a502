"""One vendor each: every vendor error is translated, nothing is decided here."""
