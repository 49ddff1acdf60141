//! The entries of a step's `/dev`.

/// A device node, bound from the machine's own `/dev`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device {
    /// Its name.
    pub(crate) name: &'static str,
    /// The driver's number (`Documentation/admin-guide/devices.txt`): what else bears the name is not bound.
    pub(crate) major: u32,
    /// The number within the driver.
    pub(crate) minor: u32,
}

impl Device {
    const fn new(name: &'static str, major: u32, minor: u32) -> Self {
        Self { name, major, minor }
    }
}

/// The devices that the OCI runtime specification demands (`config-linux.md`, "Default Devices").
pub(crate) const DEVICES: &[Device] = &[
    Device::new("null", 1, 3),
    Device::new("zero", 1, 5),
    Device::new("full", 1, 7),
    Device::new("random", 1, 8),
    Device::new("urandom", 1, 9),
    Device::new("tty", 5, 0),
];

/// Links, by name and target: those of the OCI runtime specification ("Default File Systems").
pub(crate) const DEVICE_LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];
