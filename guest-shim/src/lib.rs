//! The room for the guest's side of the paravirtual way: the wire protocol that it shares with the mediator, and a
//! client library. Nothing of it is built yet.
