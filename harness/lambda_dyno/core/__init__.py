"""What everything else stands on: settings, results, errors, files, progress."""
