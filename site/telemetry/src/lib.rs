//! Scraping, the OTLP receiver and the embedded backend.
