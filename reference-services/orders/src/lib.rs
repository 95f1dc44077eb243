//! CloudScale's orders.
