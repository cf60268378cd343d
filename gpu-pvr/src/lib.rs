//! The room for all that is PowerVR SGX544: registers, memory management, commands, a virtual GPU and its silicon.
//! Nothing of it is built yet.
