//! CloudScale's payments: authorise and capture.
