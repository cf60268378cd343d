//! The state of a VM's GPU as a file.
//!
//! ```text
//!  header  magic, format, checksum, length      checked before anything else is looked at
//!  body    JSON: the guest memory's layout ── the monitor ── the device: model, version, its own state
//! ```
//!
//! Guest memory is not part of it: that is the VMM's. The file is hostile input, like a guest: its size is checked
//! before memory is taken, a field that is unknown or missing is an error, and values are judged by the device. JSON,
//! because every field carries its name, and no number in it makes the reader take memory.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Reason, Time};

/// The largest state in bytes: more than a guest that fills every table and ring makes.
pub const MAX_STATE: usize = 64 << 20;

const MAGIC: [u8; 8] = *b"vgate-vm";
/// The layout of header and body. The device's part has a version of its own.
const FORMAT: u32 = 1;
/// Magic, format, checksum of the body, length of the body.
const HEADER: usize = 8 + 4 + 4 + 8;

/// A device's state as plain data, and what it is the state of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    model: String,
    version: u32,
    state: Box<RawValue>,
}

impl Saved {
    /// The `state` of a device of this `model`, in this `version` of the state's layout.
    ///
    /// # Errors
    /// [`SaveError::Device`] for a state that is no plain data.
    pub fn new(model: String, version: u32, state: &impl Serialize) -> Result<Self, SaveError> {
        let state = serde_json::value::to_raw_value(state)
            .map_err(|error| SaveError::Device(error.to_string()))?;
        Ok(Self { model, version, state })
    }

    /// The state, if it is one of this model and version.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub fn open<T: DeserializeOwned>(&self, model: &str, version: u32) -> Result<T, RestoreError> {
        if self.model != model {
            let here = model.to_owned();
            return Err(RestoreError::Model { saved: shown(&self.model), here });
        }
        if self.version != version {
            return Err(RestoreError::Version { saved: self.version, here: version });
        }
        serde_json::from_str(self.state.get())
            .map_err(|error| RestoreError::Malformed(error.to_string()))
    }
}

/// Guest memory that is mapped: pages that follow one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappedRange {
    /// Guest-physical address.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    pub(crate) writable: bool,
}

/// The monitor as the operator left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Monitor {
    pub(crate) plugged: bool,
    /// Its EDID if it isn't the first one.
    pub(crate) edid: Option<Vec<u8>>,
}

/// All that is saved of a VM.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedVm {
    /// What saved it: for people.
    pub(crate) program: String,
    /// When, as the guest counts time.
    pub(crate) now: Time,
    pub(crate) memory: Vec<MappedRange>,
    pub(crate) monitor: Monitor,
    pub(crate) device: Saved,
}

impl SavedVm {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, SaveError> {
        let body =
            serde_json::to_vec(self).map_err(|error| SaveError::Device(error.to_string()))?;
        let bytes = HEADER.saturating_add(body.len());
        if bytes > MAX_STATE {
            return Err(SaveError::TooLarge(bytes));
        }
        let mut file = Vec::with_capacity(bytes);
        file.extend(MAGIC);
        file.extend(FORMAT.to_le_bytes());
        file.extend(crc32fast::hash(&body).to_le_bytes());
        file.extend((body.len() as u64).to_le_bytes());
        file.extend(body);
        Ok(file)
    }

