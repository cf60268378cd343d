//! How guests reach their virtual GPUs.

#![forbid(unsafe_code)]

pub mod vfio_user;
