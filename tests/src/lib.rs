//! The tests at the doors people use: command line, HTTP, browser.
