//! A mount namespace with its own `/dev` for everything that mounts.
//!
//! A container that was run without one has removed device nodes of the machine before. Inside the namespace
//! nothing that is mounted or removed below `/dev` reaches the machine.

use std::ffi::OsStr;
use std::process::Command;

use crate::actor::am_root;

/// Fills the new `/dev` with new nodes, then becomes its arguments.
const OWN_DEVICES: &str = include_str!("own-devices.sh");

/// Makes a command that runs `inner` in its own mount namespace; `inner`'s environment must be set on the result.
///
/// An ordinary user can neither mount on nor remove anything of the machine, so that its commands stay as they are.
pub fn private_mounts(inner: &Command) -> Command {
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let (mut command, start): (_, &[&str]) = if am_root() {
        (Command::new("unshare"), &["--mount", "--propagation", "private", "sh", "-c", OWN_DEVICES, "sh"])
    } else {
        (Command::new("env"), &[])
    };
    command.args(start).args(words.map(OsStr::to_owned));
    if let Some(directory) = inner.get_current_dir() {
        command.current_dir(directory);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finished;
    use crate::machine::{Need, ready};

    #[test]
    fn devices_of_the_machine_cannot_be_removed() {
        if !ready("devices_of_the_machine_cannot_be_removed", &[Need::Root]) {
            return;
        }
        let mut inner = Command::new("sh");
        inner.args(["-c", "echo x > /dev/null && rm /dev/null && ! test -e /dev/null && test -c /dev/zero"]);
        Finished::of(&mut private_mounts(&inner)).unwrap().success().unwrap();
        assert!(std::path::Path::new("/dev/null").exists());
    }
}
