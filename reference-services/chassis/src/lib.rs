//! What every service shares: config, router, client, telemetry, store.
