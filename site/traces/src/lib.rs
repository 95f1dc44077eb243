//! Spans and logs: model, OTLP decoding, bounded store, search, service graph.