    pub(crate) fn decode(file: &[u8]) -> Result<Self, RestoreError> {
        let (magic, rest) = file.split_first_chunk().ok_or(RestoreError::NotAState)?;
        if *magic != MAGIC {
            return Err(RestoreError::NotAState);
        }
        let truncated = RestoreError::Truncated { has: file.len(), needs: HEADER as u64 };
        let mut fields = rest;
        let format = take_u32(&mut fields).ok_or(truncated.clone())?;
        if format != FORMAT {
            return Err(RestoreError::Format { saved: format, here: FORMAT });
        }
        let checksum = take_u32(&mut fields).ok_or(truncated.clone())?;
        let (length, body) = fields.split_first_chunk().ok_or(truncated)?;
        let length = u64::from_le_bytes(*length);
        let (has, needs) = (file.len(), length.saturating_add(HEADER as u64));
        match (has as u64).cmp(&needs) {
            std::cmp::Ordering::Less => return Err(RestoreError::Truncated { has, needs }),
            std::cmp::Ordering::Greater => return Err(RestoreError::Overlong { has, needs }),
            std::cmp::Ordering::Equal => {}
        }
        if crc32fast::hash(body) != checksum {
            return Err(RestoreError::Damaged);
        }
        serde_json::from_slice(body).map_err(|error| RestoreError::Malformed(error.to_string()))
    }
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*word))
}

/// A name out of a file, fit for a message.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// Why a VM was not saved. It goes on as before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// There is no guest.
    #[error("no VMM is connected, so there is nothing to save")]
    NotConnected,
    /// There is no GPU that works.
    #[error("the VM is quarantined ({0}): there is nothing to save until it is reset")]
    Quarantined(Reason),
    /// Silicon keeps what contexts hold to itself.
    #[error("what the VM's contexts hold lies in the host's driver, which does not give it away")]
    Unsaveable,
    /// A save is under way.
    #[error("the VM is being saved already")]
    Twice,
    /// The VM did not come to rest.
    #[error(
        "the VM did not come to rest within {0:?}: stop the guest by its VMM first, and try again; \
         or a job that can't be interrupted runs"
    )]
    Restless(std::time::Duration),
    /// Silicon does not give a job back.
    #[error("the VM's jobs can't be had back: {0}")]
    Silicon(Reason),
    /// The VM was reset, or its VMM went, while it was being saved.
    #[error("the VM was reset or left alone by its VMM meanwhile")]
    Overtaken,
    /// The device can't say what its state is.
    #[error("the virtual GPU can't be saved: {0}")]
    Device(String),
    /// The state is larger than what a restore takes.
    #[error("the state has {0} bytes and may have {MAX_STATE}")]
    TooLarge(usize),
}

