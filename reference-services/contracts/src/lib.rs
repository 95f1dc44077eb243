//! Event and API types that services share on the wire.
