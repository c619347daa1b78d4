//! The contract of the machines, line by line, for a client and for a server connection: properties that hold for any
//! sequence of calls, also of calls that make no sense.

mod abuse;
mod outputs;
mod subject;