/// Why a state was not restored. The VM is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The file is something else.
    #[error("this is no state that vgate has saved")]
    NotAState,
    /// The file is in another format.
    #[error(
        "the state is in format {saved} and this vgate reads format {here}: restore it with the vgate that saved it"
    )]
    Format {
        /// The file's.
        saved: u32,
        /// This program's.
        here: u32,
    },
    /// A part of the file is missing.
    #[error("the state has {has} bytes and should have {needs}: copy the file again, all of it")]
    Truncated {
        /// Bytes there are.
        has: usize,
        /// Bytes there should be.
        needs: u64,
    },
    /// The file goes on behind its end.
    #[error("the state has {has} bytes and should have {needs}: something was added to the file")]
    Overlong {
        /// Bytes there are.
        has: usize,
        /// Bytes there should be.
        needs: u64,
    },
    /// The checksum is wrong.
    #[error("the state is damaged, its checksum is wrong: copy the file again, or save anew")]
    Damaged,
    /// The checksum is right, but the content makes no sense.
    #[error("the state makes no sense, save anew: {0}")]
    Malformed(String),
    /// It is another GPU's.
    #[error(
        "the state is of {saved:?} and this VM has {here:?}: give the VM the same GPU in the configuration"
    )]
    Model {
        /// The state's.
        saved: String,
        /// The VM's.
        here: String,
    },
    /// It is of another version of the device.
    #[error(
        "the state has version {saved} and this vgate's GPU has {here}: restore it with the vgate that saved it"
    )]
    Version {
        /// The state's.
        saved: u32,
        /// The device's.
        here: u32,
    },
    /// A value that no device can have.
    #[error("no GPU can be in this state, save anew: {0}")]
    Impossible(String),
    /// There is no guest.
    #[error(
        "no VMM is connected: start it first, stopped, with the guest's memory as it was saved"
    )]
    NotConnected,
    /// Guest memory lies elsewhere.
    #[error(
        "the guest's memory lies elsewhere than when the state was saved: start the VMM with the same memory and machine"
    )]
    Memory,
    /// Guest memory is gone.
    #[error("the guest's memory has vanished: restart its VMM")]
    Vanished,
    /// The host lacks something, or the device failed: the VM is quarantined.
    #[error("the virtual GPU failed: {0}")]
    Failed(Reason),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn saved() -> SavedVm {
        SavedVm {
            program: "a test".into(),
            now: Time(5),
            memory: vec![MappedRange { at: 0, bytes: 4096, writable: true }],
            monitor: Monitor { plugged: true, edid: None },
            device: Saved::new("a toy".into(), 7, &[1, 2, 3]).unwrap(),
        }
    }

    fn sealed(body: &str) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend(FORMAT.to_le_bytes());
        file.extend(crc32fast::hash(body.as_bytes()).to_le_bytes());
        file.extend((body.len() as u64).to_le_bytes());
        file.extend(body.bytes());
        file
    }

    #[test]
    fn a_state_comes_back() {
        let file = saved().encode().unwrap();
        let back = SavedVm::decode(&file).unwrap();
        assert_eq!((&back.memory, &back.monitor), (&saved().memory, &saved().monitor));
        assert_eq!(back.device.open::<Vec<u32>>("a toy", 7).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn another_model_version_or_shape_is_refused() {
        let device = saved().device;
        let model = RestoreError::Model { saved: "a toy".into(), here: "a car".into() };
        assert_eq!(device.open::<Vec<u32>>("a car", 7).unwrap_err(), model);
        let version = RestoreError::Version { saved: 7, here: 8 };
        assert_eq!(device.open::<Vec<u32>>("a toy", 8).unwrap_err(), version);
        let shape = device.open::<String>("a toy", 7).unwrap_err();
        assert!(matches!(shape, RestoreError::Malformed(_)), "{shape}");
    }

    #[test]
    fn what_is_no_whole_state_is_refused() {
        let file = saved().encode().unwrap();
        for length in 0..file.len() {
            let error = SavedVm::decode(&file[..length]).unwrap_err();
            let known = matches!(error, RestoreError::NotAState | RestoreError::Truncated { .. });
            assert!(known, "{length}: {error}");
        }
        let mut longer = file.clone();
        longer.push(0);
        assert!(matches!(SavedVm::decode(&longer), Err(RestoreError::Overlong { .. })));
        let mut other = file;
        other[8] = 2;
        let format = RestoreError::Format { saved: 2, here: 1 };
        assert_eq!(SavedVm::decode(&other).unwrap_err(), format);
    }

    #[test]
    fn a_field_too_many_or_too_few_is_refused() {
        let body = serde_json::to_string(&saved()).unwrap();
        for (from, to) in [
            (r#""memory":"#, r#""more":1,"memory":"#),
            (r#""writable":true"#, r#""writable":true,"more":1"#),
            (r#""plugged":true,"#, ""),
            (r#""version":7,"#, ""),
            (r#""version":7"#, r#""version":-7"#),
        ] {
            assert!(body.contains(from), "{body}");
            let error = SavedVm::decode(&sealed(&body.replacen(from, to, 1))).unwrap_err();
            assert!(matches!(error, RestoreError::Malformed(_)), "{to}: {error}");
        }
        SavedVm::decode(&sealed(&body)).unwrap();
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), by in 1_u8..) {
            let mut file = saved().encode().unwrap();
            let at = at.index(file.len());
            file[at] ^= by;
            prop_assert!(SavedVm::decode(&file).is_err());
        }

        #[test]
        fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(SavedVm::decode(&noise).is_err());
            let mut file = MAGIC.to_vec();
            file.extend(noise);
            prop_assert!(SavedVm::decode(&file).is_err());
        }
    }
}
