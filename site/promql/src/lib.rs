//! PromQL: from a typed query to a value.
