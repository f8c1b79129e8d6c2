//! What the tests here start: the services in this process, and their real binaries.
