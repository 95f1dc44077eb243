//! Supervisor and traffic for CloudScale on one machine.
